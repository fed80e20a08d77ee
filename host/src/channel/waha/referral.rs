//! The advertisement that led a contact here. WAHA has no field for it; WhatsApp's own message carries
//! it in the `contextInfo` of whatever kind of message came first, as `externalAdReply`, with the click
//! id beside it or in it, by engine and version.

use crate::channel::json::{self, Object};
use crate::message::Referral;

/// Reads it from the raw message; `message` is the protobuf without its wrappers.
pub fn read(data: Option<&Object>, message: Option<&Object>) -> Option<Referral> {
    let parts = message.into_iter().flat_map(|message| message.values().filter_map(|part| part.as_object()));
    let contexts = parts.filter_map(|part| json::object(part, &["contextInfo"]));
    // WEBJS prints some of it flat.
    let mut contexts = contexts.chain(data.and_then(|data| json::object(data, &["contextInfo"]))).chain(data);
    contexts.find_map(of_context)
}

fn of_context(context: &Object) -> Option<Referral> {
    let nothing = Object::new();
    let ad = json::object(context, &["externalAdReply"])
        .or_else(|| json::object(context, &["ctwaContext"]))
        .unwrap_or(&nothing);
    let text = |names: &[&str]| names.iter().find_map(|name| json::text(ad, name)).map(str::to_owned);
    let click_id = text(&["ctwaClid"]).or_else(|| json::text(context, "ctwaClid").map(str::to_owned));
    let source_id = text(&["sourceId"]);
    // A link's preview has the same shape; only an advertisement names its source or its click.
    if click_id.is_none() && source_id.is_none() {
        return None;
    }
    Some(Referral {
        kind: text(&["sourceType"]).map_or_else(|| "ad".into(), |kind| kind.to_lowercase()),
        source_id,
        url: text(&["sourceUrl"]),
        headline: text(&["title"]),
        body: text(&["body", "description"]),
        click_id,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn referral(data: Value, message: Value) -> Option<Referral> {
        read(data.as_object(), message.as_object())
    }

    #[test]
    fn advertisements_and_what_only_looks_like_one() {
        let ad = json!({
            "title": "Sea view", "body": "From 1.2M", "sourceType": "ad", "sourceId": "1200", "sourceUrl": "https://fb.me/a",
            "ctwaClid": "ARAk",
        });
        let found = Referral {
            kind: "ad".into(),
            source_id: Some("1200".into()),
            url: Some("https://fb.me/a".into()),
            headline: Some("Sea view".into()),
            body: Some("From 1.2M".into()),
            click_id: Some("ARAk".into()),
        };
        let noweb = json!({"extendedTextMessage": {"text": "Hi", "contextInfo": {"externalAdReply": ad}}});
        assert_eq!(referral(json!({}), noweb), Some(found.clone()));
        let gows = json!({"extendedTextMessage": {"contextInfo": {"externalAdReply": {
            "title": "Sea view", "body": "From 1.2M", "sourceType": "AD", "sourceID": "1200", "sourceURL": "https://fb.me/a"},
            "ctwaClid": "ARAk"}}});
        assert_eq!(referral(json!({}), gows), Some(found.clone()));
        let webjs = json!({"ctwaContext": {"title": "Sea view", "description": "From 1.2M", "sourceId": "1200",
            "sourceUrl": "https://fb.me/a", "ctwaClid": "ARAk"}});
        assert_eq!(referral(webjs, Value::Null), Some(found));
        let preview = json!({"extendedTextMessage": {"contextInfo": {"externalAdReply": {"title": "A page", "sourceUrl": "https://a.example"}}}});
        assert_eq!(referral(json!({"contextInfo": 7}), preview), None);
        assert_eq!(referral(Value::Null, Value::Null), None);
    }
}
