//! Who is asked, and does not answer: what is for them waits, and holds no place that others could use. One
//! request now and then tells when they answer again. Every sender and every host has a circuit for each
//! [`Lane`], and every request to anybody is admitted here.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::config;
use crate::message::SenderName;
use crate::policy::circuit::{Came, Change, Circuit, Held, Ticket, leaves_room};

/// Circuits of a lane. Files lie at strangers' hosts, of which there may be any number.
const KEPT: usize = 4_096;

/// So many wait to be called for one circuit; the others look again by themselves.
const WAITING: usize = 1_024;

/// What requests are for. Each has places of its own, so that none holds up another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    Replies,
    /// Files of contacts, from wherever they lie.
    Files,
    /// Files of ours, before the replies that show them.
    Uploads,
    /// Read marks and typing.
    Signs,
    /// Everything that is asked.
    Questions,
    /// What somebody waits for.
    People,
}

const LANES: usize = 6;

/// Somebody waits for a place for so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Places in all, and of one sender.
#[derive(Clone, Copy, Debug)]
struct Places {
    in_all: usize,
    per_sender: usize,
}

#[derive(Debug)]
pub struct Circuits {
    began: Instant,
    lanes: [Mutex<Inner>; LANES],
    /// Some place of the lane is free.
    freed: [Notify; LANES],
}

#[derive(Debug)]
struct Inner {
    places: Places,
    under_way: usize,
    circuits: HashMap<Whose, Kept>,
    /// What this round of claims has let go and is not under way yet.
    going: HashMap<Whose, usize>,
    all_going: usize,
    /// For any place of the lane.
    waiting: VecDeque<Call>,
    /// Of whose silence was told: of them it is told that they answer again.
    told: HashSet<Whose>,
}

#[derive(Debug)]
struct Kept {
    circuit: Circuit,
    touched: Duration,
    waiting: VecDeque<Call>,
}

/// What is done when there is room again.
pub struct Call(Box<dyn FnOnce() + Send>);

impl Call {
    pub fn new(call: impl FnOnce() + Send + 'static) -> Self {
        Call(Box::new(call))
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Call")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Whose {
    /// At its host: another address is another try.
    Sender(SenderName, String),
    Host(String),
}

/// Whom a request is for.
#[derive(Clone, Debug)]
pub struct Of([Whose; 2]);

impl Of {
    pub fn new(sender: &SenderName, host: String) -> Self {
        Of([Whose::Sender(sender.clone(), host.clone()), Whose::Host(host)])
    }

    pub fn host(&self) -> &str {
        match &self.0[1] {
            Whose::Sender(_, host) | Whose::Host(host) => host,
        }
    }
}

/// Who holds a request up, and until when.
#[derive(Clone, Debug)]
pub struct Hold {
    lane: Lane,
    whose: Whose,
    pub held: Held,
}

/// A request that is under way. Dropped it has ended.
#[derive(Debug)]
pub struct Flight {
    circuits: Arc<Circuits>,
    lane: Lane,
    tickets: Vec<(Whose, Ticket)>,
    came: Came,
}

impl Circuits {
    pub fn new(delivery: &config::Delivery, media: &config::Media) -> Arc<Self> {
        let replies = Places { in_all: delivery.concurrent, per_sender: delivery.per_sender };
        let files = Places { in_all: media.concurrent, per_sender: media.per_sender };
        let signs = Places { in_all: 16, per_sender: 8 };
        let questions = Places { in_all: 64, per_sender: 16 };
        let lanes = [replies, files, replies, signs, questions, questions].map(|places| {
            Mutex::new(Inner {
                places,
                under_way: 0,
                circuits: HashMap::new(),
                going: HashMap::new(),
                all_going: 0,
                waiting: VecDeque::new(),
                told: HashSet::new(),
            })
        });
        Arc::new(Circuits { began: Instant::now(), lanes, freed: Default::default() })
    }

    /// A new round of claims begins.
    pub fn round(&self, lane: Lane) {
        let mut inner = self.lock(lane);
        inner.going.clear();
        inner.all_going = 0;
    }

    /// May one more of these go in this round?
    pub fn admits(&self, lane: Lane, of: &Of) -> Result<(), Hold> {
        let mut inner = self.lock(lane);
        inner.admits(lane, of, self.began.elapsed())?;
        for whose in &of.0 {
            *inner.going.entry(whose.clone()).or_default() += 1;
        }
        inner.all_going += 1;
        Ok(())
    }

    /// What was admitted in this round does not go after all.
    pub fn leave(&self, lane: Lane, of: &Of) {
        self.lock(lane).goes_no_more(of);
    }

    /// What was admitted is under way; what somebody waits for is, whether it was admitted or not.
    pub fn begin(self: &Arc<Self>, lane: Lane, of: &Of) -> Flight {
        self.begin_in(&mut self.lock(lane), lane, of)
    }

