//! A line or a turn of the journal that leaves, whether by its age or for a quota, with everything that is kept
//! for it alone.

use super::ways;
use crate::store::rows::history::HistoryRow;
use crate::store::rows::journal::JournalRow;
use crate::store::rows::place::Place;
use crate::store::rows::{Hash, History, Journal, Rows, SentIds, Step};

pub struct Leaving {
    place: Place,
    is_line: bool,
    /// By which receipts find it.
    sent_id: Option<Hash>,
    /// The message whose way leaves too.
    way: Option<u64>,
}

impl Leaving {
    /// `line`: as far as it can be read.
    pub fn of(place: Place, line: Option<&HistoryRow>) -> Self {
        let (sent_id, way) = line.map_or((None, None), |line| (line.sent_id, line.way()));
        Leaving { place, is_line: true, sent_id, way }
    }

    pub fn of_turn(place: Place, turn: Option<&JournalRow>) -> Self {
        let way = turn.and_then(|turn| turn.way);
        Leaving { place, is_line: false, sent_id: None, way }
    }

    pub fn leave(&self, rows: &mut impl Rows) -> Step<()> {
        match self.is_line {
            true => rows.remove::<History>(&self.place)?,
            false => rows.remove::<Journal>(&self.place)?,
        };
        if let Some(sent_id) = &self.sent_id {
            rows.remove::<SentIds>(sent_id)?;
        }
        match self.way {
            Some(way) => ways::forget(rows, way, self.place.tenant),
            None => Ok(()),
        }
    }
}
