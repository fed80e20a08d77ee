//! Anything, in any order, by several hands at once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use switchboard::conversation::{Mode, TimerChange};
use switchboard::event::{Own, Receipt, SameBecause, SamePerson};
use switchboard::message::{Content, ConversationKey, DeliveryState, Outbound, Provider, SenderName};
use switchboard::route;
use switchboard::store::contacts::OptOut;
use switchboard::store::{Error, Filter, Retention, SendClaim, Settlement, Store, TurnClaim, TurnFate};
use switchboard::tenant::{Sender, Tenant};
use tokio::sync::RwLock;

use super::lab::{
    Answer, Factory, Lab, all, arrival, at, claim_sends, contact, failure, receipt, tenant_id, turn,
};

const RETENTION: Retention = Retention {
    dedup_ms: 900,
    history_ms: 500,
    ended_ms: 400,
    journal_ms: 300,
    audit_ms: 700,
    template_log_ms: 600,
};

/// One thing that may happen, done or refused, never half done.
async fn act(store: &dyn Store, gone: &Gone, random: &mut StdRng, now: i64) {
    let who = format!("97150{}", random.random_range(0..12));
    match random.random_range(0..100) {
        0..2 => handoff(store, random, now).await,
        2..35 => {
            let text = match random.random_range(0..4) {
                0 => format!("start_realty_{}", random.random_range(1..6)),
                1 => ["stop", "start"][random.random_range(0..2)].to_owned(),
                _ => "hello".to_owned(),
            };
            let id = format!("m{}", random.random_range(0..400));
            let mut arrival = arrival(&who, &id, &text, at(now));
            if random.random_bool(0.1) {
                arrival.inbound.aliases = vec![contact(&format!("{}@lid", random.random_range(0..12)))];
            }
            if random.random_bool(0.2) {
                (arrival.sender, arrival.inbound.account) = (SenderName::new("own"), "own".into());
            }
            store.accept(arrival).await.expect("accepted");
        }
        35..60 => {
            for claim in store.claim_turns(3, at(now)).await.expect("claimed") {
                if random.random_bool(0.2) {
                    let fallback = random.random_bool(0.5).then(|| Outbound::text("sorry"));
                    let fate = match random.random_bool(0.5) {
                        true => TurnFate::Dead { fallback },
                        false => TurnFate::Retry { at: at(now + 20) },
                    };
                    ended(store, &claim, store.fail_turn(failure(&claim, fate, at(now))).await);
                } else {
                    let mode =
                        [None, None, None, Some(Mode::Ended), Some(Mode::Bot)][random.random_range(0..5)];
                    let timer =
                        TimerChange::Set { key: "t".into(), at: at(now + 30), payload: String::new() };
                    let timers = if random.random_bool(0.2) { vec![timer] } else { Vec::new() };
                    let says = vec!["reply"; random.random_range(0..3)];
                    let answer = Answer { says, mode, timers, ..Answer::default() };
                    ended(store, &claim, store.commit_turn(turn(&claim, answer, at(now))).await);
                }
            }
        }
        60..80 => send(store, gone, random, now).await,
        80..83 => drop(store.unlock(&contact(&who), "random", at(now)).await),
        83..85 => person(store, random, &who, now).await,
        85..90 => {
            let filter = Filter { ended: random.random_bool(0.7), ..all() };
            for turn in store.turns(&filter).await.expect("listed").iter().take(2) {
                // Another hand may have taken it meanwhile.
                drop(store.retry_turn(&turn.id, "random", at(now)).await);
            }
            for send in store.outbox(&filter).await.expect("listed").iter().take(2) {
                drop(match random.random_bool(0.5) {
                    true => store.retry_send(&send.id, "random", at(now)).await,
                    false => store.drop_send(&send.id, "random", at(now)).await,
                });
            }
        }
        95..97 => give(store, gone, random, now).await,
        90..95 => {
            let told = receipt(&format!("p{}", random.random_range(0..900)), DeliveryState::Read);
            store.record_receipt(told).await.expect("recorded");
        }
        _ => {
            store.prune(RETENTION, at(now), 20).await.expect("pruned");
        }
    }
}

/// A turn whose contact was merged meanwhile ends nowhere, and is claimed again.
fn ended(store: &dyn Store, claim: &TurnClaim, word: Result<(), Error>) {
    match word {
        Ok(()) => {}
        Err(Error::Conflict(why)) if why.contains("not in the inbox") => store.release_turn(&claim.key),
        Err(error) => panic!("{error}"),
    }
}

