//! Puts a backup back: everything is checked before anything changes, what is replaced is kept, and the
//! store comes last, so that a restore that was broken off is simply done again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tar::{Archive, Entry, EntryType};

use super::restoring::Restoring;
use super::{Contents, FORMAT, Inside, Places, stamp};
use crate::brain::kept::{self, Kept};
use crate::message::TenantId;
use crate::store::embedded::backup::{Prepared, RestoreError, Restored, prepare};
use crate::store::packages::OwnPackage;
use crate::{clock, ownership, regular_file};

/// Why nothing, or not everything, was put back.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error(transparent)]
    Store(#[from] RestoreError),
    #[error("{} is no good backup: {flaw}", backup.display())]
    Bad { backup: PathBuf, flaw: String },
    #[error("{what} {}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "it broke off half done, and no gateway starts on it; do it again when the cause is gone. What was \
         replaced so far lies in {}", replaced.display()
    )]
    Half { replaced: PathBuf, source: Box<Failed> },
}

/// What a restore did.
#[derive(Debug)]
pub struct Outcome {
    pub store: Restored,
    /// What lay beside the store in it; `None`: it held the store alone.
    pub beside: Option<Beside>,
    /// Tenants whose own package is neither in the backup nor here.
    pub missing: Vec<TenantId>,
}

#[derive(Debug, Default)]
pub struct Beside {
    /// Packages that were put into the plugins directory.
    pub packages: Vec<String>,
    /// Shared ones that differ from the backup's: what is here stays.
    pub other_here: Vec<String>,
    /// Tenants' own ones that the backup does not know: they stay.
    pub unknown_here: Vec<String>,
    pub files: usize,
    /// Were files in the backup at all?
    pub with_files: bool,
    /// What the backup lacks since it was made.
    pub left_out: Vec<String>,
    /// Where the files lie that were replaced.
    pub replaced: Option<PathBuf>,
}

/// Checks `backup` and puts all of it back. Nobody else uses the places meanwhile.
pub fn restore(backup: &Path, places: &Places) -> Result<Outcome, Failed> {
    let made_dir = |path: &Path, source| Failed::Io { what: "making", path: path.to_owned(), source };
    let contents = check(backup)?;
    ownership::make_directory(&places.data, 0o700).map_err(|error| made_dir(&places.data, error))?;
    let prepared = prepare(backup, &places.store)?;
    let marking = |source| Failed::Io { what: "marking the restore in", path: places.data.clone(), source };
    let Some(contents) = contents else {
        let missing = missing(&prepared.own_packages, &places.plugins);
        let store = Prepared::put_in_place(prepared)?;
        Restoring::end(&places.data).map_err(marking)?;
        return Ok(Outcome { store, beside: None, missing });
    };
    ownership::make_directory(&places.plugins, 0o755).map_err(|error| made_dir(&places.plugins, error))?;
    let replaced = places.data.join(format!("replaced-{}", stamp(clock::now())));
    let begun = Restoring::begin(&places.data, backup, replaced).map_err(marking)?;
    let half = |failed| Failed::Half { replaced: begun.replaced.clone(), source: Box::new(failed) };
    let hand = Hand::new(places, contents, begun.replaced.clone());
    let beside = hand.put_back(backup).map_err(half)?;
    let missing = missing(&prepared.own_packages, &places.plugins);
    let store = Prepared::put_in_place(prepared).map_err(|error| half(error.into()))?;
    Restoring::end(&places.data).map_err(marking)?;
    Ok(Outcome { store, beside: Some(beside), missing })
}

fn missing(own: &BTreeMap<TenantId, OwnPackage>, plugins: &Path) -> Vec<TenantId> {
    let there = |tenant: &TenantId| kept::is_there(plugins, &kept::name_of(*tenant));
    own.keys().copied().filter(|tenant| !there(tenant)).collect()
}

