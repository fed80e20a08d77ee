//! A backend in a part of a file: the store inside a backup.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use redb::StorageBackend;

#[derive(Debug)]
pub struct Within {
    file: File,
    from: u64,
    /// `None`: it ends with the file, and grows with it.
    length: Option<u64>,
}

impl Within {
    /// From `from` to the end of a file that is being written.
    pub fn growing(file: File, from: u64) -> Self {
        Within { file, from, length: None }
    }

    /// A part of a file, to be read.
    pub fn part(file: File, from: u64, length: u64) -> Self {
        Within { file, from, length: Some(length) }
    }

    fn writable(&self) -> io::Result<()> {
        match self.length {
            None => Ok(()),
            Some(_) => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        }
    }
}

impl StorageBackend for Within {
    fn len(&self) -> io::Result<u64> {
        match self.length {
            Some(length) => Ok(length),
            None => Ok(self.file.metadata()?.len().saturating_sub(self.from)),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(out.len() as u64);
        if self.length.is_some_and(|length| end.is_none_or(|end| end > length)) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.file.read_exact_at(out, self.from + offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.writable()?;
        self.file.set_len(self.from + length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.writable()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.writable()?;
        self.file.write_all_at(data, self.from + offset)
    }
}
