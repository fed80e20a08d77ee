//! What must hold of anything that a stranger sends.
//!
//! The gateway's pure floors are built here from their own files, without the store and without
//! wasmtime, which would take half an hour to build with coverage counters. They need nothing of what
//! stands above them: that they import only downwards is checked by the tidy test.

#[path = "../../host/src"]
mod host {
    pub mod channel;
    pub mod deep_link;
    pub mod event;
    pub mod glyph;
    pub mod identity;
    pub mod internet;
    pub mod message;
    pub mod opt_out;
    pub mod template;
    pub mod tenant;
    pub mod whatsapp_limits;
}

// As the gateway's own crate names them.
pub use host::{
    channel, deep_link, event, glyph, identity, internet, message, opt_out, template, tenant, whatsapp_limits,
};

use channel::Adapter;
use event::Event;
use identity::Address;
use message::{ContactKey, Provider};

/// Decoding is total, says the same each time, and never calls something a message that is none: it has
/// an id, an account that the body claims, and an author under their canonical key.
pub fn decoder(provider: Provider, body: &[u8]) {
    let adapter = channel::adapter(provider);
    // What is claimed is read first, and nothing else where it cannot be.
    let Ok(claimed) = adapter.claimed(body) else { return };
    for groups in [false, true] {
        let decoded = adapter.decode(body, groups);
        assert_eq!(decoded, adapter.decode(body, groups), "the same body means the same");
        for event in decoded.iter().flatten() {
            self::event(event, &claimed.accounts, groups);
        }
    }
    answers(adapter, body);
}

fn event(event: &Event, claimed: &[String], groups: bool) {
    let Event::Message(inbound) = event else { return };
    assert!(!inbound.id.is_empty(), "a message has an id");
    // A body that names nobody speaks for the sender to whose own address it came.
    let is_claimed = inbound.account.is_empty() || claimed.contains(&inbound.account);
    assert!(is_claimed, "{:?} is claimed by the body", inbound.account);
    assert!(!inbound.aliases.contains(&inbound.contact), "nobody is an alias of themselves");
    let told = inbound.contact.as_str();
    // The network may name services by shorter numbers than a telephone line has.
    let canonical = match identity::address(told) {
        Ok(Address::Group(key)) if groups => Ok(key),
        _ => identity::network_id(told),
    };
    assert_eq!(canonical.as_ref(), Ok(&inbound.contact), "the key is canonical");
    let kept = serde_json::to_vec(inbound).expect("a message can be kept");
    let again: message::Inbound = serde_json::from_slice(&kept).expect("and read again");
    assert_eq!(again, **inbound, "as it was");
}

/// The same bytes as a provider's answer: something follows from any of them.
fn answers(adapter: &dyn Adapter, body: &[u8]) {
    let headers = http::HeaderMap::new();
    for status in [200, 400, 404, 429, 500, 503] {
        let _ = adapter.outcome(status, &headers, body, "971501234567");
        if let Some(templates) = adapter.templates() {
            let _ = templates.submitted(status, &headers, body);
            let _ = templates.deleted(status, &headers, body);
            let _ = templates.listed(status, &headers, body);
        }
        if let Some(media) = adapter.media() {
            let _ = media.uploaded(status, &headers, body);
        }
    }
}

/// A link that is found is found again in what it is written as, and nothing in front of it or behind
/// it that ends a token changes it.
pub fn link(text: &str) {
    let prefixes = ["start_realty_".to_owned(), "start_".to_owned(), String::new()];
    let Some(link) = deep_link::parse(text, &prefixes) else { return };
    let mut written = format!("start_realty_{}", link.tenant);
    if let Some(attribution) = &link.attribution {
        written.push('-');
        written.push_str(attribution);
    }
    for around in
        [written.clone(), format!("  {written}"), format!("{written} hello"), written.to_uppercase()]
    {
        let again = deep_link::parse(&around, &prefixes).unwrap_or_else(|| panic!("{around:?} is a link"));
        assert_eq!(again.tenant, link.tenant, "{around:?}");
        let names = [&again, &link].map(|it| it.attribution.as_deref().map(str::to_ascii_lowercase));
        assert_eq!(names[0], names[1], "{around:?}");
    }
}

/// A key read again is the same key; a phone's digits are only digits and read again the same; and no
/// hidden id ever becomes somebody's phone.
pub fn address(text: &str) {
    match identity::address(text) {
        Ok(Address::Person(key)) => {
            assert_eq!(identity::contact(key.as_str()).as_ref(), Ok(&key), "the key is its own key");
            let told = key.as_str();
            assert_eq!(identity::is_phone(&key), !told.contains('@') && !told.contains('.'), "{told}");
            if identity::is_phone(&key) {
                assert!((7..=15).contains(&told.len()) && !told.starts_with('0'), "{told}");
                for form in [
                    format!("+{told}"),
                    format!("00{told}"),
                    format!("{told}@c.us"),
                    format!("{told}:7@s.whatsapp.net"),
                ] {
                    assert_eq!(identity::contact(&form).as_ref(), Ok(&key), "{form}");
                }
                let hidden = ContactKey::from_stored(format!("{told}@lid"));
                assert_eq!(identity::contact(hidden.as_str()), Ok(hidden), "a hidden id stays hidden");
            }
        }
        Ok(Address::Group(key)) => {
            assert_eq!(
                identity::address(key.as_str()),
                Ok(Address::Group(key.clone())),
                "the key is its own key"
            );
        }
        Ok(Address::Status | Address::Broadcast | Address::Newsletter) | Err(_) => {}
    }
    if let Ok(digits) = identity::phone_digits(text) {
        assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{digits}");
        assert_eq!(identity::phone_digits(&digits).as_ref(), Ok(&digits), "digits are their own digits");
    }
}
