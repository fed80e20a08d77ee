//! What a WAHA session's settings must be for its number to serve the gateway: the webhook leads here, is
//! signed with the sender's key and brings every event, and the engine keeps what hidden ids are looked
//! up in. What lacks is told as [`Fault`]s, and the settings without them are made here.
//!
//! Settings are only ever replaced as a whole, so that [`Wanted::put_right`] starts from what is there and
//! changes nothing but what is the gateway's.

use serde_json::{Value, json};

use crate::channel::json::{self, Object};
use crate::channel::waha::session::Session;
use crate::tenant::{Secret, Sender};

/// What the gateway wants to hear of. `message.any` has the messages from both sides, so that
/// `message` beside it would bring every incoming one twice.
const EVENTS: [&str; 4] = ["message.any", "message.ack", "session.status", "poll.vote"];
const EVENTS_IN_OTHERS: [&str; 1] = ["message"];

/// Where WAHA's webhooks may come in at the gateway.
pub const DOORS: [&str; 2] = ["/api/webhook/waha", "/api/gateway/waha"];

/// The one engine that keeps chats and hidden ids only if it is told to.
const NOWEB: &str = "NOWEB";

/// A header that a webhook brings a shared key in.
const KEY_HEADER: &str = "X-Api-Key";

/// What lacks in a session's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    NoWebhook,
    Address,
    Key,
    Events,
    Store,
}

impl Fault {
    /// For a person.
    pub fn what(self) -> &'static str {
        match self {
            Fault::NoWebhook => {
                "no webhook of its session leads to this gateway, so that its messages are lost"
            }
            Fault::Address => "its session's webhook leads to another address of this gateway",
            Fault::Key => {
                "its session's webhook is signed with another key, so that its messages are refused"
            }
            Fault::Events => "its session's webhook leaves events out",
            Fault::Store => "its session keeps no chats (noweb.store), so that hidden ids are not looked up",
        }
    }

    /// All of them, in one line.
    pub fn told(faults: &[Fault]) -> String {
        faults.iter().map(|fault| fault.what()).collect::<Vec<_>>().join("; ")
    }
}

/// What a sender's session must have.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The gateway's address, as WAHA sees it, without a slash at its end.
    gateway: String,
    /// Below it: one of [`DOORS`], with what follows.
    path: String,
    hmac_key: Secret,
    /// A shared key that goes in a header beside the signature; empty: none.
    shared_key: Secret,
}

impl Wanted {
    /// `gateway`: its address, as this sender's WAHA sees it.
    pub fn of(sender: &Sender, gateway: &str) -> Self {
        Wanted {
            gateway: gateway.trim_end_matches('/').to_owned(),
            path: door(sender),
            hmac_key: sender.hmac_key.clone(),
            shared_key: sender.webhook_key.clone(),
        }
    }

    fn url(&self) -> String {
        format!("{}{}", self.gateway, self.path)
    }

