//! Ten engines that break a promise each, now and then: whoever checks stores must convict every one.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use switchboard::message::TenantId;
use switchboard::route::Answer;
use switchboard::store::OutboxState;
use switchboard::store::memory::Trouble;
use switchboard::store::rows::audited::Audited;
use switchboard::store::rows::contact::Contact;
use switchboard::store::rows::history::HistoryRow;
use switchboard::store::rows::inbox::InboxRow;
use switchboard::store::rows::outbox::OutboxRow;
use switchboard::store::rows::place::Place;
use switchboard::store::shared::changes::Changes;
use switchboard::store::shared::effect::Effect;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// That a message was answered is forgotten.
    AnswerForgotten,
    /// What was acknowledged is not kept.
    CommitLost,
    /// A contact becomes another tenant's.
    LockOverwritten,
    /// A turn is handed out while it runs.
    ClaimNotHeld,
    /// Of two replies of a turn the second goes out first.
    OrderReversed,
    /// That a reply has begun is not known after a crash.
    BeginForgotten,
    /// Nobody is told that a reply waits.
    ReplyUntold,
    /// A line stands in another tenant's history.
    TenantsMixed,
    /// One message is counted twice.
    CounterDrifts,
    /// A deed is not written down.
    DeedUnwritten,
}

impl Fault {
    pub const ALL: [Fault; 10] = [
        Fault::AnswerForgotten,
        Fault::CommitLost,
        Fault::LockOverwritten,
        Fault::ClaimNotHeld,
        Fault::OrderReversed,
        Fault::BeginForgotten,
        Fault::ReplyUntold,
        Fault::TenantsMixed,
        Fault::CounterDrifts,
        Fault::DeedUnwritten,
    ];

    pub fn engine(self) -> Arc<dyn Trouble> {
        Arc::new(Faulty { fault: self, turns: AtomicU64::new(0), said: std::sync::Mutex::new(None) })
    }
}

struct Faulty {
    fault: Fault,
    turns: AtomicU64,
    /// The reply before, where the next one is to go out in its place.
    said: std::sync::Mutex<Option<OutboxRow>>,
}

impl Faulty {
    /// One time in so many.
    fn strikes(&self, fault: Fault, every: u64) -> bool {
        self.fault == fault && self.turns.fetch_add(1, Ordering::Relaxed) % every == every - 1
    }
}

impl Trouble for Faulty {
    fn puts(&self, key: &mut dyn Any, row: &mut dyn Any, changes: &mut Changes) -> bool {
        if row.is::<(Answer, Option<u64>)>() && self.strikes(Fault::AnswerForgotten, 7) {
            return false;
        }
        if row.is::<Audited>() && self.strikes(Fault::DeedUnwritten, 11) {
            return false;
        }
        if let Some(contact) = row.downcast_mut::<Contact>()
            && let Some(lock) = &mut contact.lock
            && self.strikes(Fault::LockOverwritten, 5)
        {
            lock.tenant = TenantId::from_stored(lock.tenant.get() % 3 + 1);
        }
        if row.is::<InboxRow>() && self.strikes(Fault::CounterDrifts, 20) {
            changes.state.inbox += 1;
        }
        if row.is::<HistoryRow>()
            && let Some(place) = key.downcast_mut::<Place>()
            && self.strikes(Fault::TenantsMixed, 15)
        {
            place.tenant = TenantId::from_stored(place.tenant.get() % 3 + 1);
        }
        if let Some(reply) = row.downcast_mut::<OutboxRow>() {
            if reply.state == OutboxState::Sending && self.strikes(Fault::BeginForgotten, 2) {
                reply.state = OutboxState::Waiting;
            }
            if reply.attempts == 0 && self.fault == Fault::OrderReversed {
                self.swap(reply);
            }
        }
        true
    }

    fn tells(&self, effect: &Effect) -> bool {
        !(matches!(effect, Effect::Queued { .. }) && self.strikes(Fault::ReplyUntold, 10))
    }

    fn commits(&self) -> bool {
        !self.strikes(Fault::CommitLost, 40)
    }

    fn holds_claims(&self) -> bool {
        !self.strikes(Fault::ClaimNotHeld, 10)
    }
}

impl Faulty {
    /// Says what the reply before said in this conversation.
    fn swap(&self, reply: &mut OutboxRow) {
        let mut before = self.said.lock().expect("nobody panics with it");
        match before.take() {
            Some(first) if first.contact == reply.contact => reply.said = first.said,
            _ => *before = Some(reply.clone()),
        }
    }
}
