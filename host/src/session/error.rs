//! Why a session could not be made, asked or changed, and what to do about it.

use std::net::SocketAddr;

use crate::channel::waha::session::{self as api, Refusal};
use crate::declared::rules;
use crate::event::session::Status;
use crate::identity;
use crate::message::SenderName;
use crate::store;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no WAHA is configured for this number")]
    NoWaha,
    #[error("WAHA at {waha} cannot send webhooks to {listen}, which only this machine reaches")]
    Unreachable { waha: String, listen: SocketAddr },
    #[error("there is no sender \"{0}\"")]
    NoSender(SenderName),
    #[error("the sender \"{0}\" is not WAHA's")]
    NotWaha(SenderName),
    #[error("there is no session yet")]
    NoSession,
    /// It is not in the status that this needs.
    #[error("the session is {status} now")]
    NotNow { status: Status },
    #[error("this is no phone number: {0}")]
    NoNumber(identity::Error),
    /// It holds one session, which is called otherwise. In its words.
    #[error("{0}")]
    OneSession(String),
    /// It was asked again and again, and was about something else.
    #[error("{0}")]
    Busy(String),
    /// It answers, and does not do this.
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Waha(String),
    /// It does not answer, and is not asked by everybody.
    #[error("{0}")]
    NotAsked(String),
    #[error("the sender would not be valid")]
    Faults(Vec<rules::Fault>),
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
}

pub type Result<T> = std::result::Result<T, Error>;

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSession => Error::NoSession,
            Refusal::NotNow { status } => Error::NotNow { status },
            Refusal::Exists => Error::Waha("WAHA says that the session exists, and does not show it".into()),
            Refusal::OneSession(what) => Error::OneSession(what),
            Refusal::Busy(what) => Error::Busy(what),
            Refusal::StoreOff => Error::Refused("the session keeps no chats (noweb.store is off)".into()),
            Refusal::NoCall(what) | Refusal::Refused(what) => Error::Refused(what),
            Refusal::KeyRefused(what) | Refusal::Failed(what) => Error::Waha(what),
        }
    }
}

impl Error {
    /// For a person.
    pub fn action(&self) -> String {
        match self {
            Error::NoWaha => {
                "set waha.base_url and waha.api_key in the configuration, or add the sender with its own"
                    .into()
            }
            Error::Unreachable { .. } => {
                "set waha.webhook_url to the gateway's address as WAHA sees it".into()
            }
            Error::NoSender(_) => "`switchboard sender list` shows those there are".into(),
            Error::NotWaha(_) => "only WAHA's numbers are logged in by scanning".into(),
            Error::NoSession => api::next_step(&Status::Stopped).into(),
            Error::NotNow { status } => api::next_step(status).into(),
            Error::NoNumber(_) => "write it with its country code, such as 971501234567".into(),
            Error::OneSession(_) => {
                "connect the one session that it has (`--session default`), or use a WAHA that holds more than \
                 one: WAHA Plus, or one WAHA for each number"
                    .into()
            }
            Error::Busy(_) => "WAHA is about something else with this session; try again in a moment".into(),
            Error::Refused(_) => "see what WAHA says, its version and engine, and the sender's account".into(),
            Error::Waha(_) | Error::NotAsked(_) => "check that WAHA runs, and its address and key".into(),
            Error::Faults(faults) => {
                let actions: Vec<&str> = faults.iter().map(|fault| fault.action.as_str()).collect();
                actions.join("; ")
            }
            Error::Random(_) | Error::Store(_) => "look into the gateway's log".into(),
        }
    }
}
