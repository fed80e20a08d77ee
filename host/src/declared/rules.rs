//! What an organization, a tenant, a sender and a collection must keep beyond their shape, whether
//! they come from a file or through the API. Pure: the mistakes are returned, each with the key it
//! is about, what is wrong, and what to do.

use std::collections::HashSet;

use serde_json::Value;

use crate::message::TenantId;
use crate::policy::quiet::Hours;
use crate::tenant::policy::Policy;
use crate::tenant::{Directory, Limits, Organization, Tenant, quotas};

pub mod senders;

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
pub const COLLECTION_VALUES: usize = 500_000;

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
    for label in ["status", "tenant_id", "phone_number", "is_new_session"] {
        if tenant.labels.contains_key(label) {
            faults.push(fault(
                "labels",
                format!("\"{label}\" is a word of the webhook's answer"),
                "call the label something else",
            ));
        }
    }
    faults.extend(limits(&tenant.limits));
    faults.extend(policy(&tenant.policy));
    faults.extend(quotas(&tenant.quotas));
    faults
}

fn policy(policy: &Policy) -> Vec<Fault> {
    let mut faults = Vec::new();
    if policy.rate_per_second.is_some_and(|rate| !(1..=MAX_RATE).contains(&rate)) {
        faults.push(rate("policy.rate_per_second"));
    }
    if policy.loop_turns.is_some_and(|turns| turns > 100_000) {
        faults.push(fault("policy.loop_turns", "is too large", "write 0 to 100000; 0 lets any number pass"));
    }
    if let Some(quiet) = &policy.quiet_hours
        && let Err(error) = Hours::parse(quiet)
    {
        let action =
            "write `quiet_hours = { from = \"22:00\", until = \"08:00\" }`, in the tenant's own time";
        faults.push(fault("policy.quiet_hours", error.to_string(), action));
    }
    if let Some(template) = &policy.fallback_template {
        let plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
        if template.name.is_empty() || template.name.len() > 512 || !template.name.chars().all(plain) {
            let action = "use 1 to 512 of a-z, 0-9 and _, as WhatsApp does";
            let what = format!("\"{}\" cannot name a template", template.name);
            faults.push(fault("policy.fallback_template.name", what, action));
        }
        if template.language.trim().is_empty() {
            let action = "write the template's language as WhatsApp has it, such as \"en\" or \"en_US\"";
            faults.push(fault("policy.fallback_template.language", "is empty", action));
        }
        if template.parameter.as_ref().is_some_and(|name| name.trim().is_empty()) {
            let action = "name the placeholder that takes the words, such as \"1\", or leave it out";
            faults.push(fault("policy.fallback_template.parameter", "is empty", action));
        }
    }
    faults
}

/// More is measured in less than a microsecond.
const MAX_RATE: u32 = 1_000_000;

fn rate(key: &'static str) -> Fault {
    fault(key, "is out of range", format!("write a number from 1 to {MAX_RATE}, or leave it out"))
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

fn quotas(own: &quotas::Own) -> Vec<Fault> {
    let out_of_range = |kind: &quotas::Kind| {
        let (least, most) = kind.range();
        let value = own.of(*kind).filter(|value| !(least..=most).contains(value))?;
        let action = format!("write a number from {least} to {most}, or leave it out");
        Some(fault(kind.own_key(), format!("is {value}"), action))
    };
    quotas::Kind::ALL.iter().filter_map(out_of_range).collect()
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

fn listed<T: ToString>(names: impl Iterator<Item = T>, none: &str) -> String {
    let mut names: Vec<String> = names.map(|name| name.to_string()).collect();
    names.sort();
    if names.is_empty() { none.to_owned() } else { format!("known are {}", names.join(", ")) }
}
