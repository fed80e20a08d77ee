//! How much of an administrator's deed is kept: names and reasons that others wrote are lines of their
//! own, and an entry has a bound, because entries are kept for years.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::glyph;
use crate::message::Timestamp;

/// One thing an administrator did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub at: Timestamp,
    /// `operator`, `tenant 2`, `gateway`.
    pub actor: String,
    /// `unlock`, `put tenant`.
    pub action: String,
    pub subject: String,
    pub detail: serde_json::Value,
}

/// A detail takes no more than this, nearly: the sign of what was left out comes on top.
const DETAIL_BYTES: usize = 4 << 10;
/// One text in a detail.
const TEXT_BYTES: usize = 2 << 10;
/// Who, what and to whom.
const NAME_BYTES: usize = 300;

/// Stands for what was left out.
const CUT: &str = "…";

/// Who did what.
pub fn entry(actor: &str, action: &str, subject: impl ToString, detail: Value, at: Timestamp) -> AuditEntry {
    AuditEntry { at, actor: actor.into(), action: action.into(), subject: subject.to_string(), detail }
}

impl AuditEntry {
    /// As it is kept.
    pub fn bounded(&self) -> AuditEntry {
        let name = |text: &str| glyph::shown(text, NAME_BYTES);
        AuditEntry {
            at: self.at,
            actor: name(&self.actor),
            action: name(&self.action),
            subject: name(&self.subject),
            detail: bounded(&self.detail, &mut { DETAIL_BYTES }),
        }
    }
}

/// `room`: the bytes that are left for it and what comes after it.
fn bounded(value: &Value, room: &mut usize) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            *room = room.saturating_sub(8);
            value.clone()
        }
        Value::String(text) => text_of(text, room).into(),
        Value::Array(values) => {
            let mut kept = Vec::new();
            for value in values {
                if *room == 0 {
                    kept.push(CUT.into());
                    break;
                }
                kept.push(bounded(value, room));
                *room = room.saturating_sub(4);
            }
            kept.into()
        }
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (name, value) in fields {
                if *room == 0 {
                    kept.insert(CUT.into(), CUT.into());
                    break;
                }
                let name = text_of(name, room);
                kept.insert(name, bounded(value, room));
                *room = room.saturating_sub(4);
            }
            kept.into()
        }
    }
}

fn text_of(text: &str, room: &mut usize) -> String {
    let shown = glyph::shown(text, TEXT_BYTES.min(*room).max(CUT.len()));
    *room = room.saturating_sub(shown.len() + 2);
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(detail: Value) -> AuditEntry {
        let entry = AuditEntry {
            at: Timestamp::ZERO,
            actor: "tenant 66".into(),
            action: "push brain".into(),
            subject: "tenant 66".into(),
            detail,
        };
        entry.bounded()
    }

    #[test]
    fn what_is_short_stays_as_it_is() {
        let detail = json!({"state": "refused", "n": 5, "list": [null, true, "سارا"], "deep": {"a": {}}});
        assert_eq!(kept(detail.clone()).detail, detail);
    }

    #[test]
    fn an_entry_is_bounded_however_it_is_built() {
        let long = "x".repeat(1 << 20);
        let many: Value = (0..100_000).collect::<Vec<u32>>().into();
        let keys: Map<String, Value> = (0..100_000).map(|n| (format!("key{n}"), json!(null))).collect();
        let nothing: Value = vec![json!([]); 1 << 16].into();
        for detail in [json!(long), json!({"reason": long}), json!({&long: 1}), many, keys.into(), nothing] {
            let size = kept(detail).detail.to_string().len();
            assert!(size < DETAIL_BYTES + 1_024, "{size}");
        }
        let entry =
            AuditEntry { actor: long.clone(), action: long.clone(), subject: long, ..kept(json!(null)) };
        assert!(entry.bounded().subject.len() <= NAME_BYTES);
    }

    #[test]
    fn no_line_can_be_forged() {
        let detail = kept(json!({"reason": "no\n\u{202E}operator deleted everything", "a\nb": 1})).detail;
        assert_eq!(detail["reason"], "no\\u{a}\\u{202e}operator deleted everything");
        assert_eq!(detail["a\\u{a}b"], 1);
    }
}
