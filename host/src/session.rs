//! WAHA sessions: logs numbers in and out, and sees to it that they run and that their webhooks lead here.
//! One session is one number; a tenant has one of its own, and a shared number's is an operator's business.
//!
//! Everything can be asked for twice: what is so already stays, and two who connect the same at the
//! same time make one session. WAHA's key goes to WAHA and nowhere else.
//!
//! - [`pulse`] remembers when each session was last heard.
//! - [`calls`] asks WAHA, and asks again where it was busy.
//! - [`watch`] puts right what WAHA lost, and starts again what stopped, failed or has fallen silent;
//!   [`trouble`] says which of these it is.
//! - [`lookup`] asks whose phone a hidden id is.
//! - [`link`] makes the address at which a page shows a code.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::channel::waha::session::{self as api, Order, Refusal, Session};
use crate::channel::waha::settings::{Fault, Wanted};
use crate::clock;
use crate::config;
use crate::declared::rules;
use crate::egress::Egress;
use crate::egress::circuits::Lane;
use crate::event::session::Status;
use crate::identity;
use crate::message::{SenderName, TenantId};
use crate::metrics::Metrics;
use crate::store::contacts::Contacts;
use crate::store::media::MediaShelf;
use crate::store::numbers::{Numbers, Wish};
use crate::store::registry::Registry;
use crate::store::sessions;
use crate::tenant::{Secret, Sender, WebhookAuth};

mod calls;
pub mod error;
mod link;
mod lookup;
pub mod naming;
mod news;
pub mod pulse;
pub mod state;
mod trouble;
mod watch;

use self::calls::Answered;
use self::error::{Error, Result};
use self::naming::new_sender;
use self::pulse::Pulse;
use self::state::State;

/// A page that shows a code may go on showing it for so long.
const CODE_SHOWN_MS: i64 = 5 * 60 * 1000;

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

/// What the sessions ask of the store.
pub trait SessionStore: Contacts + MediaShelf + Numbers + Registry + sessions::Sessions {}

impl<T: Contacts + MediaShelf + Numbers + Registry + sessions::Sessions> SessionStore for T {}