/// Reads every entry beside the store and holds it against the list. `None`: it is a store alone.
fn check(backup: &Path) -> Result<Option<Contents>, Failed> {
    let bad = |flaw: String| Failed::Bad { backup: backup.to_owned(), flaw };
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut contents: Option<Contents> = None;
    if !is_archive(backup).map_err(|source| opening(backup, source))? {
        return Ok(None);
    }
    each(backup, &mut |name, entry| {
        if contents.is_some() {
            return Err(bad(format!("{name} lies behind its end")));
        }
        let inside =
            Inside::parse(name).ok_or_else(|| bad(format!("it holds {name:?}, which is none of ours")))?;
        match inside {
            Inside::Store => {}
            Inside::Contents => {
                let read = serde_json::from_reader::<_, Contents>(entry);
                contents = Some(read.map_err(|error| bad(format!("{name}: {error}")))?);
            }
            _ => {
                let digest = digest(entry).map_err(|error| bad(format!("{name}: {error}")))?;
                if found.insert(name.to_owned(), digest).is_some() {
                    return Err(bad(format!("it holds {name} twice")));
                }
            }
        }
        Ok(())
    })?;
    let contents = contents.ok_or_else(|| bad("its end is missing".into()))?;
    if contents.format > FORMAT {
        return Err(bad(format!("it is of format {}; this program reads up to {FORMAT}", contents.format)));
    }
    let names = contents.sha256.keys().chain(found.keys());
    if let Some(name) = names.into_iter().find(|name| contents.sha256.get(*name) != found.get(*name)) {
        return Err(bad(format!("{name} is not as it was written")));
    }
    Ok(Some(contents))
}

fn opening(backup: &Path, source: io::Error) -> Failed {
    Failed::Io { what: "opening", path: backup.to_owned(), source }
}

/// A file that is no archive is a store, or no backup at all, which the store says.
fn is_archive(backup: &Path) -> io::Result<bool> {
    let mut first = Vec::new();
    regular_file::open(backup)?.take(512).read_to_end(&mut first)?;
    let Some(first) = first.first_chunk::<512>() else { return Ok(false) };
    let header = tar::Header::from_byte_slice(first);
    Ok(Inside::parse(&String::from_utf8_lossy(&header.path_bytes())) == Some(Inside::Store))
}

fn digest(mut entry: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut entry, &mut hash)?;
    Ok(hex::encode(hash.finalize()))
}

/// What is done with an entry.
type Visit<'v> = &'v mut dyn FnMut(&str, &mut Entry<'_, File>) -> Result<(), Failed>;

/// Hands every entry to `visit`, with its name. The store is passed over without reading it.
fn each(backup: &Path, visit: Visit<'_>) -> Result<(), Failed> {
    let bad = |error: io::Error| Failed::Bad { backup: backup.to_owned(), flaw: error.to_string() };
    let mut file = regular_file::open(backup).map_err(|source| opening(backup, source))?;
    file.seek(SeekFrom::Start(0)).map_err(bad)?;
    let mut archive = Archive::new(file);
    for entry in archive.entries_with_seek().map_err(bad)? {
        let mut entry = entry.map_err(bad)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type() != EntryType::Regular {
            return Err(bad(io::Error::other(format!("{name:?} is no regular file"))));
        }
        visit(&name, &mut entry)?;
    }
    Ok(())
}

/// A file's name, its mode, and what it holds.
type PackageFile = (String, u32, Vec<u8>);

/// Puts back what lies beside the store.
struct Hand<'p> {
    places: &'p Places,
    /// Where what is replaced goes.
    aside: PathBuf,
    done: Beside,
    /// The files of a package, which come one after the other.
    package: Option<(String, Vec<PackageFile>)>,
}

impl<'p> Hand<'p> {
    fn new(places: &'p Places, contents: Contents, aside: PathBuf) -> Self {
        let done = Beside { with_files: contents.files, left_out: contents.left_out, ..Beside::default() };
        Hand { places, aside, done, package: None }
    }

