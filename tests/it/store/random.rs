//! Anything, in any order, by several hands at once.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use switchboard::conversation::{Mode, TimerChange};
use switchboard::message::{DeliveryState, Outbound, Provider, Receipt};
use switchboard::store::{Filter, Retention, Settlement, Store, TurnFate};

use super::lab::{Answer, Factory, Lab, all, arrival, at, contact, failure, turn};

/// One thing that may happen, done or refused, never half done.
async fn act(store: &dyn Store, random: &mut StdRng, now: i64) {
    let who = format!("97150{}", random.random_range(0..12));
    match random.random_range(0..100) {
        0..35 => {
            let text = match random.random_range(0..4) {
                0 => format!("start_realty_{}", random.random_range(1..6)),
                _ => "hello".to_owned(),
            };
            let id = format!("m{}", random.random_range(0..400));
            store.accept(arrival(&who, &id, &text, at(now))).await.expect("accepted");
        }
        35..60 => {
            for claim in store.claim_turns(3, at(now)).await.expect("claimed") {
                if random.random_bool(0.2) {
                    let fallback = random.random_bool(0.5).then(|| Outbound::text("sorry"));
                    let fate = match random.random_bool(0.5) {
                        true => TurnFate::Dead { fallback },
                        false => TurnFate::Retry { at: at(now + 20) },
                    };
                    store.fail_turn(failure(&claim, fate, at(now))).await.expect("failed");
                } else {
                    let mode =
                        [None, None, None, Some(Mode::Ended), Some(Mode::Bot)][random.random_range(0..5)];
                    let timer =
                        TimerChange::Set { key: "t".into(), at: at(now + 30), payload: String::new() };
                    let timers = if random.random_bool(0.2) { vec![timer] } else { Vec::new() };
                    let says = vec!["reply"; random.random_range(0..3)];
                    let answer = Answer { says, mode, timers, ..Answer::default() };
                    store.commit_turn(turn(&claim, answer, at(now))).await.expect("committed");
                }
            }
        }
        60..80 => send(store, random, now).await,
        80..85 => drop(store.unlock(&contact(&who), "random", at(now)).await),
        85..90 => {
            let filter = Filter { ended: random.random_bool(0.7), ..all() };
            for turn in store.turns(&filter).expect("listed").iter().take(2) {
                // Another hand may have taken it meanwhile.
                drop(store.retry_turn(&turn.id, "random", at(now)).await);
            }
            for send in store.outbox(&filter).expect("listed").iter().take(2) {
                drop(match random.random_bool(0.5) {
                    true => store.retry_send(&send.id, "random", at(now)).await,
                    false => store.drop_send(&send.id, "random", at(now)).await,
                });
            }
        }
        90..95 => {
            let receipt = Receipt {
                provider: Provider::Waha,
                account: Some("default".into()),
                message_id: format!("p{}", random.random_range(0..900)),
                contact: None,
                from_raw: None,
                state: DeliveryState::Read,
                at: at(now),
                reason: None,
                fate: None,
                other_ids: Vec::new(),
                reference: None,
            };
            store.record_receipt(receipt).await.expect("recorded");
        }
        _ => {
            let retention = Retention { dedup_ms: 900, history_ms: 500, journal_ms: 300, audit_ms: 700 };
            store.prune(retention, at(now), 20).await.expect("pruned");
        }
    }
}

async fn send(store: &dyn Store, random: &mut StdRng, now: i64) {
    let claims = store.claim_sends(3, at(now)).await.expect("claimed");
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
    for claim in store.begin_sends(&ids).await.expect("begun") {
        let settlement = match random.random_range(0..6) {
            0 => Settlement::Dead { error: "no".into() },
            1 => Settlement::Unknown { error: "perhaps".into() },
            2 => Settlement::Later { at: at(now + 10), error: "wait".into() },
            _ => Settlement::Sent { provider_id: Some(format!("p{}", claim.id.seq)) },
        };
        store.settle_send(&claim.id, settlement, at(now)).await.expect("settled");
    }
}

pub async fn counters_are_true_after_anything(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    // Unlocked again they may all be at the end.
    let mut most_users = 0;
    for round in 0..6 {
        let hands: Vec<_> = (0..4)
            .map(|hand| {
                let store = lab.store().clone();
                tokio::spawn(async move {
                    let mut random = StdRng::seed_from_u64(round * 10 + hand);
                    for step in 0..150 {
                        act(store.as_ref(), &mut random, (round * 150 + step) as i64).await;
                    }
                })
            })
            .collect();
        for hand in hands {
            hand.await.expect("no panic");
        }
        lab.assert_counters_true();
        let before = lab.store().counters();
        most_users = most_users.max(before.users);
        if round % 2 == 1 {
            lab.restart();
            assert_eq!(lab.store().counters(), before, "a quiet restart changes nothing");
            lab.assert_counters_true();
        }
    }
    let counters = lab.store().counters();
    assert!(counters.accepted > 100 && most_users > 0, "something happened: {counters:?}");
}
