//! Infobip's log of what it took from us, asked about by the names that we had given. It is kept for two
//! days, and nothing promises that it has a message as soon as it was taken, or has every one: what is not
//! in it may have gone out all the same.

use serde_json::Value;

use crate::channel::infobip::{encode, report};
use crate::channel::json::word;
use crate::channel::{EncodeError, Recalls, Request};
use crate::event::{Event, Receipt};
use crate::identity;
use crate::message::DeliveryState;
use crate::tenant::Sender;

/// All names of a question are in its address, of which 2,048 characters are taken; a name has at most 50, and
/// there are two for each reply.
pub const BY: Recalls = Recalls::Names { at_once: 20 };

/// Entries of an answer; by itself Infobip gives 50.
const ENTRIES: usize = 100;

pub fn request(sender: &Sender, names: &[String]) -> Result<Request, EncodeError> {
    let url =
        format!("{}/whatsapp/2/logs?limit={ENTRIES}&messageId={}", encode::base(sender)?, names.join(","));
    encode::authorized(Request::get(url), sender)
}

/// `None`: that is no log.
pub fn read(sender: &Sender, body: &[u8]) -> Option<Vec<Event>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let entries = body.get("results")?.as_array()?;
    let number = encode::number(sender);
    let mut events = Vec::new();
    for entry in entries.iter().filter_map(Value::as_object) {
        // Another number's is none of this one's.
        let from = word(entry, "sender").or_else(|| word(entry, "from"));
        let from = from.map(|from| identity::phone_digits(&from).unwrap_or(from));
        if from.is_some_and(|from| from != number) {
            continue;
        }
        if let Ok(Event::Receipt(receipt)) = report::read(entry, "results") {
            // What Infobip has taken has gone out, as far as its answer to us would have told.
            let state = match receipt.state {
                DeliveryState::Queued => DeliveryState::Sent,
                state => state,
            };
            events.push(Event::Receipt(Receipt { state, ..receipt }));
        }
    }
    Some(events)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sender() -> Sender {
        serde_json::from_value(json!({
            "name": "main", "provider": "infobip", "account": "+41793026731", "api_key": "k",
            "base_url": "https://x.api.example.com/",
        }))
        .expect("a sender")
    }

    #[test]
    fn a_question_fits_into_an_address() {
        let Recalls::Names { at_once } = BY else { panic!("by names") };
        let names: Vec<String> = (0..2 * at_once).map(|n| format!("{n:050}")).collect();
        let request = request(&sender(), &names).expect("a request");
        let (_, ids) = request.url.split_once("messageId=").expect("ids");
        assert!(ids.len() <= 2_048, "{}", ids.len());
        assert!(request.url.starts_with("https://x.api.example.com/whatsapp/2/logs?"), "{}", request.url);
        assert!(names.len() <= ENTRIES);
    }

    #[test]
    fn what_an_entry_says() {
        let status = |group: &str, name: &str| json!({"groupName": group, "name": name});
        for (entry, expected) in [
            (
                json!({"messageId": "a", "status": status("PENDING", "PENDING_ENROUTE")}),
                Some(DeliveryState::Sent),
            ),
            (
                json!({"messageId": "a", "sender": "+41793026731", "status": status("DELIVERED", "X")}),
                Some(DeliveryState::Delivered),
            ),
            (
                json!({"messageId": "a", "from": "41793026731", "status": status("REJECTED", "REJECTED_NETWORK")}),
                Some(DeliveryState::Failed),
            ),
            (json!({"messageId": "a", "from": "447860064956", "status": status("DELIVERED", "X")}), None),
            (json!({"messageId": "a", "status": status("REJECTED", "REJECTED_DUPLICATE_MESSAGE_ID")}), None),
            (json!({"messageId": "a"}), None),
            (json!({"status": status("DELIVERED", "X")}), None),
            (json!("a"), None),
        ] {
            let body = json!({"results": [entry]}).to_string();
            let events = read(&sender(), body.as_bytes()).expect("a log");
            let states: Vec<_> = events
                .iter()
                .map(|event| match event {
                    Event::Receipt(receipt) => Some(receipt.state),
                    _ => None,
                })
                .collect();
            assert_eq!(states, expected.map(Some).into_iter().collect::<Vec<_>>(), "{body}");
        }
        for body in ["", "[]", "{}", r#"{"results": {}}"#, "<html>"] {
            assert!(read(&sender(), body.as_bytes()).is_none(), "{body}");
        }
    }
}
