//! Who is served and through which numbers: organizations, tenants, senders, and the directory that
//! holds them all in memory. Rules and shapes, no I/O.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::identity;
use crate::message::provider::Account;
use crate::message::{Content, OrganizationId, Provider, SenderName, TenantId};
use crate::tenant::settings::Settings;

mod keyword;
pub mod policy;
pub mod quotas;
mod reading;
pub mod settings;

/// Owns tenants. Leads are shared inside it and never across it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organization {
    pub id: OrganizationId,
    pub name: String,
    /// Laid between the package's personality and the tenant's.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub personality: serde_json::Map<String, serde_json::Value>,
}

/// One business.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    pub organization: OrganizationId,
    #[serde(default = "yes")]
    pub active: bool,
    /// BCP 47.
    #[serde(default = "english")]
    pub language: String,
    /// IANA.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// The package in the plugins directory whose brain answers. A package uploaded for the tenant
    /// itself (`tenant-2`) comes before it.
    pub brain: String,
    /// What the contact reads, once, when the brain failed for good.
    #[serde(default = "fallback_text")]
    pub fallback_text: String,
    /// What the operator's other systems call this tenant: `user_id`, `chatbot_id`, `agent_id`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Laid over the package's and the organization's personality.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub personality: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default, skip_serializing_if = "policy::Policy::is_default")]
    pub policy: policy::Policy,
    /// Where it may use more, or less, than the others.
    #[serde(default, skip_serializing_if = "quotas::Own::is_default")]
    pub quotas: quotas::Own,
}

fn yes() -> bool {
    true
}

/// serde asks by reference.
fn is_yes(value: &bool) -> bool {
    *value
}

fn english() -> String {
    "en".into()
}

fn utc() -> String {
    "UTC".into()
}

fn fallback_text() -> String {
    "Sorry, something went wrong on our side. Please try again in a few minutes.".into()
}

/// What one turn may cost. `None`: the gateway's default, see `[limits]` in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Wasm instructions, roughly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_time_ms: Option<u64>,
    /// The guest's linear memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actions: Option<u32>,
    /// Each text in an action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_bytes: Option<u64>,
    /// The JSON document kept per conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_calls: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<u64>,
    /// Messages that come within this time of each other make one turn. 0: each its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coalesce_ms: Option<u64>,
}

/// Every limit with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResolvedLimits {
    pub fuel: u64,
    pub wall_time_ms: u64,
    pub memory_bytes: u64,
    pub actions: u32,
    pub text_bytes: u64,
    pub state_bytes: u64,
    pub host_calls: u32,
    pub log_bytes: u64,
    pub coalesce_ms: u64,
}

impl Default for ResolvedLimits {
    fn default() -> Self {
        ResolvedLimits {
            fuel: 500_000_000,
            wall_time_ms: 5_000,
            memory_bytes: 64 << 20,
            actions: 32,
            text_bytes: 16 << 10,
            state_bytes: 64 << 10,
            host_calls: 200,
            log_bytes: 16 << 10,
            coalesce_ms: 0,
        }
    }
}

impl ResolvedLimits {
    /// These, with what the tenant says laid over them.
    pub fn with(self, tenant: &Limits) -> Self {
        ResolvedLimits {
            fuel: tenant.fuel.unwrap_or(self.fuel),
            wall_time_ms: tenant.wall_time_ms.unwrap_or(self.wall_time_ms),
            memory_bytes: tenant.memory_bytes.unwrap_or(self.memory_bytes),
            actions: tenant.actions.unwrap_or(self.actions),
            text_bytes: tenant.text_bytes.unwrap_or(self.text_bytes),
            state_bytes: tenant.state_bytes.unwrap_or(self.state_bytes),
            host_calls: tenant.host_calls.unwrap_or(self.host_calls),
            log_bytes: tenant.log_bytes.unwrap_or(self.log_bytes),
            coalesce_ms: tenant.coalesce_ms.unwrap_or(self.coalesce_ms),
        }
    }
}

