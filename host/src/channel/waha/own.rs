//! What our own number said: through the API, or typed on the phone. It is never the contact's words.

use crate::channel::json::{self, Object};
use crate::channel::said::Found;
use crate::channel::waha::decode::Webhook;
use crate::channel::waha::person::Person;
use crate::channel::waha::{chat_of, content};
use crate::event::{Event, Origin, Own};
use crate::identity::{self, Address};
use crate::message::{ContactKey, Provider, Timestamp};

impl Webhook<'_> {
    /// Engines name the peer in `to` or in `from`; the id names it on all of them.
    pub(super) fn own(&self, payload: &Object, id: String) -> Event {
        let from = json::text(payload, "from");
        let to = json::text(payload, "to");
        let named = [chat_of(&id), to, from];
        let chats: Vec<Address> = named
            .into_iter()
            .flatten()
            .filter(|address| !self.is_me(Some(address)))
            .filter_map(|address| identity::address(address).ok())
            .collect();
        let to_a_person = chats.iter().all(|chat| matches!(chat, Address::Person(_)));
        let contact = chats.into_iter().find_map(|chat| match chat {
            Address::Person(key) => Some(key),
            _ => None,
        });
        // Said in a group, a story or a channel, it belongs to nobody's conversation.
        let contact = contact.filter(|_| to_a_person);
        let content = match content::read(payload) {
            Ok(Found::Content(content)) if contact.is_some() => Some(content),
            _ => None,
        };
        Event::Own(Box::new(Own {
            provider: Provider::Waha,
            account: self.account.to_owned(),
            contact: contact.map(|key| self.phone_of(payload, key)),
            from_raw: from.map(str::to_owned),
            to_raw: self.to_raw(&id, to, from),
            sent_at: self.sent_at(payload).unwrap_or(Timestamp::ZERO),
            content,
            quoted: Self::quoted(payload),
            origin: match json::text(payload, "source") {
                Some("api") => Some(Origin::Api),
                Some("app") => Some(Origin::App),
                _ => None,
            },
            id,
        }))
    }

    /// A hidden id whose phone the engine names beside it is known by its phone.
    fn phone_of(&self, payload: &Object, key: ContactKey) -> ContactKey {
        Person::of(payload).recipient(key, &self.me)
    }

    fn to_raw(&self, id: &str, to: Option<&str>, from: Option<&str>) -> Option<String> {
        let peer = |address: &&str| !self.is_me(Some(address));
        to.filter(peer).or_else(|| chat_of(id)).or(from.filter(peer)).map(str::to_owned)
    }
}
