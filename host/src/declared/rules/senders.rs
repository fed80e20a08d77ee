//! What a sender must keep: a name, an account that is nobody else's, webhooks that prove themselves,
//! and an address where its provider is. That it says nothing of another provider: see [`crate::tenant`].

use super::{Fault, fault};
use crate::identity;
use crate::message::Provider;
use crate::message::provider::{Account, BaseUrl};
use crate::tenant::{Directory, Sender, WebhookAuth};

/// An address that is a secret must not be guessed.
const MIN_PATH: usize = 16;
const MAX_PATH: usize = 128;
/// No provider takes more; what is larger means no limit.
const MAX_RATE: u32 = 1_000_000;

/// `private`: can only this machine reach the gateway?
pub fn check(sender: &Sender, directory: &Directory, private: bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    let label = sender.name.as_str();
    if label.is_empty() || label.len() > 64 || !label.chars().all(plain) {
        faults.push(fault("name", format!("\"{label}\" is no name"), "use 1 to 64 of a-z, 0-9, -, _ and ."));
    }
    faults.extend(account(sender, directory));
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
    if sender.provider().facts().needs_number && sender.number.is_none() {
        let action = format!(
            "write the phone number, with the country code: {} asks for it",
            sender.provider().title()
        );
        faults.push(fault("number", "is missing", action));
    }
    faults.extend(base_url(&directory.waha().lend(sender.clone())));
    faults.extend(webhook_auth(sender, private));
    faults.extend(webhook_path(sender));
    faults.extend(headers(sender));
    faults.extend(media_hosts(sender));
    if sender.rate_per_second.is_some_and(|rate| !(1..=MAX_RATE).contains(&rate)) {
        faults.push(fault(
            "rate_per_second",
            "is out of range",
            format!("write a number from 1 to {MAX_RATE}"),
        ));
    }
    faults
}

/// A file cannot give a sender to another owner: what the old one has waiting there would be given up by
/// a start, and taken back by the next.
pub fn owner(sender: &Sender, directory: &Directory) -> Option<Fault> {
    let known = directory.senders.get(&sender.name).filter(|known| known.tenant != sender.tenant)?;
    let (name, is) = (&sender.name, known.tenant.map_or("shared".to_owned(), |id| format!("tenant {id}'s")));
    let option = sender.tenant.map_or("--shared".to_owned(), |tenant| format!("--tenant {tenant}"));
    let declared = known.tenant.map_or("no tenant".to_owned(), |tenant| format!("tenant = {tenant}"));
    Some(fault(
        "tenant",
        format!("the sender {name} is {is} now, and a change of its owner is no setting"),
        format!(
            "declare it with {declared}; to change it, start with that, see what \
             `switchboard sender give {name} {option}` would do, and do it with --apply"
        ),
    ))
}

fn account(sender: &Sender, directory: &Directory) -> Vec<Fault> {
    let mut faults = Vec::new();
    let (at, is) = (sender.provider().title(), &sender.provider().facts().account);
    if sender.account.is_empty() || sender.account.len() > 200 {
        faults.push(fault(
            "account",
            format!("has {} characters", sender.account.len()),
            format!("write the provider's key for this number: at {at} {}", is.words()),
        ));
    } else if matches!(is, Account::Phone) && identity::phone_digits(&sender.account).is_err() {
        faults.push(fault(
            "account",
            format!("\"{}\" is not a phone number", sender.account),
            format!("at {at} the account is {}", is.words()),
        ));
    }
    for account in sender.accounts() {
        let taken = directory.sender_of(sender.provider(), account);
        if let Some(other) = taken.filter(|other| other.name != sender.name) {
            faults.push(fault(
                "account",
                format!("{} account \"{account}\" is sender \"{}\" already", sender.provider(), other.name),
                "one account belongs to one sender; change one of them",
            ));
        }
    }
    faults
}

fn base_url(sender: &Sender) -> Option<Fault> {
    let BaseUrl { required, hint: action } = sender.provider().facts().base_url;
    match &sender.base_url {
        None if required => Some(fault("base_url", "is missing", action)),
        None => None,
        Some(url) => match url.parse::<http::Uri>() {
            Ok(uri) if uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https")) => None,
            _ => Some(fault("base_url", format!("\"{url}\" is not an http address"), action)),
        },
    }
}

