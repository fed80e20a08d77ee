//! The imports, with the SDK's own types.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::world::switchboard::brain as imports;
use crate::fault::{Answer, Refusal};
use crate::level::Level;
use crate::media::info::Info;
use crate::message::{HistoryEntry, Referral};
use crate::query::{Found, Query};

pub(crate) fn log(level: Level, message: &str) {
    imports::log::write(level.into(), message);
}

thread_local! {
    /// What this turn has asked already: an instance serves one turn, in which a text is often
    /// needed for every row of a list.
    static ASKED: RefCell<HashMap<String, Option<Rc<str>>>> = RefCell::default();
}

/// The value at a dotted path, as JSON text.
pub(crate) fn personality(path: &str) -> Option<Rc<str>> {
    ASKED.with_borrow_mut(|asked| {
        if let Some(answer) = asked.get(path) {
            return answer.clone();
        }
        let answer: Option<Rc<str>> = imports::personality::get(path).map(Into::into);
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

pub(crate) fn describe_file(handle: &str) -> Answer<Info> {
    let info = imports::media::describe(handle).map_err(Refusal::from)?;
    Ok(Info { mime_type: info.mime_type, size: info.size })
}

pub(crate) fn read_file(handle: &str, offset: u64, length: u32) -> Answer<Vec<u8>> {
    imports::media::read(handle, offset, length).map_err(Refusal::from)
}

pub(crate) fn labels() -> Vec<(String, String)> {
    imports::details::labels()
}

pub(crate) fn referral(message_id: &str) -> Option<Referral> {
    imports::details::referral(message_id).map(Into::into)
}
