//! WAHA sessions: logs numbers in and out, and sees to it that their webhooks lead here. One session is
//! one number; a tenant has one of its own, and a shared number's is an operator's business.
//!
//! Everything can be asked for twice: what is so already stays, and two who connect the same at the
//! same time make one session. WAHA's key goes to WAHA and nowhere else.
//!
//! - [`pulse`] remembers when each session was last heard.
//! - [`watch`] restarts sessions that failed or have fallen silent.
//! - [`lookup`] asks whose phone a hidden id is.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::channel::waha::session::{self as api, Order, Refusal, Session, Webhook};
use crate::channel::{EncodeError, Outcome, Request};
use crate::config;
use crate::declared::rules;
use crate::egress::{Egress, LIST_BYTES};
use crate::identity;
use crate::internet::is_this_machine;
use crate::message::{Fate, Provider, SenderName, TenantId};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::tenant::{Secret, Sender, WebhookAuth};

pub mod error;
mod lookup;
pub mod naming;
pub mod pulse;
pub mod state;
mod watch;

use self::error::{Error, Result};
use self::naming::{door, new_sender};
use self::pulse::Pulse;
use self::state::State;

/// What the sessions are made with.
#[derive(Clone, Debug)]
pub struct Settings {
    pub waha: config::Waha,
    /// `waha.api_key`, with its `env:` or `file:` read. What senders have of it is lent to them by the
    /// store's directory.
    pub api_key: Secret,
    pub listen: SocketAddr,
    /// Can only this machine reach the gateway?
    pub private: bool,
}

/// The client of WAHA's session API.
pub struct Sessions {
    store: Arc<dyn Store>,
    egress: Egress,
    metrics: Arc<Metrics>,
    pulse: Arc<Pulse>,
    settings: Settings,
    /// One change at a time for each session.
    changing: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// Whose number it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// The tenant's own.
    Tenant(TenantId),
    /// This sender's, shared or not.
    Sender(SenderName),
}

impl Sessions {
    pub fn new(
        store: Arc<dyn Store>,
        egress: Egress,
        metrics: Arc<Metrics>,
        pulse: Arc<Pulse>,
        settings: Settings,
    ) -> Arc<Self> {
        Arc::new(Sessions { store, egress, metrics, pulse, settings, changing: Mutex::default() })
    }

    /// Sees to it that there is a session, that its webhook leads here, and that it runs. `session`:
    /// the name for a shared sender that is not there yet.
    pub async fn connect(&self, whose: &Whose, session: Option<&str>, actor: &str) -> Result<State> {
        let change = self.change(whose, session);
        let _alone = change.lock().await;
        let sender = self.ready(whose, session, actor).await?;
        let path = door(&sender);
        let webhook = Webhook {
            gateway: &self.gateway_url(&sender)?,
            path: &path,
            hmac_key: sender.hmac_key.expose(),
            shared_key: sender.webhook_key.expose(),
        };
        let found = match self.look(&sender).await {
            Err(Error::NoSession) => self.create(&sender, &webhook).await?,
            found => Some(found?),
        };
        if let Some(found) = found {
            self.bring_up(&sender, found, &webhook).await?;
        }
        let session = self.look(&sender).await?;
        tracing::info!(sender = %sender.name, status = session.status, "the WhatsApp session is connected to the gateway");
        Ok(State::of(&sender, &session))
    }

    pub async fn status(&self, whose: &Whose) -> Result<State> {
        let Some(sender) = self.find(whose)? else { return Ok(State::not_connected(whose)) };
        match self.look(&sender).await {
            Err(Error::NoSession) => {
                let (session, sender) = (sender.account, Some(sender.name));
                Ok(State { session, sender, ..State::not_connected(whose) })
            }
            session => Ok(State::of(&sender, &session?)),
        }
    }

