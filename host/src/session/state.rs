//! How a number stands, in WAHA's word and in words for a person.

use crate::channel::waha::session::{self as api, Session};
use crate::channel::waha::settings::Fault;
use crate::event::session::Status;
use crate::message::{SenderName, TenantId};
use crate::session::Whose;
use crate::session::naming::{DEFAULT_SESSION, session_of};
use crate::tenant::Sender;

/// What stands for WAHA's word where there is no session yet.
const NOT_CONNECTED: &str = "NOT_CONNECTED";

/// How a number stands.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub tenant: Option<TenantId>,
    pub sender: Option<SenderName>,
    pub session: String,
    /// `None`: there is no session at WAHA.
    pub status: Option<Status>,
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
            status: Some(session.status.clone()),
            number: match &session.number {
                Some(number) => Some(number.as_str().to_owned()),
                None => sender.number.clone().filter(|_| session.status == Status::Working),
            },
            next: match faults.is_empty() {
                true => api::next_step(&session.status),
                false => "connect it: that puts right what lacks",
            },
            faults,
        }
    }

    pub fn is_connected(&self) -> bool {
        self.status == Some(Status::Working)
    }

    /// Is there a session at WAHA at all?
    pub fn has_session(&self) -> bool {
        self.status.is_some()
    }

    /// WAHA's word for it, or ours.
    pub fn word(&self) -> &str {
        self.status.as_ref().map_or(NOT_CONNECTED, Status::word)
    }

    pub fn not_connected(whose: &Whose) -> Self {
        let (tenant, session) = match whose {
            Whose::Tenant(tenant) => (Some(*tenant), session_of(*tenant)),
            Whose::Sender(_) => (None, DEFAULT_SESSION.to_owned()),
        };
        let next = api::next_step(&Status::Stopped);
        State { tenant, sender: None, session, status: None, number: None, next, faults: Vec::new() }
    }
}
