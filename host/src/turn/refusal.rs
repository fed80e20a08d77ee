//! A turn that the store did not take: what is kept of it until then, and whose fault it is.

use crate::brain::Failure;
use crate::conversation::JournalEntry;
use crate::glyph::Shown;
use crate::message::{ConversationKey, Timestamp};
use crate::store::{self, InboxId, TurnCommit, TurnFailure, TurnFate};

/// As the journal shows it.
pub fn fault(code: &str, message: &str) -> serde_json::Value {
    serde_json::json!({"fault": {"code": code, "message": message}})
}

/// What is needed of a turn if the store refuses it, and to tell of it if not.
pub struct Refusal {
    pub key: ConversationKey,
    pub entries: Vec<InboxId>,
    pub journal: JournalEntry,
    pub now: Timestamp,
}

impl Refusal {
    pub fn of(turn: &TurnCommit) -> Self {
        let TurnCommit { key, entries, journal, now, .. } = turn;
        let journal = JournalEntry {
            turn: journal.turn,
            at: journal.at,
            brain_version: journal.brain_version.clone(),
            seed: journal.seed,
            trigger: journal.trigger.clone(),
            memory_before: journal.memory_before.clone(),
            host_calls: Vec::new(),
            outcome: serde_json::Value::Null,
            cost: journal.cost,
        };
        Refusal { key: key.clone(), entries: entries.clone(), journal, now: *now }
    }

    /// The turn's own failure, where it is one and not the store's: what the rules refuse once they refuse
    /// again, and a turn that was never counted as failed would run for ever. `alone`: the store
    /// failed at this turn, and commits others.
    pub fn failure(&self, error: &store::Error, alone: bool) -> Option<Failure> {
        let (code, retryable) = match error {
            // Asked again it would want as much again.
            store::Error::Limit { of, .. } => (of.code(), false),
            store::Error::Conflict(_) | store::Error::NotFound(_) => ("refused", true),
            store::Error::Failed(_) if alone => ("store", true),
            store::Error::Failed(_) | store::Error::Busy(_) | store::Error::Full(_) => return None,
        };
        Some(Failure {
            code: code.into(),
            message: Shown::new(error),
            retryable,
            out_of_time: false,
            version: self.journal.brain_version.clone(),
            host_calls: Vec::new(),
            cost: self.journal.cost,
        })
    }

    pub fn failed(self, failure: Failure, fate: TurnFate) -> TurnFailure {
        let outcome = fault(&failure.code, &failure.message);
        TurnFailure {
            key: self.key,
            entries: self.entries,
            trigger: self.journal.trigger.clone(),
            code: failure.code,
            message: failure.message,
            fate,
            journal: Some(JournalEntry { outcome, ..self.journal }),
            now: self.now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{Cost, TimerChange, Trigger};
    use crate::message::{ContactKey, Outbound, TenantId};

    fn turn(timers: Vec<TimerChange>) -> TurnCommit {
        let trigger = Trigger::Timer { key: "k".into(), payload: String::new() };
        TurnCommit {
            key: ConversationKey {
                tenant: TenantId::from_stored(2),
                contact: ContactKey::from_stored("971501"),
            },
            entries: vec![InboxId { at: Timestamp::ZERO, seq: 7 }],
            memory: Some("{}".into()),
            brain_version: "v1".into(),
            sends: vec![Outbound::text("never said")],
            timers,
            leads: Vec::new(),
            mode: None,
            wants_receipts: false,
            journal: JournalEntry {
                turn: 3,
                at: Timestamp::ZERO,
                brain_version: "v1".into(),
                seed: 1,
                trigger,
                memory_before: Some("{\"before\":1}".into()),
                host_calls: Vec::new(),
                outcome: serde_json::json!({"actions": ["schedule"]}),
                cost: Cost::default(),
            },
            now: Timestamp::from_ms(5),
        }
    }

    #[test]
    fn a_turn_that_wants_too_much_dies_with_what_it_wanted() {
        let wants = turn(vec![TimerChange::Cancel { key: "k".into() }]);
        let refusal = Refusal::of(&wants);
        let error = store::Error::Limit { of: store::Limit::Timers, message: "65 timers".into() };
        let failure = refusal.failure(&error, false).expect("its own fault");
        assert!(!failure.retryable, "it would want as much again");
        let fate = TurnFate::Dead { fallback: Some(Outbound::text("sorry")) };
        let failure = refusal.failed(failure, fate);
        assert_eq!((&failure.key, &failure.entries), (&wants.key, &wants.entries));
        assert_eq!((failure.code.as_str(), &*failure.message), ("timers", "65 timers"));
        assert!(
            matches!(&failure.fate, TurnFate::Dead { fallback: Some(said) } if *said == Outbound::text("sorry"))
        );
        let journal = failure.journal.expect("the turn is on record");
        assert_eq!((journal.turn, journal.memory_before), (3, wants.journal.memory_before));
        assert_eq!(journal.outcome, serde_json::json!({"fault": {"code": "timers", "message": "65 timers"}}));
    }

    #[test]
    fn what_the_rules_refuse_is_counted_and_a_store_that_is_away_is_not() {
        let word = || "why".to_owned();
        for (error, alone, expected) in [
            (store::Error::Conflict(word()), false, Some(("refused", true))),
            (store::Error::NotFound(word()), false, Some(("refused", true))),
            (store::Error::Limit { of: store::Limit::Lead, message: word() }, false, Some(("lead", false))),
            (store::Error::Failed(word()), true, Some(("store", true))),
            (store::Error::Failed(word()), false, None),
            (store::Error::Busy(word()), false, None),
            (store::Error::Full(word()), false, None),
        ] {
            let failure = Refusal::of(&turn(Vec::new())).failure(&error, alone);
            let found = failure.as_ref().map(|failure| (failure.code.as_str(), failure.retryable));
            assert_eq!(found, expected, "{error}");
        }
    }
}
