//! How a sender is read: what all senders have, and beside it the settings of its own provider. A setting of
//! another provider is a mistake, because it would be set in vain, and whoever set it expects something.
//!
//! A mistake is told as serde would tell it. One that is not about an unknown or a missing key begins with
//! its key in back quotes: `` `tenant`: invalid type: ... ``.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use crate::message::Provider;
use crate::message::provider::listed;
use crate::tenant::Sender;
use crate::tenant::settings::{Settings, providers_with};

/// What every sender may say, whoever its provider is.
const COMMON: &[&str] = &[
    "name",
    "provider",
    "account",
    "number",
    "tenant",
    "active",
    "base_url",
    "api_key",
    "auth",
    "hmac_key",
    "webhook_key",
    "webhook_header",
    "webhook_path",
    "media_hosts",
    "rate_per_second",
    "read_receipts",
    "typing",
    "groups",
];

impl<'de> Deserialize<'de> for Sender {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut written = Map::deserialize(deserializer)?;
        let provider = match written.get("provider") {
            None => return Err(de::Error::missing_field("provider")),
            Some(name) => {
                Provider::deserialize(name).map_err(|error| de::Error::custom(about("provider", &error)))?
            }
        };
        refuse_strangers(&mut written, provider).map_err(de::Error::custom)?;
        whole(&written).map_err(|error| {
            let key = culprit(&written);
            de::Error::custom(key.map_or_else(|| error.to_string(), |key| about(key, &error)))
        })
    }
}

impl Serialize for Sender {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Sender::serialize(self, serializer)
    }
}

/// Reads without asking whether each key belongs there.
fn whole(written: &Map<String, Value>) -> serde_json::Result<Sender> {
    Sender::deserialize(Value::Object(written.clone()))
}

fn about(key: &str, error: &serde_json::Error) -> String {
    format!("`{key}`: {error}")
}

/// Leaves nothing that means nothing at this provider. A setting of another one that is taken away is none.
fn refuse_strangers(written: &mut Map<String, Value>, provider: Provider) -> Result<(), String> {
    let here = Settings::keys(provider);
    let foreign = |key: &str| !COMMON.contains(&key) && !here.contains(&key);
    written.retain(|key, value| !(value.is_null() && foreign(key) && providers_with(key).next().is_some()));
    let Some(key) = written.keys().find(|key| foreign(key)) else { return Ok(()) };
    let others: Vec<Provider> = providers_with(key).collect();
    if others.is_empty() {
        let known: Vec<String> = COMMON.iter().chain(here).map(|key| format!("`{key}`")).collect();
        return Err(format!("unknown field `{key}`, expected one of {}", known.join(", ")));
    }
    let others = listed(others.into_iter().map(Provider::name), "or");
    Err(format!("`{key}`: means nothing at {provider}; it is for {others}; take it away"))
}

/// The first key whose value does not fit.
fn culprit(written: &Map<String, Value>) -> Option<&str> {
    let mut grown = Map::new();
    grown.insert("provider".into(), written.get("provider")?.clone());
    written.iter().find_map(|(key, value)| {
        grown.insert(key.clone(), value.clone());
        let error = whole(&grown).err()?.to_string();
        (!error.starts_with("missing field")).then_some(key.as_str())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(sender: Value) -> Result<Sender, String> {
        serde_json::from_value(sender).map_err(|error: serde_json::Error| error.to_string())
    }

    /// A sender that says all that one of this provider can say.
    fn full(provider: Provider) -> Value {
        let mut sender = json!({
            "name": "main", "provider": provider, "account": "1", "number": "971500000001", "tenant": 2,
            "active": false, "base_url": "https://x.example.com", "api_key": "a", "auth": "none", "hmac_key": "b",
            "webhook_key": "c", "webhook_header": "X-Key", "webhook_path": "d", "media_hosts": ["y.example.com"],
            "rate_per_second": 4, "read_receipts": false, "typing": false, "groups": true,
        });
        for key in Settings::keys(provider) {
            sender[*key] = if *key == "hmac_algorithm" { json!("sha512") } else { json!("7") };
        }
        sender
    }

    /// The lists of keys are the types', and nothing that is written is lost.
    #[test]
    fn all_that_may_be_said_is_read_and_written() {
        for provider in Provider::ALL {
            let sender = read(full(provider)).unwrap_or_else(|error| panic!("{provider}: {error}"));
            assert_eq!((sender.provider(), json!(sender)), (provider, full(provider)));
            let mut keys: Vec<String> =
                json!(sender).as_object().expect("an object").keys().cloned().collect();
            let mut known: Vec<&str> = COMMON.iter().chain(Settings::keys(provider)).copied().collect();
            keys.sort();
            known.sort_unstable();
            assert_eq!(keys, known, "{provider}");
            assert_eq!(
                rmp_serde::from_slice::<Sender>(&rmp_serde::to_vec_named(&sender).expect("bytes"))
                    .expect("a sender"),
                sender
            );
        }
    }

    /// What belongs to another provider is refused by name, whichever provider and whichever setting.
    #[test]
    fn a_setting_of_another_provider_is_refused() {
        for provider in Provider::ALL {
            for other in Provider::ALL {
                for key in Settings::keys(other).iter().filter(|key| !Settings::keys(provider).contains(*key))
                {
                    let mut sender = json!({"name": "main", "provider": provider, "account": "1"});
                    sender[*key] = json!("7");
                    let error = read(sender.clone()).expect_err("a stranger");
                    let begins = format!("`{key}`: means nothing at {provider}; it is for ");
                    assert!(error.starts_with(&begins) && error.contains(other.name()), "{error}");
                    sender[*key] = Value::Null;
                    assert!(read(sender).is_ok(), "{key} is taken away from {provider}");
                }
            }
        }
    }

    #[test]
    fn each_mistake_names_its_key() {
        let with = |key: &str, value: Value| {
            let mut sender = json!({"name": "main", "provider": "meta", "account": "1"});
            sender[key] = value;
            read(sender).expect_err("a mistake")
        };
        for (key, value, expected) in [
            ("provider", json!("metta"), "`provider`: unknown variant `metta`, expected one of `waha`, "),
            ("provider", json!(7), "`provider`: invalid type: integer `7`, expected a string"),
            ("active", json!("yes"), "`active`: invalid type: string \"yes\", expected a boolean"),
            ("api_version", json!(23), "`api_version`: invalid type: integer `23`, expected a string"),
            ("media_hosts", json!("x"), "`media_hosts`: invalid type: string \"x\", expected a sequence"),
            ("auth", json!("maybe"), "`auth`: unknown variant `maybe`, expected `required` or `none`"),
            ("acount", json!("1"), "unknown field `acount`, expected one of `name`, `provider`, `account`, "),
            ("session", json!(null), "unknown field `session`, expected one of "),
        ] {
            let error = with(key, value);
            assert!(error.starts_with(expected), "{error}");
        }
        let missing = |sender: Value| read(sender).expect_err("not all");
        assert_eq!(missing(json!({"provider": "waha", "account": "1"})), "missing field `name`");
        assert_eq!(missing(json!({"name": "main", "account": "1"})), "missing field `provider`");
        let error = missing(json!({"name": "main", "provider": "waha", "acount": "1"}));
        assert!(
            error.starts_with("unknown field `acount`"),
            "what is there is looked at before what is not: {error}"
        );
    }
}