/// One WhatsApp number at one provider account. How it is read from what is written: see [`reading`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Sender {
    pub name: SenderName,
    /// Its provider, and what it says that only this one understands.
    #[serde(flatten)]
    pub settings: Settings,
    /// The provider's key for it, see [`crate::message::provider::Facts::account`].
    pub account: String,
    /// Digits, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Dedicated to this tenant; none: shared, routed by deep link and lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    #[serde(default = "yes")]
    pub active: bool,
    /// The provider's API: `http://127.0.0.1:3000`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Sent to the provider's API.
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    pub api_key: Secret,
    /// How webhooks prove themselves.
    #[serde(default)]
    pub auth: WebhookAuth,
    /// Checks the signature of the body.
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    pub hmac_key: Secret,
    /// Expected in a header of the webhook, or the password of Basic authentication.
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    pub webhook_key: Secret,
    /// The header that carries `webhook_key`; by itself `X-Api-Key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_header: Option<String>,
    /// The secret end of the webhook's address: `/api/gateway/{provider}/{webhook_path}`.
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    pub webhook_path: Secret,
    /// Hosts, besides the provider's own, that received files may be fetched from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media_hosts: Vec<String>,
    /// Messages a second; the provider's limit by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u32>,
    /// Are messages marked as read when a brain takes them up?
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub read_receipts: bool,
    /// Does the contact see that an answer is being written?
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub typing: bool,
    /// Are groups answered?
    #[serde(default)]
    pub groups: bool,
}

impl Sender {
    /// Has it nothing that a webhook could prove itself by?
    pub fn is_keyless(&self) -> bool {
        self.hmac_key.is_empty() && self.webhook_key.is_empty() && self.webhook_path.is_empty()
    }

    pub const fn provider(&self) -> Provider {
        self.settings.provider()
    }

    /// Everything that a provider may call it by in a webhook.
    pub fn accounts(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.account.as_str()).chain(self.settings.own().other_account())
    }

    /// What its templates belong to: the account above several numbers, where there is one, or its own.
    pub fn template_account(&self) -> &str {
        let own = self.settings.own();
        own.business_account().or(own.other_account()).unwrap_or(&self.account)
    }

    /// What was said, without the keyword that every text on this number begins with.
    pub fn hears(&self, content: &mut Content) {
        if let Some(keyword) = self.settings.own().keyword() {
            keyword::take_away(keyword, content);
        }
    }

    /// Does this tenant speak through it?
    pub fn serves(&self, tenant: TenantId) -> bool {
        self.tenant.is_none_or(|own| own == tenant)
    }

    /// Is a webhook's proof for the one a proof for the other?
    pub fn proves_alike(&self, other: &Sender) -> bool {
        self.hmac_key == other.hmac_key
            && self.settings.own().proof() == other.settings.own().proof()
            && self.webhook_key == other.webhook_key
            && self.webhook_header == other.webhook_header
            && self.webhook_path == other.webhook_path
    }

    /// Its secrets, under their names in the configuration.
    pub fn secrets(&self) -> Vec<(&'static str, &Secret)> {
        let mut secrets = vec![
            ("api_key", &self.api_key),
            ("hmac_key", &self.hmac_key),
            ("webhook_key", &self.webhook_key),
            ("webhook_path", &self.webhook_path),
        ];
        secrets.extend(self.settings.own().secrets());
        secrets
    }

    pub fn secrets_mut(&mut self) -> Vec<(&'static str, &mut Secret)> {
        let mut secrets = vec![
            ("api_key", &mut self.api_key),
            ("hmac_key", &mut self.hmac_key),
            ("webhook_key", &mut self.webhook_key),
            ("webhook_path", &mut self.webhook_path),
        ];
        secrets.extend(self.settings.own_mut().secrets_mut());
        secrets
    }
}

/// How a webhook proves that it comes from the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookAuth {
    /// Every key that is set must match; at least one must be set.
    #[default]
    Required,
    /// Nothing is checked; accepted only while the gateway listens on loopback.
    None,
}

/// Text that is neither printed nor logged.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "(none)" } else { "(secret)" })
    }
}

/// The WAHA of all numbers whose sender names no other, as the configuration has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HouseWaha {
    pub base_url: Option<String>,
    pub api_key: Secret,
}

