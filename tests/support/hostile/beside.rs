//! What runs beside every case: an honest neighbour whose messages want their answers, and a look at
//! `/health` that wants to be answered at once. Both are timed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::client::client;
use crate::hook::{Hook, text};
use crate::hostile::provider::Provider;
use crate::hostile::usage::Usage;

/// A message that is not answered for this long is not answered.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway that holds more than this would take the machine along, and everybody on it: it is killed,
/// and the case has broken it.
const MOST_RESIDENT: u64 = 3 << 30;

/// How much the neighbour says.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub contacts: usize,
    /// Each contact writes this often.
    pub every: Duration,
    /// `/health` is asked this often.
    pub health_every: Duration,
}

/// Runs until it is dropped.
pub struct Beside {
    seen: Arc<Mutex<Seen>>,
    running: Vec<JoinHandle<()>>,
}

/// How long things took since the last look.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// From the time a message was due until its answer reached the provider.
    pub turns: Times,
    pub health: Times,
    /// The slowest turn.
    pub slowest: Slow,
    /// What was not answered, in words.
    pub unanswered: Vec<String>,
}

/// A turn, and what of it was the webhook's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slow {
    pub whole: Duration,
    pub webhook: Duration,
}

#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Seen {
    pub fn add(&mut self, other: &Seen) {
        self.turns.0.extend_from_slice(&other.turns.0);
        self.health.0.extend_from_slice(&other.health.0);
        self.slowest = self.slowest.max(other.slowest);
        self.unanswered.extend_from_slice(&other.unanswered);
    }
}

impl Times {
    pub fn count(&self) -> usize {
        self.0.len()
    }

    fn push(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// 0 to 1; zero of nothing.
    pub fn quantile(&self, q: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = ((sorted.len() as f64 * q).ceil() as usize).clamp(1, sorted.len().max(1));
        sorted.get(place - 1).copied().unwrap_or_default()
    }
}

/// The tenant that these contacts are with.
#[derive(Clone, Debug)]
pub struct Neighbour {
    pub tenant: u32,
    pub hook: Hook,
    pub health: String,
    /// The gateway's process.
    pub pid: u32,
}

impl Beside {
    pub fn start(provider: &Arc<Provider>, neighbour: &Neighbour, pace: Pace) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let runtime = provider.runtime();
        let mut running = vec![runtime.spawn(health(neighbour.clone(), pace, seen.clone()))];
        for number in 0..pace.contacts {
            let contact = Contact {
                phone: format!("9715055{number:05}"),
                number,
                provider: provider.clone(),
                neighbour: neighbour.clone(),
                seen: seen.clone(),
            };
            running.push(runtime.spawn(contact.write(pace)));
        }
        Beside { seen, running }
    }

    /// What was seen since the last time.
    pub fn take(&self) -> Seen {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        for task in &self.running {
            task.abort();
        }
    }
}

async fn health(neighbour: Neighbour, pace: Pace, seen: Arc<Mutex<Seen>>) {
    let client = client();
    let guard = tokio::spawn(small(neighbour.pid, seen.clone()));
    let _ends_with_this = AbortOnDrop(guard);
    loop {
        let began = Instant::now();
        let answer = client.get(&neighbour.health).send().await;
        let took = began.elapsed();
        {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.health.push(took);
            match answer {
                Ok(answer) if answer.status() == 200 => {}
                Ok(answer) => seen.unanswered.push(format!("/health said {}", answer.status())),
                Err(error) => seen.unanswered.push(format!("/health after {took:?}: {error}")),
            }
        }
        tokio::time::sleep(pace.health_every.saturating_sub(took)).await;
    }
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Kills a gateway that is about to take the machine along.
async fn small(pid: u32, seen: Arc<Mutex<Seen>>) {
    while let Some(usage) = Usage::of(pid) {
        if usage.resident_bytes > MOST_RESIDENT {
            let _ = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status();
            let said = format!("the gateway held {} MiB and was killed", usage.resident_bytes >> 20);
            seen.lock().unwrap_or_else(PoisonError::into_inner).unanswered.push(said);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

struct Contact {
    phone: String,
    number: usize,
    provider: Arc<Provider>,
    neighbour: Neighbour,
    seen: Arc<Mutex<Seen>>,
}

impl Contact {
    async fn write(self, pace: Pace) {
        let link = format!("start_realty_{}", self.neighbour.tenant);
        let _ = self.one(&link, "").await;
        // Spread over the interval.
        let share = self.number as f64 / pace.contacts as f64;
        let mut due = Instant::now() + pace.every.mul_f64(share);
        loop {
            tokio::time::sleep_until(due.into()).await;
            let words = format!("word {}", rand::random::<u64>());
            let answered = self.one(&words, &words).await;
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            match answered {
                // A message counts from when it was due: a stall must not hide itself.
                Ok(webhook) => {
                    let whole = due.elapsed();
                    seen.turns.push(whole);
                    seen.slowest = seen.slowest.max(Slow { whole, webhook });
                }
                Err(why) => seen.unanswered.push(format!("{}: {why}", self.phone)),
            }
            drop(seen);
            due = (due + pace.every).max(Instant::now() - PATIENCE);
        }
    }

    /// Says it and waits for the answer, which says it back. How long the webhook took.
    async fn one(&self, words: &str, expected: &str) -> Result<Duration, String> {
        let before = self.provider.sent_to(&self.phone);
        let id = format!("{:016X}", rand::random::<u64>());
        let began = Instant::now();
        let work = async {
            let posted = self.neighbour.hook.try_post(&text(&self.phone, &id, words)).await;
            let posted = posted.map_err(|error| format!("{error:#}"))?;
            if posted.status != 200 || !posted.text.contains("routed") {
                return Err(format!("the webhook said {} {}", posted.status, posted.text));
            }
            let webhook = began.elapsed();
            // What comes late belongs to an earlier message, which was missed.
            let mut before = before;
            while !self.provider.next(&self.phone, before).await.contains(expected) {
                before += 1;
            }
            Ok(webhook)
        };
        tokio::time::timeout(PATIENCE, work)
            .await
            .unwrap_or_else(|_| Err(format!("no answer in {PATIENCE:?}")))
    }
}