    /// One that is not part of a round, if it may go now.
    pub fn try_begin(self: &Arc<Self>, lane: Lane, of: &Of) -> Result<Flight, Hold> {
        let mut inner = self.lock(lane);
        inner.admits(lane, of, self.began.elapsed())?;
        Ok(self.begin_in(&mut inner, lane, of))
    }

    /// For what somebody waits for: also at one that does not answer, which is what they want to know. So
    /// many at once, and who is held up by those before waits a moment.
    pub async fn for_people(self: &Arc<Self>, of: &Of) -> Result<Flight, Hold> {
        let lane = Lane::People;
        let place = async {
            loop {
                let freed = self.freed[lane as usize].notified();
                tokio::pin!(freed);
                freed.as_mut().enable();
                if let Some(flight) = self.begin_if_room(lane, of) {
                    return flight;
                }
                freed.await;
            }
        };
        let hold = || Hold { lane, whose: of.0[1].clone(), held: Held::Full };
        tokio::time::timeout(PATIENCE, place).await.map_err(|_| hold())
    }

    fn begin_if_room(self: &Arc<Self>, lane: Lane, of: &Of) -> Option<Flight> {
        let mut inner = self.lock(lane);
        let [sender, host] = &of.0;
        let room = inner.under_way_of(sender) < inner.places.per_sender && inner.has_place_for(host);
        room.then(|| self.begin_in(&mut inner, lane, of))
    }

    fn begin_in(self: &Arc<Self>, inner: &mut Inner, lane: Lane, of: &Of) -> Flight {
        let now = self.began.elapsed();
        inner.make_room();
        inner.under_way += 1;
        inner.goes_no_more(of);
        let tickets = of.0.iter().map(|whose| {
            let most = inner.most(whose);
            let kept = inner.circuits.entry(whose.clone()).or_insert_with(|| Kept::new(most));
            kept.touched = now;
            (whose.clone(), kept.circuit.begin())
        });
        let tickets = tickets.collect();
        Flight { circuits: self.clone(), lane, tickets, came: Came::Unknown }
    }

    /// Calls when whoever holds it up has room; at once where it has by now.
    pub fn when_free(&self, hold: &Hold, call: Call) {
        let mut inner = self.lock(hold.lane);
        let answers = inner.answers(&hold.whose, self.began.elapsed()).is_ok();
        if answers && inner.has_place_for(&hold.whose) {
            drop(inner);
            return (call.0)();
        }
        if answers {
            // Others have the places, and theirs become free.
            if inner.waiting.len() < WAITING {
                inner.waiting.push_back(call);
            }
            return;
        }
        // What holds it up may be admitted and not under way yet, also as the first that there is.
        let (now, most) = (self.began.elapsed(), inner.most(&hold.whose));
        inner.make_room();
        let kept = inner.circuits.entry(hold.whose.clone()).or_insert_with(|| Kept::new(most));
        kept.touched = now;
        if kept.waiting.len() < WAITING {
            kept.waiting.push_back(call);
        }
    }

    /// Waits for a place; not for one that does not answer.
    pub async fn place(self: &Arc<Self>, lane: Lane, of: &Of) -> Result<Flight, Hold> {
        loop {
            let freed = self.freed[lane as usize].notified();
            tokio::pin!(freed);
            // Listen first, then look, so that nothing falls between.
            freed.as_mut().enable();
            match self.try_begin(lane, of) {
                Err(Hold { held: Held::Full, .. }) => freed.await,
                done => return done,
            }
        }
    }

    fn lock(&self, lane: Lane) -> MutexGuard<'_, Inner> {
        self.lanes[lane as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn new(most: usize) -> Self {
        Kept { circuit: Circuit::new(most), touched: Duration::ZERO, waiting: VecDeque::new() }
    }
}

impl Inner {
    /// It is under way, or does not go.
    fn goes_no_more(&mut self, of: &Of) {
        self.all_going = self.all_going.saturating_sub(1);
        for whose in &of.0 {
            if let Some(going) = self.going.get_mut(whose) {
                *going = going.saturating_sub(1);
            }
        }
    }

    fn tell(&mut self, whose: Whose, change: Change, lane: Lane) {
        match change {
            // They read it in their answer, and nothing waits.
            _ if lane == Lane::People => {}
            // Of a host that does not answer its senders' silence is no news.
            Change::Tripped if self.is_at_silent_host(&whose) => {}
            Change::Tripped => {
                whose.say_tripped(lane);
                self.told.insert(whose);
            }
            Change::Answers if self.told.remove(&whose) => whose.say_answers(lane),
            Change::Answers => {}
        }
    }

    fn is_at_silent_host(&self, whose: &Whose) -> bool {
        let Whose::Sender(_, host) = whose else { return false };
        self.circuits.get(&Whose::Host(host.clone())).is_some_and(|kept| kept.circuit.is_tripped())
    }

