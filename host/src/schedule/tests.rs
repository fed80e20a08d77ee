//! The schedule against examples, and against a model that is too slow to be wrong.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn item(group: u8, due: i64) -> Item<u8> {
    Item { group, due: at(due), alone: false }
}

fn claim(schedule: &mut Schedule<u32, u8, u32>, n: usize, now: i64) -> Vec<u32> {
    schedule.claim(n, at(now)).into_iter().map(|key| *key).collect()
}

#[test]
fn groups_take_turns_whatever_their_size() {
    let mut schedule = Schedule::new(100);
    for conversation in 0..50 {
        schedule.put(&conversation, 0, item(1, 0));
    }
    schedule.put(&100, 0, item(2, 0));
    schedule.put(&200, 0, item(3, 0));
    let first = claim(&mut schedule, 6, 0);
    assert_eq!(first, [0, 100, 200, 1, 2, 3], "the small groups come in the first round");
}

#[test]
fn a_group_is_held_to_its_limit() {
    let mut schedule = Schedule::new(2);
    for conversation in 0..5 {
        schedule.put(&conversation, 0, item(1, 0));
    }
    assert_eq!(claim(&mut schedule, 10, 0), [0, 1]);
    assert_eq!(schedule.next_at(), None, "nothing to wake for: the group is at its limit");
    schedule.remove(&0, &0);
    schedule.release(&0);
    assert_eq!(schedule.next_at(), Some(at(0)));
    assert_eq!(claim(&mut schedule, 10, 0), [2]);
}

#[test]
fn a_conversation_is_claimed_once_and_in_order() {
    let mut schedule = Schedule::new(10);
    schedule.put(&7, 5, item(1, 0));
    schedule.put(&7, 3, item(1, 10));
    assert_eq!(
        claim(&mut schedule, 9, 9),
        [0u32; 0],
        "the first item is not due; the second waits behind it"
    );
    assert_eq!(claim(&mut schedule, 9, 10), [7]);
    assert_eq!(claim(&mut schedule, 9, 10), [0u32; 0]);
    schedule.put(&7, 6, item(1, 0));
    assert_eq!(schedule.run(&7, 20), [3, 5, 6]);
    schedule.remove(&7, &3);
    assert!(schedule.is_claimed(&7));
    schedule.release(&7);
    assert_eq!(claim(&mut schedule, 9, 10), [7]);
    assert_eq!(schedule.run(&7, 1), [5]);
}

#[test]
fn some_items_stand_alone() {
    let mut schedule = Schedule::new(10);
    for (id, alone) in [(1, true), (2, false), (3, false), (4, true), (5, false)] {
        schedule.put(&7, id, Item { group: 1, due: at(0), alone });
    }
    assert_eq!(schedule.run(&7, 20), [1]);
    schedule.remove(&7, &1);
    assert_eq!(schedule.run(&7, 20), [2, 3]);
    schedule.remove(&7, &2);
    schedule.remove(&7, &3);
    assert_eq!(schedule.run(&7, 20), [4]);
}

#[test]
fn a_retried_item_keeps_its_place_and_waits() {
    let mut schedule = Schedule::new(10);
    schedule.put(&7, 1, item(1, 0));
    schedule.put(&7, 2, item(1, 0));
    assert_eq!(claim(&mut schedule, 1, 0), [7]);
    schedule.put(&7, 1, item(1, 500));
    schedule.release(&7);
    assert_eq!(schedule.next_at(), Some(at(500)));
    assert_eq!(claim(&mut schedule, 1, 499), [0u32; 0]);
    assert_eq!(claim(&mut schedule, 1, 500), [7]);
    assert_eq!(schedule.run(&7, 1), [1]);
}

#[test]
fn a_rebuilt_schedule_knows_the_claims_that_are_out() {
    let mut schedule = Schedule::new(10);
    schedule.put(&7, 1, item(1, 0));
    schedule.reclaim(&7, &1);
    assert_eq!(claim(&mut schedule, 1, 0), [0u32; 0]);
    assert_eq!(schedule.claimed().map(|(key, id)| (**key, *id)).collect::<Vec<_>>(), [(7, 1)]);
    schedule.release(&7);
    assert_eq!(claim(&mut schedule, 1, 0), [7]);
}

