//! What is kept of a session's settings, what is put into them, and what lacks.

use serde_json::{Value, json};

use super::*;
use crate::event::session::Status;
use crate::message::Provider;

const GATEWAY: &str = "http://gateway:8000";

fn wanted(more: Value) -> Wanted {
    let mut sender = json!({
        "name": "tenant-2", "provider": Provider::Waha, "account": "tenant_2", "tenant": 2, "hmac_key": "k2",
    });
    for (key, value) in more.as_object().expect("an object") {
        sender[key] = value.clone();
    }
    Wanted::of(&serde_json::from_value(sender).expect("a sender"), "http://gateway:8000/")
}

/// Of an engine that needs no store, so that the webhook alone is looked at.
fn session(config: Value) -> Session {
    let config = config.as_object().expect("an object").clone();
    Session { status: Status::Working, number: None, config, apps: None, engine: Some("GOWS".into()) }
}

fn our_entry() -> Value {
    json!({
        "url": format!("{GATEWAY}/api/webhook/waha?tenant_id=2"),
        "events": ["message.any", "message.ack", "session.status", "poll.vote"],
        "hmac": {"key": "k2"},
        "retries": {"policy": "exponential", "delaySeconds": 2, "attempts": 15},
    })
}

/// Each configuration, and what becomes of it; `None`: it stays.
#[test]
fn the_webhook_is_put_beside_everything_else() {
    let other = json!({"url": "https://elsewhere.example/hook", "events": ["*"], "hmac": {"key": "theirs"}});
    let kept = json!({
        "url": "http://gateway:8000/api/webhook/waha?tenant_id=2",
        "events": ["group.v2.join", "message.any", "message.ack", "session.status", "poll.vote"],
        "hmac": {"key": "k2"},
        "retries": {"policy": "linear", "delaySeconds": 9, "attempts": 3},
        "customHeaders": [{"name": "X-Theirs", "value": "1"}],
    });
    let mut old = kept.clone();
    old["url"] = json!("http://gateway:8000/api/webhook/waha");
    old["events"] = json!(["message", "group.v2.join"]);
    old["hmac"] = Value::Null;
    for (case, before, after) in [
        ("nothing", json!({}), Some(json!({"webhooks": [our_entry()]}))),
        ("null", json!({"webhooks": null}), Some(json!({"webhooks": [our_entry()]}))),
        ("just so", json!({"webhooks": [our_entry()], "debug": true}), None),
        ("just so, beside another", json!({"webhooks": [other, our_entry()]}), None),
        (
            "every other setting",
            json!({"proxy": {"server": "p:1"}, "metadata": {"a": "b"}, "webhooks": [other], "ignore": {"groups": true}}),
            Some(
                json!({"proxy": {"server": "p:1"}, "metadata": {"a": "b"}, "webhooks": [other, our_entry()],
                "ignore": {"groups": true}}),
            ),
        ),
        ("an older one of ours", json!({"webhooks": [old, other]}), Some(json!({"webhooks": [kept, other]}))),
        ("two of ours", json!({"webhooks": [our_entry(), old]}), Some(json!({"webhooks": [our_entry()]}))),
    ] {
        let wanted = wanted(json!({}));
        let put = wanted.put_right(&session(before)).map(Value::Object);
        assert_eq!(put, after, "{case}");
        if let Some(after) = put {
            assert_eq!(wanted.put_right(&session(after.clone())), None, "{case}: once is enough");
            assert_eq!(wanted.faults(&session(after)), [], "{case}");
        }
    }
}

#[test]
fn a_shared_key_goes_beside_the_signature() {
    let before = session(json!({"webhooks": [{"url": "http://gateway:8000/api/gateway/waha", "events": [],
        "customHeaders": [{"name": "x-api-key", "value": "old"}, {"name": "X-Theirs", "value": "1"}]}]}));
    let keyed = wanted(json!({"webhook_key": "new", "tenant": null}));
    let after = keyed.put_right(&before).expect("the key changed");
    assert_eq!(
        after["webhooks"][0]["customHeaders"],
        json!([{"name": "X-Theirs", "value": "1"}, {"name": "X-Api-Key", "value": "new"}])
    );
}

/// Each thing that may be wrong with a session is found, and nothing where all is well.
#[test]
fn what_lacks_is_told() {
    let changed = |name: &str, value: Value| {
        let mut entry = our_entry();
        entry[name] = value;
        json!({"webhooks": [entry]})
    };
    for (case, config, faults) in [
        ("just so", json!({"webhooks": [our_entry()]}), vec![]),
        ("more events", changed("events", json!(["*"])), vec![]),
        ("other retries", changed("retries", Value::Null), vec![]),
        ("settings lost", json!({}), vec![Fault::NoWebhook]),
        (
            "another's alone",
            changed("url", json!("https://elsewhere.example/api/webhook/waha")),
            vec![Fault::NoWebhook],
        ),
        ("another door", changed("url", json!("http://gateway:8000/api/gateway/waha")), vec![Fault::Address]),
        ("another key", changed("hmac", json!({"key": "k3"})), vec![Fault::Key]),
        ("no key", changed("hmac", Value::Null), vec![Fault::Key]),
        ("events missing", changed("events", json!(["message.any"])), vec![Fault::Events]),
    ] {
        assert_eq!(wanted(json!({})).faults(&session(config)), faults, "{case}");
    }
    let keyed = wanted(json!({"webhook_key": "shared"}));
    assert_eq!(keyed.faults(&session(json!({"webhooks": [our_entry()]}))), [Fault::Key], "half a proof");
    let keyless = wanted(json!({"hmac_key": ""}));
    assert_eq!(keyless.faults(&session(changed("hmac", Value::Null))), [], "nothing is to be proven");
}