    fn admits(&self, lane: Lane, of: &Of, now: Duration) -> Result<(), Hold> {
        for whose in &of.0 {
            self.admits_of(whose, now).map_err(|held| Hold { lane, whose: whose.clone(), held })?;
        }
        Ok(())
    }

    fn admits_of(&self, whose: &Whose, now: Duration) -> Result<(), Held> {
        self.answers(whose, now)?;
        if self.has_place_for(whose) { Ok(()) } else { Err(Held::Full) }
    }

    fn answers(&self, whose: &Whose, now: Duration) -> Result<(), Held> {
        let going = self.going.get(whose).copied().unwrap_or(0);
        match self.circuits.get(whose) {
            Some(kept) => kept.circuit.admits(going, now),
            None => Circuit::new(self.most(whose)).admits(going, now),
        }
    }

    fn has_place_for(&self, whose: &Whose) -> bool {
        let taken = self.going.get(whose).copied().unwrap_or(0) + self.under_way_of(whose);
        matches!(whose, Whose::Sender(..)) || leaves_room(taken, self.free())
    }

    fn under_way_of(&self, whose: &Whose) -> usize {
        self.circuits.get(whose).map_or(0, |kept| kept.circuit.under_way())
    }

    fn free(&self) -> usize {
        self.places.in_all.saturating_sub(self.under_way + self.all_going)
    }

    fn most(&self, whose: &Whose) -> usize {
        match whose {
            Whose::Sender(..) => self.places.per_sender,
            Whose::Host(_) => self.places.in_all,
        }
    }

    /// What need not be remembered goes first, then what nobody has asked for longest.
    fn make_room(&mut self) {
        if self.circuits.len() + 2 <= KEPT {
            return;
        }
        self.circuits.retain(|_, kept| !kept.circuit.is_fresh() || !kept.waiting.is_empty());
        if self.circuits.len() + 2 <= KEPT {
            return;
        }
        let idle = |kept: &Kept| kept.circuit.under_way() == 0;
        let mut touched: Vec<_> =
            self.circuits.values().filter(|kept| idle(kept)).map(|kept| kept.touched).collect();
        touched.sort_unstable();
        let Some(middle) = touched.get(touched.len() / 2).copied() else { return };
        self.circuits.retain(|_, kept| !idle(kept) || kept.touched > middle);
        let Inner { circuits, told, .. } = self;
        told.retain(|whose| circuits.contains_key(whose));
    }
}

impl Flight {
    /// What came of its last request.
    pub fn told(&mut self, came: Came) {
        self.came = came;
    }

    /// Whether its sender or its host answers again.
    pub fn end(mut self) -> bool {
        self.land()
    }

    fn land(&mut self) -> bool {
        let (mut answers, mut calls, mut changed) = (false, Vec::new(), Vec::new());
        let mut inner = self.circuits.lock(self.lane);
        let now = self.circuits.began.elapsed();
        inner.under_way = inner.under_way.saturating_sub(1);
        for (whose, ticket) in self.tickets.drain(..) {
            let Some(kept) = inner.circuits.get_mut(&whose) else { continue };
            let change = kept.circuit.end(ticket, self.came, now);
            let room = kept.circuit.room(now).min(kept.waiting.len());
            calls.extend(kept.waiting.drain(..room));
            changed.extend(change.map(|change| (whose, change)));
        }
        let any = inner.free().min(inner.waiting.len());
        calls.extend(inner.waiting.drain(..any));
        for (whose, change) in changed {
            answers |= change == Change::Answers;
            inner.tell(whose, change, self.lane);
        }
        drop(inner);
        for call in calls {
            (call.0)();
        }
        self.circuits.freed[self.lane as usize].notify_waiters();
        answers
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.tickets.is_empty() {
            self.land();
        }
    }
}

impl Lane {
    /// For the log.
    fn what(self) -> &'static str {
        match self {
            Lane::Replies => "replies",
            Lane::Files => "files to fetch",
            Lane::Uploads => "files to hand over",
            Lane::Signs => "read marks and typing",
            Lane::Questions => "questions",
            Lane::People => "what people ask",
        }
    }
}

impl Whose {
    fn say_tripped(&self, lane: Lane) {
        let what = lane.what();
        match self {
            Whose::Sender(sender, host) => tracing::warn!(
                %sender, host, what,
                "a sender's provider does not answer: what is for it waits, and one at a time asks whether it does"
            ),
            Whose::Host(host) => tracing::warn!(
                host,
                what,
                "a host does not answer: what is for it waits, and one at a time asks whether it does"
            ),
        }
    }

    fn say_answers(&self, lane: Lane) {
        let what = lane.what();
        match self {
            Whose::Sender(sender, host) => {
                tracing::info!(%sender, host, what, "a sender's provider answers again");
            }
            Whose::Host(host) => tracing::info!(host, what, "a host answers again"),
        }
    }
}

#[cfg(test)]
mod tests;
