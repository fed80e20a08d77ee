//! The power goes at every sync, and again while the store recovers from it. Whatever the disk made
//! of what had not been synced: the store opens, what was acknowledged is there, and nothing is half
//! done.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use switchboard::conversation::{Line, TimerChange};
use switchboard::message::{ContactKey, Outbound};
use switchboard::route::Answer;
use switchboard::schedule::Limits;
use switchboard::store::embedded::space::Reserve;
use switchboard::store::embedded::{Embedded, Settings};
use switchboard::store::prelude::*;
use switchboard::store::{Arrival, Filter, Retention, Settlement, TurnClaim, TurnFate};
use switchboard::tenant::quotas::Quotas;
use switchboard_tests::power_loss::{Crash, Recorder};

use crate::store::lab::{
    Answer as Reply, all, arrival, at, begin, contact, failure, furnish, key, test_keys, text_of, turn, words,
};

fn settings() -> Settings {
    Settings {
        path: "(recorded)".into(),
        backups: "(none)".into(),
        called: String::new(),
        cache_bytes: 4 << 20,
        queue: 1024,
        verify: false,
        reserve: Reserve::none(),
        rules: switchboard::store::shared::settings::Settings {
            prefixes: vec!["start_realty_".into()],
            notice: Some("Please open your agent's link.".into()),
            notice_every_ms: 3_600_000,
            coalesce_ms: 0,
            quotas: Quotas::default(),
            timer_floor_ms: 0,
            turns_per_tenant: 100,
            sends: Limits { in_all: 300, per_group: 100, per_tenant: 100 },
            fetches: Limits { in_all: 300, per_group: 100, per_tenant: 100 },
        },
        keys: test_keys(),
        vitals: Default::default(),
    }
}

fn open(recorder: &Recorder) -> Embedded {
    let recorder = recorder.clone();
    Embedded::open_on(settings(), move || Ok(recorder.backend())).expect("it opens after any loss of power")
}

/// What the outside world was told, and how many syncs had returned by then.
#[derive(Clone, Debug)]
enum Told {
    /// The provider: this message is taken.
    Accepted(Box<Arrival>, Answer),
    /// The turn loop: these messages are answered, each with its own reply.
    Committed(String, Vec<String>),
    /// The turn loop: this message's turn is dead.
    Buried(String, String),
    /// The delivery loop: this reply has gone out.
    Sent(String, String),
    Locked(String, Option<u32>),
    /// The operator: this dead turn is tried again.
    Retried(String, String),
}

struct Witness {
    store: Embedded,
    recorder: Recorder,
    told: Vec<(usize, Told)>,
    now: i64,
}

/// The contacts of the whole play.
const CAST: [&str; 6] = ["971500", "971501", "971502", "971503", "971504", "111@lid"];

impl Witness {
    fn tell(&mut self, what: Told) {
        self.told.push((self.recorder.syncs(), what));
    }

    async fn hears(&mut self, who: &str, text: &str) {
        self.now += 1;
        let arrival = arrival(who, &format!("{who}/{text}/{}", self.now), text, at(self.now));
        let accepted = self.store.accept(arrival.clone()).await.expect("accepted");
        if let Answer::Routed { tenant, is_new_session: true, .. } = &accepted.answer {
            self.tell(Told::Locked(who.to_owned(), Some(tenant.get())));
        }
        self.tell(Told::Accepted(Box::new(arrival), accepted.answer));
    }

    async fn turns(&mut self) {
        self.now += 1;
        let claims = self.store.claim_turns(3, at(self.now)).await.expect("claimed");
        for (n, claim) in claims.iter().enumerate() {
            let who = claim.key.contact.to_string();
            let heard = words(&claim.trigger);
            if n == 2 {
                let fate = TurnFate::Dead { fallback: Some(Outbound::text("sorry")) };
                self.store.fail_turn(failure(claim, fate, at(self.now))).await.expect("buried");
                self.tell(Told::Buried(who, heard.join(" ")));
                continue;
            }
            self.store.commit_turn(answer(claim, self.now)).await.expect("committed");
            self.tell(Told::Committed(who, heard));
        }
    }

    async fn sends(&mut self) {
        self.now += 1;
        for claim in begin(&self.store, 2, self.now).await {
            let sent = Settlement::Sent { provider_id: Some(format!("p{}", claim.id.seq)) };
            self.store.settle_send(&claim.id, sent, at(self.now)).await.expect("settled");
            let text = text_of(&claim.entry.outbound).to_owned();
            self.tell(Told::Sent(claim.id.key.contact.to_string(), text));
        }
    }
}