/// Somebody writes for the first time, and a human is there before the brain. What comes of it is seen
/// by whoever claims next.
async fn handoff(store: &dyn Store, random: &mut StdRng, now: i64) {
    let (who, tenant) = (format!("97151{}", random.random_range(0..10_000)), random.random_range(1..4));
    let mut first = arrival(&who, &format!("first-{who}"), &format!("start_realty_{tenant}"), at(now));
    if random.random_bool(0.3) {
        (first.sender, first.inbound.account) = (SenderName::new("own"), "own".into());
    }
    let accepted = store.accept(first).await.expect("accepted");
    let route::Answer::Routed { tenant, contact, .. } = accepted.answer else { return };
    let key = ConversationKey { tenant, contact };
    // Refused where this is the second time, or a brain has handed it off meanwhile.
    for _ in 0..random.random_range(1..3) {
        drop(store.take_over(&key, "random", at(now)).await);
        if random.random_bool(0.8) {
            drop(store.hand_back(&key, "random", at(now)).await);
        }
    }
}

/// What is learnt of a person, or said of one.
async fn person(store: &dyn Store, random: &mut StdRng, who: &str, now: i64) {
    let other = format!("97150{}", random.random_range(0..12));
    let (who_key, other_key) = (contact(who), contact(&other));
    let hidden = contact(&format!("{}@lid", random.random_range(0..12)));
    let key = ConversationKey { tenant: tenant_id(random.random_range(1..4)), contact: who_key.clone() };
    match random.random_range(0..7) {
        // Refused where they are one already, or nobody's.
        0 => drop(store.merge_contacts(&who_key, &other_key, "random", at(now)).await),
        1 | 2 => drop(store.unmerge_contact(&who_key, "random", at(now)).await),
        3 => {
            let same = SamePerson {
                provider: Provider::Waha,
                account: "default".into(),
                known: hidden,
                also: who_key,
                message_id: None,
                at: at(now),
                because: SameBecause::LookedUp,
            };
            store.learn(same, at(now)).await.expect("learnt");
        }
        4 => {
            let wish = random.random_bool(0.5).then(|| OptOut::by_operator(at(now), "random"));
            drop(store.set_opt_out(&key, wish, "random", at(now)).await);
        }
        5 => drop(store.take_over(&key, "random", at(now)).await),
        _ => {
            drop(store.hand_back(&key, "random", at(now)).await);
            let own = Own {
                provider: Provider::Waha,
                account: "default".into(),
                id: format!("o{}", random.random_range(0..50)),
                contact: Some(who_key),
                from_raw: None,
                to_raw: Some(who.into()),
                sent_at: at(now),
                content: Some(Content::Text { text: "reply".into() }),
                quoted: None,
                origin: None,
            };
            store.record_own(own, SenderName::new("main"), None, at(now)).await.expect("recorded");
        }
    }
}

/// What holds whatever happens.
#[derive(Default)]
struct Gone {
    /// The replies that have gone out, by their places. None of them may be handed out again.
    places: Mutex<HashSet<u64>>,
    /// Nobody gives a sender away between a begin and the look at what has begun.
    owners: RwLock<()>,
}

impl Gone {
    fn places(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.places.lock().expect("no panic")
    }
}

/// Another owner for a number.
async fn give(store: &dyn Store, gone: &Gone, random: &mut StdRng, now: i64) {
    let (name, to) = match random.random_range(0..4) {
        0 => ("main", [None, None, Some(tenant_id(1))][random.random_range(0..3)]),
        _ => ("own", [None, Some(1), Some(2), Some(3)][random.random_range(0..4)].map(tenant_id)),
    };
    let dry_run = random.random_bool(0.2);
    let _alone = gone.owners.write().await;
    // Another hand may have been faster.
    drop(store.give_sender(&SenderName::new(name), to, dry_run, "random", at(now)).await);
}

/// No word of a tenant's begins its way through a number that does not serve it.
fn assert_served(store: &dyn Store, claim: &SendClaim) {
    let directory = store.directory();
    let (sender, tenant) = (&directory.senders[&claim.entry.sender], claim.id.key.tenant);
    assert!(sender.serves(tenant), "{:?} begins at {:?}", claim.id, sender.tenant);
}

/// Nor to a contact that is another tenant's there.
async fn assert_carried(store: &dyn Store, claim: &SendClaim) {
    assert_served(store, claim);
    let lock = store.lock_of(&claim.id.key.contact).await.expect("read");
    let sender = &store.directory().senders[&claim.entry.sender];
    let carried = route::carries(sender, claim.id.key.tenant, lock.as_ref());
    assert_eq!(carried, Ok(()), "{:?}", claim.id);
}

