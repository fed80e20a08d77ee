//! The log of what an account took: `GET /whatsapp/2/logs`. It has a message some time after it was taken, for two
//! days, and of those that fit the question the newest few.

use serde_json::{Value, json};

use super::{Sent, refusal};
use crate::peer::{Call, Reply};

/// By itself, and at most.
const ENTRIES: usize = 50;
const ENTRIES_AT_MOST: usize = 1_000;

/// Of the names in a question.
const NAMES_LENGTH: usize = 2_048;

/// An account's.
#[derive(Debug, Default)]
pub struct Log {
    entries: Vec<Value>,
    /// So many questions are asked before it has what was taken.
    pub late_by: usize,
    /// So many questions more are answered; then there are too many.
    pub questions_left: Option<usize>,
    /// The account has none.
    pub is_missing: bool,
    /// What it says whatever it is asked: a status and a body.
    pub says: Option<(u16, Value)>,
    /// Two days have gone by.
    pub has_forgotten: bool,
    pub questions: usize,
}

impl Log {
    /// `status`: its group and its name.
    pub fn note(&mut self, sent: &Sent, status: (&str, &str)) {
        self.entries.push(entry(&sent.from, &sent.to, &sent.id, status));
    }

    pub fn asked(&mut self, call: &Call) -> Result<Reply, Reply> {
        self.questions += 1;
        if self.is_missing {
            return Err(super::no_path(call));
        }
        if let Some((status, body)) = &self.says {
            return Ok(Reply::json(*status, body));
        }
        match &mut self.questions_left {
            Some(0) => return Err(refusal(429, "TOO_MANY_REQUESTS", "Too many requests", "")),
            Some(left) => *left -= 1,
            None => {}
        }
        let value =
            |name: &str| call.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let known = ["messageId", "limit", "sentSince", "sentUntil", "bulkId", "sender", "destination"];
        if let Some((name, _)) = call.query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(refusal(400, "BAD_REQUEST", "Bad request", name));
        }
        let names = value("messageId").unwrap_or_default();
        if names.is_empty() || names.len() > NAMES_LENGTH {
            return Err(refusal(400, "BAD_REQUEST", "Bad request", "messageId"));
        }
        let limit = value("limit").map_or(Some(ENTRIES), |limit| limit.parse().ok());
        let limit = limit.filter(|limit| (1..=ENTRIES_AT_MOST).contains(limit));
        let Some(limit) = limit else { return Err(refusal(400, "BAD_REQUEST", "Bad request", "limit")) };
        let has_it = self.questions > self.late_by && !self.has_forgotten;
        let asked = |entry: &&Value| names.split(',').any(|name| entry["messageId"] == *name);
        let found: Vec<&Value> =
            self.entries.iter().rev().filter(|_| has_it).filter(asked).take(limit).collect();
        Ok(Reply::json(200, &json!({ "results": found })))
    }
}

/// An entry of a log, of whatever account.
pub fn entry(from: &str, to: &str, id: &str, (group, name): (&str, &str)) -> Value {
    json!({
        "sender": from, "destination": to, "bulkId": "2034072219640523073", "messageId": id,
        "sentAt": "2026-08-01T16:00:00.000+0000", "doneAt": "2026-08-01T16:00:01.000+0000", "messageCount": 1,
        "status": {"groupId": 1, "groupName": group, "id": 7, "name": name, "description": name},
        "error": {"groupId": 0, "groupName": "OK", "id": 0, "name": "NO_ERROR", "permanent": false},
    })
}