/// Where its secrets go: a provider's own address where the sender names none.
pub fn destination(sender: &Sender) -> (Provider, &str) {
    (sender.provider(), sender.base_url.as_deref().unwrap_or_default().trim_end_matches('/'))
}

/// A secret that nobody can read must not be sent to an address of the reader's choice: whoever changes
/// where a sender's secrets go gives them anew. `kept`: the secrets that stay as they were. Both senders
/// as they are used, with what the configuration lends them.
pub fn moved(before: &Sender, after: &Sender, kept: &[&str]) -> Option<Fault> {
    if destination(before) == destination(after) {
        return None;
    }
    let leaving = after.provider().facts().sent_secrets;
    let sealed: Vec<&str> = after
        .secrets()
        .into_iter()
        .filter(|(key, secret)| leaving.contains(key) && kept.contains(key) && !secret.is_empty())
        .map(|(key, _)| key)
        .collect();
    if sealed.is_empty() {
        return None;
    }
    let sealed = sealed.join(", ");
    let key = if before.provider() == after.provider() { "base_url" } else { "provider" };
    Some(fault(
        key,
        format!("changes where {sealed} would be sent, and kept secrets are sent nowhere else"),
        format!("give {sealed} anew with the change, or \"\" to take it away"),
    ))
}

fn webhook_auth(sender: &Sender, private: bool) -> Option<Fault> {
    // A simulated message is proven by the operator's token, not by a key of the sender.
    if sender.provider().is_simulated() {
        return None;
    }
    if !sender.provider().facts().signs && !sender.hmac_key.is_empty() {
        return Some(fault(
            "hmac_key",
            format!("proves nothing: {} signs no webhook", sender.provider().title()),
            "set webhook_path or webhook_key, and take hmac_key away",
        ));
    }
    match sender.auth {
        WebhookAuth::None if !private => Some(fault(
            "auth",
            "\"none\" lets anyone speak for any contact, and the gateway does not listen on loopback only, or has a http.public_url",
            "set hmac_key, webhook_key or webhook_path and take `auth` away; or listen on 127.0.0.1, without a \
             proxy, and leave http.public_url out",
        )),
        WebhookAuth::Required if sender.is_keyless() => Some(fault(
            "auth",
            "webhooks must prove themselves, but neither hmac_key nor webhook_key nor webhook_path is set",
            "set one of them; on a loopback gateway auth = \"none\" is possible too",
        )),
        _ => None,
    }
}

fn webhook_path(sender: &Sender) -> Option<Fault> {
    let path = sender.webhook_path.expose();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    // A name of an environment variable or file is looked up first.
    let good = path.is_empty() || (MIN_PATH..=MAX_PATH).contains(&path.len()) && path.bytes().all(plain);
    (!good).then(|| {
        fault(
            "webhook_path",
            "cannot be the secret end of an address",
            format!("use {MIN_PATH} to {MAX_PATH} random characters of a-z, 0-9, -, _, . and ~"),
        )
    })
}

fn headers(sender: &Sender) -> Vec<Fault> {
    let mut faults = Vec::new();
    let proof = sender.settings.own().proof();
    for (key, header) in [("hmac_header", proof.header), ("webhook_header", sender.webhook_header.as_deref())]
    {
        if let Some(header) = header
            && header.parse::<http::HeaderName>().is_err()
        {
            faults.push(fault(key, format!("\"{header}\" is no header's name"), "write it as X-Signature"));
        }
    }
    if proof.user.is_some() && sender.webhook_key.is_empty() {
        faults.push(fault("webhook_user", "has no password", "set webhook_key to it"));
    }
    if proof.user.is_some() && sender.webhook_header.is_some() {
        faults.push(fault(
            "webhook_header",
            "the webhook key is the password of Basic authentication, which has a header of its own",
            "take webhook_header or webhook_user away",
        ));
    }
    if proof.asks_for_header && !sender.hmac_key.is_empty() && proof.header.is_none() {
        faults.push(fault(
            "hmac_header",
            "is missing: in which header does the signature come?",
            "write the name that is set in the notification profile",
        ));
    }
    faults
}