impl HouseWaha {
    /// The sender as it is used: what it leaves out is the configuration's. The key goes to the
    /// configured address only.
    pub fn lend(&self, mut sender: Sender) -> Sender {
        if !sender.provider().has_sessions() || self.base_url.is_none() {
            return sender;
        }
        if sender.base_url.is_none() {
            sender.base_url.clone_from(&self.base_url);
        }
        if sender.api_key.is_empty() && self.is_at(&sender) {
            sender.api_key = self.api_key.clone();
        }
        sender
    }

    /// The sender as it is kept: a copy of what the configuration says would stay as it is when that
    /// changes.
    pub fn take_back(&self, mut sender: Sender) -> Sender {
        // Without an address of its own it is used at the configured one.
        let is_here = self.is_at(&self.lend(sender.clone()));
        let lent = sender.api_key.is_empty() || sender.api_key == self.api_key;
        if sender.provider().has_sessions() && lent && is_here {
            (sender.base_url, sender.api_key) = (None, Secret::default());
        }
        sender
    }

    fn is_at(&self, sender: &Sender) -> bool {
        let bare = |url: &Option<String>| url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
        sender.base_url.is_some() && bare(&sender.base_url) == bare(&self.base_url)
    }
}

/// Everyone there is, as one immutable picture. A change makes a new one.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    waha: HouseWaha,
    pub organizations: HashMap<OrganizationId, Arc<Organization>>,
    pub tenants: HashMap<TenantId, Arc<Tenant>>,
    /// In the order of their names.
    pub senders: BTreeMap<SenderName, Arc<Sender>>,
    by_account: HashMap<(Provider, String), SenderName>,
    /// The numbers of a provider's business account.
    by_business: HashMap<(Provider, String), BTreeSet<SenderName>>,
}

impl Directory {
    pub fn waha(&self) -> &HouseWaha {
        &self.waha
    }

    /// From now on senders that leave them out have this WAHA's address and key.
    pub fn set_waha(&mut self, waha: HouseWaha) {
        self.waha = waha;
        for sender in self.senders.values_mut() {
            *sender = Arc::new(self.waha.lend(Sender::clone(sender)));
        }
    }

    pub fn put_organization(&mut self, organization: Organization) {
        self.organizations.insert(organization.id, Arc::new(organization));
    }

    pub fn put_tenant(&mut self, tenant: Tenant) {
        self.tenants.insert(tenant.id, Arc::new(tenant));
    }

    pub fn put_sender(&mut self, sender: Sender) {
        let sender = self.waha.lend(sender);
        self.remove_sender(&sender.name);
        if let Some(business) = business_of(&sender) {
            self.by_business.entry(business).or_default().insert(sender.name.clone());
        }
        for account in sender.accounts() {
            let account = account_key(sender.provider(), account);
            self.by_account.insert((sender.provider(), account), sender.name.clone());
        }
        self.senders.insert(sender.name.clone(), Arc::new(sender));
    }

    pub fn remove_sender(&mut self, name: &SenderName) {
        let Some(old) = self.senders.remove(name) else { return };
        for account in old.accounts() {
            self.by_account.remove(&(old.provider(), account_key(old.provider(), account)));
        }
        if let Some(numbers) = business_of(&old).and_then(|business| self.by_business.get_mut(&business)) {
            numbers.remove(&old.name);
        }
    }

    pub fn tenant(&self, id: TenantId) -> Option<&Arc<Tenant>> {
        self.tenants.get(&id)
    }

    /// The sender that a provider's account belongs to. A business account has several numbers; what is about none of them in particular is taken by the first that is switched on.
    pub fn sender_of(&self, provider: Provider, account: &str) -> Option<&Arc<Sender>> {
        // A borrowed pair cannot look up an owned pair; the account is short.
        if let Some(name) = self.by_account.get(&(provider, account_key(provider, account))) {
            return self.senders.get(name);
        }
        let numbers = self.by_business.get(&(provider, account.to_owned()))?;
        let mut numbers = numbers.iter().filter_map(|name| self.senders.get(name));
        let first = numbers.clone().next();
        numbers.find(|sender| sender.active).or(first)
    }

