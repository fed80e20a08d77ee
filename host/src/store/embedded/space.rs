//! What is left of the disk. So much of it is kept in reserve that the file never meets its end in the
//! middle of a commit, and that there is room to remove and to compact: what comes from outside is
//! refused before, and what tenants store before that.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::store::shared::lock::lock;
use crate::store::upkeep::{Mark, Room};
use crate::store::{Error, Result};

/// The disk is asked again after this.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// No more than this part of a disk is kept in reserve.
const MOST_OF_DISK: u64 = 20;

/// With less a file that met the end of its disk is not tried again.
const ROOM_OF_COMMIT: u64 = 32 << 20;

/// Bytes free and in all.
pub type Free = (u64, u64);

/// Asks for what is left; `None` where nobody knows.
#[derive(Clone)]
pub struct Ask(Arc<dyn Fn() -> Option<Free> + Send + Sync>);

impl Ask {
    /// Of the disk that a path lies on.
    pub fn of(path: &Path) -> Self {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new(".")).to_owned();
        Ask::by(move || {
            let told = rustix::fs::statvfs(&directory).ok()?;
            let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
            Some((bytes(told.f_bavail), bytes(told.f_blocks)))
        })
    }

    pub fn by(ask: impl Fn() -> Option<Free> + Send + Sync + 'static) -> Self {
        Ask(Arc::new(ask))
    }
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ask")
    }
}

/// What the settings say.
#[derive(Clone, Debug)]
pub struct Reserve {
    pub ask: Ask,
    pub bytes: u64,
}

impl Reserve {
    /// Nothing is kept, and nobody asks.
    pub fn none() -> Self {
        Reserve { ask: Ask::by(|| None), bytes: 0 }
    }
}

pub struct Space {
    reserve: Reserve,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    asked: Option<Instant>,
    free: Option<Free>,
    short: Option<Mark>,
}

impl Space {
    pub fn new(reserve: Reserve) -> Self {
        Space { reserve, known: Mutex::default() }
    }

    /// As it was a moment ago.
    pub fn room(&self) -> Room {
        let mut known = lock(&self.known);
        if known.asked.is_none_or(|asked| asked.elapsed() >= ASK_EVERY) {
            known.free = (self.reserve.ask.0)();
            known.asked = Some(Instant::now());
            self.judge(&mut known);
        }
        let reserve = known.free.map_or(self.reserve.bytes, |(_, total)| self.kept(total));
        Room { free: known.free.map(|(free, _)| free), reserve, short: known.short }
    }

    /// Is there room for a commit, as far as anybody knows?
    pub fn may_be_written(&self) -> bool {
        self.room().free.is_none_or(|free| free >= ROOM_OF_COMMIT)
    }

    /// What is kept in reserve of a disk of this size.
    fn kept(&self, total: u64) -> u64 {
        self.reserve.bytes.min(total / MOST_OF_DISK)
    }

    /// Says once that there is too little, and once that there is enough again.
    fn judge(&self, known: &mut Known) {
        let Some((free, total)) = known.free else {
            known.short = None;
            return;
        };
        let reserve = self.kept(total);
        // Enough again is a little more, so that it does not flicker.
        let below = |mark: u64, was: bool| free < mark.saturating_add(if was { reserve / 4 } else { 0 });
        let short = if below(reserve, known.short == Some(Mark::Messages)) {
            Some(Mark::Messages)
        } else if below(reserve.saturating_mul(2), known.short.is_some()) {
            Some(Mark::Stored)
        } else {
            None
        };
        if short == known.short {
            return;
        }
        known.short = short;
        match short {
            Some(Mark::Messages) => tracing::error!(
                free,
                reserve,
                "the disk is nearly full: messages are refused with 503 and turns wait until there is room"
            ),
            Some(Mark::Stored) => tracing::warn!(
                free,
                reserve,
                "the disk fills up: uploads, collections and files are refused until there is room"
            ),
            None => tracing::info!(free, reserve, "there is room on the disk again"),
        }
    }

    /// Is there room for this?
    pub fn check(&self, what: Mark) -> Result<()> {
        let room = self.room();
        match (room.short, room.free) {
            (Some(short), Some(free)) if short >= what => Err(Error::Full(format!(
                "the disk has {free} bytes left, and {} are kept in reserve ([store] reserve_bytes); nothing \
                 was kept. Make room on the disk that holds the data directory",
                room.reserve
            ))),
            _ => Ok(()),
        }
    }
}
