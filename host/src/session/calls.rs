//! The calls of WAHA's session API. One call is made again where WAHA says that it did nothing, being about
//! something else with the session.

use std::time::Duration;

use super::Sessions;
use super::error::{Error, Result};
use crate::channel::waha::session::{self as api, Order, Refusal, Session};
use crate::channel::{EncodeError, Outcome, Request};
use crate::egress::{LIST_BYTES, Unsent};
use crate::event::session::Status;
use crate::message::Fate;
use crate::tenant::Sender;

/// WAHA has waited for some seconds already when it says that it is busy.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(500);
/// A start takes seconds; after so many looks it is no longer waited for.
const LOOKS: usize = 40;

/// WAHA's answer to a call.
pub(super) enum Answered<T> {
    Done(T),
    /// It did not do it.
    Refused(Refusal),
}

impl Sessions {
    pub(super) async fn look(&self, sender: &Sender) -> Result<Session> {
        self.ask(sender, api::look(sender), api::read).await
    }

    pub(super) async fn order(&self, sender: &Sender, order: Order) -> Result<()> {
        self.ask(sender, api::order(sender, order), api::done).await
    }

    /// Waits until a session that was told to start has done so, well or not.
    pub(super) async fn started(&self, sender: &Sender) -> Result<()> {
        for _ in 0..LOOKS {
            let session = self.look(sender).await?;
            if !matches!(session.status, Status::Starting | Status::Stopped) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(Error::NotNow { status: Status::Starting })
    }

    pub(super) async fn ask<T>(
        &self,
        sender: &Sender,
        request: std::result::Result<Request, EncodeError>,
        read: fn(u16, &[u8]) -> std::result::Result<T, Refusal>,
    ) -> Result<T> {
        match self.send(sender, request.map_err(unmade)?, read).await? {
            Answered::Done(said) => Ok(said),
            Answered::Refused(refusal) => Err(refusal.into()),
        }
    }

    /// An error: no answer at all.
    pub(super) async fn send<T>(
        &self,
        sender: &Sender,
        request: Request,
        read: fn(u16, &[u8]) -> std::result::Result<T, Refusal>,
    ) -> Result<Answered<T>> {
        let mut tries = 1;
        loop {
            match self.send_once(sender, request.clone(), read).await? {
                Answered::Refused(Refusal::Busy(_)) if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                answer => return Ok(answer),
            }
        }
    }

    async fn send_once<T>(
        &self,
        sender: &Sender,
        request: Request,
        read: fn(u16, &[u8]) -> std::result::Result<T, Refusal>,
    ) -> Result<Answered<T>> {
        // An overview of chats holds messages whole, with thumbnails.
        let outcome = match self.egress.send_within(sender, request, LIST_BYTES).await {
            Ok(answer) => {
                return Ok(match read(answer.status, &answer.body) {
                    Ok(said) => Answered::Done(said),
                    Err(refusal) => Answered::Refused(refusal),
                });
            }
            Err(Unsent::Held { why, .. }) => {
                return Err(Error::NotAsked(format!("WAHA is not asked: {why}")));
            }
            Err(Unsent::Failed(outcome)) => outcome,
        };
        Err(Error::Waha(match outcome {
            Outcome::Failed { fate: Fate::Unknown, .. } => "WAHA did not answer in time".into(),
            Outcome::Failed { error, .. } => format!("WAHA cannot be asked: {error}"),
            Outcome::Sent { .. } => "WAHA gave no answer".into(),
        }))
    }
}

pub(super) fn unmade(error: EncodeError) -> Error {
    Error::Waha(error.to_string())
}
