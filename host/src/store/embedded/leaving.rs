//! A line or a turn of the journal that leaves, whether by its age or for a quota, with everything that is kept
//! for it alone.

use super::batch::{Batch, Step};
use super::codec::{Place, read_place};
use super::rows::{Journaled, Spoken};
use crate::store::rules::ways;

pub struct Leaving {
    place: Place,
    is_line: bool,
    /// By which receipts find it.
    sent_id: Option<[u8; 16]>,
    /// The message whose way leaves too.
    way: Option<u64>,
}

impl Leaving {
    /// `line`: as far as it can be read.
    pub fn of(place: &Place, line: Option<&Spoken<'_>>) -> Self {
        let (sent_id, way) = line.map_or((None, None), |line| (line.sent_id, line.way()));
        Leaving { place: *place, is_line: true, sent_id, way }
    }

    pub fn of_turn(place: &Place, turn: Option<&Journaled<'_>>) -> Self {
        let way = turn.map(|turn| turn.way).filter(|way| *way > 0);
        Leaving { place: *place, is_line: false, sent_id: None, way }
    }

    pub fn leave(&self, batch: &mut Batch<'_>) -> Step<()> {
        match self.is_line {
            true => drop(batch.tables.history.put()?.remove(&self.place)?),
            false => drop(batch.tables.journal.put()?.remove(&self.place)?),
        }
        if let Some(sent_id) = &self.sent_id {
            batch.tables.sent_ids.put()?.remove(sent_id)?;
        }
        match self.way {
            Some(way) => ways::forget(batch, way, read_place(&self.place).1),
            None => Ok(()),
        }
    }
}
