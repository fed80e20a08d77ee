//! From a knock at the door to what a webhook says: its head is judged, its body read and proved, and
//! only then decoded. Until it is proved a body costs no more than its own bytes, out of a small store
//! of memory that all unproven bodies share; large ones are worked on away from the threads that
//! answer requests, so that these always have time.

use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderMap;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::lately::Lately;
use super::proven::{Proven, Trial};
use super::{Refusal, unread};
use crate::body::{self, Bounds, Memory, Room, SMALL};
use crate::channel::{self, Head};
use crate::event::Event;
use crate::message::Provider;
use crate::store::receipts::Receipts;
use crate::store::registry::Registry;
use crate::store::unread::UnreadBody;
use crate::tenant::Directory;

/// A webhook's head.
pub struct Knock {
    pub provider: Provider,
    /// The secret end of the address.
    pub path_key: Option<String>,
    pub headers: HeaderMap,
}

/// A webhook that has proved itself.
pub struct Heard {
    pub proven: Proven,
    pub events: Vec<Event>,
    /// To be kept, because some of the events could not be read.
    pub unread: Option<UnreadBody>,
    /// As it was when the webhook was proved.
    pub directory: Arc<Directory>,
    /// What it takes in memory, until it is answered.
    _room: Room,
}

/// What proving a webhook asks of the store.
pub trait HearingStore: Receipts + Registry {}

impl<T: Receipts + Registry> HearingStore for T {}

/// What hearing needs.
pub struct Hearing {
    store: Arc<dyn HearingStore>,
    /// Can only this machine reach the gateway?
    private: bool,
    /// Of bodies that have proved nothing yet.
    unproven: Bounds,
    proven: Memory,
    lately: Lately,
    /// Large bodies that are worked on at the same time.
    large: Arc<Semaphore>,
}

impl Hearing {
    pub fn new(store: Arc<dyn HearingStore>, private: bool, unproven: Bounds, proven: Memory) -> Self {
        // Half of the machine, so that the rest of the work goes on beside it.
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let large = Arc::new(Semaphore::new((cores / 2).max(1)));
        Hearing { store, private, unproven, proven, lately: Lately::default(), large }
    }

    pub(super) async fn hear(self: &Arc<Self>, knock: Knock, body: Body) -> Result<Heard, Refusal> {
        self.trial(&knock, &self.store.directory()).judge_head()?;
        let body = body::read(body, &self.unproven).await.map_err(Refusal::Body)?;
        if body.len() <= SMALL {
            return self.work(&knock, &body).await;
        }
        let permit = self.large.clone().acquire_owned().await.expect("it is never closed");
        let (hearing, runtime) = (self.clone(), Handle::current());
        let work = tokio::task::spawn_blocking(move || {
            // Held until it is done, also where nobody waits for it any more.
            let _permit = permit;
            runtime.block_on(hearing.work(&knock, &body))
        });
        work.await.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()))
    }

    async fn work(&self, knock: &Knock, body: &[u8]) -> Result<Heard, Refusal> {
        let directory = self.store.directory();
        let adapter = channel::adapter(knock.provider);
        let claims = adapter.claimed(body).map_err(Refusal::Malformed)?;
        let tree_bytes = claims.tree_bytes;
        let proven = self.trial(knock, &directory).judge(body, claims, &*self.store, &self.lately).await?;
        let mut room = Room::default();
        if body.len() > SMALL {
            self.proven.grow(&mut room, tree_bytes).map_err(Refusal::Body)?;
        }
        // Refused, the same would come again for days, and nothing of it would be left.
        let events = channel::decode(knock.provider, body, proven.wants_groups())
            .unwrap_or_else(|error| vec![Event::Unread(unread::strange(knock.provider, &error))]);
        let events: Vec<Event> = events.into_iter().map(|event| proven.settled(event)).collect();
        let unread = unread::to_keep(knock.provider, body, &events, &proven, &directory);
        Ok(Heard { proven, events, unread, directory, _room: room })
    }

    fn trial<'a>(&self, knock: &'a Knock, directory: &'a Directory) -> Trial<'a> {
        let head = Head { headers: &knock.headers, path_key: knock.path_key.as_deref() };
        Trial { provider: knock.provider, head, directory, private: self.private }
    }
}
