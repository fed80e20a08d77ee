//! kill -9, again and again, under load. The gateway dies at random moments while contacts write,
//! messages overtake each other and come twice, and links race; then everything that was
//! acknowledged is compared with what is kept and with what reached the provider.
//!
//! `SWITCHBOARD_TEST_KILLS` says how often (200), `SWITCHBOARD_TEST_SEED` repeats a run's choices.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use switchboard::conversation::{Line, Trigger};
use switchboard::message::{ContactKey, ConversationKey, DeliveryState, OutboundContent, TenantId};
use switchboard::store::Store;
use switchboard_tests::gateway::{Answer, Gateway, Setup};
use switchboard_tests::hook::Hook;
use switchboard_tests::waha::{FakeWaha, Fault};
use switchboard_tests::wait::until;
use tokio::task::JoinHandle;

use self::history::{Conversation, Fate, History, Said};
use self::load::{Fact, Load, TENANTS};

mod backup;
mod history;
mod load;

/// Contacts that write at the same time.
const WRITERS: usize = 12;

/// A gateway that is left alone this long is killed even if little happened.
const PATIENCE: Duration = Duration::from_millis(150);

const HMAC_KEY: &str = "a key that only the tests know";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_however_often_it_is_killed() {
    let kills = number("SWITCHBOARD_TEST_KILLS").unwrap_or(200);
    let seed = number("SWITCHBOARD_TEST_SEED").unwrap_or_else(rand::random);
    eprintln!("{kills} kills with SWITCHBOARD_TEST_SEED={seed}");

    let waha = FakeWaha::start().await;
    // Who ends the process here is not the turn that ran.
    let mut gateway = setup(&waha).config("[turns]\nprocess_deaths = 255\n").start().await;
    let writers = Writers::begin(&gateway, seed);
    kill_again_and_again(&mut gateway, &waha, &writers.load, kills, seed).await;
    let facts = writers.end().await;
    gateway.drained(Duration::from_secs(60)).await;
    // Until here doubt stayed what it is: what is sent again is sent behind what came after it.
    let (torn_off, on_time) = (doubts(&gateway).await, waha.sent().len());
    for tenant in TENANTS {
        let settled_soon = json!({ "policy": { "doubt": { "after_minutes": 1, "then": "send" } } });
        let put = gateway.client().put(gateway.url(&format!("/api/tenants/{tenant}")));
        Answer::of(put.bearer_auth(gateway.token()).json(&settled_soon)).await.expect("it answers").ok();
    }
    until(
        "what its chat shows has gone out, and the rest is sent again",
        Duration::from_secs(240),
        async || (doubts(&gateway).await == 0.0).then_some(()),
    )
    .await;
    gateway.drained(Duration::from_secs(60)).await;
    check_counters(&gateway).await;
    let status = gateway.stop().await;
    assert!(status.success(), "the gateway ended with {status}");

    let history = read(&gateway, (&waha, on_time), facts).await;
    let (messages, contacts) = (history.facts.len(), history.locks.len());
    assert_sound(&history, seed);
    let unknown = history.conversations.values().flat_map(|kept| &kept.said);
    let unknown = unknown.filter(|said| said.fate == Fate::Unknown).count();
    assert_eq!(unknown, 0, "every reply has gone out, and it is known that it has");
    let repeated = history.facts.iter().filter(|fact| fact.answers.len() > 1).count();
    eprintln!(
        "{kills} kills, {messages} messages of {contacts} contacts, {repeated} of them repeated, {torn_off} replies \
         torn off by the end: nothing lost, nothing twice, nothing in doubt"
    );
}

/// Contacts who write all the time, whatever becomes of the gateway.
struct Writers {
    load: Arc<Load>,
    contacts: Vec<JoinHandle<Vec<Fact>>>,
}

impl Writers {
    fn begin(gateway: &Gateway, seed: u64) -> Self {
        let load = Arc::new(Load::new(Hook::to(gateway).signed(HMAC_KEY), seed));
        let contacts = (0..WRITERS).map(|_| {
            let load = load.clone();
            tokio::spawn(async move { load.run().await })
        });
        Writers { contacts: contacts.collect(), load }
    }

    /// They finish what they are at; what was acknowledged to them.
    async fn end(self) -> Vec<Fact> {
        self.load.enough.store(true, Ordering::Relaxed);
        let mut facts = Vec::new();
        for contact in self.contacts {
            facts.extend(contact.await.expect("a contact's posts are all answered"));
        }
        assert!(facts.len() > WRITERS, "only {} messages were acknowledged", facts.len());
        facts
    }
}

fn assert_sound(history: &History, seed: u64) {
    let wrong = history.violations();
    assert!(
        wrong.is_empty(),
        "SWITCHBOARD_TEST_SEED={seed}: of {} messages of {} contacts, {} violations:\n{}",
        history.facts.len(),
        history.locks.len(),
        wrong.len(),
        wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
    );
}

