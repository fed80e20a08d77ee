//! A backend that reads through to another and keeps every write to itself. What is looked at
//! through it, a damaged file or a backup, stays byte for byte as it was.

use std::collections::HashMap;
use std::io;
use std::ops::Bound;
use std::sync::Mutex;

use redb::{BackendError, StorageBackend};

use crate::store::shared::lock::lock;

const PAGE: usize = 4096;

#[derive(Debug)]
pub struct Overlay {
    under: Box<dyn StorageBackend>,
    over: Mutex<Over>,
}

#[derive(Debug)]
struct Over {
    length: u64,
    /// From here on nothing below shows through: it was cut off.
    shown: u64,
    pages: HashMap<u64, Box<[u8; PAGE]>>,
}

impl Overlay {
    pub fn new(under: Box<dyn StorageBackend>) -> io::Result<Self> {
        let length = under.len()?;
        Ok(Overlay { under, over: Mutex::new(Over { length, shown: length, pages: HashMap::new() }) })
    }

    /// A page as the file below has it, zeros where it has nothing.
    fn below(&self, page: u64, shown: u64) -> io::Result<Box<[u8; PAGE]>> {
        let mut bytes = Box::new([0; PAGE]);
        let start = page * PAGE as u64;
        let there = shown.saturating_sub(start).min(PAGE as u64) as usize;
        if there > 0 {
            self.under.read(start, &mut bytes[..there])?;
        }
        Ok(bytes)
    }
}

/// The pages that a range touches: number, first byte in it, bytes of it, and where they are in the
/// range.
fn pages(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = (at % PAGE as u64) as usize;
        let step = (PAGE - within).min(length - done);
        let found = (step > 0).then_some((at / PAGE as u64, within, step, done));
        done += step;
        found
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.over).length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let over = lock(&self.over);
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > over.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (page, within, step, done) in pages(offset, out.len()) {
            let out = &mut out[done..done + step];
            match over.pages.get(&page) {
                Some(bytes) => out.copy_from_slice(&bytes[within..within + step]),
                None => out.copy_from_slice(&self.below(page, over.shown)?[within..within + step]),
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut over = lock(&self.over);
        if length < over.length {
            over.shown = over.shown.min(length);
            let first = length / PAGE as u64;
            over.pages.retain(|page, _| *page <= first);
            if let Some(bytes) = over.pages.get_mut(&first) {
                bytes[(length % PAGE as u64) as usize..].fill(0);
            }
        }
        over.length = length;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut over = lock(&self.over);
        for (page, within, step, done) in pages(offset, data.len()) {
            if !over.pages.contains_key(&page) {
                let below = self.below(page, over.shown)?;
                over.pages.insert(page, below);
            }
            if let Some(bytes) = over.pages.get_mut(&page) {
                bytes[within..within + step].copy_from_slice(&data[done..done + step]);
            }
        }
        over.length = over.length.max(offset + data.len() as u64);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.under.close()
    }

    // Somebody else's file is not looked at while they write it.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.under.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.under.unlock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    fn read(backend: &dyn StorageBackend, offset: u64, length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        backend.read(offset, &mut out).expect("within the length");
        out
    }

    #[test]
    fn writes_stay_above_and_what_was_cut_off_stays_away() {
        let below = InMemoryBackend::new();
        below.set_len(10_000).expect("memory");
        below.write(0, &[7; 10_000]).expect("memory");
        let over = Overlay::new(Box::new(below)).expect("memory");
        over.write(4090, &[1; 12]).expect("memory");
        assert_eq!(read(&over, 4089, 14), [7, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 7]);
        assert_eq!(read(over.under.as_ref(), 4089, 14), [7; 14]);
        over.set_len(4095).expect("memory");
        over.set_len(12_000).expect("memory");
        assert_eq!(read(&over, 4093, 4), [1, 1, 0, 0]);
        assert_eq!(read(&over, 9_000, 3_000), vec![0; 3_000]);
        assert!(over.read(11_999, &mut [0; 2]).is_err());
    }
}