fn media_hosts(sender: &Sender) -> Option<Fault> {
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_host = |host: &str| url::Host::parse(host).is_ok_and(|parsed| parsed.to_string() == host);
    let good = |text: &str| match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => is_host(host) && is_port(port),
        _ => is_host(text),
    };
    let bad = sender.media_hosts.iter().find(|host| !good(host))?;
    Some(fault(
        "media_hosts",
        format!("\"{bad}\" is no host"),
        "write hosts alone, such as \"files.example.com\" or \"minio:9000\"",
    ))
}

fn is_number(number: &str) -> bool {
    (6..=15).contains(&number.len()) && number.chars().all(|char| char.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn faults(provider: &str, changes: Value) -> Vec<&'static str> {
        let mut sender = json!({
            "name": "main", "provider": provider, "account": "96179374241",
            "base_url": "https://example.com", "webhook_key": "k",
        });
        for (key, value) in changes.as_object().expect("an object") {
            sender[key] = value.clone();
        }
        let sender: Sender = serde_json::from_value(sender).expect("a sender");
        check(&sender, &Directory::default(), false).into_iter().map(|fault| fault.key).collect()
    }

    #[test]
    fn each_setting_has_its_rule() {
        for (provider, changes, expected) in [
            ("waha", json!({}), &[][..]),
            ("waha", json!({"base_url": null}), &["base_url"]),
            ("infobip", json!({"base_url": null}), &["base_url"]),
            ("gupshup", json!({"number": "96179374241", "base_url": null}), &[]),
            ("gupshup", json!({}), &["number"]),
            ("meta", json!({"base_url": null, "hmac_key": "s", "verify_token": "t"}), &[]),
            ("infobip", json!({"account": "marina"}), &["account"]),
            ("infobip", json!({"account": "+961 79 374 241"}), &[]),
            ("infobip", json!({"hmac_key": "s"}), &["hmac_header"]),
            ("infobip", json!({"hmac_key": "s", "hmac_header": "X-Sig", "hmac_algorithm": "sha512"}), &[]),
            ("infobip", json!({"hmac_key": "s", "hmac_header": "X Sig"}), &["hmac_header"]),
            ("infobip", json!({"webhook_user": "u"}), &[]),
            ("infobip", json!({"webhook_user": "u", "webhook_key": ""}), &["auth", "webhook_user"]),
            ("infobip", json!({"webhook_user": "u", "webhook_header": "X-Key"}), &["webhook_header"]),
            ("gupshup", json!({"number": "96179374241", "webhook_path": "short"}), &["webhook_path"]),
            (
                "gupshup",
                json!({"number": "96179374241", "webhook_path": "0123456789abcdef/../x"}),
                &["webhook_path"],
            ),
            (
                "gupshup",
                json!({"number": "96179374241", "webhook_path": "0123456789abcdef", "webhook_key": ""}),
                &[],
            ),
            ("gupshup", json!({"number": "96179374241", "app_id": "82ed52f4"}), &[]),
            ("gupshup", json!({"number": "96179374241", "hmac_key": "s"}), &["hmac_key"]),
            ("meta", json!({"media_hosts": ["files.example.com", "10.0.0.1"]}), &[]),
            ("meta", json!({"media_hosts": ["https://files.example.com"]}), &["media_hosts"]),
            ("meta", json!({"media_hosts": ["minio:9000", "[::1]", "[::1]:9000"]}), &[]),
            ("meta", json!({"media_hosts": ["files.example.com:0"]}), &["media_hosts"]),
            ("meta", json!({"media_hosts": ["files.example.com/a"]}), &["media_hosts"]),
            ("meta", json!({"rate_per_second": 0}), &["rate_per_second"]),
            ("meta", json!({"auth": "none"}), &["auth"]),
        ] {
            assert_eq!(faults(provider, changes.clone()), expected, "{provider} {changes}");
        }
    }
}
