//! Contacts who write while the gateway dies and comes back. Each message is posted until it is
//! acknowledged, as WAHA does; some are posted twice, some overtake each other, and some contacts
//! open two tenants' links at once. What was said and answered is written down for the check.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;
use switchboard_tests::hook::{Hook, text};
use switchboard_tests::waha::webhook::Webhook;

/// The tenants whose links are opened.
pub const TENANTS: [u32; 2] = [1, 2];

/// The first provider time; every message of a contact has its own second.
const BEGAN: i64 = 1_741_249_000;

/// A message that was acknowledged, and what was answered, every time.
#[derive(Debug)]
pub struct Fact {
    /// The contact's phone.
    pub contact: String,
    pub id: String,
    pub text: String,
    /// Seconds by the provider's clock.
    pub at: i64,
    /// Posted for the first time.
    pub posted: Instant,
    /// Answered 200 for the first time.
    pub acked: Instant,
    pub answers: Vec<Value>,
}

/// What all contacts share.
pub struct Load {
    pub hook: Hook,
    pub seed: u64,
    /// Once set, contacts finish what they are at and no new ones come.
    pub enough: AtomicBool,
    /// Counts acknowledgements; the killer waits for some before it strikes.
    pub acknowledged: AtomicUsize,
    pub contacts: AtomicUsize,
}

impl Load {
    pub fn new(hook: Hook, seed: u64) -> Self {
        Load {
            hook,
            seed,
            enough: AtomicBool::new(false),
            acknowledged: AtomicUsize::new(0),
            contacts: AtomicUsize::new(0),
        }
    }

    /// One contact after the other, until it is enough.
    pub async fn run(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        while !self.enough.load(Ordering::Relaxed) {
            let contact = self.contacts.fetch_add(1, Ordering::Relaxed);
            facts.extend(self.contact(contact).await);
        }
        facts
    }

    /// One contact's whole visit.
    async fn contact(&self, number: usize) -> Vec<Fact> {
        let mut random = StdRng::seed_from_u64(self.seed.wrapping_add(number as u64 + 1));
        let phone = format!("97158{:07}", number + 1);
        let mut facts = Vec::new();
        let mut next = 0;
        let mut message = |words: String| {
            next += 1;
            let id = format!("3EB0{number:08X}{next:04X}");
            text(&phone, &id, &words.replace("{n}", &next.to_string())).sent_at_s(BEGAN + i64::from(next))
        };
        if random.random_bool(0.2) {
            let early = message("is anyone there? {n}".into());
            facts.extend(self.burst(&phone, vec![early], &mut random).await);
        }
        let links = match random.random_range(0..3) {
            0 => TENANTS.to_vec(),
            _ => vec![*TENANTS.choose(&mut random).expect("there are tenants")],
        };
        let links = links.iter().map(|tenant| message(format!("start_realty_{tenant}"))).collect();
        facts.extend(self.burst(&phone, links, &mut random).await);
        for _ in 0..random.random_range(1..4) {
            let size = random.random_range(1..4);
            let texts = (0..size).map(|_| message(format!("word {{n}} of {number}"))).collect();
            facts.extend(self.burst(&phone, texts, &mut random).await);
        }
        facts
    }

    /// Messages that are on their way at the same time, in any order.
    async fn burst(&self, phone: &str, mut messages: Vec<Webhook>, random: &mut StdRng) -> Vec<Fact> {
        messages.shuffle(random);
        let posts = messages.into_iter().map(|message| {
            let twice = random.random_bool(0.25);
            let later = random.random_bool(0.25);
            self.deliver(phone, message, twice, later)
        });
        futures::future::join_all(posts.collect::<Vec<_>>()).await
    }

    /// Posts one message until it is acknowledged: on one connection or on two at once, and perhaps
    /// once more afterwards.
    async fn deliver(&self, phone: &str, message: Webhook, twice: bool, later: bool) -> Fact {
        let posted = Instant::now();
        let mut answers = Vec::new();
        // Subscribed to both events, WAHA reports a message twice.
        let mut again = message.clone();
        again.envelope["event"] = "message.any".into();
        let (first, second) = tokio::join!(self.post(&message), async {
            if twice { Some(self.post(&again).await) } else { None }
        });
        let acked = second.as_ref().map_or(first.1, |second| first.1.min(second.1));
        answers.push(first.0);
        answers.extend(second.map(|second| second.0));
        if later {
            answers.push(self.post(&message).await.0);
        }
        let payload = &message.envelope["payload"];
        Fact {
            contact: phone.into(),
            id: message.id().into(),
            text: payload["body"].as_str().expect("a text message").into(),
            at: payload["timestamp"].as_i64().expect("seconds"),
            posted,
            acked,
            answers,
        }
    }

    /// Until there is a 2xx. A refused connection, a broken one and a 503 are tried again.
    async fn post(&self, message: &Webhook) -> (Value, Instant) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match self.hook.try_post(message).await {
                Ok(answer) if answer.status == 200 => {
                    self.acknowledged.fetch_add(1, Ordering::Relaxed);
                    return (answer.json(), Instant::now());
                }
                Ok(answer) if answer.status != 503 => panic!("{}: {}", answer.status, answer.text),
                Ok(_) | Err(_) => {}
            }
            assert!(Instant::now() < deadline, "no 2xx within a minute for {}", message.id());
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
}