#[test]
fn a_claim_is_ended_by_its_own_item_only() {
    let mut schedule = Schedule::new(10);
    schedule.put(&7, 1, item(1, 0));
    schedule.put(&7, 2, item(1, 0));
    assert_eq!(claim(&mut schedule, 1, 0), [7]);
    schedule.remove(&7, &1);
    schedule.release_claim(&7, &2);
    assert_eq!(claim(&mut schedule, 1, 0), [0u32; 0], "it is still out");
    schedule.release_claim(&7, &1);
    assert_eq!(claim(&mut schedule, 1, 0), [7]);
    schedule.release_claim(&7, &1);
    assert_eq!(claim(&mut schedule, 1, 0), [0u32; 0], "the claim before it was told of twice");
}

#[test]
fn a_postponed_claim_is_over_and_waits() {
    let mut schedule = Schedule::new(1);
    schedule.put(&7, 1, item(1, 0));
    schedule.put(&7, 2, item(1, 0));
    schedule.put(&8, 1, item(1, 0));
    assert_eq!(claim(&mut schedule, 2, 0), [7], "one of a group at a time");
    schedule.postpone(&7, &2, at(1));
    assert!(schedule.is_claimed_for(&7, &1), "that was not its claim");
    schedule.postpone(&7, &1, at(500));
    assert!(!schedule.is_claimed(&7));
    assert_eq!(claim(&mut schedule, 2, 0), [8], "it holds nobody up");
    schedule.release(&8);
    schedule.remove(&8, &1);
    assert_eq!(schedule.next_at(), Some(at(500)));
    assert_eq!(claim(&mut schedule, 1, 499), [0u32; 0]);
    assert_eq!(claim(&mut schedule, 1, 500), [7]);
    schedule.remove(&7, &1);
    schedule.postpone(&7, &1, at(900));
    assert_eq!(claim(&mut schedule, 1, 500), [7], "what has gone takes no other's time");
}

#[derive(Clone, Debug)]
enum Step {
    Put { conversation: u32, id: u32, group: u8, due: i64 },
    Remove { conversation: u32, id: u32 },
    Claim { n: usize, now: i64 },
    Release { nth: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..12u32, 0..6u32, 0..4u8, 0..100i64)
            .prop_map(|(conversation, id, group, due)| Step::Put { conversation, id, group, due }),
        1 => (0..12u32, 0..6u32).prop_map(|(conversation, id)| Step::Remove { conversation, id }),
        2 => (1..5usize, 0..100i64).prop_map(|(n, now)| Step::Claim { n, now }),
        2 => (0..8usize).prop_map(|nth| Step::Release { nth }),
    ]
}

/// Every item in a plain map; what may be claimed is found by looking at all of it.
#[derive(Default)]
struct Model {
    items: BTreeMap<u32, BTreeMap<u32, (u8, i64)>>,
    claimed: BTreeMap<u32, u8>,
}

impl Model {
    fn out(&self, group: u8) -> usize {
        self.claimed.values().filter(|other| **other == group).count()
    }

