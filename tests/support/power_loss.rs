//! A disk that remembers every write and every sync, and can say how the file might look if the
//! power had gone at any of them: what was synced is there; of what came after, some pieces are and
//! some are not, in any order, torn at the sectors of 512 bytes that a disk writes as a whole.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use redb::StorageBackend;

const SECTOR: usize = 512;

/// Shared by the backend that the store writes to and the test that cuts the power.
#[derive(Clone, Debug)]
pub struct Recorder(Arc<Mutex<Tape>>);

#[derive(Debug)]
struct Tape {
    /// As it was when the recording began, which is taken to be durable.
    start: Vec<u8>,
    /// As the writing process sees it.
    bytes: Vec<u8>,
    events: Vec<Event>,
    syncs: usize,
}

#[derive(Clone, Debug)]
enum Event {
    Write { offset: usize, data: Vec<u8> },
    SetLen(usize),
    Sync,
}

/// When the power went, and what the disk made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Syncs that had returned.
    pub synced: usize,
    /// Which of the possible outcomes; 0: nothing after the last sync is there.
    pub variant: u64,
}

impl Recorder {
    pub fn new(start: Vec<u8>) -> Self {
        Recorder(Arc::new(Mutex::new(Tape { bytes: start.clone(), start, events: Vec::new(), syncs: 0 })))
    }

    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn backend(&self) -> Box<dyn StorageBackend> {
        Box::new(Recording(self.clone()))
    }

    /// Syncs that have returned. What was acknowledged before this number was read must survive
    /// every crash that has as many.
    pub fn syncs(&self) -> usize {
        self.tape().syncs
    }

    /// The file as the writing process sees it.
    pub fn bytes(&self) -> Vec<u8> {
        self.tape().bytes.clone()
    }

    /// Cuts the power after every sync that `wanted` asks for, `variants` times each, and hands out
    /// each file. The same seed gives the same files.
    pub fn crashes(
        &self,
        seed: u64,
        variants: u64,
        wanted: impl Fn(usize) -> bool,
        mut examine: impl FnMut(Crash, Vec<u8>),
    ) {
        let (mut durable, events) = {
            let tape = self.tape();
            (tape.start.clone(), tape.events.clone())
        };
        for (synced, between) in events.split(|event| matches!(event, Event::Sync)).enumerate() {
            if wanted(synced) {
                for variant in 0..variants {
                    let mut random = StdRng::seed_from_u64(seed ^ (synced as u64) << 8 ^ variant);
                    examine(Crash { synced, variant }, outcome(&durable, between, variant, &mut random));
                }
            }
            for event in between {
                apply(&mut durable, event);
            }
        }
    }
}

/// One way in which the events after a sync may have reached the disk.
fn outcome(durable: &[u8], events: &[Event], variant: u64, random: &mut StdRng) -> Vec<u8> {
    let mut bytes = durable.to_vec();
    // Nothing; nearly nothing; half; nearly everything, torn; and again.
    let kept = [0.0, 0.5, 0.95, 0.1][(variant % 4) as usize];
    let mut pieces: Vec<Event> = events.iter().flat_map(torn).filter(|_| random.random_bool(kept)).collect();
    // A disk may write what was not synced in between in any order.
    if random.random_bool(0.7) {
        pieces.shuffle(random);
    }
    for piece in &pieces {
        apply(&mut bytes, piece);
    }
    bytes
}

/// The pieces of an event that reach the disk or do not, each by itself.
fn torn(event: &Event) -> Vec<Event> {
    match event {
        Event::Write { offset, data } => {
            let piece = |range: Range<usize>| Event::Write {
                offset: range.start,
                data: data[range.start - offset..range.end - offset].to_vec(),
            };
            let end = offset + data.len();
            let first = offset / SECTOR;
            (first..end.div_ceil(SECTOR))
                .map(|sector| piece((sector * SECTOR).max(*offset)..((sector + 1) * SECTOR).min(end)))
                .collect()
        }
        other => vec![other.clone()],
    }
}

fn apply(bytes: &mut Vec<u8>, event: &Event) {
    match event {
        Event::Write { offset, data } => {
            let end = offset + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset..end].copy_from_slice(data);
        }
        Event::SetLen(length) => bytes.resize(*length, 0),
        Event::Sync => {}
    }
}

#[derive(Debug)]
struct Recording(Recorder);

impl StorageBackend for Recording {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.tape().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let tape = self.0.tape();
        let from = offset as usize;
        let found = tape.bytes.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.record(Event::SetLen(length as usize));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut tape = self.0.tape();
        tape.events.push(Event::Sync);
        tape.syncs += 1;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.record(Event::Write { offset: offset as usize, data: data.to_vec() });
        Ok(())
    }
}

impl Recording {
    fn record(&self, event: Event) {
        let mut tape = self.0.tape();
        apply(&mut tape.bytes, &event);
        tape.events.push(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_is_in_every_outcome_and_the_rest_in_some() {
        let recorder = Recorder::new(vec![0; 1024]);
        let backend = recorder.backend();
        backend.write(0, &[1; 512]).expect("memory");
        backend.sync_data().expect("memory");
        backend.write(500, &[2; 524]).expect("memory");
        let (mut lost, mut torn) = (0, 0);
        recorder.crashes(
            7,
            64,
            |_| true,
            |crash, bytes| match crash.synced {
                0 => assert!(bytes[512..].iter().all(|byte| *byte == 0), "not written yet"),
                1 => {
                    assert!(bytes[..500].iter().all(|byte| *byte == 1), "synced: {crash:?}");
                    let (head, tail) = (bytes[500] == 2, bytes[1023] == 2);
                    assert!(bytes[500..512].iter().all(|byte| (*byte == 2) == head), "sectors are whole");
                    assert!(bytes[512..].iter().all(|byte| (*byte == 2) == tail), "sectors are whole");
                    lost += u32::from(!head && !tail);
                    torn += u32::from(head != tail);
                }
                other => panic!("there was no sync {other}"),
            },
        );
        assert!(lost > 0 && torn > 0, "lost {lost}, torn {torn}");
    }
}
