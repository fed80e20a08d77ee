//! What an organization, a tenant, a sender and a collection must keep beyond their shape, whether
//! they come from a file or through the API. Pure: the mistakes are returned, each with the key it
//! is about, what is wrong, and what to do.

use std::collections::HashSet;

use serde_json::Value;

use crate::message::{Provider, TenantId};
use crate::tenant::{Directory, Limits, Organization, Sender, Tenant, WebhookAuth};

/// A key, what is wrong with its value, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Dotted, below the thing that was checked.
    pub key: &'static str,
    pub what: String,
    pub action: String,
}

fn fault(key: &'static str, what: impl Into<String>, action: impl Into<String>) -> Fault {
    Fault { key, what: what.into(), action: action.into() }
}

const MAX_NAME: usize = 200;
const MAX_TEXT: usize = 4096;

/// A collection as JSON without white space. It is read whole.
pub const COLLECTION_BYTES: usize = 8 << 20;
const RECORD_BYTES: usize = 64 << 10;

/// Objects, lists and plain values in a collection. Each takes some hundred bytes of memory, however
/// short it is written.
const COLLECTION_VALUES: usize = 500_000;

pub fn organization(organization: &Organization) -> Vec<Fault> {
    let mut faults = Vec::new();
    if organization.id.0 == 0 {
        faults.push(fault("id", "is 0", "number organizations from 1"));
    }
    faults.extend(name(&organization.name));
    faults
}

/// `packages`: those in the plugins directory, where they are known.
pub fn tenant(tenant: &Tenant, directory: &Directory, packages: Option<&[String]>) -> Vec<Fault> {
    let mut faults = Vec::new();
    if tenant.id == TenantId::GATEWAY {
        faults.push(fault("id", "is 0, which is the gateway itself", "number tenants from 1"));
    }
    faults.extend(name(&tenant.name));
    if !directory.organizations.contains_key(&tenant.organization) {
        faults.push(fault(
            "organization",
            format!("there is no organization {}", tenant.organization),
            format!(
                "declare it in organizations.toml: {}",
                listed(directory.organizations.keys(), "none yet")
            ),
        ));
    }
    if !is_language(&tenant.language) {
        faults.push(fault(
            "language",
            format!("\"{}\" is not a language tag", tenant.language),
            "write a BCP 47 tag, such as \"en\", \"ar\", \"fa\" or \"pt-BR\"",
        ));
    }
    if jiff::tz::db().get(&tenant.time_zone).is_err() {
        faults.push(fault(
            "time_zone",
            format!("\"{}\" is not a time zone", tenant.time_zone),
            "write an IANA name, such as \"Asia/Dubai\" or \"UTC\"",
        ));
    }
    if let Some(packages) = packages
        && !packages.contains(&tenant.brain)
        && !packages.contains(&format!("tenant-{}", tenant.id))
    {
        faults.push(fault(
            "brain",
            format!("there is no package \"{}\" in the plugins directory", tenant.brain),
            listed(packages.iter(), "put a package there first"),
        ));
    }
    if tenant.fallback_text.trim().is_empty() || tenant.fallback_text.len() > MAX_TEXT {
        faults.push(fault(
            "fallback_text",
            format!("has {} bytes", tenant.fallback_text.len()),
            format!("write 1 to {MAX_TEXT} bytes"),
        ));
    }
    faults.extend(limits(&tenant.limits));
    faults
}

