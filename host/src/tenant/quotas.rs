//! How much of everything one tenant may use: the one table of quotas. Each has a name, which is its
//! key in `[quotas]` of the configuration and in a tenant's own `quotas`, a unit, a default that no
//! honest tenant meets, and the range that may be written. What is used is counted elsewhere.

use serde::{Deserialize, Serialize};

/// What a quota counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    Turns,
    Fuel,
    Bytes,
    Collections,
    Files,
    Messages,
    Replies,
    Uploads,
    Changes,
    Conversations,
    Contacts,
}

impl Unit {
    pub fn name(self) -> &'static str {
        match self {
            Unit::Turns => "turns",
            Unit::Fuel => "fuel",
            Unit::Bytes => "bytes",
            Unit::Collections => "collections",
            Unit::Files => "files",
            Unit::Messages => "messages",
            Unit::Replies => "replies",
            Unit::Uploads => "uploads",
            Unit::Changes => "changes",
            Unit::Conversations => "conversations",
            Unit::Contacts => "contacts",
        }
    }
}

/// Declares the quotas once: the values that hold, what a tenant says of its own, and their names.
macro_rules! quotas {
    ($($(#[doc = $doc:literal])+ $name:ident $kind:ident [$unit:ident] = $default:expr, $least:expr => $most:expr;)+) => {
        /// Every quota with its value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Quotas {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Default for Quotas {
            fn default() -> Self {
                Quotas { $($name: $default,)+ }
            }
        }

        /// A tenant's own quotas. `None`: the gateway's, see `[quotas]` in the configuration.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Own {
            $(#[serde(skip_serializing_if = "Option::is_none")]
            pub $name: Option<u64>,)+
        }

        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl Kind {
            pub const ALL: &'static [Kind] = &[$(Kind::$kind),+];

            /// Its key.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$kind => stringify!($name),)+ }
            }

            /// Its key in a tenant.
            pub fn own_key(self) -> &'static str {
                match self { $(Kind::$kind => concat!("quotas.", stringify!($name)),)+ }
            }

            pub fn unit(self) -> Unit {
                match self { $(Kind::$kind => Unit::$unit,)+ }
            }

            /// The least and the most that may be written.
            pub fn range(self) -> (u64, u64) {
                match self { $(Kind::$kind => ($least, $most),)+ }
            }
        }

        impl Quotas {
            pub fn of(&self, kind: Kind) -> u64 {
                match kind { $(Kind::$kind => self.$name,)+ }
            }

            /// These, with what the tenant says laid over them.
            pub fn with(self, own: &Own) -> Self {
                Quotas { $($name: own.$name.unwrap_or(self.$name),)+ }
            }
        }

        impl Own {
            pub fn of(&self, kind: Kind) -> Option<u64> {
                match kind { $(Kind::$kind => self.$name,)+ }
            }
        }
    };
}

/// As good as none.
const NO_END: u64 = 1 << 60;

quotas! {
    /// Turns begun within a minute. A number at Meta carries 80 messages a second.
    turns_per_minute TurnsPerMinute [Turns] = 6_000, 1 => NO_END;
    /// Turns ended since midnight, UTC.
    turns_per_day TurnsPerDay [Turns] = 1_000_000, 1 => NO_END;
    /// Timers of one conversation that ring before its contact writes again.
    turns_unprompted TurnsUnprompted [Turns] = 30, 1 => NO_END;
    /// Wasm instructions, roughly, of all turns since midnight, UTC.
    fuel_per_day FuelPerDay [Fuel] = 10_000_000_000_000, 1_000_000 => NO_END;
    /// Journal written within a minute; what is beyond it is journaled by length and digest.
    journal_bytes_per_minute JournalBytesPerMinute [Bytes] = 64 << 20, 1 << 10 => NO_END;
    /// Written to the gateway's log by brains within a minute; lines beyond it are dropped.
    log_bytes_per_minute LogBytesPerMinute [Bytes] = 4 << 20, 0 => NO_END;
    /// Journal kept; beyond it the oldest entries go first.
    journal_bytes JournalBytes [Bytes] = 1 << 30, 1 << 10 => NO_END;
    /// History kept; beyond it the oldest lines go first.
    history_bytes HistoryBytes [Bytes] = 4 << 30, 1 << 10 => NO_END;
    /// Replies kept that are dead or of unknown outcome; beyond it the oldest are given up and stay as lines
    /// of the history.
    ended_replies_bytes EndedRepliesBytes [Bytes] = 1 << 30, 1 << 10 => NO_END;
    /// Dead turns kept; beyond it the oldest go first.
    dead_turns_bytes DeadTurnsBytes [Bytes] = 256 << 20, 1 << 10 => NO_END;
    /// The list of templates that were sent; beyond it the oldest go first.
    template_use_bytes TemplateUseBytes [Bytes] = 256 << 20, 1 << 10 => NO_END;
    /// Conversations; beyond it the tenant's own numbers are told to send what begins one again later.
    conversations Conversations [Conversations] = 1_000_000, 1 => NO_END;
    /// All conversations together, what brains remember of them in the main; beyond it none begins, and a
    /// turn that wants to remember more is dead.
    conversation_bytes ConversationBytes [Bytes] = 4 << 30, 1 << 10 => NO_END;
    /// All timers that are set together; a turn that wants to set more is dead.
    timer_bytes TimerBytes [Bytes] = 256 << 20, 0 => NO_END;
    /// Contacts that want no messages, or did not at some time. A contact's own word is kept beyond it.
    opt_outs OptOuts [Contacts] = 1_000_000, 0 => NO_END;
    /// Messages and timers that wait for their turn; beyond it the tenant's own numbers are told to
    /// send again later.
    waiting_turns WaitingTurns [Messages] = 100_000, 1 => NO_END;
    /// Replies that wait to be sent or are on their way; from four fifths on the tenant's timers wait,
    /// beyond it all its turns do.
    waiting_replies WaitingReplies [Replies] = 10_000, 1 => NO_END;
    /// Collections of records.
    collections Collections [Collections] = 64, 0 => NO_END;
    /// All collections together, as they are kept.
    collection_bytes CollectionBytes [Bytes] = 128 << 20, 0 => NO_END;
    /// Files that are known, those that are gone and remembered among them.
    files Files [Files] = 200_000, 0 => NO_END;
    /// All files together.
    file_bytes FileBytes [Bytes] = 5 << 30, 0 => NO_END;
    /// Brains and personalities pushed within an hour with a tenant's key.
    uploads_per_hour UploadsPerHour [Uploads] = 60, 1 => NO_END;
    /// Changes of any kind made through the API within an hour with a tenant's key.
    changes_per_hour ChangesPerHour [Changes] = 2_000, 1 => NO_END;
}

impl Own {
    pub fn is_default(&self) -> bool {
        *self == Own::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_own_word_comes_first_and_every_default_may_be_written() {
        let defaults = Quotas::default();
        for kind in Kind::ALL {
            let (least, most) = kind.range();
            assert!((least..=most).contains(&defaults.of(*kind)), "{}", kind.name());
            assert_eq!(kind.own_key().strip_prefix("quotas."), Some(kind.name()));
        }
        let own: Own = serde_json::from_str(r#"{"files": 7}"#).expect("an own quota");
        let both = defaults.with(&own);
        assert_eq!((both.files, both.collections), (7, defaults.collections));
        assert_eq!((own.of(Kind::Files), own.of(Kind::Collections)), (Some(7), None));
        assert!(Own::default().is_default() && !own.is_default());
    }
}