async fn send(store: &dyn Store, gone: &Gone, random: &mut StdRng, now: i64) {
    let claims = claim_sends(store, 3, now).await;
    let mut ids = Vec::new();
    for claim in &claims {
        let held = match random.random_range(0..6) {
            0 => Settlement::Postponed { until: at(now + 10), why: "at night".into() },
            1 => Settlement::Dead { error: "opted out".into() },
            2 => {
                store.postpone_send(&claim.id, at(now + 5));
                continue;
            }
            _ => {
                ids.push(claim.id.clone());
                continue;
            }
        };
        store.settle_send(&claim.id, held, at(now)).await.expect("settled");
    }
    let looking = gone.owners.read().await;
    let begun = store.begin_sends(&ids).await.expect("begun");
    begun.iter().for_each(|claim| assert_served(store, claim));
    drop(looking);
    for claim in begun {
        assert!(!gone.places().contains(&claim.id.seq), "{:?} goes out twice", claim.id);
        let settlement = match random.random_range(0..6) {
            0 => Settlement::Dead { error: "no".into() },
            1 => Settlement::Unknown { error: "perhaps".into() },
            2 => Settlement::Later { at: at(now + 10), error: "wait".into() },
            _ => Settlement::Sent { provider_id: Some(format!("p{}", claim.id.seq)) },
        };
        let state =
            [DeliveryState::Sent, DeliveryState::Delivered, DeliveryState::Failed][random.random_range(0..3)];
        let told =
            Receipt { reference: Some(claim.reference), ..receipt(&format!("r{}", claim.id.seq), state) };
        let (early, late) = (random.random_bool(0.1), random.random_bool(0.2));
        // What turned out not to have arrived may be sent again by hand.
        let returned = state == DeliveryState::Failed && (early || late);
        if !returned && (early || matches!(settlement, Settlement::Sent { .. })) {
            gone.places().insert(claim.id.seq);
        }
        if early {
            store.record_receipt(told.clone()).await.expect("recorded");
        }
        store.settle_send(&claim.id, settlement, at(now)).await.expect("settled");
        if late {
            store.record_receipt(told).await.expect("recorded");
        }
    }
}

/// Nothing is stuck: what waits is handed out, and then nothing waits any more.
async fn drain(store: &dyn Store, gone: &Gone) {
    let late = 1_000_000;
    // What is for those who sleep waits until they are back.
    let directory = store.directory();
    for tenant in directory.tenants.values().filter(|tenant| !tenant.active) {
        store.put_tenant(Tenant { active: true, ..(**tenant).clone() }, "test").await.expect("put");
    }
    for sender in directory.senders.values().filter(|sender| !sender.active) {
        store.put_sender(Sender { active: true, ..(**sender).clone() }, "test").await.expect("put");
    }
    for step in 0..10_000 {
        let now = late + step;
        let turns = store.claim_turns(100, at(now)).await.expect("claimed");
        for claim in &turns {
            // There is none that could not be answered.
            let answer = Answer { says: vec!["at last"; usize::from(step < 1000)], ..Answer::default() };
            store.commit_turn(turn(claim, answer, at(now))).await.expect("committed");
        }
        let ids: Vec<_> = claim_sends(store, 100, now).await.into_iter().map(|it| it.id).collect();
        let sends = store.begin_sends(&ids).await.expect("begun");
        for claim in &sends {
            assert_carried(store, claim).await;
            assert!(gone.places().insert(claim.id.seq), "{:?} goes out twice", claim.id);
            let sent = Settlement::Sent { provider_id: None };
            store.settle_send(&claim.id, sent, at(now)).await.expect("settled");
        }
        // One that was claimed and did not begin is dead; what waits behind it comes next.
        if turns.is_empty() && ids.is_empty() && store.counters().inbox == 0 {
            break;
        }
    }
    let counters = store.counters();
    assert_eq!((counters.inbox, counters.outbox_waiting), (0, 0), "{counters:?}");
}

pub async fn counters_are_true_after_anything(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    // Unlocked again they may all be at the end.
    let mut most_users = 0;
    let gone = Arc::new(Gone::default());
    for round in 0..6 {
        let hands: Vec<_> = (0..4)
            .map(|hand| {
                let (store, gone) = (lab.store().clone(), gone.clone());
                tokio::spawn(async move {
                    let mut random = StdRng::seed_from_u64(round * 10 + hand);
                    for step in 0..150 {
                        act(store.as_ref(), &gone, &mut random, (round * 150 + step) as i64).await;
                    }
                })
            })
            .collect();
        for hand in hands {
            hand.await.expect("no panic");
        }
        lab.assert_counters_true().await;
        let before = lab.store().counters();
        most_users = most_users.max(before.users);
        if round % 2 == 1 {
            lab.restart();
            assert_eq!(lab.store().counters(), before, "a quiet restart changes nothing");
            lab.assert_counters_true().await;
        }
    }
    drain(lab.store().as_ref(), &gone).await;
    lab.assert_counters_true().await;
    let audit = lab.store().audit_log(100_000).await.expect("audit");
    for deed in ["merge", "unmerge", "give sender", "take over", "hand back"] {
        assert!(audit.iter().any(|entry| entry.action == deed), "{deed}");
    }
    let counters = lab.store().counters();
    assert!(counters.accepted > 100 && most_users > 0, "something happened: {counters:?}");
}
