//! A message's first line in the log, whichever door it came by.

use super::Accepted;
use crate::channel;
use crate::message::{ContactKey, ConversationKey};
use crate::route::{Answer, Via};
use crate::tenant::Sender;
use crate::way;

impl Accepted {
    /// `contact`, `id`: whose it is and what it is called, as it came.
    pub fn tell(&self, contact: &ContactKey, sender: &Sender, id: &str) {
        let id = channel::adapter(sender.provider()).bare_id(id);
        let from = way::In { provider: sender.provider(), sender: &sender.name, id };
        match (&self.answer, self.message) {
            _ if self.duplicate => way::received_again(self.message, contact, from),
            (Answer::Routed { tenant, contact, .. }, Some(message)) => {
                let key = ConversationKey { tenant: *tenant, contact: contact.clone() };
                way::received(message, &key, from, self.via.map(Via::name));
                if self.for_human {
                    way::for_human(message, &key);
                }
            }
            (Answer::Routed { .. }, None) => {}
            (Answer::Ignored(reason), _) => way::left_alone(contact, from, &reason.to_string()),
        }
    }
}
