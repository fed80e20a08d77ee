//! The Messages API's list of parts: all of it is read, whatever it is made of.

use serde_json::{Value, json};
use switchboard::event::Event;
use switchboard::message::{Content, MediaKind};

use super::infobip;

fn events(parts: Value) -> Vec<Event> {
    let item = json!({
        "event": "MO", "channel": "WHATSAPP", "sender": "385919998888", "destination": "41793026731",
        "receivedAt": "2026-08-01T16:00:00.000+0000", "messageId": "A", "content": parts,
    });
    infobip().decode(json!({ "results": [item] }).to_string().as_bytes(), false).expect("events")
}

/// Ids with what was said, in words; what was left alone or unread with why.
fn told(parts: Value) -> Vec<String> {
    let words = |content: &Content| match content {
        Content::Text { text } => text.clone(),
        Content::Media(media) if media.kind == MediaKind::Image => {
            format!("image {} ({})", media.handle, media.caption.as_deref().unwrap_or("no words"))
        }
        Content::Location(place) => format!("place {}", place.latitude),
        other => format!("{other:?}"),
    };
    let one = |event: Event| match event {
        Event::Message(inbound) => format!("{}: {}", inbound.id, words(&inbound.content)),
        Event::Unread(unread) => format!("unread: {}", unread.left.reason),
        Event::Ignored(left) => format!("ignored: {}", left.reason),
        other => format!("{other:?}"),
    };
    events(parts).into_iter().map(one).collect()
}

#[test]
fn all_parts_are_read() {
    let text = |words: &str| json!({"type": "TEXT", "text": words, "cleanText": words});
    let image = |url: &str, caption: Value| json!({"type": "IMAGE", "url": url, "caption": caption});
    let place = json!({"type": "LOCATION", "latitude": 1.5, "longitude": 2});
    for (parts, expected) in [
        (json!([text("one")]), vec!["A: one"]),
        (json!([text("one"), text("two")]), vec!["A: one\ntwo"]),
        (json!([text("one"), image("u", json!(null))]), vec!["A: image u (one)"]),
        (json!([image("u", json!("one")), text("two")]), vec!["A: image u (one\ntwo)"]),
        (
            json!([image("u", json!(null)), image("v", json!("v")), text("w")]),
            vec!["A: image u (no words)", "A#2: image v (v\nw)"],
        ),
        (json!([place, text("here")]), vec!["A: place 1.5", "A#2: here"]),
        (
            json!([{"type": "HOLOGRAM"}, text("one")]),
            vec!["A: one", "unread: message of an unknown kind HOLOGRAM"],
        ),
        (
            json!([text("one"), 7]),
            vec![
                "A: one",
                "unread: unreadable item: expected an object, found a number at results.0.content.1",
            ],
        ),
        (
            json!([text("one"), {"type": "TEXT", "text": 7}]),
            vec![
                "A: one",
                "unread: unreadable item: expected text, found a number at results.0.content.1.text",
            ],
        ),
        (json!([text("one"), {"type": "UNSUPPORTED"}]), vec!["A: one"]),
        (json!([{"type": "UNSUPPORTED"}]), vec!["ignored: unsupported message"]),
    ] {
        assert_eq!(told(parts.clone()), expected, "{parts}");
    }
    assert!(told(json!([]))[0].starts_with("unread"), "nothing at all");
    assert_eq!(told(text("alone")), ["A: alone"], "an object for a list of one");
}
