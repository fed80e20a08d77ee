//! The mark of a restore that is under way. Packages are put back before the store, one file after the other: a
//! gateway that started on half of it would answer contacts with brains and a store of different days.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{ownership, regular_file};

/// Lies in the data directory from before the first change until after the last.
const MARK: &str = "restoring";

/// What is read of one, whatever lies there.
const MARK_BYTES: usize = 64 << 10;

/// A restore that has begun and has not come to its end.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Restoring {
    backup: PathBuf,
    /// Where what it replaced lies, if there was anything.
    pub replaced: PathBuf,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "restoring {} broke off half done: packages may be of the backup while the store is not. Restore it again, or \
     another one. To go on with what is there instead, put back what lies in {}, if it exists, and remove {}",
    .restoring.backup.display(), .restoring.replaced.display(), .mark.display()
)]
pub struct HalfRestored {
    restoring: Restoring,
    mark: PathBuf,
}

impl Restoring {
    /// From here on no gateway starts on this data directory.
    pub fn begin(data: &Path, backup: &Path, replaced: PathBuf) -> io::Result<Self> {
        let restoring = Restoring { backup: std::path::absolute(backup)?, replaced };
        let mark = data.join(MARK);
        std::fs::write(&mark, serde_json::to_vec(&restoring)?)?;
        ownership::as_in(data, &mark)?;
        std::fs::File::open(&mark)?.sync_all()?;
        std::fs::File::open(data)?.sync_all()?;
        Ok(restoring)
    }

    /// All of it is in its place.
    pub fn end(data: &Path) -> io::Result<()> {
        match std::fs::remove_file(data.join(MARK)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => std::fs::File::open(data)?.sync_all(),
        }
    }
}

/// Is this data directory in the middle of a restore? Then nothing is to run on it.
pub fn refuse_half_restored(data: &Path) -> Result<(), HalfRestored> {
    let mark = data.join(MARK);
    if std::fs::symlink_metadata(&mark).is_err() {
        return Ok(());
    }
    // Cut off before it was written whole, it still says that one began.
    let read = regular_file::read(&mark, MARK_BYTES).ok();
    let restoring = read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    Err(HalfRestored { restoring, mark })
}
