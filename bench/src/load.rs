//! The load: connections that each send one webhook, wait until it is answered (or until its reply
//! has reached the loopback WAHA), and send the next. Closed loop, keep-alive, one thread, prebuilt
//! requests: it shares the cores with what it measures, so it has to be cheap. What fails is counted
//! and told, never skipped.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use hdrhistogram::Histogram;
use tokio::net::TcpStream;

pub mod sink;
pub mod webhook;
pub mod wire;

use sink::Sink;
use webhook::Webhook;

/// Nothing measured takes this long; what does has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection that failed this often gives up.
const FAILURES: u64 = 10;

/// Where webhooks go.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub address: SocketAddr,
    pub path: &'static str,
}

/// When a message counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The webhook is answered 200.
    Answered,
    /// Its reply has reached WAHA.
    Replied,
}

/// The people who write: numbered from `first`, each only ever on one connection.
#[derive(Clone, Copy, Debug)]
pub struct Contacts {
    pub first: u64,
    pub count: u64,
}

/// What each connection does.
#[derive(Clone, Debug)]
pub struct Plan {
    pub target: Target,
    pub connections: u64,
    pub contacts: Contacts,
    /// What they write; see [`webhook::HELLO`].
    pub text: &'static str,
    pub until: Until,
    /// Signs every body.
    pub hmac_key: Option<String>,
    /// A connection sends no more often than this. `None`: as soon as the one before is done.
    pub every: Option<Duration>,
    /// Not counted.
    pub warm_up: Duration,
    /// At most; less when told to stop.
    pub measured: Duration,
    /// Set to end the run early.
    pub stop: Rc<Cell<bool>>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Measured {
    pub per_second: f64,
    pub p50: Duration,
    pub p99: Duration,
    /// Messages sent, those before and after the time measured included.
    pub sent: u64,
    /// Messages refused, lost or too slow.
    pub failed: u64,
    /// What the first of them met.
    pub failure: Option<String>,
}

struct Tally {
    microseconds: Histogram<u64>,
    from: Instant,
    to: Instant,
    sent: u64,
    failed: u64,
    failure: Option<String>,
}

impl Tally {
    /// Counts what ended within the time measured.
    fn count(&mut self, began: Instant, ended: Instant) {
        if ended >= self.from && ended < self.to {
            let took = u64::try_from((ended - began).as_micros()).unwrap_or(u64::MAX);
            self.microseconds.saturating_record(took.max(1));
        }
    }

    fn failed(&mut self, error: &anyhow::Error) {
        self.failed += 1;
        self.failure.get_or_insert_with(|| format!("{error:#}"));
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await.context("cannot connect to the server")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Runs the plan. Every connection ends with its last message done, so that nothing is left over.
pub async fn run(plan: &Plan, sink: &Rc<Sink>) -> Result<Measured> {
    if plan.contacts.count < plan.connections {
        bail!("{} contacts are too few for {} connections", plan.contacts.count, plan.connections);
    }
    let from = Instant::now() + plan.warm_up;
    let to = from + plan.measured;
    let microseconds = Histogram::new_with_bounds(1, 60_000_000, 3)?;
    let tally = Tally { microseconds, from, to, sent: 0, failed: 0, failure: None };
    let tally = Rc::new(RefCell::new(tally));
    let mut running = Vec::new();
    for number in 0..plan.connections {
        let connection = Connection::open(plan, number, sink.clone()).await?;
        running.push(tokio::task::spawn_local(connection.run(tally.clone())));
    }
    for connection in running {
        connection.await.context("a connection of the load panicked")??;
    }
    let measured = Instant::now().min(to).saturating_duration_since(from);
    let tally = tally.borrow();
    let quantile = |q| Duration::from_micros(tally.microseconds.value_at_quantile(q));
    Ok(Measured {
        per_second: tally.microseconds.len() as f64 / measured.as_secs_f64().max(f64::EPSILON),
        p50: quantile(0.5),
        p99: quantile(0.99),
        sent: tally.sent,
        failed: tally.failed,
        failure: tally.failure.clone(),
    })
}

struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    received: Vec<u8>,
    webhook: Webhook,
    sink: Rc<Sink>,
    until: Until,
    every: Option<Duration>,
    contacts: Contacts,
    number: u64,
    of: u64,
    stop: Rc<Cell<bool>>,
}

impl Connection {
    async fn open(plan: &Plan, number: u64, sink: Rc<Sink>) -> Result<Self> {
        Ok(Connection {
            address: plan.target.address,
            stream: connect(plan.target.address).await?,
            received: Vec::with_capacity(4096),
            webhook: Webhook::new(plan.target, plan.hmac_key.as_deref(), plan.text),
            sink,
            until: plan.until,
            every: plan.every,
            contacts: plan.contacts,
            number,
            of: plan.connections,
            stop: plan.stop.clone(),
        })
    }

    async fn run(mut self, tally: Rc<RefCell<Tally>>) -> Result<()> {
        let to = tally.borrow().to;
        let mut failures = 0;
        // Spread over the interval, so that paced connections do not send all at once.
        let every = self.every.unwrap_or_default();
        let mut due = Instant::now() + every.mul_f64(self.number as f64 / self.of as f64);
        loop {
            // A paced message counts from when it was due: a stall must not hide itself.
            let began = if self.every.is_some() { due } else { Instant::now() };
            if self.every.is_some() {
                tokio::time::sleep_until(due.into()).await;
                due += every;
            }
            if began >= to || self.stop.get() {
                return Ok(());
            }
            tally.borrow_mut().sent += 1;
            let one = tokio::time::timeout(PATIENCE, self.one()).await;
            match one.unwrap_or_else(|_| Err(anyhow!("a message was not done after {PATIENCE:?}"))) {
                Ok(()) => tally.borrow_mut().count(began, Instant::now()),
                Err(error) => {
                    tally.borrow_mut().failed(&error);
                    failures += 1;
                    if failures >= FAILURES {
                        return Err(error.context("too many failures on one connection"));
                    }
                    // What the old one still brings belongs to no message.
                    self.stream = connect(self.address).await?;
                }
            }
        }
    }

    async fn one(&mut self) -> Result<()> {
        let token = self.sink.next_token();
        let contact = self.contact(token);
        let replied = (self.until == Until::Replied).then(|| self.sink.expect(token));
        self.webhook.prepare(contact, token);
        wire::write_all(&self.stream, self.webhook.bytes()).await?;
        let answer = wire::read_message(&self.stream, &mut self.received).await?;
        let Some(answer) = answer else { bail!("the server closed the connection") };
        let routed = answer.starts_with(b"HTTP/1.1 200") && wire::contains(answer, b"\"status\":\"routed\"");
        if !routed {
            bail!("the server answered: {}", String::from_utf8_lossy(answer));
        }
        if let Some(replied) = replied {
            replied.await.context("the reply was given up")?;
        }
        Ok(())
    }

    /// One of this connection's own contacts, drawn evenly.
    fn contact(&self, token: u64) -> u64 {
        let own = (self.contacts.count - self.number).div_ceil(self.of);
        self.contacts.first + self.number + self.of * (webhook::mix(token) % own)
    }
}
