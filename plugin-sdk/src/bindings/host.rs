//! The imports, with the SDK's own types.

use std::cell::RefCell;
use std::collections::HashMap;

use serde_json::Value;

use super::world::switchboard::brain as imports;
use crate::fault::Refusal;
use crate::host::Level;
use crate::message::HistoryEntry;
use crate::records::{Answer, Found, Query};

pub(crate) fn log(level: Level, message: &str) {
    imports::log::write(level.into(), message);
}

thread_local! {
    /// What this turn has asked already: an instance serves one turn, in which a text is often
    /// needed for every row of a list.
    static ASKED: RefCell<HashMap<String, Option<Value>>> = RefCell::default();
}

pub(crate) fn personality(path: &str) -> Option<Value> {
    ASKED.with_borrow_mut(|asked| {
        if let Some(answer) = asked.get(path) {
            return answer.clone();
        }
        // What the gateway hands over is JSON; anything else counts as nothing.
        let answer: Option<Value> =
            imports::personality::get(path).and_then(|json| serde_json::from_str(&json).ok());
        asked.insert(path.to_owned(), answer.clone());
        answer
    })
}

pub(crate) fn history(limit: u32) -> Vec<HistoryEntry> {
    imports::history::recent(limit).into_iter().map(Into::into).collect()
}

pub(crate) fn find(query: &Query) -> Answer<Found<String>> {
    let query = imports::records::Query::from(query);
    let found = imports::records::find(&query).map_err(Refusal::from)?;
    Ok(Found { records: found.records, total: found.total })
}

pub(crate) fn get(collection: &str, id: &str) -> Answer<Option<String>> {
    imports::records::get(collection, id).map_err(Refusal::from)
}