    /// The senders that a number in any form, or a provider's key, may mean, in the order of their
    /// names.
    pub fn senders_at(&self, destination: &str) -> Vec<&Arc<Sender>> {
        let wanted = identity::phone_digits(destination).ok();
        let means = |text: &str| {
            text == destination || wanted.is_some() && identity::phone_digits(text).ok() == wanted
        };
        let meant = |sender: &&Arc<Sender>| sender.accounts().chain(sender.number.as_deref()).any(means);
        self.senders.values().filter(meant).collect()
    }

    /// The senders of a provider, in the order of their names.
    pub fn senders_of(&self, provider: Provider) -> Vec<&Arc<Sender>> {
        self.senders.values().filter(|sender| sender.provider() == provider).collect()
    }

    /// The senders whose numbers are logged in by a session, in the order of their names.
    pub fn with_sessions(&self) -> Vec<&Arc<Sender>> {
        self.senders.values().filter(|sender| sender.provider().has_sessions()).collect()
    }

    pub fn organization_of(&self, tenant: TenantId) -> Option<OrganizationId> {
        self.tenants.get(&tenant).map(|tenant| tenant.organization)
    }
}

fn business_of(sender: &Sender) -> Option<(Provider, String)> {
    let business = sender.settings.own().business_account()?;
    Some((sender.provider(), business.to_owned()))
}

/// Where the account is a phone number, any way of writing it means the same.
fn account_key(provider: Provider, account: &str) -> String {
    match provider.facts().account {
        Account::Phone => identity::phone_digits(account).unwrap_or_else(|_| account.to_owned()),
        Account::Name(_) => account.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(name: &str, account: &str, business: &str, active: bool) -> Sender {
        serde_json::from_value(serde_json::json!({
            "name": name, "provider": "meta", "account": account, "business_account": business, "active": active,
        }))
        .expect("a sender")
    }

    #[test]
    fn a_business_account_is_its_first_number_that_is_switched_on() {
        let mut directory = Directory::default();
        let found = |directory: &Directory, account: &str| {
            directory.sender_of(Provider::Meta, account).map(|sender| sender.name.as_str().to_owned())
        };
        for (name, account, active) in [("c", "3", true), ("a", "1", false), ("b", "2", true)] {
            directory.put_sender(sender(name, account, "10", active));
        }
        assert_eq!(found(&directory, "10").as_deref(), Some("b"));
        assert_eq!(found(&directory, "3").as_deref(), Some("c"), "a number is itself");
        assert!(directory.sender_of(Provider::Gupshup, "10").is_none());
        directory.put_sender(sender("b", "2", "20", true));
        directory.put_sender(sender("c", "3", "20", false));
        assert_eq!(found(&directory, "10").as_deref(), Some("a"), "better one that is off than none");
        assert_eq!(found(&directory, "20").as_deref(), Some("b"));
        assert_eq!(found(&directory, "30"), None);
    }

    /// With every way of leaving things out: what is the house's is not kept, what is the sender's own is.
    #[test]
    fn what_is_lent_is_not_kept() {
        const HERE: &str = "http://waha:3000";
        let house = HouseWaha { base_url: Some(HERE.into()), api_key: Secret::new("house") };
        for (base_url, api_key, kept) in [
            (None, "house", (None, "")),
            (None, "", (None, "")),
            (Some(HERE), "house", (None, "")),
            (Some("http://waha:3000/"), "", (None, "")),
            (None, "own", (None, "own")),
            (Some(HERE), "own", (Some(HERE), "own")),
            (Some("http://other:3000"), "house", (Some("http://other:3000"), "house")),
        ] {
            let sender: Sender = serde_json::from_value(serde_json::json!({
                "name": "main", "provider": "waha", "account": "default", "base_url": base_url, "api_key": api_key,
            }))
            .expect("a sender");
            let left = house.take_back(sender);
            assert_eq!((left.base_url.as_deref(), left.api_key.expose()), kept, "{base_url:?} {api_key}");
        }
    }
}
