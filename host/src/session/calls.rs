//! The calls of WAHA's session API. One call is made again where WAHA says that it did nothing, being about
//! something else with the session.

use std::time::Duration;

use super::Sessions;
use super::error::{Error, Result};
use crate::channel::waha::session::{self as api, Order, Refusal, Session};
use crate::channel::{EncodeError, Outcome, Request};
use crate::egress::LIST_BYTES;
use crate::message::Fate;
use crate::tenant::Sender;

/// WAHA has waited for some seconds already when it says that it is busy.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(500);
/// A start takes seconds; after so many looks it is no longer waited for.
const LOOKS: usize = 40;

impl Sessions {
    pub(super) async fn look(&self, sender: &Sender) -> Result<Session> {
        self.ask(api::look(sender), api::read).await
    }

    pub(super) async fn order(&self, sender: &Sender, order: Order) -> Result<()> {
        self.ask(api::order(sender, order), api::done).await
    }

    /// Waits until a session that was told to start has done so, well or not.
    pub(super) async fn started(&self, sender: &Sender) -> Result<()> {
        for _ in 0..LOOKS {
            let session = self.look(sender).await?;
            if ![api::STARTING, api::STOPPED].contains(&session.status.as_str()) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(Error::NotNow { status: api::STARTING.into() })
    }

    pub(super) async fn ask<T>(
        &self,
        request: std::result::Result<Request, EncodeError>,
        read: fn(u16, &[u8]) -> std::result::Result<T, Refusal>,
    ) -> Result<T> {
        Ok(self.send(request.map_err(unmade)?, read).await??)
    }

    /// The outer error: no answer at all.
    pub(super) async fn send<T>(
        &self,
        request: Request,
        read: fn(u16, &[u8]) -> std::result::Result<T, Refusal>,
    ) -> Result<std::result::Result<T, Refusal>> {
        let mut tries = 1;
        loop {
            match self.send_once(request.clone(), read).await? {
                Err(Refusal::Busy(_)) if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                answer => return Ok(answer),
            }
        }
    }

    async fn send_once<T>(
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
}

pub(super) fn unmade(error: EncodeError) -> Error {
    Error::Waha(error.to_string())
}
