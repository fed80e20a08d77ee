//! Reads a request's body whole, within a size, a time and the memory that all bodies of its kind may
//! take together. A body that is too large or too slow is given up at the limit, not at its end. What
//! was read keeps its room until it is dropped: a body is in memory for as long as it is worked on.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub mod held;

/// How much may come, and how long it may take.
#[derive(Clone, Debug)]
pub struct Bounds {
    pub bytes: usize,
    pub timeout: Duration,
    pub memory: Memory,
}

/// A body of this size is small. The beginning of a body is not counted: the number of connections
/// bounds it already, and so peers with large slow bodies cannot keep out the small ones, which most
/// webhooks are.
pub const SMALL: usize = 16 << 10;

/// What all bodies of a kind may take together.
#[derive(Clone, Debug)]
pub struct Memory {
    /// In the configuration, for whoever is refused.
    key: &'static str,
    free: Arc<Semaphore>,
    whole: u32,
    /// What this is a share of.
    of: Option<Arc<Memory>>,
}

/// What one of them takes, until it is dropped.
#[derive(Debug, Default)]
pub struct Room {
    held: Option<OwnedSemaphorePermit>,
    of: Option<Box<Room>>,
}

impl Memory {
    pub fn new(bytes: usize, key: &'static str) -> Self {
        let whole = kibibytes(bytes).max(1);
        Memory { key, free: Arc::new(Semaphore::new(whole as usize)), whole, of: None }
    }

    /// A part of it that somebody may take at most.
    pub fn share(&self, bytes: usize) -> Self {
        Memory { of: Some(Arc::new(self.clone())), ..Memory::new(bytes, self.key) }
    }

    /// Makes the room this large. More than there is at all is all there is: one alone always fits.
    pub fn grow(&self, room: &mut Room, bytes: usize) -> Result<(), Error> {
        if let Some(of) = &self.of {
            of.grow(room.of.get_or_insert_default(), bytes)?;
        }
        let wanted = kibibytes(bytes).min(self.whole);
        let more = wanted.saturating_sub(room.held.as_ref().map_or(0, |held| held.num_permits() as u32));
        if more == 0 {
            return Ok(());
        }
        let permit = self.free.clone().try_acquire_many_owned(more);
        let permit = permit.map_err(|_| Error::NoRoom { key: self.key })?;
        match &mut room.held {
            Some(held) => held.merge(permit),
            None => room.held = Some(permit),
        }
        Ok(())
    }
}

/// Rounded up: what is counted is never less than what is held.
fn kibibytes(bytes: usize) -> u32 {
    // Half of what a semaphore can hold on the smallest machine.
    u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(u32::MAX).min(u32::MAX >> 4)
}

/// A body that has come, and its room.
#[derive(Debug)]
pub struct Whole {
    bytes: Bytes,
    memory: Memory,
    room: Room,
}

impl Whole {
    /// Takes as much room as it and what is made of it will need.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        self.memory.grow(&mut self.room, bytes)
    }
}

impl Deref for Whole {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Bytes that can be shared; their room is held until the last of them is gone.
impl From<Whole> for Bytes {
    fn from(whole: Whole) -> Bytes {
        Bytes::from_owner(whole)
    }
}

/// Why a body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the body did not arrive within {} ms", .timeout.as_millis())]
    TooSlow { timeout: Duration },
    #[error("too many large bodies are being worked on at the same time ({key})")]
    NoRoom { key: &'static str },
    #[error("the body broke off: {0}")]
    Broken(String),
}

/// The whole body, or why not.
pub async fn read(body: Body, bounds: &Bounds) -> Result<Whole, Error> {
    // A length that is announced too large need not be waited for.
    if body.size_hint().lower() > bounds.bytes as u64 {
        return Err(Error::TooLarge { limit: bounds.bytes });
    }
    let timeout = bounds.timeout;
    tokio::time::timeout(timeout, collect(body, bounds)).await.unwrap_or(Err(Error::TooSlow { timeout }))
}

async fn collect(mut body: Body, bounds: &Bounds) -> Result<Whole, Error> {
    let mut whole = BytesMut::new();
    let mut room = Room::default();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|error| Error::Broken(error.to_string()))?.into_data() else {
            continue;
        };
        if whole.len() + piece.len() > bounds.bytes {
            return Err(Error::TooLarge { limit: bounds.bytes });
        }
        whole.extend_from_slice(&piece);
        // What is held, which is more than what has come.
        bounds.memory.grow(&mut room, whole.capacity().saturating_sub(SMALL))?;
    }
    Ok(Whole { bytes: whole.freeze(), memory: bounds.memory.clone(), room })
}
