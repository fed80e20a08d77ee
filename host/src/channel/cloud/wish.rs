//! A contact's switch for messages that advertise, as WhatsApp tells of it: who, and which way. Resellers
//! pass the same item on.

use crate::channel::cloud::person;
use crate::channel::json::{self, Object, word};
use crate::channel::time;
use crate::event::Consent;
use crate::message::{ContactKey, Provider, Timestamp};
use crate::opt_out::{self, Wish};

/// Who wishes, by everything that the item calls them, and what.
pub struct Wished {
    contact: ContactKey,
    aliases: Vec<ContactKey>,
    from_raw: String,
    wish: Wish,
    at: Option<Timestamp>,
}

/// Reads an item; an error says what about it cannot be read.
pub fn read(item: &Object) -> Result<Wished, &'static str> {
    let mut known = names(item).into_iter().filter_map(|raw| Some((person(&raw).ok()?, raw)));
    let (contact, from_raw) = known.next().ok_or("unreadable sender address")?;
    let aliases = known.map(|(key, _)| key).filter(|key| *key != contact).collect();
    let wish = json::text(item, "value").and_then(opt_out::of_switch).ok_or("unknown wish")?;
    Ok(Wished { contact, aliases, from_raw, wish, at: time::of(item, &["timestamp"]) })
}

/// The phone first, where it is told.
pub fn names(item: &Object) -> Vec<String> {
    const NAMES: [&str; 5] = ["wa_id", "user_id", "userId", "parent_user_id", "parentUserId"];
    NAMES.iter().filter_map(|name| word(item, name)).collect()
}

impl Wished {
    /// `at`: where the item has no time.
    pub fn consent(self, provider: Provider, account: String, at: Timestamp) -> Consent {
        Consent {
            provider,
            account,
            contact: self.contact,
            aliases: self.aliases,
            from_raw: self.from_raw,
            opted_in: self.wish == Wish::Again,
            at: self.at.unwrap_or(at),
        }
    }
}
