//! What the declared files said when they were read last, and where. So whoever changes a thing elsewhere
//! can be told which file will put it back.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::glyph;
use crate::message::{OrganizationId, SenderName, TenantId};
use crate::tenant::{Directory, Organization, Sender, Tenant, WebhookAuth};

/// One value is shown this long.
const SHOWN_BYTES: usize = 120;

/// Where something is declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub file: PathBuf,
    pub line: Option<usize>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file.display()),
            None => write!(f, "{}", self.file.display()),
        }
    }
}

/// A field for which a file has another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Dotted: `limits.fuel`.
    pub name: String,
    pub declared: String,
    pub now: String,
}

/// A thing that is not as its file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differs {
    pub origin: Origin,
    pub fields: Vec<Field>,
}

impl Differs {
    /// For whoever made it so.
    pub fn told(&self) -> Value {
        let fields: Map<String, Value> = self
            .fields
            .iter()
            .map(|field| (field.name.clone(), json!({"declared": field.declared, "now": field.now})))
            .collect();
        json!({
            "file": self.origin.to_string(),
            "fields": fields,
            "note": "the next start or reload puts back what the file says; change it there too",
        })
    }
}

/// As it is written, by what it is about. Secrets that a file leaves out are not in it.
#[derive(Debug, Default)]
pub struct Standing {
    pub(super) organizations: HashMap<OrganizationId, (Organization, Origin)>,
    pub(super) tenants: HashMap<TenantId, (Tenant, Origin)>,
    pub(super) senders: HashMap<SenderName, (Sender, Origin)>,
    pub(super) collections: HashMap<(TenantId, String), (Fingerprint, Origin)>,
}

/// Of a collection's records, which may be many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub fn of(records: &[Value]) -> Self {
        let mut digest = Sha256::new();
        for record in records {
            digest.update(record.to_string());
            digest.update(b"\n");
        }
        Fingerprint(digest.finalize().into())
    }
}

impl Standing {
    /// Where something of this name is declared.
    pub fn of_sender(&self, name: &SenderName) -> Option<&Origin> {
        self.senders.get(name).map(|(_, origin)| origin)
    }

    pub fn organization(&self, now: &Organization) -> Option<Differs> {
        let (declared, origin) = self.organizations.get(&now.id)?;
        differs(origin, fields(declared, now))
    }

    pub fn tenant(&self, now: &Tenant) -> Option<Differs> {
        let (declared, origin) = self.tenants.get(&now.id)?;
        differs(origin, fields(declared, now))
    }

    pub fn sender(&self, now: &Sender, directory: &Directory) -> Option<Differs> {
        let (declared, origin) = self.senders.get(&now.name)?;
        let now = directory.waha().lend(now.clone());
        let declared = as_applied(declared.clone(), &now, directory);
        differs(origin, sender_fields(&declared, &now))
    }

    pub fn collection(&self, tenant: TenantId, name: &str, now: Fingerprint) -> Option<Differs> {
        let (declared, origin) = self.collections.get(&(tenant, name.to_owned()))?;
        if *declared == now {
            return None;
        }
        // A tenant is shown what is in the directory and not where that lies.
        let shown: PathBuf = origin.file.iter().rev().take(3).collect::<Vec<_>>().into_iter().rev().collect();
        let field = Field { name: "records".into(), declared: "(the file's)".into(), now: "(others)".into() };
        differs(&Origin { file: shown, line: None }, vec![field])
    }
}

fn differs(origin: &Origin, fields: Vec<Field>) -> Option<Differs> {
    (!fields.is_empty()).then(|| Differs { origin: origin.clone(), fields })
}

/// What becomes of a declared sender where `now` is there.
fn as_applied(declared: Sender, now: &Sender, directory: &Directory) -> Sender {
    let mut sender = directory.waha().lend(declared);
    let same_place = sender.base_url == now.base_url;
    keep_secrets(&mut sender, now, same_place);
    sender
}

/// Secrets are named and not shown.
pub fn sender_fields(declared: &Sender, now: &Sender) -> Vec<Field> {
    let mut found = fields(declared, now);
    let secrets: Vec<_> = declared.secrets().into_iter().map(|(name, _)| name).collect();
    for field in found.iter_mut().filter(|field| secrets.contains(&field.name.as_str())) {
        for value in [&mut field.declared, &mut field.now] {
            if value != NOTHING {
                *value = "(set)".into();
            }
        }
    }
    found
}

