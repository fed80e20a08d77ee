//! What providers really send, and what becomes of it. `tests/payloads/PROVIDER/NAME.json` is a body;
//! `NAME.expected.json` beside it says what it must become. A new case is two new files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use switchboard::channel::adapter;
use switchboard::event::{Event, Ignored, Unread};
use switchboard::message::{Inbound, Provider};

mod answers;
mod details;
mod dialects;
mod dialog360;
mod events;
mod explained;
mod gupshup;
mod hostile;
mod infobip;
mod meta;
mod own;

/// A payload and what is expected of it.
struct Case {
    name: String,
    body: Vec<u8>,
    expected: Value,
}

/// All of a provider's cases.
///
/// # Panics
/// When a payload has no expectation, or an expectation no payload.
fn cases(provider: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("payloads").join(provider);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let name = |file: &Path| file.file_name().unwrap().to_str().unwrap().to_owned();
    let (expectations, payloads): (Vec<PathBuf>, Vec<PathBuf>) =
        files.into_iter().partition(|file| name(file).ends_with(".expected.json"));
    let lacking: Vec<String> = payloads
        .iter()
        .filter(|file| !file.with_extension("expected.json").exists())
        .map(|it| name(it))
        .collect();
    assert_eq!(lacking, Vec::<String>::new(), "payloads without NAME.expected.json in {}", folder.display());
    assert_eq!(expectations.len(), payloads.len(), "expectations without a payload in {}", folder.display());
    payloads
        .iter()
        .map(|file| {
            let expected = fs::read(file.with_extension("expected.json")).unwrap();
            Case {
                name: name(file),
                body: fs::read(file).unwrap(),
                expected: serde_json::from_slice(&expected).unwrap(),
            }
        })
        .collect()
}

/// Bodies of API answers and test vectors lie beside the webhooks under these names.
fn is_webhook(name: &str) -> bool {
    !["api_", "hmac_", "send_", "error_", "signature_"].iter().any(|begin| name.starts_with(begin))
}

/// The webhooks alone, one body each.
fn webhooks() -> Vec<(String, Value)> {
    let mut webhooks = Vec::new();
    for case in cases("waha").into_iter().filter(|case| is_webhook(&case.name)) {
        match serde_json::from_slice(&case.body).unwrap() {
            Value::Array(bodies) => webhooks.extend(bodies.into_iter().map(|body| (case.name.clone(), body))),
            body => webhooks.push((case.name, body)),
        }
    }
    webhooks
}

fn events(body: &Value, groups: bool) -> Result<Vec<Event>, String> {
    let adapter = adapter(Provider::Waha);
    adapter.decode(body.to_string().as_bytes(), groups).map_err(|error| error.to_string())
}

fn event(body: &Value) -> Event {
    events(body, false).unwrap().remove(0)
}

fn message(body: &Value) -> Inbound {
    match event(body) {
        Event::Message(inbound) => *inbound,
        other => panic!("{other:?} from {body}"),
    }
}

fn ignored(body: &Value) -> Ignored {
    match event(body) {
        Event::Ignored(ignored) => ignored,
        Event::Unread(Unread { left, .. }) => Ignored { reason: format!("kept: {}", left.reason), ..left },
        other => panic!("{other:?} from {body}"),
    }
}

fn envelope(event: &str, payload: Value) -> Value {
    json!({
        "event": event, "session": "default", "timestamp": 1_741_249_703_485_i64,
        "me": {"id": "5511900000001@c.us", "lid": "144444444444444@lid"}, "payload": payload,
    })
}

/// A text message with some fields replaced.
fn with(changes: Value) -> Value {
    let mut payload = json!({
        "id": "false_5511900000002@c.us_A", "timestamp": 1_667_561_485, "from": "5511900000002@c.us",
        "fromMe": false, "body": "", "hasMedia": false,
    });
    for (name, value) in changes.as_object().unwrap() {
        payload[name] = value.clone();
    }
    envelope("message", payload)
}

fn sample(name: &str) -> Value {
    let case = cases("waha").into_iter().find(|case| case.name == name).unwrap();
    serde_json::from_slice(&case.body).unwrap()
}
