//! A change by `PUT`: what it leaves out stays as it is, and `null` takes a value away, so that it is again
//! what it would be had nobody ever given it (as in a JSON merge patch, RFC 7396). Where nothing is there
//! yet it makes the thing.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::api::error::{Error, Result};

/// So many values are taken away at once at most; each is looked at by itself.
const MOST_TAKEN_AWAY: usize = 100;

/// A body that was forgotten is no change.
pub fn is_one(body: &Map<String, Value>) -> Result<()> {
    if body.is_empty() {
        return Err(Error::malformed(
            "the body is empty and changes nothing",
            "send the fields that are to change",
        ));
    }
    Ok(())
}

/// What is there, with the change. `see`: where it is described.
pub fn onto<T: Serialize + DeserializeOwned>(
    known: Option<&T>,
    change: Map<String, Value>,
    see: &str,
) -> Result<T> {
    let mut whole = match known.map(|known| json!(known)) {
        Some(Value::Object(known)) => known,
        _ => Map::new(),
    };
    let mut taken_away = Vec::new();
    merge(&mut whole, change, &mut Vec::new(), &mut taken_away);
    if taken_away.len() > MOST_TAKEN_AWAY {
        let what = format!("{} values are null: limit {MOST_TAKEN_AWAY}", taken_away.len());
        return Err(Error::malformed(what, "null takes a value away; leave out what stays as it is"));
    }
    let unreadable =
        |error: serde_json::Error| Error::malformed(format!("the body cannot be read: {error}"), see);
    // A key that there never was is a slip, also where it is to be taken away.
    for path in &taken_away {
        if let Err(error) = serde_json::from_value::<T>(with_null(&whole, path))
            && error.to_string().starts_with("unknown field")
        {
            return Err(unreadable(error));
        }
    }
    serde_json::from_value(Value::Object(whole)).map_err(unreadable)
}

/// `path`: where `onto` lies; `taken_away`: the places of every null.
fn merge(
    onto: &mut Map<String, Value>,
    change: Map<String, Value>,
    path: &mut Vec<String>,
    taken_away: &mut Vec<Vec<String>>,
) {
    for (key, value) in change {
        path.push(key.clone());
        match value {
            Value::Null => {
                onto.remove(&key);
                taken_away.push(path.clone());
            }
            Value::Object(change) => {
                let known = onto.entry(key).or_insert_with(|| json!({}));
                if !known.is_object() {
                    *known = json!({});
                }
                if let Value::Object(known) = known {
                    merge(known, change, path, taken_away);
                }
            }
            value => {
                onto.insert(key, value);
            }
        }
        path.pop();
    }
}

fn with_null(whole: &Map<String, Value>, path: &[String]) -> Value {
    let mut whole = Value::Object(whole.clone());
    let mut at = &mut whole;
    for key in path {
        at = &mut at[key.as_str()];
    }
    *at = Value::Null;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Template;
    use crate::tenant::{Sender, Tenant};

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    fn tenant() -> Tenant {
        let told = json!({
            "id": 7, "name": "Seven", "organization": 1, "brain": "echo", "active": false, "language": "ar",
            "time_zone": "Asia/Dubai", "fallback_text": "Sorry.", "labels": {"user_id": "u", "agent_id": "a"},
            "personality": {"agent": {"name": "Sara", "age": 3}}, "limits": {"fuel": 5, "actions": 6},
            "policy": {"rate_per_second": 3, "loop_turns": 9}, "quotas": {"file_bytes": 8},
        });
        serde_json::from_value(told).unwrap_or_else(|error| panic!("a tenant: {error}"))
    }

    /// What is left out stays, whichever it is.
    #[test]
    fn each_field_alone_changes_nothing_else() {
        let known = tenant();
        let all = object(json!(known));
        for (key, value) in &all {
            let change = Map::from_iter([(key.clone(), value.clone())]);
            assert_eq!(onto(Some(&known), change, "").expect("sound"), known, "{key}");
        }
        assert_eq!(onto(Some(&known), Map::new(), "").expect("sound"), known);
        let changed = onto(Some(&known), object(json!({"name": "Other", "limits": {"fuel": 9}})), "");
        let changed: Tenant = changed.expect("sound");
        assert_eq!((changed.limits.fuel, changed.limits.actions), (Some(9), Some(6)));
        assert_eq!(Tenant { name: known.name.clone(), limits: known.limits, ..changed }, known);
    }

    #[test]
    fn null_takes_away_and_slips_are_refused() {
        let known = tenant();
        let cleared = json!({
            "time_zone": null, "labels": {"user_id": null}, "personality": null, "limits": {"fuel": null},
            "policy": null, "quotas": null, "active": null,
        });
        let cleared: Tenant = onto(Some(&known), object(cleared), "").expect("sound");
        assert_eq!((cleared.time_zone.as_str(), cleared.active), ("UTC", true));
        assert_eq!(cleared.labels.keys().collect::<Vec<_>>(), ["agent_id"]);
        assert!(cleared.personality.is_empty() && cleared.limits.fuel.is_none());
        assert_eq!(cleared.limits.actions, Some(6));
        for slip in [
            json!({"time_zon": null}),
            json!({"time_zon": "UTC"}),
            json!({"limits": {"fule": null}}),
            json!({"limits": null, "policy": {"quiet_hour": null}}),
            json!({"name": null}),
        ] {
            let refused = onto(Some(&known), object(slip.clone()), "");
            assert!(refused.is_err(), "{slip}");
        }
    }

    #[test]
    fn it_holds_for_everything_that_is_put() {
        let sender = json!({
            "name": "main", "provider": "meta", "account": "1", "number": "971500000001", "tenant": 2,
            "active": false, "base_url": "https://graph.example.com", "api_key": "a", "hmac_key": "b",
            "verify_token": "c", "business_account": "9", "api_version": "v23.0", "media_hosts": ["x.example.com"],
            "rate_per_second": 4, "read_receipts": false, "typing": false, "groups": true,
        });
        let template = json!({
            "name": "hello", "language": "en", "category": "utility", "body": "Hi", "footer": "F",
            "header": {"type": "text", "text": "H"}, "buttons": [{"type": "quick_reply", "text": "B"}],
        });
        let sender: Sender = serde_json::from_value(sender).expect("a sender");
        let template: Template = serde_json::from_value(template).expect("a template");
        assert_eq!(onto(Some(&sender), object(json!({"account": "1"})), "").expect("sound"), sender);
        assert_eq!(onto(Some(&template), object(json!({"body": "Hi"})), "").expect("sound"), template);
        let picture = object(json!({"header": {"type": "image"}, "footer": null}));
        let picture: Template = onto(Some(&template), picture, "").expect("sound");
        assert_eq!((picture.header, picture.footer), (Some(crate::template::Header::Image), None));
    }
}