/// NOWEB keeps chats and hidden ids only if it is told to; what else it is told stays.
#[test]
fn the_store_of_noweb_is_switched_on() {
    for (case, engine, noweb, after) in [
        (
            "off by itself",
            Some("NOWEB"),
            Value::Null,
            Some(json!({"store": {"enabled": true, "fullSync": false}})),
        ),
        (
            "off, with more beside it",
            Some("NOWEB"),
            json!({"markOnline": false, "store": {"enabled": false, "fullSync": true}}),
            Some(json!({"markOnline": false, "store": {"enabled": true, "fullSync": true}})),
        ),
        ("on", Some("NOWEB"), json!({"store": {"enabled": true, "fullSync": false}}), None),
        ("an engine without", Some("GOWS"), Value::Null, None),
        (
            "an engine not told",
            None,
            Value::Null,
            Some(json!({"store": {"enabled": true, "fullSync": false}})),
        ),
    ] {
        let before = json!({"webhooks": [our_entry()], "noweb": noweb});
        let session = Session { engine: engine.map(str::to_owned), ..session(before) };
        let faults = if after.is_some() { vec![Fault::Store] } else { Vec::new() };
        assert_eq!(wanted(json!({})).faults(&session), faults, "{case}");
        let put = wanted(json!({})).put_right(&session).map(|config| config["noweb"].clone());
        assert_eq!(put, after, "{case}");
    }
    assert_eq!(wanted(json!({})).anew()["noweb"]["store"]["enabled"], true);
}

#[test]
fn a_webhook_set_up_by_hand_is_known_by_its_key() {
    let at = |url: &str, key: &str| {
        session(json!({"webhooks": [{"url": url, "events": ["*"], "hmac": {"key": key}}]}))
    };
    for (url, key, met) in [
        ("https://bots.example.com/api/gateway/waha", "k2", true),
        ("https://bots.example.com/api/webhook/waha?tenant_id=2", "k2", true),
        ("https://bots.example.com/api/gateway/waha", "another", false),
        ("https://bots.example.com/hook", "k2", false),
        ("https://bots.example.com", "k2", false),
    ] {
        assert_eq!(wanted(json!({})).is_met_elsewhere(&at(url, key)), met, "{url} {key}");
    }
}

/// What somebody set up by hand is judged by whether its messages come in, not by how.
#[test]
fn what_is_not_ours_is_judged_by_what_is_heard() {
    let at = |url: &str, key: &str| {
        session(json!({"webhooks": [{"url": url, "events": ["*"], "hmac": {"key": key}}]}))
    };
    let (another_door, elsewhere) =
        (at("http://gateway:8000/api/gateway/waha", "k2"), at("http://b/hook", "k2"));
    let (by_name, wrong_key) =
        (at("http://b/api/gateway/waha", "k2"), at("http://gateway:8000/api/gateway/waha", "k3"));
    let ours = session(json!({"webhooks": [our_entry()]}));
    for (case, session, is_ours, was_heard, lacking, led_elsewhere) in [
        ("just so", &ours, false, false, vec![], false),
        ("lost, and ours", &elsewhere, true, true, vec![Fault::NoWebhook], true),
        ("not ours, and heard", &elsewhere, false, true, vec![], true),
        ("not ours, and not heard", &elsewhere, false, false, vec![Fault::NoWebhook], true),
        ("under another name", &by_name, false, false, vec![], true),
        ("another door, and ours", &another_door, true, false, vec![Fault::Address], true),
        ("another door, by hand", &another_door, false, false, vec![], true),
        ("a wrong key, by hand", &wrong_key, false, false, vec![Fault::Key], true),
    ] {
        let wanted = wanted(json!({}));
        assert_eq!(wanted.lacking(session, is_ours, was_heard), lacking, "{case}");
        assert_eq!(wanted.is_led_elsewhere(session), led_elsewhere, "{case}");
    }
}

#[test]
fn each_sender_has_its_door() {
    for (more, path) in [
        (json!({}), "/api/webhook/waha?tenant_id=2"),
        (json!({"tenant": null}), "/api/gateway/waha"),
        (json!({"webhook_path": "secret-end-of-it"}), "/api/gateway/waha/secret-end-of-it"),
    ] {
        assert_eq!(wanted(more).url(), format!("{GATEWAY}{path}"));
    }
}