    fn put_back(mut self, backup: &Path) -> Result<Beside, Failed> {
        each(backup, &mut |name, entry| {
            let mode = entry.header().mode().unwrap_or(0o600);
            let failed = |source| Failed::Io { what: "putting back", path: PathBuf::from(name), source };
            match Inside::parse(name) {
                Some(Inside::Package(package, file)) => {
                    if self.package.as_ref().is_none_or(|(before, _)| before != package) {
                        self.land().map_err(failed)?;
                        self.package = Some((package.to_owned(), Vec::new()));
                    }
                    let mut bytes = Vec::new();
                    entry.read_to_end(&mut bytes).map_err(failed)?;
                    if let Some((_, files)) = &mut self.package {
                        files.push((file.to_owned(), mode, bytes));
                    }
                    Ok(())
                }
                Some(Inside::Version(file)) => self.version(file, entry).map_err(failed),
                Some(Inside::File(tenant, handle)) => self.file(tenant, handle, entry).map_err(failed),
                Some(Inside::Store | Inside::Contents) | None => Ok(()),
            }
        })?;
        let plugins = &self.places.plugins;
        let failed = |source| Failed::Io { what: "putting packages into", path: plugins.clone(), source };
        self.land().map_err(failed)?;
        let here = kept::names(plugins).map_err(failed)?;
        let unknown = |name: &String| kept::tenant_of(name).is_some() && !self.done.packages.contains(name);
        self.done.unknown_here = here.into_iter().filter(unknown).collect();
        Ok(self.done)
    }

    /// A tenant's own package becomes what it was. A shared one is the operator's, and is put back only
    /// where there is none.
    fn land(&mut self) -> io::Result<()> {
        let Some((name, files)) = self.package.take() else { return Ok(()) };
        let plugins = &self.places.plugins;
        let here = kept::files(plugins, &name).unwrap_or_default();
        let same = here.len() == files.len()
            && files.iter().all(|(file, _, bytes)| here.iter().any(|(it, is)| it == file && is == bytes));
        if kept::tenant_of(&name).is_none() && kept::is_there(plugins, &name) {
            if !same {
                self.done.other_here.push(name);
            }
            return Ok(());
        }
        let directory = plugins.join(&name);
        if !same {
            self.keep_aside(&name, &directory)?;
            ownership::make_directory(&directory, 0o755)?;
            for (file, mode, bytes) in &files {
                put(&directory.join(file), mode & 0o777, &mut bytes.as_slice())?;
            }
        }
        self.done.packages.push(name);
        Ok(())
    }

    /// Moves what is here of a package out of the way.
    fn keep_aside(&mut self, name: &str, directory: &Path) -> io::Result<()> {
        let here = kept::present(directory);
        if here.is_empty() {
            return Ok(());
        }
        let aside = self.aside.join("plugins").join(name);
        ownership::make_directory(&aside, 0o700)?;
        for file in here {
            let from = directory.join(file);
            // Copied first: the plugins may lie on another disk. What a link leads to is not ours to move.
            if std::fs::symlink_metadata(&from)?.is_file() {
                put(&aside.join(file), 0o600, &mut regular_file::open(&from)?)?;
            }
            std::fs::remove_file(&from)?;
        }
        self.done.replaced = Some(self.aside.clone());
        Ok(())
    }

    fn version(&mut self, file: &str, entry: &mut impl Read) -> io::Result<()> {
        let path = self.places.versions.join(file);
        let stays = match kept::version(file) {
            Some(Kept::Of(package)) => kept::tenant_of(package).is_none(),
            // Named by what it holds; one that is damaged is found out and brought again.
            _ => kept::version_file(&self.places.versions, file)
                .is_ok_and(|bytes| kept::is_whole(file, &bytes)),
        };
        if stays && path.exists() {
            return Ok(());
        }
        ownership::make_directory(&self.places.versions, 0o755)?;
        put(&path, 0o600, entry)
    }

    fn file(&mut self, tenant: TenantId, handle: &str, entry: &mut impl Read) -> io::Result<()> {
        let directory = self.places.media.join(tenant.to_string());
        let path = directory.join(handle);
        if !path.exists() {
            ownership::make_directory(&directory, 0o700)?;
            put(&path, 0o600, entry)?;
            self.done.files += 1;
        }
        Ok(())
    }
}

/// Writes a file whole or not at all, for whoever owns the directory.
fn put(path: &Path, mode: u32, from: &mut dyn Read) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let beside = directory.join(format!(".{name}.restoring"));
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        io::copy(from, &mut file)?;
        file.flush()?;
        file.sync_all()?;
        ownership::as_in(directory, &beside)?;
        std::fs::rename(&beside, path)?;
        File::open(directory)?.sync_all()
    })();
    if written.is_err() {
        std::fs::remove_file(&beside).ok();
    }
    written
}