const NOTHING: &str = "(nothing)";

/// The fields in which two things of a kind are not the same.
pub fn fields<T: Serialize>(declared: &T, now: &T) -> Vec<Field> {
    let mut found = Vec::new();
    compare("", &json!(declared), &json!(now), &mut found);
    found
}

fn compare(name: &str, declared: &Value, now: &Value, found: &mut Vec<Field>) {
    if declared == now {
        return;
    }
    let empty = Map::new();
    let (left, right) = match (declared, now) {
        (Value::Object(left), Value::Object(right)) => (left, right),
        (Value::Object(left), Value::Null) => (left, &empty),
        (Value::Null, Value::Object(right)) => (&empty, right),
        _ => {
            let shown = |value: &Value| match value {
                Value::Null => NOTHING.to_owned(),
                value => glyph::shown(value, SHOWN_BYTES),
            };
            found.push(Field { name: name.to_owned(), declared: shown(declared), now: shown(now) });
            return;
        }
    };
    let keys = left.keys().chain(right.keys().filter(|key| !left.contains_key(*key)));
    for key in keys {
        let key_name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        let of = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
        compare(&key_name, &of(left), &of(right), found);
    }
}

/// What a file leaves out it does not take away: secrets that were given or made elsewhere stay. Nor do
/// webhooks stop proving themselves while there is a key that they prove themselves by.
/// `same_place`: is its provider where it was? A key is for the address that it was given for.
pub fn keep_secrets(sender: &mut Sender, kept: &Sender, same_place: bool) {
    if sender.provider() != kept.provider() {
        return;
    }
    if sender.is_keyless() && !kept.is_keyless() && kept.auth == WebhookAuth::Required {
        sender.auth = WebhookAuth::Required;
    }
    for ((key, secret), (_, known)) in sender.secrets_mut().into_iter().zip(kept.secrets()) {
        if secret.is_empty() && (key != "api_key" || same_place) {
            *secret = known.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(more: Value) -> Tenant {
        let mut tenant = json!({"id": 2, "name": "Two", "organization": 1, "brain": "echo"});
        for (key, value) in more.as_object().expect("an object") {
            tenant[key] = value.clone();
        }
        serde_json::from_value(tenant).expect("a tenant")
    }

    #[test]
    fn every_field_that_is_not_the_same_is_named() {
        let declared = tenant(json!({"limits": {"fuel": 5}, "labels": {"a": "1"}}));
        let now = tenant(json!({"time_zone": "Asia/Dubai", "labels": {"a": "2", "b": "3"}, "name": "Two"}));
        let found: Vec<(String, String, String)> = fields(&declared, &now)
            .into_iter()
            .map(|field| (field.name, field.declared, field.now))
            .collect();
        let expected = [
            ("time_zone", "\"UTC\"", "\"Asia/Dubai\""),
            ("labels.a", "\"1\"", "\"2\""),
            ("labels.b", NOTHING, "\"3\""),
            ("limits.fuel", "5", NOTHING),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(a, b, c)| (a.to_string(), b.to_string(), c.to_string())).collect();
        assert_eq!(found, expected);
        assert!(fields(&now, &now).is_empty());
    }

    #[test]
    fn secrets_are_named_and_not_shown_and_those_left_out_are_nobodys() {
        let sender = |more: Value| -> Sender {
            let mut sender = json!({"name": "main", "provider": "waha", "account": "default",
                "base_url": "http://127.0.0.1:1", "hmac_key": "declared-secret"});
            for (key, value) in more.as_object().expect("an object") {
                sender[key] = value.clone();
            }
            serde_json::from_value(sender).expect("a sender")
        };
        let mut standing = Standing::default();
        let declared = sender(json!({}));
        standing.senders.insert(declared.name.clone(), (declared.clone(), Origin::default()));
        let directory = Directory::default();
        let given = sender(json!({"api_key": "given-elsewhere"}));
        assert_eq!(standing.sender(&given, &directory), None, "the file says nothing of it");
        let changed = sender(json!({"hmac_key": "another-secret", "groups": true}));
        let told = standing.sender(&changed, &directory).expect("it differs").told();
        assert_eq!(told["fields"]["hmac_key"], json!({"declared": "(set)", "now": "(set)"}));
        assert_eq!(told["fields"]["groups"], json!({"declared": "false", "now": "true"}));
        assert!(!told.to_string().contains("-secret"), "{told}");
    }
}