    /// What lacks. Where nothing does, every message comes in.
    pub fn faults(&self, session: &Session) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut ours = webhooks(&session.config).filter(|known| self.is_ours(known));
        match ours.next() {
            None => faults.push(Fault::NoWebhook),
            Some(known) => {
                if json::text(known, "url") != Some(&self.url()) {
                    faults.push(Fault::Address);
                }
                if !self.is_proven_by(known) {
                    faults.push(Fault::Key);
                }
                if !lacking(&events(known)).is_empty() {
                    faults.push(Fault::Events);
                }
            }
        }
        if needs_store(session) {
            faults.push(Fault::Store);
        }
        faults
    }

    /// What lacks, as far as it is the gateway's to say. `is_ours`: the gateway has set it up itself. Else
    /// somebody has, who may have told WAHA of a webhook where no session shows it, or under another
    /// address of the gateway: `was_heard` tells. Another door serves as well as ours.
    pub fn lacking(&self, session: &Session, is_ours: bool, was_heard: bool) -> Vec<Fault> {
        let mut faults = self.faults(session);
        if is_ours {
            return faults;
        }
        if faults.contains(&Fault::NoWebhook) && (was_heard || self.is_met_elsewhere(session)) {
            return Vec::new();
        }
        faults.retain(|fault| *fault != Fault::Address);
        faults
    }

    /// Is it not led to just where the gateway would lead it?
    pub fn is_led_elsewhere(&self, session: &Session) -> bool {
        let faults = self.faults(session);
        faults.contains(&Fault::NoWebhook) || faults.contains(&Fault::Address)
    }

    /// Does a webhook lead to a door of a gateway under another address, with this sender's key? Then
    /// somebody who knows the key has set it up by hand.
    fn is_met_elsewhere(&self, session: &Session) -> bool {
        webhooks(&session.config).any(|known| {
            let path = json::text(known, "url").and_then(path_of).unwrap_or_default();
            DOORS.iter().any(|door| path.starts_with(door)) && self.is_proven_by(known)
        })
    }

    /// The settings of a session that is not there yet.
    pub fn anew(&self) -> Object {
        self.with_webhook(&with_store(&Object::new()))
    }

    /// The settings without their faults; `None` where they are just so. Everything else stays: the other
    /// webhooks, and of ours the retries and the events it has beyond what is needed.
    pub fn put_right(&self, session: &Session) -> Option<Object> {
        let mut config = self.with_webhook(&session.config);
        if needs_store(session) {
            config = with_store(&config);
        }
        (config != session.config).then_some(config)
    }

    fn with_webhook(&self, config: &Object) -> Object {
        let mut webhooks = Vec::new();
        let mut placed = false;
        for known in json::field(config, "webhooks").and_then(Value::as_array).into_iter().flatten() {
            match known.as_object().filter(|known| self.is_ours(known)) {
                None => webhooks.push(known.clone()),
                // One is enough: a second would bring everything twice.
                Some(_) if placed => {}
                Some(known) => {
                    placed = true;
                    webhooks.push(Value::Object(self.ours(known)));
                }
            }
        }
        if !placed {
            webhooks.push(Value::Object(self.ours(&Object::new())));
        }
        let mut config = config.clone();
        config.insert("webhooks".into(), webhooks.into());
        config
    }

    /// Does it lead to this gateway? An earlier one may have had another door or tenant in it.
    fn is_ours(&self, known: &Object) -> bool {
        let path = json::text(known, "url").and_then(|url| url.strip_prefix(&self.gateway));
        path.is_some_and(|path| DOORS.iter().any(|door| path.starts_with(door)))
    }

    /// Does what it sends prove itself to this sender?
    fn is_proven_by(&self, known: &Object) -> bool {
        let key = json::object(known, &["hmac"]).and_then(|hmac| json::text(hmac, "key"));
        let signed = self.hmac_key.is_empty() || key == Some(self.hmac_key.expose());
        let shared = self.shared_key.is_empty()
            || headers(known)
                .any(|header| is_key(header) && header["value"].as_str() == Some(self.shared_key.expose()));
        signed && shared
    }

    fn ours(&self, known: &Object) -> Object {
        let mut ours = known.clone();
        ours.insert("url".into(), self.url().into());
        let mut events = events(known);
        events.retain(|event| !EVENTS_IN_OTHERS.iter().any(|other| event == other));
        let lacking = lacking(&events);
        events.extend(lacking.into_iter().map(Value::from));
        ours.insert("events".into(), events.into());
        if !self.hmac_key.is_empty() {
            let mut hmac = json::object(known, &["hmac"]).cloned().unwrap_or_default();
            hmac.insert("key".into(), self.hmac_key.expose().into());
            ours.insert("hmac".into(), hmac.into());
        }
        if json::object(known, &["retries"]).is_none() {
            // By itself WAHA gives up after half a minute; this way it tries for hours.
            let retries = json!({ "policy": "exponential", "delaySeconds": 2, "attempts": 15 });
            ours.insert("retries".into(), retries);
        }
        if !self.shared_key.is_empty() {
            let mut kept: Vec<Value> = headers(known).filter(|header| !is_key(header)).cloned().collect();
            kept.push(json!({ "name": KEY_HEADER, "value": self.shared_key.expose() }));
            ours.insert("customHeaders".into(), kept.into());
        }
        ours
    }
}

/// Where the webhooks of this sender come in. A tenant's are told apart by their address as well.
fn door(sender: &Sender) -> String {
    let [tenants, senders] = DOORS;
    match (sender.webhook_path.is_empty(), sender.tenant) {
        (false, _) => format!("{senders}/{}", sender.webhook_path.expose()),
        (true, Some(tenant)) => format!("{tenants}?tenant_id={tenant}"),
        (true, None) => senders.to_owned(),
    }
}

fn webhooks(config: &Object) -> impl Iterator<Item = &Object> {
    let all = json::field(config, "webhooks").and_then(Value::as_array);
    all.into_iter().flatten().filter_map(Value::as_object)
}

fn headers(webhook: &Object) -> impl Iterator<Item = &Value> {
    json::field(webhook, "customHeaders").and_then(Value::as_array).into_iter().flatten()
}

fn is_key(header: &Value) -> bool {
    header["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(KEY_HEADER))
}

fn events(webhook: &Object) -> Vec<Value> {
    json::field(webhook, "events").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn lacking(events: &[Value]) -> Vec<&'static str> {
    let has = |wanted: &str| events.iter().any(|event| event == wanted || event == "*");
    EVENTS.into_iter().filter(|event| !has(event)).collect()
}

/// What follows the host of an address.
fn path_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    rest.find('/').map(|at| &rest[at..])
}

/// Of an engine that is not told yet it is asked for as well: the others take no notice of it.
fn needs_store(session: &Session) -> bool {
    let keeps = json::object(&session.config, &["noweb", "store"])
        .and_then(|store| json::field(store, "enabled"))
        .and_then(Value::as_bool);
    session.engine.as_deref().is_none_or(|engine| engine == NOWEB) && keeps != Some(true)
}

fn with_store(config: &Object) -> Object {
    let mut noweb = json::object(config, &["noweb"]).cloned().unwrap_or_default();
    let mut store = json::object(&noweb, &["store"]).cloned().unwrap_or_default();
    store.insert("enabled".into(), true.into());
    store.entry("fullSync").or_insert(false.into());
    noweb.insert("store".into(), store.into());
    let mut config = config.clone();
    config.insert("noweb".into(), noweb.into());
    config
}

#[cfg(test)]
mod tests;