    /// Logs the number out. The session and its settings stay, stopped.
    pub async fn disconnect(&self, whose: &Whose) -> Result<State> {
        let change = self.change(whose, None);
        let _alone = change.lock().await;
        let Some(sender) = self.find(whose)? else { return Ok(State::not_connected(whose)) };
        for order in [Order::LogOut, Order::Stop] {
            match self.order(&sender, order).await {
                // Logged out is what it should be.
                Ok(()) | Err(Error::NoSession | Error::NotNow { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        tracing::info!(sender = %sender.name, "the WhatsApp session is logged out");
        self.status(whose).await
    }

    /// The code to scan, as a PNG.
    pub async fn qr_picture(&self, whose: &Whose) -> Result<Vec<u8>> {
        let sender = self.scannable(whose).await?;
        self.ask(api::qr_picture(&sender), api::read_picture).await
    }

    /// The code to scan, as the text in it.
    pub async fn qr_text(&self, whose: &Whose) -> Result<String> {
        let sender = self.scannable(whose).await?;
        self.ask(api::qr_text(&sender), api::read_qr_text).await
    }

    /// The code to type on the phone with this number, instead of scanning.
    pub async fn pairing_code(&self, whose: &Whose, phone: &str) -> Result<String> {
        let digits = identity::phone_digits(phone).map_err(Error::NoNumber)?;
        let sender = self.scannable(whose).await?;
        self.ask(api::pairing_code(&sender, &digits), api::read_pairing_code).await
    }

    /// The sender, if its session waits to be scanned. Asked otherwise, WAHA would let the caller wait.
    async fn scannable(&self, whose: &Whose) -> Result<Sender> {
        let sender = self.find(whose)?.ok_or(Error::NoSession)?;
        let session = self.look(&sender).await?;
        if session.status == api::SCAN_QR_CODE {
            return Ok(sender);
        }
        Err(Error::NotNow { status: session.status })
    }

    /// The sender that a tenant's or an operator's number has; `None`: the tenant has none yet.
    fn find(&self, whose: &Whose) -> Result<Option<Sender>> {
        let directory = self.store.directory();
        let sender = match whose {
            Whose::Sender(name) => {
                let sender = directory.senders.get(name).ok_or_else(|| Error::NoSender(name.clone()))?;
                if sender.provider != Provider::Waha {
                    return Err(Error::NotWaha(name.clone()));
                }
                Some(sender)
            }
            Whose::Tenant(tenant) => {
                let own: Vec<_> = directory
                    .senders_of(Provider::Waha)
                    .into_iter()
                    .filter(|sender| sender.tenant == Some(*tenant))
                    .collect();
                let named = own.iter().find(|sender| sender.account == naming::session_of(*tenant));
                named.or_else(|| own.iter().find(|sender| sender.active)).or(own.first()).copied()
            }
        };
        Ok(sender.map(|sender| Sender::clone(sender)))
    }

    /// The sender as it must be before WAHA sends anything: known to the store, with keys.
    async fn ready(&self, whose: &Whose, session: Option<&str>, actor: &str) -> Result<Sender> {
        let found = match self.find(whose) {
            Err(Error::NoSender(_)) => None,
            found => found?,
        };
        let mut sender = match found {
            Some(sender) => sender,
            None => self.store.directory().waha().lend(new_sender(whose, session)),
        };
        if sender.base_url.is_none() {
            return Err(Error::NoWaha);
        }
        if sender.hmac_key.is_empty() {
            let mut random = [0_u8; 32];
            getrandom::fill(&mut random).map_err(Error::Random)?;
            sender.hmac_key = Secret::new(hex::encode(random));
            sender.auth = WebhookAuth::Required;
        }
        let directory = self.store.directory();
        let faults = rules::senders::check(&sender, &directory, self.settings.private);
        if !faults.is_empty() {
            return Err(Error::Faults(faults));
        }
        if directory.senders.get(&sender.name).is_none_or(|known| **known != sender) {
            self.store.put_sender(sender.clone(), actor).await?;
        }
        Ok(sender)
    }

    /// `None`: created. Somebody may have been faster; then it is that one.
    async fn create(&self, sender: &Sender, webhook: &Webhook<'_>) -> Result<Option<Session>> {
        let config = api::with_webhook(&serde_json::Map::new(), webhook).unwrap_or_default();
        let request = api::create(sender, &config).map_err(unmade)?;
        match self.send(request, api::done).await? {
            Ok(()) => Ok(None),
            Err(Refusal::Exists) => Ok(Some(self.look(sender).await?)),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// What WAHA runs beside the session; nothing where it knows no apps.
    async fn apps(&self, sender: &Sender) -> Result<Option<Vec<serde_json::Value>>> {
        let request = api::look_with_apps(sender).map_err(unmade)?;
        match self.send(request, api::read).await? {
            Ok(session) => Ok(session.apps),
            Err(Refusal::Refused(_)) => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Adds the webhook where it is missing, and starts what does not run. A session that is as it
    /// should be is not touched: replacing its configuration would restart it.
    async fn bring_up(&self, sender: &Sender, session: Session, webhook: &Webhook<'_>) -> Result<()> {
        let mut session = session;
        if let Some(config) = api::with_webhook(&session.config, webhook) {
            let apps = self.apps(sender).await?;
            self.ask(api::replace(sender, &config, apps.as_deref()), api::done).await?;
            session = self.look(sender).await?;
        }
        match session.status.as_str() {
            api::STOPPED => self.order(sender, Order::Start).await,
            api::FAILED => self.order(sender, Order::Restart).await,
            _ => Ok(()),
        }
    }

    async fn look(&self, sender: &Sender) -> Result<Session> {
        self.ask(api::look(sender), api::read).await
    }

    async fn order(&self, sender: &Sender, order: Order) -> Result<()> {
        self.ask(api::order(sender, order), api::done).await
    }

    async fn ask<T>(
        &self,
        request: std::result::Result<Request, EncodeError>,
        read: fn(u16, &[u8]) -> std::result::Result<T, Refusal>,
    ) -> Result<T> {
        Ok(self.send(request.map_err(unmade)?, read).await??)
    }

    /// The outer error: no answer at all.
    async fn send<T>(
        &self,
        request: Request,
        read: fn(u16, &[u8]) -> std::result::Result<T, Refusal>,
    ) -> Result<std::result::Result<T, Refusal>> {
        // An overview of chats holds messages whole, with thumbnails.
        match self.egress.send_within(request, LIST_BYTES).await {
            Ok(answer) => Ok(read(answer.status, &answer.body)),
            Err(Outcome::Failed { fate: Fate::Unknown, .. }) => {
                Err(Error::Waha("WAHA did not answer in time".into()))
            }
            Err(Outcome::Failed { error, .. }) => Err(Error::Waha(format!("WAHA cannot be asked: {error}"))),
            Err(Outcome::Sent { .. }) => Err(Error::Waha("WAHA gave no answer".into())),
        }
    }

    /// The gateway as WAHA sees it. Without a configured address it is the one that is listened on,
    /// which WAHA reaches if both are on this machine.
    fn gateway_url(&self, sender: &Sender) -> Result<String> {
        if let Some(url) = &self.settings.waha.webhook_url {
            return Ok(url.trim_end_matches('/').to_owned());
        }
        let waha = sender.base_url.clone().unwrap_or_default();
        let listen = self.settings.listen;
        let local = url::Url::parse(&waha).is_ok_and(|url| url.host_str().is_some_and(is_this_machine));
        match local && listen.ip().is_loopback() {
            true => Ok(format!("http://{listen}")),
            false => Err(Error::Unreachable { waha, listen }),
        }
    }

    /// By the session, because one number can be asked for by its tenant and by its sender.
    fn change(&self, whose: &Whose, session: Option<&str>) -> Arc<tokio::sync::Mutex<()>> {
        let found = self.find(whose).ok().flatten();
        let account = found.map_or_else(|| new_sender(whose, session).account, |sender| sender.account);
        let mut changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        changing.entry(account).or_default().clone()
    }
}

fn unmade(error: EncodeError) -> Error {
    Error::Waha(error.to_string())
}