/// The client of WAHA's session API.
pub struct Sessions {
    store: Arc<dyn SessionStore>,
    egress: Egress,
    metrics: Arc<Metrics>,
    pulse: Arc<Pulse>,
    settings: Settings,
    /// One change at a time for each session.
    changing: Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>,
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
        store: Arc<dyn SessionStore>,
        egress: Egress,
        metrics: Arc<Metrics>,
        pulse: Arc<Pulse>,
        settings: Settings,
    ) -> Arc<Self> {
        let egress = egress.for_people();
        Arc::new(Sessions { store, egress, metrics, pulse, settings, changing: Arc::default() })
    }

    /// The same for what nobody waits for, which leaves alone whoever does not answer.
    pub fn in_background(&self) -> Arc<Self> {
        Arc::new(Sessions {
            store: self.store.clone(),
            egress: self.egress.lane(Lane::Questions),
            metrics: self.metrics.clone(),
            pulse: self.pulse.clone(),
            settings: self.settings.clone(),
            changing: self.changing.clone(),
        })
    }

    /// Sees to it that there is a session, that its webhook leads here, and that it runs. `session`:
    /// the name for a shared sender that is not there yet. Where that fails there is no more than before.
    pub async fn connect(&self, whose: &Whose, session: Option<&str>, actor: &str) -> Result<State> {
        let change = self.change(whose, session);
        let _alone = change.lock().await;
        let (sender, is_new) = self.ready(whose, session, actor).await?;
        if let Err(error) = self.set_up(&sender).await {
            if is_new
                && let Err(error) = self.store.remove_sender(&sender.name, true, actor, clock::now()).await
            {
                tracing::error!(sender = %sender.name, %error, "a sender that could not be connected is still there");
            }
            return Err(error);
        }
        self.store.set_wish(&sender.name, Wish::Connected).await?;
        let session = self.look(&sender).await?;
        tracing::info!(sender = %sender.name, status = %session.status, "the WhatsApp session is connected to the gateway");
        let faults = self.lacking(&sender, &session, Wish::Connected);
        Ok(State::of(&sender, &session, faults))
    }

    /// A session with the right settings, that runs.
    async fn set_up(&self, sender: &Sender) -> Result<()> {
        let wanted = self.wanted(sender)?;
        let found = match self.look(sender).await {
            Err(Error::NoSession) => self.create(sender, &wanted).await?,
            found => Some(found?),
        };
        match found {
            Some(found) => self.bring_up(sender, found, &wanted).await,
            None => Ok(()),
        }
    }

    pub async fn status(&self, whose: &Whose) -> Result<State> {
        let Some(sender) = self.find(whose)? else { return Ok(State::not_connected(whose)) };
        match self.look(&sender).await {
            Err(Error::NoSession) => {
                let (session, sender) = (sender.account, Some(sender.name));
                Ok(State { session, sender, ..State::not_connected(whose) })
            }
            session => {
                let session = session?;
                let faults = self.lacking(&sender, &session, self.store.wish(&sender.name).await?);
                Ok(State::of(&sender, &session, faults))
            }
        }
    }

    /// Logs the number out. The session and its settings stay, stopped.
    pub async fn disconnect(&self, whose: &Whose) -> Result<State> {
        let change = self.change(whose, None);
        let _alone = change.lock().await;
        let Some(sender) = self.find(whose)? else { return Ok(State::not_connected(whose)) };
        let before = self.store.wish(&sender.name).await?;
        // Said first: what stops from here on was asked to.
        self.store.set_wish(&sender.name, Wish::LoggedOut).await?;
        if let Err(error) = self.log_out(&sender, before).await {
            self.store.set_wish(&sender.name, before).await?;
            return Err(error);
        }
        tracing::info!(sender = %sender.name, "the WhatsApp session is logged out");
        self.status(whose).await
    }

    /// A stopped session is started for it: the phone hears nothing of a logout while it does not run.
    async fn log_out(&self, sender: &Sender, before: Wish) -> Result<()> {
        match self.look(sender).await {
            Err(Error::NoSession) => return Ok(()),
            Ok(session) if session.status == Status::Stopped => {
                if before == Wish::LoggedOut {
                    return Ok(());
                }
                self.order(sender, Order::Start).await?;
                self.started(sender).await?;
            }
            session => drop(session?),
        }
        for order in [Order::LogOut, Order::Stop] {
            match self.order(sender, order).await {
                // Logged out is what it should be.
                Ok(()) | Err(Error::NoSession | Error::NotNow { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The code to scan, as a PNG.
    pub async fn qr_picture(&self, whose: &Whose) -> Result<Vec<u8>> {
        let sender = self.scannable(whose).await?;
        self.ask(&sender, api::qr_picture(&sender), api::read_picture).await
    }

    /// The token of the address at which a page shows this number's code for a while.
    pub fn code_token(&self, whose: &Whose) -> String {
        link::token(&self.store.media_key(), whose, clock::now().plus_ms(CODE_SHOWN_MS))
    }

    /// The code that such an address shows, as a PNG; none if it is not ours or its time is over. A session
    /// that only just starts is waited for: a page asks once.
    pub async fn linked_picture(&self, token: &str) -> Option<Result<Vec<u8>>> {
        let whose = link::read(&self.store.media_key(), token, clock::now())?;
        Some(self.picture_once_started(&whose).await)
    }

    async fn picture_once_started(&self, whose: &Whose) -> Result<Vec<u8>> {
        let sender = self.find(whose)?.ok_or(Error::NoSession)?;
        if self.look(&sender).await?.status == Status::Starting {
            self.started(&sender).await?;
        }
        self.qr_picture(whose).await
    }

    /// The code to scan, as the text in it.
    pub async fn qr_text(&self, whose: &Whose) -> Result<String> {
        let sender = self.scannable(whose).await?;
        self.ask(&sender, api::qr_text(&sender), api::read_qr_text).await
    }

    /// The code to type on the phone with this number, instead of scanning.
    pub async fn pairing_code(&self, whose: &Whose, phone: &str) -> Result<String> {
        let digits = identity::phone_digits(phone).map_err(Error::NoNumber)?;
        let sender = self.scannable(whose).await?;
        self.ask(&sender, api::pairing_code(&sender, &digits), api::read_pairing_code).await
    }

    /// The sender, if its session waits to be scanned. Asked otherwise, WAHA would let the caller wait.
    async fn scannable(&self, whose: &Whose) -> Result<Sender> {
        let sender = self.find(whose)?.ok_or(Error::NoSession)?;
        let session = self.look(&sender).await?;
        if session.status == Status::ScanQrCode {
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
                if !sender.provider().has_sessions() {
                    return Err(Error::NotWaha(name.clone()));
                }
                Some(sender)
            }
            Whose::Tenant(tenant) => {
                let own: Vec<_> = directory
                    .with_sessions()
                    .into_iter()
                    .filter(|sender| sender.tenant == Some(*tenant))
                    .collect();
                let named = own.iter().find(|sender| sender.account == naming::session_of(*tenant));
                named.or_else(|| own.iter().find(|sender| sender.active)).or(own.first()).copied()
            }
        };
        Ok(sender.map(|sender| Sender::clone(sender)))
    }

    /// The sender as it must be before WAHA sends anything: known to the store, with keys. Was it not there
    /// before?
    async fn ready(&self, whose: &Whose, session: Option<&str>, actor: &str) -> Result<(Sender, bool)> {
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
        let known = directory.senders.get(&sender.name);
        if known.is_none_or(|known| **known != sender) {
            self.store.put_sender(sender.clone(), actor).await?;
        }
        Ok((sender, known.is_none()))
    }

    /// Since the gateway began.
    pub fn was_heard(&self, sender: &SenderName) -> bool {
        self.pulse.last(sender).is_some()
    }

    /// What this sender's session must have.
    fn wanted(&self, sender: &Sender) -> Result<Wanted> {
        let Settings { waha, listen, .. } = &self.settings;
        let gateway = waha.gateway_for(sender.base_url.as_deref(), *listen).ok_or_else(|| {
            let waha = sender.base_url.clone().unwrap_or_default();
            Error::Unreachable { waha, listen: *listen }
        })?;
        Ok(Wanted::of(sender, &gateway))
    }

    /// What lacks in the session's settings, as far as the gateway can say.
    fn lacking(&self, sender: &Sender, session: &Session, wish: Wish) -> Vec<Fault> {
        let Ok(wanted) = self.wanted(sender) else { return Vec::new() };
        if wish == Wish::LoggedOut && session.status != Status::Working {
            return Vec::new();
        }
        wanted.lacking(session, wish == Wish::Connected, self.was_heard(&sender.name))
    }

    /// `None`: created. Somebody may have been faster; then it is that one.
    async fn create(&self, sender: &Sender, wanted: &Wanted) -> Result<Option<Session>> {
        let request = api::create(sender, &wanted.anew()).map_err(calls::unmade)?;
        match self.send(sender, request, api::done).await? {
            Answered::Done(()) => Ok(None),
            Answered::Refused(Refusal::Exists) => Ok(Some(self.look(sender).await?)),
            Answered::Refused(refusal) => Err(refusal.into()),
        }
    }

    /// What WAHA runs beside the session; nothing where it knows no apps.
    async fn apps(&self, sender: &Sender) -> Result<Option<Vec<serde_json::Value>>> {
        let request = api::look_with_apps(sender).map_err(calls::unmade)?;
        match self.send(sender, request, api::read).await? {
            Answered::Done(session) => Ok(session.apps),
            Answered::Refused(Refusal::Refused(_)) => Ok(None),
            Answered::Refused(refusal) => Err(refusal.into()),
        }
    }

    /// Puts the settings right, and starts what does not run. A session that is as it should be is not
    /// touched: replacing its configuration would restart it.
    async fn bring_up(&self, sender: &Sender, session: Session, wanted: &Wanted) -> Result<()> {
        let mut session = session;
        if let Some(config) = wanted.put_right(&session) {
            let kept_nothing = wanted.faults(&session).contains(&Fault::Store);
            let apps = self.apps(sender).await?;
            self.ask(sender, api::replace(sender, &config, apps.as_deref()), api::done).await?;
            if kept_nothing {
                self.look_up_again(sender).await;
            }
            session = self.look(sender).await?;
        }
        match session.status {
            Status::Stopped => self.order(sender, Order::Start).await,
            Status::Failed => self.order(sender, Order::Restart).await,
            _ => Ok(()),
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
