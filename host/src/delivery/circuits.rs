//! Senders and hosts that do not answer: their replies wait, and hold no place that others could use.
//! One that is tried now and then tells when they answer again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config;
use crate::message::SenderName;
use crate::policy::circuit::{Came, Change, Circuit, Ticket};
use crate::tenant::Sender;

/// Circuits of nobody are looked for when there are so many.
const KEPT: usize = 4_096;

#[derive(Debug)]
pub struct Circuits {
    began: Instant,
    inner: Mutex<Inner>,
    of_sender: usize,
    of_host: usize,
}

#[derive(Debug, Default)]
struct Inner {
    circuits: HashMap<Whose, Circuit>,
    /// What this round of claims has let go and is not under way yet.
    going: HashMap<Whose, usize>,
    /// Of whose silence was told: of them it is told that they answer again.
    told: HashSet<Whose>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Whose {
    /// At its host: another address is another try.
    Sender(SenderName, String),
    Host(String),
}

/// A reply that is under way. Dropped it has ended.
#[derive(Debug)]
pub struct Flight {
    circuits: Arc<Circuits>,
    tickets: Vec<(Whose, Ticket)>,
    came: Came,
}

impl Circuits {
    pub fn new(settings: &config::Delivery) -> Arc<Self> {
        // A host that hangs leaves a quarter of all places to others, however many senders are there.
        let of_host = settings.concurrent - settings.concurrent / 4;
        Arc::new(Circuits {
            began: Instant::now(),
            inner: Mutex::default(),
            of_sender: settings.per_sender,
            of_host,
        })
    }

    /// A new round of claims begins.
    pub fn round(&self) {
        self.lock().going.clear();
    }

    /// May one more of this sender's go? How long to wait otherwise.
    pub fn admits(&self, sender: &Sender) -> Result<(), Duration> {
        let now = self.began.elapsed();
        let mut inner = self.lock();
        let both = whose(sender);
        for whose in &both {
            let going = inner.going.get(whose).copied().unwrap_or(0);
            match inner.circuits.get(whose) {
                Some(circuit) => circuit.admits(going, now)?,
                None => Circuit::new(self.most(whose)).admits(going, now)?,
            }
        }
        for whose in both {
            *inner.going.entry(whose).or_default() += 1;
        }
        Ok(())
    }

    pub fn begin(self: &Arc<Self>, sender: &Sender) -> Flight {
        let mut inner = self.lock();
        if inner.circuits.len() >= KEPT {
            inner.circuits.retain(|_, circuit| !circuit.is_fresh());
        }
        let tickets = whose(sender).map(|whose| {
            if let Some(going) = inner.going.get_mut(&whose) {
                *going = going.saturating_sub(1);
            }
            let most = self.most(&whose);
            let circuit = inner.circuits.entry(whose.clone()).or_insert_with(|| Circuit::new(most));
            (whose, circuit.begin())
        });
        drop(inner);
        Flight { circuits: self.clone(), tickets: tickets.into(), came: Came::Unknown }
    }

    fn most(&self, whose: &Whose) -> usize {
        match whose {
            Whose::Sender(..) => self.of_sender,
            Whose::Host(_) => self.of_host,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whose(sender: &Sender) -> [Whose; 2] {
    let host = host_of(sender);
    [Whose::Sender(sender.name.clone(), host.clone()), Whose::Host(host)]
}

/// A sender without an address of its own is at its provider's.
pub fn host_of(sender: &Sender) -> String {
    let url = sender.base_url.as_deref().and_then(|url| url::Url::parse(url).ok());
    let host =
        url.as_ref().and_then(|url| Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?)));
    host.unwrap_or_else(|| sender.provider.name().to_owned())
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
        let came = self.came;
        let (mut inner, now, mut answers) = (self.circuits.lock(), self.circuits.began.elapsed(), false);
        let mut changed = Vec::new();
        for (whose, ticket) in self.tickets.drain(..) {
            let Some(circuit) = inner.circuits.get_mut(&whose) else { continue };
            if let Some(change) = circuit.end(ticket, came, now) {
                answers |= change == Change::Answers;
                changed.push((whose, change));
            }
        }
        for (whose, change) in changed {
            match change {
                // Of a host that does not answer its senders' silence is no news.
                Change::Tripped if whose.is_one_of(&inner.circuits) => {}
                Change::Tripped => {
                    whose.say_tripped();
                    inner.told.insert(whose);
                }
                Change::Answers if inner.told.remove(&whose) => whose.say_answers(),
                Change::Answers => {}
            }
        }
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

impl Whose {
    /// Is it a sender at a host that does not answer?
    fn is_one_of(&self, circuits: &HashMap<Whose, Circuit>) -> bool {
        match self {
            Whose::Sender(_, host) => {
                circuits.get(&Whose::Host(host.clone())).is_some_and(Circuit::is_tripped)
            }
            Whose::Host(_) => false,
        }
    }

    fn say_tripped(&self) {
        match self {
            Whose::Sender(sender, _) => tracing::warn!(
                %sender,
                "a sender's provider does not answer: its replies wait, and one at a time asks whether it does"
            ),
            Whose::Host(host) => tracing::warn!(
                host,
                "a host does not answer: the replies of its senders wait, and one at a time asks whether it does"
            ),
        }
    }

    fn say_answers(&self) {
        match self {
            Whose::Sender(sender, _) => {
                tracing::info!(%sender, "a sender's provider answers again: its replies go out")
            }
            Whose::Host(host) => tracing::info!(host, "a host answers again: its senders' replies go out"),
        }
    }
}