    fn claimable(&self, now: i64, limit: usize) -> BTreeSet<u32> {
        let first = |items: &BTreeMap<u32, (u8, i64)>| items.values().next().copied();
        let free = self.items.iter().filter(|(conversation, _)| !self.claimed.contains_key(conversation));
        free.filter_map(|(conversation, items)| first(items).map(|(group, due)| (*conversation, group, due)))
            .filter(|(_, group, due)| *due <= now && self.out(*group) < limit)
            .map(|(conversation, ..)| conversation)
            .collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn agrees_with_the_model(steps in proptest::collection::vec(step(), 1..120)) {
        const LIMIT: usize = 2;
        let mut schedule = Schedule::new(LIMIT);
        let mut model = Model::default();
        // Time never goes back: what has ripened stays ripe.
        let mut clock = 0;
        for step in steps {
            match step {
                Step::Put { conversation, id, group, due } => {
                    schedule.put(&conversation, id, item(group, due));
                    model.items.entry(conversation).or_default().insert(id, (group, due));
                }
                Step::Remove { conversation, id } => {
                    schedule.remove(&conversation, &id);
                    if let Some(items) = model.items.get_mut(&conversation) {
                        items.remove(&id);
                    }
                }
                Step::Claim { n, now } => {
                    clock = clock.max(now);
                    let mut taken = 0;
                    for conversation in claim(&mut schedule, n, clock) {
                        prop_assert!(model.claimable(clock, LIMIT).contains(&conversation));
                        let group = model.items[&conversation].values().next().expect("has items").0;
                        model.claimed.insert(conversation, group);
                        taken += 1;
                    }
                    prop_assert!(taken == n || model.claimable(clock, LIMIT).is_empty(), "nothing is left behind");
                    let ids: Vec<u32> = model.claimed.keys().copied().collect();
                    for conversation in ids {
                        let expected: Vec<u32> = model.items[&conversation].keys().copied().collect();
                        prop_assert_eq!(schedule.run(&conversation, usize::MAX), expected);
                    }
                }
                Step::Release { nth } => {
                    if let Some(conversation) = model.claimed.keys().nth(nth).copied() {
                        schedule.release(&conversation);
                        model.claimed.remove(&conversation);
                    }
                }
            }
            let claimable = !model.claimable(clock, LIMIT).is_empty();
            let says = schedule.next_at().is_some_and(|at| at.as_ms() <= clock);
            prop_assert!(!claimable || says, "next_at tells of everything that can be claimed");
            let out: Vec<u32> = schedule.claimed().map(|(key, _)| **key).collect();
            prop_assert_eq!(out, model.claimed.keys().copied().collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_group_that_is_not_admitted_is_held_and_nobody_else() {
    let mut schedule = Schedule::new(100);
    for (conversation, group) in [(1, 1), (2, 1), (3, 2), (4, 2)] {
        schedule.put(&conversation, 0, item(group, 0));
    }
    let mut asked = Vec::new();
    let mut claim = |schedule: &mut Schedule<u32, u8, u32>, now: i64| -> Vec<u32> {
        let claimed = schedule.claim_where(10, at(now), |group| {
            asked.push(*group);
            if *group == 1 { Err(at(50)) } else { Ok(()) }
        });
        claimed.into_iter().map(|key| *key).collect()
    };
    assert_eq!(claim(&mut schedule, 0), [3, 4]);
    assert_eq!(schedule.next_at(), Some(at(50)), "it is no reason to wake up before");
    schedule.put(&5, 0, item(1, 10));
    assert_eq!(
        (claim(&mut schedule, 20), schedule.next_at()),
        (vec![], Some(at(50))),
        "what comes waits with it"
    );
    assert_eq!(
        (claim(&mut schedule, 50), schedule.next_at()),
        (vec![], Some(at(51))),
        "no loop without a pause"
    );
    assert_eq!(asked, [1, 2, 2, 1], "who is held is not asked about");
    assert_eq!(super::tests::claim(&mut schedule, 10, 51), [1, 2, 5]);
}

#[test]
fn who_is_held_is_let_go_when_what_holds_it_has_changed() {
    let mut schedule = Schedule::new(100);
    let hold = |schedule: &mut Schedule<u32, u8, u32>, now| {
        assert!(schedule.claim_where(1, at(now), |_| Err(at(100))).is_empty());
    };
    schedule.put(&2, 0, item(2, 0));
    hold(&mut schedule, 2);
    schedule.release_held();
    assert_eq!(claim(&mut schedule, 1, 3), [2]);
    schedule.put(&3, 0, item(3, 0));
    hold(&mut schedule, 4);
    schedule.remove(&3, &0);
    schedule.put(&3, 0, item(3, 0));
    assert_eq!(claim(&mut schedule, 1, 99), [0u32; 0], "it does not get away by going");
    assert_eq!(claim(&mut schedule, 1, 100), [3]);
}
