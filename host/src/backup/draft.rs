//! A backup while it is being written. It has no name until it is whole, so that a process that is killed
//! leaves nothing; where the file system knows no files without names, it has one that says what it is.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};

use crate::ownership;

pub const UNFINISHED: &str = ".unfinished-";

#[derive(Debug)]
pub struct Draft {
    pub file: File,
    /// Where it has a name.
    named: Option<PathBuf>,
    to: PathBuf,
}

impl Draft {
    /// This user's alone, wherever it is to lie.
    pub fn new(to: &Path) -> io::Result<Self> {
        let directory = directory_of(to);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let to = to.to_owned();
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        // The way from a file without a name to one leads by there.
        if Path::new("/proc/self/fd").exists()
            && let Ok(file) = rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR)
        {
            return Ok(Draft { file: File::from(file), named: None, to });
        }
        let mut name = to.clone().into_os_string();
        name.push(format!("{UNFINISHED}{:08x}", rand::random::<u32>()));
        let named = PathBuf::from(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&named)?;
        Ok(Draft { file, named: Some(named), to })
    }

    /// Makes it durable, and gives it its name if nothing else has it.
    pub fn finish(self) -> io::Result<()> {
        self.file.sync_all()?;
        match &self.named {
            None => {
                let unnamed = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                rustix::fs::linkat(CWD, unnamed, CWD, &self.to, AtFlags::SYMLINK_FOLLOW)?;
            }
            // Some file systems have no second names.
            Some(named) => std::fs::hard_link(named, &self.to).or_else(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Err(error),
                _ => std::fs::rename(named, &self.to),
            })?,
        }
        // Made by root, it is to be the gateway's all the same. Where that cannot be, it is whole.
        ownership::as_in(directory_of(&self.to), &self.to).ok();
        File::open(directory_of(&self.to))?.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(named) = &self.named {
            // Half of a backup helps nobody; if it cannot be removed, its name says what it is.
            let _ = std::fs::remove_file(named);
        }
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn there_is_nothing_until_it_is_whole_and_nothing_is_written_over() {
        let directory = tempfile::tempdir().expect("a directory");
        let to = directory.path().join("deep/backup.tar");
        let count = || std::fs::read_dir(directory.path().join("deep")).expect("listed").count();
        for named in [false, true] {
            let draft = || {
                let draft = Draft::new(&to).expect("begun");
                if !named {
                    return draft;
                }
                // As where the file system knows no files without names.
                let beside = directory.path().join("deep").join(format!("backup.tar{UNFINISHED}1"));
                let file = File::create_new(&beside).expect("a file");
                file.set_permissions(std::fs::Permissions::from_mode(0o600)).expect("its own");
                Draft { file, named: Some(beside), to: to.clone() }
            };
            drop(draft());
            assert_eq!(count(), 0, "what is given up leaves nothing");
            draft().finish().expect("whole");
            assert_eq!(to.metadata().expect("it is there").permissions().mode() & 0o777, 0o600);
            let error = draft().finish().expect_err("there is one");
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(count(), 1);
            std::fs::remove_file(&to).expect("removed");
        }
    }
}
