//! Ten engines that break a promise each, now and then: whoever checks stores must convict every one.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use switchboard::message::{TenantId, Timestamp};
use switchboard::route::Answer;
use switchboard::store::OutboxState;
use switchboard::store::memory::Trouble;
use switchboard::store::rows::audited::Audited;
use switchboard::store::rows::contact::Contact;
use switchboard::store::rows::history::{HistoryRow, Line};
use switchboard::store::rows::inbox::InboxRow;
use switchboard::store::rows::outbox::OutboxRow;
use switchboard::store::rows::place::Place;
use switchboard::store::shared::changes::Changes;
use switchboard::store::shared::effect::Effect;

use crate::cast;

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
    /// What was written last is answered first.
    OrderReversed,
    /// That a reply has begun is not known after a crash.
    BeginForgotten,
    /// Nobody is told that a reply waits.
    ReplyUntold,
    /// What one tenant heard or said stands in another's history.
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

    /// The promise that it breaks.
    pub const fn breaks(self) -> u8 {
        match self {
            Fault::CommitLost => 1,
            Fault::AnswerForgotten => 2,
            Fault::LockOverwritten => 3,
            Fault::ClaimNotHeld | Fault::OrderReversed => 4,
            Fault::TenantsMixed => 5,
            Fault::BeginForgotten | Fault::ReplyUntold => 6,
            Fault::CounterDrifts => 9,
            Fault::DeedUnwritten => 10,
        }
    }

    pub fn engine(self) -> Arc<dyn Trouble> {
        Arc::new(Faulty { fault: self, turns: AtomicU64::new(0), last: Mutex::default() })
    }
}

struct Faulty {
    fault: Fault,
    turns: AtomicU64,
    /// The line that was written last, and whose it is.
    last: Mutex<Option<(TenantId, Line)>>,
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
        if let (Some(line), Some(place)) = (row.downcast_mut::<HistoryRow>(), key.downcast_ref::<Place>())
            && self.fault == Fault::TenantsMixed
        {
            self.mix(place.tenant, line);
        }
        if let Some(reply) = row.downcast_mut::<OutboxRow>()
            && reply.state == OutboxState::Sending
            && self.strikes(Fault::BeginForgotten, 2)
        {
            reply.state = OutboxState::Waiting;
        }
        true
    }

    fn tells(&self, effect: &mut Effect) -> bool {
        if let Effect::Waits { id, .. } = effect
            && self.fault == Fault::OrderReversed
        {
            id.at = Timestamp::from_ms(2 * cast::at(0).as_ms() - id.at.as_ms());
        }
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
    /// What another tenant heard or said last stands here.
    fn mix(&self, tenant: TenantId, row: &mut HistoryRow) {
        let before = self.last.lock().expect("nobody panics with it").replace((tenant, row.line.clone()));
        if let Some((_, line)) = before.filter(|(of, _)| *of != tenant) {
            row.line = line;
        }
    }
}
