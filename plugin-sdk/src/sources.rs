//! What a native test serves instead of the gateway: personality, history, collections, and a log
//! that can be read afterwards.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;

use crate::collection::{self, Collections};
use crate::fault::{Answer, Refusal};
use crate::level::Level;
use crate::media::info::Info;
use crate::message::{HistoryEntry, Referral};
use crate::query::{Found, Query};

/// Files by handle.
pub type Files = BTreeMap<String, File>;

/// A file that is there, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    pub mime_type: String,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub personality: Arc<Value>,
    pub history: Vec<HistoryEntry>,
    pub collections: Arc<Collections>,
    pub labels: Arc<BTreeMap<String, String>>,
    /// By the message that each led to.
    pub referrals: Arc<BTreeMap<String, Referral>>,
    pub files: Arc<Files>,
}

/// A line that the brain wrote to the log.
pub type LogLine = (Level, String);

thread_local! {
    static CURRENT: RefCell<(Sources, Vec<LogLine>)> = RefCell::default();
}

/// Runs `f` with these sources; returns what it logged beside its answer.
pub fn with_sources<T>(sources: Sources, f: impl FnOnce() -> T) -> (T, Vec<LogLine>) {
    let before = CURRENT.replace((sources, Vec::new()));
    // Restored on unwinding too: a brain that panics must not leave its sources to the next test.
    struct Restore(Option<(Sources, Vec<LogLine>)>);
    impl Drop for Restore {
        fn drop(&mut self) {
            if let Some(before) = self.0.take() {
                CURRENT.replace(before);
            }
        }
    }
    let mut restore = Restore(Some(before));
    let answer = f();
    let (_, lines) = CURRENT.replace(restore.0.take().unwrap_or_default());
    (answer, lines)
}

pub(crate) fn log(level: Level, message: &str) {
    CURRENT.with_borrow_mut(|(_, lines)| lines.push((level, message.to_owned())));
}

/// The value at a dotted path, as JSON text.
pub(crate) fn personality(path: &str) -> Option<Rc<str>> {
    CURRENT.with_borrow(|(sources, _)| {
        let value = path.split('.').try_fold(&*sources.personality, |value, key| value.get(key))?;
        Some(value.to_string().into())
    })
}

pub(crate) fn history(limit: u32) -> Vec<HistoryEntry> {
    CURRENT.with_borrow(|(sources, _)| {
        let keep = (limit.min(100) as usize).min(sources.history.len());
        sources.history[sources.history.len() - keep..].to_vec()
    })
}

pub(crate) fn find(query: &Query) -> Answer<Found<String>> {
    CURRENT.with_borrow(|(sources, _)| collection::find(&sources.collections, query))
}

pub(crate) fn get(name: &str, id: &str) -> Answer<Option<String>> {
    CURRENT.with_borrow(|(sources, _)| collection::get(&sources.collections, name, id))
}

fn with_file<T>(handle: &str, look: impl FnOnce(&File) -> T) -> Answer<T> {
    CURRENT.with_borrow(|(sources, _)| {
        let file = sources.files.get(handle).ok_or_else(|| Refusal {
            code: "unknown-file".into(),
            message: format!("the tenant has no file `{handle}`"),
            retryable: false,
        })?;
        Ok(look(file))
    })
}

pub(crate) fn describe_file(handle: &str) -> Answer<Info> {
    with_file(handle, |file| Info { mime_type: file.mime_type.clone(), size: file.bytes.len() as u64 })
}

pub(crate) fn read_file(handle: &str, offset: u64, length: u32) -> Answer<Vec<u8>> {
    with_file(handle, |file| {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(file.bytes.len());
        let rest = &file.bytes[from..];
        rest[..rest.len().min(length as usize)].to_vec()
    })
}

pub(crate) fn labels() -> Vec<(String, String)> {
    CURRENT.with_borrow(|(sources, _)| {
        sources.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    })
}

pub(crate) fn referral(message_id: &str) -> Option<Referral> {
    CURRENT.with_borrow(|(sources, _)| sources.referrals.get(message_id).cloned())
}