/// The reply names the turn, so that reply, journal entry and used message can be matched.
fn answer(claim: &TurnClaim, now: i64) -> switchboard::store::TurnCommit {
    let timer = TimerChange::Set { key: "nudge".into(), at: at(now + 40), payload: String::new() };
    let timers = if claim.conversation.turns.is_multiple_of(3) { vec![timer] } else { Vec::new() };
    let mut commit = turn(claim, Reply { memory: Some(r#"{"n":1}"#), timers, ..Reply::default() }, at(now));
    commit.sends = vec![Outbound::text(format!("re: {}", words(&claim.trigger).join(" ")))];
    commit
}

/// A day at the gateway: every verb that writes, several times.
async fn play(recorder: Recorder) -> (Vec<(usize, Told)>, Recorder) {
    let store = open(&recorder);
    furnish(&store).await;
    let mut witness = Witness { store, recorder, told: Vec::new(), now: 0 };
    for round in 0..7 {
        for (n, who) in CAST.iter().enumerate() {
            match (round, n) {
                (0, 5) => witness.hears(who, "who are you?").await,
                (0, _) => witness.hears(who, &format!("start_realty_{}", n % 3 + 1)).await,
                (3, 0) => witness.hears(who, "start_realty_3").await,
                _ => witness.hears(who, &format!("message {round}")).await,
            }
            if n % 2 == 1 {
                witness.turns().await;
                witness.sends().await;
            }
        }
        match round {
            2 => {
                witness
                    .store
                    .unlock(&contact("971504"), "operator", at(witness.now))
                    .await
                    .expect("unlocked");
                witness.tell(Told::Locked("971504".into(), None));
            }
            4 => {
                let retention = Retention {
                    dedup_ms: i64::MAX,
                    history_ms: i64::MAX,
                    ended_ms: i64::MAX,
                    journal_ms: i64::MAX,
                    audit_ms: 0,
                    template_log_ms: 0,
                };
                witness.store.prune(retention, at(witness.now), 5).await.expect("pruned");
                let dead = witness.store.turns(&Filter { ended: true, ..all() }).await.expect("listed");
                if let Some(dead) = dead.first() {
                    let said = words(&dead.trigger).join(" ");
                    witness.tell(Told::Retried(dead.contact.to_string(), said));
                    witness.store.retry_turn(&dead.id, "operator", at(witness.now)).await.expect("retried");
                }
            }
            5 => {
                let records = vec![serde_json::json!({ "id": 1, "text": "x".repeat(30_000) })];
                let tenant = crate::store::lab::tenant_id(1);
                witness.store.put_collection(tenant, "properties", records, "operator").await.expect("put");
            }
            _ => {}
        }
    }
    let Witness { store, recorder, told, .. } = witness;
    drop(store);
    (told, recorder)
}

/// Everything a conversation holds, by the words in it.
#[derive(Debug, Default)]
struct Seen {
    waiting: BTreeMap<String, usize>,
    heard: BTreeMap<String, usize>,
    said: BTreeMap<String, usize>,
    sent: BTreeMap<String, usize>,
    journal: BTreeMap<String, usize>,
}

async fn look(store: &Embedded, who: &str) -> Seen {
    let mut seen = Seen::default();
    fn count(map: &mut BTreeMap<String, usize>, text: String) {
        *map.entry(text).or_default() += 1;
    }
    for tenant in 0..=3 {
        let conversation = key(tenant, who);
        for (_, entry) in store.history(&conversation, None, 10_000).await.expect("history") {
            match entry.line {
                Line::Heard(heard) => count(&mut seen.heard, heard.content.text().unwrap_or("").to_owned()),
                Line::Said(outbound) => {
                    let text = text_of(&outbound).to_owned();
                    if entry.state == Some(switchboard::message::DeliveryState::Sent) {
                        count(&mut seen.sent, text.clone());
                    }
                    count(&mut seen.said, text);
                }
            }
        }
        for entry in store.journal(&conversation, 10_000).await.expect("journal") {
            count(&mut seen.journal, words(&entry.trigger).join(" "));
        }
    }
    let filter = Filter { contact: Some(ContactKey::from_stored(who)), ..all() };
    for turn in store.turns(&filter).await.expect("turns") {
        if turn.state == switchboard::store::TurnState::Waiting {
            count(&mut seen.waiting, words(&turn.trigger).join(" "));
        }
    }
    seen
}

/// The marks that trigger words carry are not part of what was said.
fn plain(text: &str) -> &str {
    text.strip_prefix("started: ").unwrap_or(text)
}

/// Opens the file that a crash left and holds it to its word.
async fn examine(recorder: &Recorder, all_told: &[(usize, Told)], crash: Crash) {
    let store = open(recorder);
    assert_eq!(store.counters(), store.recount().await.expect("recount"), "{crash:?}: the counters are true");
    assert_eq!(store.late_refusals(), 0, "{crash:?}");
    let told = || all_told.iter().filter(|(syncs, _)| *syncs <= crash.synced).map(|(_, told)| told);
    let mut locks = BTreeMap::new();
    for told in told() {
        match told {
            Told::Accepted(arrival, answer) => {
                let again = store.accept((**arrival).clone()).await.expect("accepted");
                assert!(again.duplicate, "{crash:?}: {:?} was acknowledged", arrival.inbound.id);
                assert_eq!(again.answer, *answer, "{crash:?}");
            }
            Told::Locked(who, tenant) => drop(locks.insert(who, *tenant)),
            _ => {}
        }
    }
    let acknowledged: Vec<_> = told().collect();
    // A lock may be newer than what was told of it, but not older.
    for (who, tenant) in locks {
        let lock = store.lock_of(&contact(who)).await.expect("read").map(|lock| lock.tenant.get());
        assert!(lock == tenant || *who == "971504", "{crash:?}: {who} is locked to {lock:?}, not {tenant:?}");
    }
    for who in CAST {
        let seen = look(&store, who).await;
        for told in &acknowledged {
            match told {
                Told::Accepted(arrival, Answer::Routed { .. }) if arrival.inbound.contact.as_str() == who => {
                    let text = arrival.inbound.content.text().expect("a text");
                    let started = format!("started: {text}");
                    let waits = seen.waiting.contains_key(text) || seen.waiting.contains_key(&started);
                    assert!(
                        waits || seen.heard.contains_key(text),
                        "{crash:?}: {who} said {text:?}: {seen:?}"
                    );
                }
                Told::Committed(whose, heard) if whose == who => {
                    let reply = format!("re: {}", heard.join(" "));
                    assert!(seen.said.contains_key(&reply), "{crash:?}: {who} is owed {reply:?}: {seen:?}");
                }
                Told::Buried(whose, heard) if whose == who => {
                    let timer = heard.starts_with("timer: ");
                    assert!(timer || seen.heard.contains_key(plain(heard)), "{crash:?}: {heard:?}: {seen:?}");
                }
                Told::Sent(whose, text) if whose == who => {
                    assert!(seen.sent.contains_key(text), "{crash:?}: {text:?} was sent: {seen:?}");
                }
                _ => {}
            }
        }
        // Whether the crash let it happen or not.
        let again = all_told.iter().filter_map(|(_, told)| match told {
            Told::Retried(whose, said) if whose == who => Some(said.as_str()),
            _ => None,
        });
        whole(&seen, &again.collect::<Vec<_>>(), crash);
    }
}

/// Acknowledged or not: a turn happened as a whole or not at all. `retried`: what an operator had tried
/// again; if that fails too it is journaled again, and the contact is told only once.
fn whole(seen: &Seen, retried: &[&str], crash: Crash) {
    for (text, times) in &seen.heard {
        assert_eq!(*times, 1, "{crash:?}: {text:?} was heard once: {seen:?}");
    }
    for (text, times) in &seen.said {
        let Some(answered) = text.strip_prefix("re: ") else { continue };
        let journaled = seen.journal.get(answered).copied().unwrap_or(0);
        assert!(journaled >= *times, "{crash:?}: the reply {text:?} has its journal entry: {seen:?}");
        if answered.starts_with("timer: ") {
            continue;
        }
        let heard = seen.heard.get(plain(answered)).copied().unwrap_or(0);
        assert!(heard >= *times, "{crash:?}: {answered:?} left the inbox for the history: {seen:?}");
        let waits = seen.waiting.get(answered).copied().unwrap_or(0);
        assert!(waits + times <= 1, "{crash:?}: {answered:?} is not answered and waiting: {seen:?}");
    }
    for (answered, times) in &seen.journal {
        let replies = seen.said.get(&format!("re: {answered}")).copied().unwrap_or(0);
        let apologies = seen.said.get("sorry").copied().unwrap_or(0);
        let again = retried.iter().filter(|said| *said == answered).count();
        assert!(
            replies + apologies + again >= *times,
            "{crash:?}: turn {answered:?} left what it said: {seen:?}"
        );
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_half_done() {
    let blank = Recorder::new(Vec::new());
    drop(open(&blank));
    let (told, recorder) = runtime().block_on(play(Recorder::new(blank.bytes())));
    let syncs = recorder.syncs();
    assert!(syncs > 200, "the play has many acts: {syncs}");
    let (files, twice) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // Two threads take every second sync each.
    std::thread::scope(|scope| {
        for half in 0..2 {
            let (told, recorder, files, twice) = (&told, &recorder, &files, &twice);
            scope.spawn(move || {
                let runtime = runtime();
                recorder.crashes(
                    42,
                    8,
                    |synced| synced % 2 == half,
                    |crash, bytes| {
                        let after = Recorder::new(bytes);
                        runtime.block_on(examine(&after, told, crash));
                        files.fetch_add(1, Ordering::Relaxed);
                        // The power goes again while the file is being recovered and examined.
                        if crash.synced % 16 == usize::try_from(crash.variant).unwrap_or(0) {
                            after.crashes(
                                43,
                                2,
                                |_| true,
                                |_, bytes| {
                                    runtime.block_on(examine(&Recorder::new(bytes), told, crash));
                                    twice.fetch_add(1, Ordering::Relaxed);
                                },
                            );
                        }
                    },
                );
            });
        }
    });
    let (files, twice) = (files.into_inner(), twice.into_inner());
    assert_eq!(files, (syncs + 1) * 8);
    assert!(twice > 200, "recovery was interrupted {twice} times");
}
