//! Where the bytes of files lie: `DATA/media/TENANT/HANDLE`. A file is there whole or not at all: it
//! grows under another name, is made durable, and is renamed. Nothing here knows why a file is there.

use std::io;
use std::io::SeekFrom;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use crate::channel::media::is_handle;
use crate::message::TenantId;

/// What has not come whole lies here.
const UNFINISHED: &str = "unfinished";

/// Read at once on the way out.
const PIECE_BYTES: usize = 64 << 10;

/// The directory that files lie in.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    /// By the clock of the file system.
    opened: SystemTime,
}

impl Disk {
    /// Makes the directory, private to this user, and removes what the last process left unfinished.
    pub fn open(root: PathBuf) -> io::Result<Self> {
        private(&root)?;
        let unfinished = root.join(UNFINISHED);
        match std::fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        private(&unfinished)?;
        Ok(Disk { opened: std::fs::metadata(unfinished)?.modified()?, root })
    }

    /// Handles are ours, made of letters and digits; another text names no file.
    fn path(&self, tenant: TenantId, handle: &str) -> io::Result<PathBuf> {
        if !is_handle(handle) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        Ok(self.root.join(tenant.to_string()).join(handle))
    }

    /// A file that is about to come. Dropped before it is finished, it leaves nothing behind.
    pub async fn begin(&self, limit: u64) -> io::Result<Draft> {
        let path = self.root.join(UNFINISHED).join(format!("{:032x}", rand::random::<u128>()));
        let mut options = tokio::fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path).await?;
        Ok(Draft { file, path, size: 0, limit, hash: Sha256::new() })
    }

    /// Makes the file durable under its handle.
    pub async fn finish(&self, mut draft: Draft, tenant: TenantId, handle: &str) -> io::Result<Finished> {
        draft.file.flush().await?;
        draft.file.sync_all().await?;
        let (from, to) = (draft.path.clone(), self.path(tenant, handle)?);
        let root = self.root.clone();
        let work = move || -> io::Result<()> {
            let directory = root.join(tenant.to_string());
            if !directory.is_dir() {
                private(&directory)?;
                std::fs::File::open(&root)?.sync_all()?;
            }
            std::fs::rename(from, to)?;
            std::fs::File::open(directory)?.sync_all()
        };
        tokio::task::spawn_blocking(work).await.map_err(io::Error::other)??;
        Ok(Finished { size: draft.size, sha256: hex::encode(std::mem::take(&mut draft.hash).finalize()) })
    }

    pub async fn open_file(&self, tenant: TenantId, handle: &str) -> io::Result<tokio::fs::File> {
        tokio::fs::File::open(self.path(tenant, handle)?).await
    }

    /// Up to `length` bytes from `offset` on; fewer at the end of the file, none behind it.
    pub async fn read(
        &self,
        tenant: TenantId,
        handle: &str,
        offset: u64,
        length: usize,
    ) -> io::Result<Vec<u8>> {
        let mut file = self.open_file(tenant, handle).await?;
        file.seek(SeekFrom::Start(offset)).await?;
        let mut bytes = Vec::with_capacity(length.min(PIECE_BYTES));
        file.take(length as u64).read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    /// One that is not there is as good as removed.
    pub async fn remove(&self, tenant: TenantId, handle: &str) -> io::Result<()> {
        match tokio::fs::remove_file(self.path(tenant, handle)?).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes every file from before this process that nobody knows of; how many there were. What
    /// came since is about to be known.
    pub fn sweep(&self, known: impl Fn(TenantId, &str) -> io::Result<bool>) -> io::Result<usize> {
        let mut removed = 0;
        for directory in std::fs::read_dir(&self.root)? {
            let directory = directory?;
            let tenant = directory.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(tenant) = tenant.and_then(TenantId::new) else { continue };
            for file in std::fs::read_dir(directory.path())? {
                let file = file?;
                let name = file.file_name();
                if let Some(handle) = name.to_str().filter(|name| is_handle(name))
                    && file.metadata()?.modified()? < self.opened
                    && !known(tenant, handle)?
                {
                    std::fs::remove_file(file.path())?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

fn private(directory: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// What came whole.
#[derive(Debug)]
pub struct Finished {
    pub size: u64,
    /// Hex.
    pub sha256: String,
}

/// Why a piece was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("it is larger than {limit} bytes (media.max_bytes)")]
    TooLarge { limit: u64 },
    #[error("it cannot be written down: {0}")]
    Disk(#[from] io::Error),
}

/// A file while it grows.
#[derive(Debug)]
pub struct Draft {
    file: tokio::fs::File,
    path: PathBuf,
    size: u64,
    limit: u64,
    hash: Sha256,
}

impl Draft {
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), Refused> {
        let size = self.size.saturating_add(piece.len() as u64);
        if size > self.limit {
            return Err(Refused::TooLarge { limit: self.limit });
        }
        self.file.write_all(piece).await?;
        self.hash.update(piece);
        self.size = size;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Under its own name it is no draft any more, and there is nothing to remove.
        std::fs::remove_file(&self.path).ok();
    }
}

/// The next piece of an open file; empty at its end.
pub async fn piece(file: &mut tokio::fs::File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; PIECE_BYTES];
    let read = file.read(&mut bytes).await?;
    bytes.truncate(read);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLE: &str = "file-0123456789abcdef0123456789abcdef";

    fn tenant() -> TenantId {
        TenantId::from_stored(2)
    }

    #[tokio::test]
    async fn a_file_is_there_whole_or_not_at_all() {
        let root = tempfile::tempdir().expect("a directory");
        let disk = Disk::open(root.path().join("media")).expect("opens");
        let mut draft = disk.begin(10).await.expect("begun");
        draft.write(b"hello").await.expect("taken");
        assert!(disk.open_file(tenant(), HANDLE).await.is_err(), "not there yet");
        assert!(matches!(draft.write(b"123456").await, Err(Refused::TooLarge { limit: 10 })));
        draft.write(b"12345").await.expect("what was refused was not taken");
        let finished = disk.finish(draft, tenant(), HANDLE).await.expect("finished");
        assert_eq!(finished.size, 10);
        assert_eq!(finished.sha256, hex::encode(Sha256::digest(b"hello12345")));
        assert_eq!(disk.read(tenant(), HANDLE, 3, 4).await.expect("read"), b"lo12");
        assert_eq!(disk.read(tenant(), HANDLE, 8, 100).await.expect("read"), b"45");
        assert_eq!(disk.read(tenant(), HANDLE, 11, 1).await.expect("read"), b"");
        drop(disk.begin(10).await.expect("begun"));
        let left = std::fs::read_dir(root.path().join("media").join(UNFINISHED)).expect("there").count();
        assert_eq!(left, 0, "what is given up leaves nothing");
    }

    #[tokio::test]
    async fn what_nobody_knows_is_swept_away() {
        let root = tempfile::tempdir().expect("a directory");
        let disk = Disk::open(root.path().to_owned()).expect("opens");
        let draft = disk.begin(10).await.expect("begun");
        disk.finish(draft, tenant(), HANDLE).await.expect("finished");
        assert_eq!(disk.sweep(|_, _| Ok(false)).expect("swept"), 0, "it has only just come");
        let file = std::fs::File::options().write(true).open(root.path().join("2").join(HANDLE));
        file.and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH)).expect("an old file");
        assert_eq!(disk.sweep(|_, _| Ok(true)).expect("swept"), 0);
        assert_eq!(disk.sweep(|owner, handle| Ok(owner != tenant() || handle != HANDLE)).expect("swept"), 1);
        assert!(disk.open_file(tenant(), HANDLE).await.is_err());
    }

    #[tokio::test]
    async fn no_name_leads_out_of_the_directory() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::write(root.path().join("secret"), "s").expect("written");
        let disk = Disk::open(root.path().join("media")).expect("opens");
        for handle in
            ["../../secret", "", "..", "/etc/passwd", "file-", "file-../../secret/aaaaaaaaaaaaaaaaaa"]
        {
            assert!(disk.open_file(tenant(), handle).await.is_err(), "{handle}");
            assert!(disk.remove(tenant(), handle).await.is_err(), "{handle}");
        }
        assert!(root.path().join("secret").is_file());
    }
}