/// Replies of which nobody knows.
async fn doubts(gateway: &Gateway) -> f64 {
    let metrics = gateway.metrics().await.expect("metrics are served");
    metrics.value("switchboard_outbox_unknown").expect("they are counted")
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn setup(waha: &FakeWaha) -> Setup {
    let tenant = |id: u32| format!("id = {id}\nname = 'Tenant {id}'\norganization = 1\nbrain = 'echo'");
    let mut setup = Setup::new().package("echo").sender(&format!(
        "name = 'main'\nprovider = 'waha'\naccount = 'default'\nbase_url = '{}'\napi_key = '{}'\n\
         hmac_key = '{HMAC_KEY}'",
        waha.url(),
        waha.api_key(),
    ));
    for id in TENANTS {
        setup = setup.tenant(&tenant(id));
    }
    setup
}

/// Kills it as soon as a random number of messages was acknowledged since it came up; sometimes
/// while it is still coming up, so that recovery is interrupted too.
async fn kill_again_and_again(gateway: &mut Gateway, waha: &FakeWaha, load: &Load, kills: u64, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..kills {
        let begin = load.acknowledged.load(Ordering::Relaxed);
        let enough = begin + random.random_range(0..40);
        let patience = PATIENCE.mul_f64(random.random_range(0.0..1.0));
        // Some answers are on their way for a while, so that deaths fall between a send and its
        // answer.
        waha.fail_next_times(random.random_range(0..2), Fault::Drip { pause: Duration::from_millis(1) });
        let up = Instant::now();
        while load.acknowledged.load(Ordering::Relaxed) < enough && up.elapsed() < patience {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        gateway.kill().await;
        if random.random_bool(0.1) {
            let within = Duration::from_millis(random.random_range(0..80));
            gateway.start_and_kill(within).await;
        }
        gateway.start().await;
    }
}

/// Counters are kept, never recounted; after all those deaths they must still be the truth.
async fn check_counters(gateway: &Gateway) {
    let stats = gateway.get("/api/gateway/stats").await.ok();
    let exported = gateway.cli(&["export", "mapping"]).await;
    let mapping: BTreeMap<String, u32> = serde_json::from_str(exported.ok()).expect("the mapping is JSON");
    let mut users: BTreeMap<String, u64> = BTreeMap::new();
    for tenant in mapping.values() {
        *users.entry(tenant.to_string()).or_default() += 1;
    }
    let stats = &stats["gateway_stats"];
    assert_eq!(stats["total_users"], mapping.len(), "{stats}");
    let counted: BTreeMap<String, u64> =
        serde_json::from_value(stats["users_per_tenant"].clone()).expect("numbers by tenant");
    assert_eq!(counted, users, "{stats}");
}

/// Reads the store of the stopped gateway, beside it what the provider got.
async fn read(gateway: &Gateway, waha: (&FakeWaha, usize), facts: Vec<Fact>) -> History {
    let store = gateway.open_store().await;
    assert_eq!(
        store.counters(),
        store.recount().await.expect("the store counts"),
        "counters against a recount"
    );
    let mut history = History { facts, locks: BTreeMap::new(), conversations: BTreeMap::new() };
    let mut after = None;
    loop {
        let page = store.locks(after.as_ref(), 500).await.expect("the locks are listed");
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (contact, lock) in page {
            history.locks.insert(contact.to_string(), lock.tenant.get());
        }
    }
    let contacts: Vec<String> = history.locks.keys().cloned().collect();
    for contact in contacts {
        for tenant in [TenantId::GATEWAY.get()].into_iter().chain(TENANTS) {
            let key = ConversationKey {
                tenant: TenantId::from_stored(tenant),
                contact: ContactKey::from_stored(contact.clone()),
            };
            let kept = conversation(store.as_ref(), &key).await;
            if !kept.heard.is_empty() || !kept.said.is_empty() {
                history.conversations.insert((tenant, contact.clone()), kept);
            }
        }
    }
    hand_out(&mut history, waha);
    let counters = store.counters();
    let unknown = history.conversations.values().flat_map(|kept| &kept.said);
    let unknown = unknown.filter(|said| said.fate == Fate::Unknown).count();
    assert_eq!(counters.outbox_unknown, unknown as u64, "unknown replies are listed");
    assert_eq!((counters.inbox, counters.outbox_waiting), (0, 0), "everything is drained");
    assert_eq!((counters.dead_turns, counters.outbox_dead), (0, 0), "nothing had a reason to die");
    history
}

async fn conversation(store: &dyn Store, key: &ConversationKey) -> Conversation {
    let mut kept = Conversation::default();
    for (_, entry) in store.history(key, None, 10_000).await.expect("the history is read") {
        match entry.line {
            Line::Heard(heard) => kept.heard.push(heard.id),
            Line::Said(outbound) => kept.said.push(Said {
                text: match outbound.content {
                    OutboundContent::Text { text } => text,
                    other => format!("{other:?}"),
                },
                fate: match entry.state {
                    Some(DeliveryState::Sent | DeliveryState::Delivered | DeliveryState::Read) => Fate::Sent,
                    Some(DeliveryState::Unknown) => Fate::Unknown,
                    Some(DeliveryState::Queued | DeliveryState::Failed) | None => Fate::NotSent,
                },
            }),
        }
    }
    for entry in store.journal(key, 10_000).await.expect("the journal is read") {
        let used = match entry.trigger {
            Trigger::Started { message, .. } => vec![message.id],
            Trigger::Messages { messages } => messages.into_iter().map(|message| message.id).collect(),
            other => panic!("{key}: nobody asked for {other:?}"),
        };
        kept.turns.push((entry.turn, used));
    }
    kept.turns.sort_by_key(|turn| turn.0);
    kept
}

/// What the provider got, to the conversations it belongs to: a contact's notice to use a link is
/// the gateway's own, the rest is the locked tenant's.
fn hand_out(history: &mut History, (waha, on_time): (&FakeWaha, usize)) {
    for (nth, sent) in waha.sent().into_iter().enumerate() {
        let contact = sent.chat.trim_end_matches("@c.us").to_owned();
        let text = sent.text().expect("the echo says texts").to_owned();
        let gateway = (0, contact.clone());
        let notice = history
            .conversations
            .get(&gateway)
            .is_some_and(|notices| notices.said.iter().any(|said| said.text == text));
        let tenant = if notice { 0 } else { history.locks.get(&contact).copied().unwrap_or_default() };
        let conversation = history.conversations.entry((tenant, contact)).or_default();
        if nth < on_time { conversation.received.push(text) } else { conversation.again.push(text) }
    }
}
