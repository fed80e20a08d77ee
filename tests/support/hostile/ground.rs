//! The place where cases are tried: one gateway, an honest tenant with the echo brain, and a tenant of
//! its own for every case, with a key of its own. What one case leaves behind is no other's.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway, Setup};
use crate::hook::{Hook, text};
use crate::hostile::beside::{Beside, Neighbour, Pace};
use crate::hostile::case::Guest;
use crate::hostile::provider::Provider;
use crate::hostile::usage::{self, Slack, Usage};

/// The honest one.
pub const NEIGHBOUR: u32 = 1;

/// The first case's; the others follow.
const FIRST: u32 = 1000;

/// Pushing takes the compiler, and a refusal may come late.
const PUSH: Duration = Duration::from_secs(120);

/// The first of the neighbour's contacts.
pub const PHONE: &str = "971505500000";

/// Senders whose keys a stranger does not have: a WAHA that signs, and one of each other provider.
const SEALED: [&str; 4] = [
    "name = 'signed'\nprovider = 'waha'\naccount = 'signed'\napi_key = 'key'\nhmac_key = 'a key that is long enough to be one'",
    "name = 'meta'\nprovider = 'meta'\naccount = '100000000000001'\ntenant = 1\napi_key = 'token'\n\
     hmac_key = 'a secret that is long enough to be one'\nverify_token = 'token of meta'\nbusiness_account = '200000000000001'",
    "name = 'infobip'\nprovider = 'infobip'\naccount = '971500000077'\ntenant = 1\napi_key = 'key'\n\
     webhook_user = 'hook'\nwebhook_key = 'a password that is long enough'",
    "name = 'gupshup'\nprovider = 'gupshup'\naccount = 'HomesApp'\napp_id = 'app-id-1'\nnumber = '971500000078'\n\
     api_key = 'key'\nwebhook_path = 'a-path-that-nobody-guesses'\ntenant = 1",
];

/// What a contact of the hostile tenant reads when the turn failed.
pub const SORRY: &str = "the hostile tenant is sorry";

pub struct Ground {
    pub gateway: Gateway,
    pub provider: Arc<Provider>,
    client: reqwest::Client,
    /// Before the first case.
    before: Usage,
    /// The hostile ones.
    tenants: usize,
}

impl Ground {
    /// At least so many hostile tenants, and one a case. `config` is laid over the tests' usual one.
    pub async fn start(cases: &[Guest], tenants: usize, config: &str) -> Self {
        let provider = Arc::new(Provider::start().await);
        let mut setup = Setup::new()
            .package("echo")
            .tenant(&tenant(NEIGHBOUR, "sorry"))
            .sender(&format!(
                "name = 'main'\nprovider = 'waha'\naccount = 'default'\nbase_url = '{}'\napi_key = 'key'\nauth = 'none'",
                provider.url()
            ))
            // What the neighbour's messages usually write is no case's.
            .config("[log]\nlevel = 'info,switchboard::way=warn'\n[turns]\nattempts = 1\n[waha]\nwatch_every_ms = 0\n[templates]\nsync_minutes = 0\n")
            .config(config);
        for sealed in SEALED {
            setup = setup.sender(&format!("{sealed}\nbase_url = '{}'", provider.url()));
        }
        let tenants = tenants.max(cases.len());
        for number in 0..tenants {
            setup = setup.tenant(&tenant(tenant_of(number), SORRY));
        }
        for (number, case) in cases.iter().enumerate() {
            if let Some(things) = case.things().unwrap_or_else(|error| panic!("{error:#}")) {
                setup = setup.collection(tenant_of(number), "things", &things);
            }
        }
        let gateway = setup.start().await;
        let client = reqwest::Client::builder().timeout(PUSH).no_proxy().build().expect("a client");
        let before = Usage::of(gateway.pid()).expect("the gateway runs");
        Ground { gateway, provider, client, before, tenants }
    }

    /// The honest tenant's contacts begin to write, and `/health` is asked.
    pub fn beside(&self, pace: Pace) -> Beside {
        Beside::start(&self.provider, &self.neighbour(NEIGHBOUR), pace)
    }

    pub fn neighbour(&self, tenant: u32) -> Neighbour {
        let health = self.gateway.url("/health");
        Neighbour { tenant, hook: Hook::to(&self.gateway), health, pid: self.gateway.pid() }
    }

    /// A key of this tenant's.
    pub async fn key(&self, tenant: u32) -> Result<String> {
        let request = self.client.post(self.gateway.url("/api/keys")).bearer_auth(self.gateway.token());
        let made = Answer::of(request.json(&json!({"tenant": tenant, "name": "hostile"}))).await?;
        if made.status >= 300 {
            bail!("no key: {} {}", made.status, made.text);
        }
        Ok(made.json()["key"].as_str().context("a key")?.to_owned())
    }

    /// With the tenant's own key.
    pub async fn push(&self, tenant: u32, component: Vec<u8>) -> Result<Answer> {
        let key = self.key(tenant).await?;
        let url = self.gateway.url(&format!("/api/tenants/{tenant}/brain"));
        Answer::of(self.client.put(url).bearer_auth(key).body(component)).await
    }

    /// The contact says it to whomever it is locked to; a link locks it.
    pub async fn say(&self, phone: &str, words: &str) -> Result<()> {
        let id = format!("{:016X}", rand::random::<u64>());
        let said = Hook::to(&self.gateway).try_post(&text(phone, &id, words)).await?;
        if said.status != 200 || !said.text.contains("routed") {
            bail!("the webhook said {} {}", said.status, said.text);
        }
        Ok(())
    }

    /// The conversation's turns, oldest first, once there are so many.
    pub async fn turns(
        &self,
        tenant: u32,
        phone: &str,
        count: usize,
        within: Duration,
    ) -> Result<Vec<Value>> {
        let deadline = std::time::Instant::now() + within;
        let path = format!("/api/tenants/{tenant}/conversations/{phone}/journal");
        loop {
            let url = self.gateway.url(&path);
            let request = self.client.request(Method::GET, url).bearer_auth(self.gateway.token());
            let answer = Answer::of(request).await?;
            let turns = answer.json()["journal"].as_array().cloned().unwrap_or_default();
            if turns.len() >= count {
                return Ok(turns);
            }
            if std::time::Instant::now() >= deadline {
                bail!(
                    "tenant {tenant} has {} of {count} turns after {within:?}: {}",
                    turns.len(),
                    answer.text
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The same process still runs, and holds what it held before the first case.
    pub async fn settles(&self) -> Result<()> {
        // A brain that is live keeps the file of its code open.
        let Slack { descriptors, resident_bytes, threads } = Slack::default();
        let slack = Slack {
            descriptors: descriptors + self.tenants,
            resident_bytes: resident_bytes + self.tenants as u64 * BYTES_OF_TENANT,
            threads,
        };
        usage::settles(self.gateway.pid(), self.before, slack).await
    }
}

/// Its brain as it runs, and what is known of what it keeps.
const BYTES_OF_TENANT: u64 = 1 << 20;

/// The tenant of the case with this number.
pub fn tenant_of(number: usize) -> u32 {
    FIRST + u32::try_from(number).expect("few cases")
}

fn tenant(id: u32, sorry: &str) -> String {
    format!("id = {id}\nname = 'Tenant {id}'\norganization = 1\nbrain = 'echo'\nfallback_text = '{sorry}'")
}
