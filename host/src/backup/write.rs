//! Makes a backup while the gateway runs: the store first, then what lies beside it, so that what the store
//! speaks of is there.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use super::draft::Draft;
use super::{CONTENTS, Contents, FORMAT, Inside, Places};
use crate::brain::kept;
use crate::store::embedded::backup::{STORE, STORE_AT};
use crate::store::upkeep::StoreFile;
use crate::store::{Error, Result};
use crate::{clock, priority, regular_file};

/// What entries begin at multiples of.
const BLOCK: u64 = 512;

/// What was made.
#[derive(Debug)]
pub struct Made {
    pub file: PathBuf,
    pub bytes: u64,
    pub packages: usize,
    pub files: usize,
    /// What could not be read, and why. The rest is there.
    pub left_out: Vec<String>,
}

/// Makes one at `to`, where nothing is yet; with the files that contacts sent and tenants uploaded, if
/// `files` says so.
pub async fn make(store: &dyn StoreFile, places: Places, files: bool, to: &Path) -> Result<Made> {
    let wrong = {
        let shown = to.display().to_string();
        move |error: &dyn std::fmt::Display| Error::Failed(format!("the backup {shown}: {error}"))
    };
    if to.symlink_metadata().is_ok() {
        return Err(Error::Conflict(format!("{} exists already", to.display())));
    }
    let draft = Draft::new(to).map_err(|error| wrong(&error))?;
    let file = draft.file.try_clone().map_err(|error| wrong(&error))?;
    let length = store.backup(file, STORE_AT).await?;
    let to = to.to_owned();
    let work = move || Writer::begin(draft, length)?.write(&places, files, to);
    let done = priority::aside("backup", work).await.map_err(|error| wrong(&error))?;
    done.map_err(|error| wrong(&error))
}

struct Writer {
    draft: Draft,
    /// How many bytes the store has.
    length: u64,
    tar: tar::Builder<BufWriter<File>>,
    contents: Contents,
}

impl Writer {
    /// Behind the store.
    fn begin(draft: Draft, length: u64) -> io::Result<Self> {
        let end = (STORE_AT + length).next_multiple_of(BLOCK);
        draft.file.set_len(end)?;
        let mut file = draft.file.try_clone()?;
        file.seek(SeekFrom::Start(end))?;
        let contents = Contents {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").into(),
            made_at: clock::now().to_string(),
            ..Contents::default()
        };
        let tar = tar::Builder::new(BufWriter::with_capacity(1 << 20, file));
        Ok(Writer { draft, length, tar, contents })
    }

    fn write(mut self, places: &Places, files: bool, to: PathBuf) -> io::Result<Made> {
        let packages = self.packages(&places.plugins)?;
        self.versions(&places.versions)?;
        self.contents.files = files;
        let files = if files { self.files(&places.media)? } else { 0 };
        let contents = serde_json::to_vec_pretty(&self.contents).map_err(io::Error::other)?;
        self.append(CONTENTS, 0o600, contents.len() as u64, &mut contents.as_slice())?;
        let mut out = self.tar.into_inner()?;
        out.flush()?;
        drop(out);
        // The head of the first entry last: until then it is no backup.
        let head = header(STORE, 0o600, self.length)?;
        self.draft.file.write_all_at(head.as_bytes(), 0)?;
        let bytes = self.draft.file.metadata()?.len();
        self.draft.finish()?;
        Ok(Made { file: to, bytes, packages, files, left_out: self.contents.left_out })
    }

    fn left_out(&mut self, what: impl Into<String>) {
        let what = what.into();
        tracing::error!(what, "left out of the backup");
        self.contents.left_out.push(what);
    }

    fn packages(&mut self, plugins: &Path) -> io::Result<usize> {
        let names = match kept::names(plugins) {
            Ok(names) => names,
            Err(error) => {
                self.left_out(format!("the plugins directory {}: {error}", plugins.display()));
                return Ok(0);
            }
        };
        let mut packages = 0;
        for name in names {
            match kept::files(plugins, &name) {
                Ok(files) => {
                    for (file, bytes) in files {
                        let mode =
                            plugins.join(&name).join(file).metadata().map_or(0o600, |file| file.mode());
                        let path = format!("plugins/{name}/{file}");
                        self.append(&path, mode & 0o777, bytes.len() as u64, &mut bytes.as_slice())?;
                    }
                    packages += 1;
                }
                Err(error) => self.left_out(error),
            }
        }
        Ok(packages)
    }

    fn versions(&mut self, versions: &Path) -> io::Result<()> {
        for name in kept::version_files(versions)? {
            match kept::version_file(versions, &name) {
                Ok(bytes) => {
                    let path = format!("versions/{name}");
                    self.append(&path, 0o600, bytes.len() as u64, &mut bytes.as_slice())?;
                }
                // Another version came, and this one fell off the end.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.left_out(format!("{}: {error}", versions.join(&name).display())),
            }
        }
        Ok(())
    }

    fn files(&mut self, media: &Path) -> io::Result<usize> {
        let mut files = 0;
        for directory in entries(media)? {
            for name in entries(&media.join(&directory)).unwrap_or_default() {
                let path = format!("media/{directory}/{name}");
                if Inside::parse(&path).is_none() {
                    continue;
                }
                match regular_file::open(&media.join(&directory).join(&name)) {
                    Ok(mut file) => {
                        let length = file.metadata()?.len();
                        self.append(&path, 0o600, length, &mut file)?;
                        files += 1;
                    }
                    // Its time was over.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => self.left_out(format!("{path}: {error}")),
                }
            }
        }
        Ok(files)
    }

    fn append(&mut self, path: &str, mode: u32, length: u64, from: &mut dyn Read) -> io::Result<()> {
        let mut header = header(path, mode, length)?;
        let mut hashed = Hashed { from: from.take(length), hash: Sha256::new(), read: 0 };
        self.tar.append_data(&mut header, path, &mut hashed)?;
        if hashed.read != length {
            return Err(io::Error::other(format!("{path} became shorter while it was read")));
        }
        if path != CONTENTS {
            self.contents.sha256.insert(path.to_owned(), hex::encode(hashed.hash.finalize()));
        }
        Ok(())
    }
}

fn header(path: &str, mode: u32, length: u64) -> io::Result<Header> {
    let mut header = Header::new_gnu();
    // Longer ones get an entry of their own when they are appended.
    if path.len() < 100 {
        header.set_path(path)?;
    }
    header.set_entry_type(EntryType::Regular);
    header.set_mode(mode);
    header.set_size(length);
    header.set_mtime(u64::try_from(clock::now().as_ms() / 1000).unwrap_or_default());
    header.set_cksum();
    Ok(header)
}

/// The names in a directory; none where it is not there.
fn entries(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()));
    let mut names: Vec<String> = names.collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}

/// What is read, with its digest.
struct Hashed<R> {
    from: R,
    hash: Sha256,
    read: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(out)?;
        self.hash.update(&out[..read]);
        self.read += read as u64;
        Ok(read)
    }
}