fn limits(limits: &Limits) -> Vec<Fault> {
    const MIB: u64 = 1 << 20;
    let ranges: [(&'static str, Option<u64>, u64, u64); 9] = [
        ("limits.fuel", limits.fuel, 100_000, u64::MAX / 2),
        ("limits.wall_time_ms", limits.wall_time_ms, 1, 600_000),
        ("limits.memory_bytes", limits.memory_bytes, MIB, 4096 * MIB),
        ("limits.actions", limits.actions.map(u64::from), 1, 10_000),
        ("limits.text_bytes", limits.text_bytes, 1, MIB),
        ("limits.state_bytes", limits.state_bytes, 2, 64 * MIB),
        ("limits.host_calls", limits.host_calls.map(u64::from), 0, 1_000_000),
        ("limits.log_bytes", limits.log_bytes, 0, 64 * MIB),
        ("limits.coalesce_ms", limits.coalesce_ms, 0, 600_000),
    ];
    ranges
        .into_iter()
        .filter_map(|(key, value, least, most)| {
            let value = value.filter(|value| *value < least || *value > most)?;
            Some(fault(key, format!("is {value}"), format!("write a number from {least} to {most}")))
        })
        .collect()
}

/// `loopback`: does the gateway listen on loopback only?
pub fn sender(sender: &Sender, directory: &Directory, loopback: bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    let label = sender.name.as_str();
    if label.is_empty() || label.len() > 64 || !label.chars().all(plain) {
        faults.push(fault("name", format!("\"{label}\" is no name"), "use 1 to 64 of a-z, 0-9, -, _ and ."));
    }
    if sender.account.is_empty() || sender.account.len() > 200 {
        faults.push(fault(
            "account",
            format!("has {} characters", sender.account.len()),
            "write the provider's key for this number: at WAHA the session, such as \"default\"",
        ));
    }
    if let Some(id) = sender.tenant
        && directory.tenant(id).is_none()
    {
        faults.push(fault(
            "tenant",
            format!("there is no tenant {id}"),
            "declare it in tenants.toml, or leave `tenant` out for a shared sender",
        ));
    }
    if sender.number.as_ref().is_some_and(|number| !is_number(number)) {
        faults.push(fault("number", "is not a phone number", "write 6 to 15 digits with the country code"));
    }
    faults.extend(base_url(sender));
    faults.extend(webhook_auth(sender, loopback));
    for account in sender.accounts() {
        let taken = directory.sender_of(sender.provider, account);
        if let Some(other) = taken.filter(|other| other.name != sender.name) {
            faults.push(fault(
                "account",
                format!("{} account \"{account}\" is sender \"{}\" already", sender.provider, other.name),
                "one account belongs to one sender; change one of them",
            ));
        }
    }
    faults
}

fn base_url(sender: &Sender) -> Option<Fault> {
    let action = "write the provider's address, such as \"http://127.0.0.1:3000\"";
    match &sender.base_url {
        // Theirs are the same for everyone.
        None if matches!(sender.provider, Provider::Simulator | Provider::Gupshup | Provider::Meta) => None,
        None => Some(fault("base_url", "is missing", action)),
        Some(url) => match url.parse::<http::Uri>() {
            Ok(uri) if uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https")) => None,
            _ => Some(fault("base_url", format!("\"{url}\" is not an http address"), action)),
        },
    }
}

fn webhook_auth(sender: &Sender, loopback: bool) -> Option<Fault> {
    // A simulated message is proven by the operator's token, not by a key of the sender.
    if sender.provider == Provider::Simulator {
        return None;
    }
    let keyless = sender.is_keyless();
    match sender.auth {
        WebhookAuth::None if !loopback => Some(fault(
            "auth",
            "\"none\" lets anyone speak for any contact, and the gateway does not listen on loopback only",
            "set hmac_key or webhook_key and take `auth` away, or listen on 127.0.0.1",
        )),
        WebhookAuth::Required if keyless => Some(fault(
            "auth",
            "webhooks must prove themselves, but neither hmac_key nor webhook_key is set",
            "set one of them; on a loopback gateway auth = \"none\" is possible too",
        )),
        _ => None,
    }
}

/// Each record is an object with a text or integer `id` of its own. The fault's place is the index.
pub fn records(records: &[Value]) -> Vec<(usize, Fault)> {
    let mut faults = Vec::new();
    let mut seen = HashSet::new();
    for (index, record) in records.iter().enumerate() {
        let id = match record.get("id") {
            Some(Value::String(id)) if !id.is_empty() => id.clone(),
            Some(Value::Number(id)) if id.is_i64() || id.is_u64() => id.to_string(),
            Some(_) => {
                faults.push((index, fault("id", "is neither a text nor a whole number", "give it one")));
                continue;
            }
            None if record.is_object() => {
                faults.push((index, fault("id", "is missing", "give each record an `id` of its own")));
                continue;
            }
            None => {
                faults.push((index, fault("", "is not an object", "write each record as { \"id\": ... }")));
                continue;
            }
        };
        if !seen.insert(id.clone()) {
            faults.push((index, fault("id", format!("\"{id}\" is used twice"), "ids are unique")));
        }
    }
    faults.extend(sizes(records));
    faults
}

/// A collection that is too large is told at the record that makes it so.
fn sizes(records: &[Value]) -> Vec<(usize, Fault)> {
    let mut faults = Vec::new();
    // The brackets around them.
    let mut all = Size { bytes: 2, values: 0 };
    let mut first = None;
    for (index, record) in records.iter().enumerate() {
        let size = Size::of(record);
        if size.bytes > RECORD_BYTES {
            let what = format!("is too large: limit {RECORD_BYTES} bytes, used {}", size.bytes);
            faults.push((index, fault("", what, "keep long texts and files elsewhere")));
        }
        all = Size { bytes: all.bytes + size.bytes + 1, values: all.values + size.values };
        if all.bytes > COLLECTION_BYTES || all.values > COLLECTION_VALUES {
            first.get_or_insert(index);
        }
    }
    if let Some(index) = first {
        let what = if all.bytes > COLLECTION_BYTES {
            format!("makes the collection too large: limit {COLLECTION_BYTES} bytes, used {}", all.bytes)
        } else {
            format!("makes the collection too large: limit {COLLECTION_VALUES} values, used {}", all.values)
        };
        faults.push((index, fault("", what, "split the collection, or leave fields out")));
    }
    faults
}

struct Size {
    bytes: usize,
    values: usize,
}

impl Size {
    fn of(value: &Value) -> Self {
        // As it is written without white space; a `Value` has nothing that cannot be.
        let bytes = value.to_string().len();
        Size { bytes, values: values(value) }
    }
}

fn values(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(values).sum(),
        Value::Object(fields) => fields.values().map(values).sum(),
        _ => 0,
    }
}

/// May a collection be called this? It is a file's name and a part of addresses.
pub fn collection_name(name: &str) -> Option<Fault> {
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
    (name.is_empty() || name.len() > 64 || !name.chars().all(plain)).then(|| {
        fault("name", format!("\"{name}\" cannot name a collection"), "use 1 to 64 of a-z, 0-9, - and _")
    })
}

fn name(name: &str) -> Option<Fault> {
    (name.trim().is_empty() || name.len() > MAX_NAME)
        .then(|| fault("name", format!("has {} bytes", name.len()), format!("write 1 to {MAX_NAME} bytes")))
}

/// `en`, `pt-BR`, `zh-Hant-TW`: the shape of a BCP 47 tag, not its registry.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    matches!(first.len(), 2 | 3)
        && first.chars().all(|char| char.is_ascii_alphabetic())
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.chars().all(|char| char.is_ascii_alphanumeric())
        })
}

fn is_number(number: &str) -> bool {
    (6..=15).contains(&number.len()) && number.chars().all(|char| char.is_ascii_digit())
}

fn listed<T: ToString>(names: impl Iterator<Item = T>, none: &str) -> String {
    let mut names: Vec<String> = names.map(|name| name.to_string()).collect();
    names.sort();
    if names.is_empty() { none.to_owned() } else { format!("known are {}", names.join(", ")) }
}
