//! How a number stands, in WAHA's word and in words for a person.

use crate::channel::waha::session::{self as api, Session};
use crate::channel::waha::settings::Fault;
use crate::message::{SenderName, TenantId};
use crate::session::Whose;
use crate::session::naming::{DEFAULT_SESSION, session_of};
use crate::tenant::Sender;

/// Of a tenant that has no session yet.
pub const NOT_CONNECTED: &str = "NOT_CONNECTED";

/// How a number stands.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub tenant: Option<TenantId>,
    pub sender: Option<SenderName>,
    pub session: String,
    /// WAHA's word, or [`NOT_CONNECTED`].
    pub status: String,
    /// Once logged in.
    pub number: Option<String>,
    /// For a person.
    pub next: &'static str,
    /// What lacks in its settings at WAHA.
    pub faults: Vec<Fault>,
}

impl State {
    pub fn of(sender: &Sender, session: &Session, faults: Vec<Fault>) -> Self {
        State {
            tenant: sender.tenant,
            sender: Some(sender.name.clone()),
            session: sender.account.clone(),
            status: session.status.clone(),
            number: match &session.number {
                Some(number) => Some(number.as_str().to_owned()),
                None => sender.number.clone().filter(|_| session.status == api::WORKING),
            },
            next: match faults.is_empty() {
                true => api::next_step(&session.status),
                false => "connect it: that puts right what lacks",
            },
            faults,
        }
    }

    pub fn is_connected(&self) -> bool {
        self.status == api::WORKING
    }

    /// Is there a session at WAHA at all?
    pub fn has_session(&self) -> bool {
        self.status != NOT_CONNECTED
    }

    pub fn not_connected(whose: &Whose) -> Self {
        let (tenant, session) = match whose {
            Whose::Tenant(tenant) => (Some(*tenant), session_of(*tenant)),
            Whose::Sender(_) => (None, DEFAULT_SESSION.to_owned()),
        };
        let (status, next) = (NOT_CONNECTED.to_owned(), api::next_step(api::STOPPED));
        State { tenant, sender: None, session, status, number: None, next, faults: Vec::new() }
    }
}
