//! Reads a request's body whole, within a size, a time and the memory that all bodies together may
//! take. A body that is too large or too slow is given up at the limit, not at its end.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much may come, and how long it may take.
#[derive(Clone, Debug)]
pub struct Bounds {
    pub bytes: usize,
    pub timeout: Duration,
    pub memory: Memory,
}

/// The beginning of a body is not counted: the number of connections bounds it already, and so peers
/// with large slow bodies cannot keep out the small ones, which most webhooks are.
const UNCOUNTED_BYTES: usize = 64 << 10;

/// What all bodies that are being read may take together.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Semaphore>);

impl Memory {
    pub fn new(bytes: usize) -> Self {
        Memory(Arc::new(Semaphore::new(kibibytes(bytes) as usize)))
    }

    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Error> {
        self.0.clone().try_acquire_many_owned(kibibytes(bytes)).map_err(|_| Error::NoRoom)
    }
}

/// Rounded up: what is counted is never less than what is held.
fn kibibytes(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(u32::MAX)
}

/// Why a body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the body did not arrive within {} ms", .timeout.as_millis())]
    TooSlow { timeout: Duration },
    #[error("too many bodies are being read at the same time (http.body_memory_bytes)")]
    NoRoom,
    #[error("the body broke off: {0}")]
    Broken(String),
}

/// The whole body, or why not.
pub async fn read(body: Body, bounds: &Bounds) -> Result<Bytes, Error> {
    // A length that is announced too large need not be waited for.
    if body.size_hint().lower() > bounds.bytes as u64 {
        return Err(Error::TooLarge { limit: bounds.bytes });
    }
    let timeout = bounds.timeout;
    tokio::time::timeout(timeout, collect(body, bounds)).await.unwrap_or(Err(Error::TooSlow { timeout }))
}

async fn collect(mut body: Body, bounds: &Bounds) -> Result<Bytes, Error> {
    let mut whole = BytesMut::new();
    let mut held: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|error| Error::Broken(error.to_string()))?.into_data() else {
            continue;
        };
        if whole.len() + piece.len() > bounds.bytes {
            return Err(Error::TooLarge { limit: bounds.bytes });
        }
        whole.extend_from_slice(&piece);
        let counted = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits) << 10;
        let more = whole.len().saturating_sub(UNCOUNTED_BYTES).saturating_sub(counted);
        if more > 0 {
            let permit = bounds.memory.take(more)?;
            match &mut held {
                Some(held) => held.merge(permit),
                None => held = Some(permit),
            }
        }
    }
    Ok(whole.freeze())
}
