//! The schedule against examples.

use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

/// Of a group's only tenant, who goes by its number.
fn item(group: u8, due: i64) -> Item<u8> {
    of(group, group.into(), Class::Answer, due)
}

fn of(group: u8, tenant: u32, class: Class, due: i64) -> Item<u8> {
    Item { group, tenant: TenantId::from_stored(tenant), due: at(due), class, alone: false }
}

/// So many of a tenant, and no other limit.
fn per_tenant(per_tenant: usize) -> Limits {
    Limits { in_all: usize::MAX, per_group: usize::MAX, per_tenant }
}

fn claim(schedule: &mut Schedule<u32, u8, u32>, n: usize, now: i64) -> Vec<u32> {
    schedule.claim(n, at(now), &mut |_| Pace::Go).into_iter().map(|key| *key).collect()
}

/// One after the other, each released before the next is claimed; what is left of it stays.
fn one_by_one(schedule: &mut Schedule<u32, u8, u32>, n: usize) -> Vec<u32> {
    let mut order = Vec::new();
    for _ in 0..n {
        for key in claim(schedule, 1, 0) {
            let first = schedule.items(&key).next().copied();
            first.inspect(|first| schedule.remove(&key, first));
            schedule.release(&key);
            order.push(key);
        }
    }
    order
}

#[test]
fn groups_take_turns_whatever_their_size() {
    let mut schedule = Schedule::new(per_tenant(100));
    for conversation in 0..50 {
        schedule.put(&conversation, 0, item(1, 0));
    }
    schedule.put(&100, 0, item(2, 0));
    schedule.put(&200, 0, item(3, 0));
    let first = claim(&mut schedule, 6, 0);
    assert_eq!(first, [0, 100, 200, 1, 2, 3], "the small groups come in the first round");
}

#[test]
fn a_group_s_tenants_take_turns_whatever_they_have() {
    let mut schedule = Schedule::new(per_tenant(100));
    for conversation in 0..50 {
        schedule.put(&conversation, 0, of(1, 1, Class::Answer, 0));
    }
    assert_eq!(one_by_one(&mut schedule, 3), [0, 1, 2]);
    schedule.put(&100, 0, of(1, 2, Class::Answer, 0));
    schedule.put(&101, 0, of(1, 2, Class::Answer, 0));
    schedule.put(&200, 0, of(1, 3, Class::Answer, 0));
    assert_eq!(one_by_one(&mut schedule, 6), [3, 100, 200, 4, 101, 5]);
}

#[test]
fn answers_go_before_reminders_which_keep_a_share() {
    let mut schedule = Schedule::new(per_tenant(100));
    for conversation in 0..100 {
        schedule.put(&conversation, 0, of(1, 1, Class::Reminder, 0));
    }
    for conversation in 100..120 {
        schedule.put(&conversation, 0, of(1, 1, Class::Answer, 0));
        schedule.put(&(conversation + 100), 0, of(1, 2, Class::Answer, 0));
    }
    let order = one_by_one(&mut schedule, 24);
    let reminders: Vec<usize> = (0..order.len()).filter(|nth| order[*nth] < 100).collect();
    assert_eq!(reminders, [14], "the first tenant's eighth in its own turns: {order:?}");
    assert!(
        order.iter().filter(|key| **key >= 200).count() >= 11,
        "the second's turns are its own: {order:?}"
    );
}

#[test]
fn a_tenant_of_reminders_only_is_not_starved_by_the_answers_of_others() {
    let mut schedule = Schedule::new(per_tenant(100));
    for conversation in 0..100 {
        schedule.put(&conversation, 0, of(1, 1, Class::Answer, 0));
        schedule.put(&(conversation + 100), 0, of(1, 2, Class::Reminder, 0));
        schedule.put(&(conversation + 200), 0, of(2, 3, Class::Reminder, 0));
    }
    let order = one_by_one(&mut schedule, 64 * 2);
    for (tenant, keys) in [(2, 100..200), (3, 200..300)] {
        let went = order.iter().filter(|key| keys.contains(*key)).count();
        assert!(went >= 64 * 2 / 8 / 2, "tenant {tenant}: {went} of {order:?}");
    }
}

/// Order is promised: the answer takes along what stands before it.
#[test]
fn what_stands_before_an_answer_goes_with_it() {
    let mut schedule = Schedule::new(per_tenant(100));
    for conversation in 0..10 {
        schedule.put(&conversation, 0, of(1, 1, Class::Reminder, 0));
    }
    assert_eq!(claim(&mut schedule, 1, 0), [0]);
    schedule.put(&7, 1, of(1, 1, Class::Answer, 0));
    assert_eq!(claim(&mut schedule, 2, 0), [7, 1]);
    assert_eq!(schedule.run(&7, 9), [0, 1], "in their order");
    schedule.put(&8, 1, of(1, 1, Class::Answer, 0));
    schedule.remove(&8, &1);
    assert_eq!(claim(&mut schedule, 1, 0), [2], "nobody waits for it any more");
}

#[test]
fn a_tenant_is_held_to_its_limit() {
    let mut schedule = Schedule::new(per_tenant(2));
    for conversation in 0..5 {
        schedule.put(&conversation, 0, item(1, 0));
    }
    assert_eq!(claim(&mut schedule, 10, 0), [0, 1]);
    schedule.put(&9, 0, of(2, 1, Class::Answer, 0));
    assert_eq!(claim(&mut schedule, 10, 0), [0u32; 0], "in all groups together");
    schedule.remove(&9, &0);
    assert_eq!(schedule.next_at(), None, "nothing to wake for: the tenant is at its limit");
    schedule.remove(&0, &0);
    schedule.release(&0);
    assert_eq!(schedule.next_at(), Some(at(0)));
    assert_eq!(claim(&mut schedule, 10, 0), [2]);
}

/// `(slots of the group, slots in all, what the only tenant gets of them)`
#[test]
fn nobody_takes_the_last_slot_but_who_has_none() {
    for (per_group, in_all, expected) in
        [(1, 9, 1), (2, 9, 1), (4, 9, 3), (16, 99, 14), (99, 2, 1), (99, 16, 14), (99, 1, 1)]
    {
        let mut schedule = Schedule::new(Limits { in_all, per_group, per_tenant: 99 });
        for conversation in 0..50 {
            schedule.put(&conversation, 0, of(1, 1, Class::Answer, 0));
        }
        let case = format!("{per_group} of {in_all}");
        assert_eq!(claim(&mut schedule, 50, 0).len(), expected, "{case}");
        schedule.put(&100, 0, of(1, 2, Class::Reminder, 0));
        let others = claim(&mut schedule, 50, 0);
        assert_eq!(
            others.len(),
            usize::from(expected < per_group.min(in_all)),
            "{case}: one is there for it"
        );
    }
}

#[test]
fn who_is_told_to_wait_holds_up_nobody_else() {
    let mut schedule = Schedule::new(per_tenant(100));
    for conversation in 0..4 {
        schedule.put(&conversation, 0, of(1, 1, Class::Answer, 0));
        schedule.put(&(conversation + 10), 0, of(1, 2, Class::Answer, 0));
        schedule.put(&(conversation + 20), 0, of(2, 1, Class::Answer, 0));
    }
    let mut asked = Vec::new();
    let mut left = 3;
    let mut pace = |candidate: &Candidate<'_, u8>| {
        let (group, tenant) = (*candidate.group, candidate.tenant.get());
        asked.push((group, tenant));
        match (group, tenant) {
            (2, _) => Pace::TenantWaits(at(50)),
            (_, 1) if left == 0 => Pace::GroupWaits(at(100)),
            _ if left == 0 => Pace::GroupWaits(at(100)),
            _ => {
                left -= 1;
                Pace::Go
            }
        }
    };
    let claimed: Vec<u32> = schedule.claim(50, at(0), &mut pace).into_iter().map(|key| *key).collect();
    assert_eq!(claimed, [0, 10, 1]);
    assert_eq!(asked.len(), 5, "each that must wait is asked once, however much waits: {asked:?}");
    assert_eq!(schedule.next_at(), Some(at(50)));
    assert_eq!(claim(&mut schedule, 50, 49), [0u32; 0]);
    assert_eq!(claim(&mut schedule, 1, 50), [20]);
    assert_eq!(claim(&mut schedule, 50, 99), [21, 22, 23]);
    assert_eq!(claim(&mut schedule, 2, 100), [11, 2], "it goes on where it stopped");
}

#[test]
fn a_resumed_group_is_asked_again() {
    let mut schedule = Schedule::new(per_tenant(100));
    schedule.put(&7, 0, of(1, 1, Class::Answer, 0));
    schedule.put(&8, 0, of(1, 2, Class::Answer, 0));
    let mut waits = |_: &Candidate<'_, u8>| Pace::TenantWaits(at(1_000));
    assert!(schedule.claim(9, at(0), &mut waits).is_empty());
    assert_eq!(schedule.next_at(), Some(at(1_000)));
    schedule.resume(&2);
    assert_eq!(claim(&mut schedule, 9, 0), [0u32; 0]);
    schedule.resume(&1);
    assert_eq!(claim(&mut schedule, 9, 0), [7, 8]);
    let mut waits = |_: &Candidate<'_, u8>| Pace::GroupWaits(at(-5));
    schedule.put(&9, 0, of(1, 2, Class::Answer, 0));
    assert!(schedule.claim(9, at(0), &mut waits).is_empty(), "a pause that is over ends with the next call");
    assert_eq!(claim(&mut schedule, 9, 1), [9]);
}

#[test]
fn a_tenant_has_claimed_what_it_is_admitted_with() {
    let mut schedule = Schedule::new(per_tenant(100));
    for (conversation, tenant, class) in
        [(1, 1, Class::Answer), (2, 1, Class::Reminder), (3, 2, Class::Reminder), (4, 1, Class::Answer)]
    {
        schedule.put(&conversation, 0, of(1, tenant, class, 0));
    }
    let tenant = TenantId::from_stored(1);
    schedule.admit(tenant, Admits::Nothing);
    assert_eq!(claim(&mut schedule, 9, 0), [3], "another's are its own affair");
    assert_eq!(schedule.next_at(), None);
    schedule.admit(tenant, Admits::Answers);
    assert_eq!(claim(&mut schedule, 1, 0), [1]);
    schedule.admit(tenant, Admits::Nothing);
    assert_eq!(claim(&mut schedule, 9, 0), [0u32; 0]);
    schedule.admit(tenant, Admits::All);
    assert_eq!(claim(&mut schedule, 9, 0), [4, 2]);
    // Also one that nothing is known of yet.
    schedule.admit(TenantId::from_stored(9), Admits::Nothing);
    schedule.put(&5, 0, of(1, 9, Class::Answer, 0));
    assert_eq!(claim(&mut schedule, 9, 0), [0u32; 0]);
}

#[test]
fn a_conversation_is_claimed_once_and_in_order() {
    let mut schedule = Schedule::new(per_tenant(10));
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
    let mut schedule = Schedule::new(per_tenant(10));
    for (id, alone) in [(1, true), (2, false), (3, false), (4, true), (5, false)] {
        schedule.put(&7, id, Item { alone, ..item(1, 0) });
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
    let mut schedule = Schedule::new(per_tenant(10));
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
    let mut schedule = Schedule::new(per_tenant(10));
    schedule.put(&7, 1, item(1, 0));
    schedule.reclaim(&7, &1);
    assert_eq!(claim(&mut schedule, 1, 0), [0u32; 0]);
    assert_eq!(schedule.claimed().map(|(key, id)| (**key, *id)).collect::<Vec<_>>(), [(7, 1)]);
    schedule.release(&7);
    assert_eq!(claim(&mut schedule, 1, 0), [7]);
}

#[test]
fn a_claim_is_ended_by_its_own_item_only() {
    let mut schedule = Schedule::new(per_tenant(10));
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
    let mut schedule = Schedule::new(per_tenant(1));
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

thread_local! {
    static LOOKS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Tells how often it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Watched(u32);

impl Ord for Watched {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        LOOKS.set(LOOKS.get() + 1);
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Watched {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[test]
fn a_claim_among_many_looks_at_few() {
    let mut schedule = Schedule::new(Limits { in_all: 16, per_group: 4, per_tenant: 16 });
    for conversation in 0..50_000 {
        schedule.put(&Watched(conversation), 0, of(1, 1, Class::Answer, 0));
    }
    let asked = std::cell::Cell::new(0);
    let claim = |schedule: &mut Schedule<Watched, u8, u32>| {
        LOOKS.set(0);
        asked.set(0);
        schedule.claim(16, at(0), &mut |_| {
            asked.set(asked.get() + 1);
            Pace::Go
        })
    };
    let busy = claim(&mut schedule);
    assert_eq!((busy.len(), asked.get()), (3, 3), "the last place is for another tenant");
    // All of its places are taken: nobody of those that wait is looked at.
    assert_eq!((claim(&mut schedule).len(), LOOKS.get()), (0, 0));
    LOOKS.set(0);
    schedule.put(&Watched(100_000), 0, of(1, 1, Class::Answer, 0));
    assert!(LOOKS.get() < 100, "{} looks at an arrival", LOOKS.get());
    assert!(claim(&mut schedule).is_empty() && LOOKS.get() < 100, "{} looks", LOOKS.get());
    schedule.put(&Watched(100_001), 0, of(1, 2, Class::Answer, 0));
    let other = claim(&mut schedule);
    assert_eq!(other.iter().map(|key| key.0).collect::<Vec<_>>(), [100_001]);
    assert!(LOOKS.get() < 100 && asked.get() == 1, "{} looks, {} asked", LOOKS.get(), asked.get());
    for done in [&other[0], &busy[0]] {
        schedule.remove(done, &0);
        schedule.release(done);
    }
    assert_eq!(claim(&mut schedule).len(), 1);
    assert!(LOOKS.get() < 100 && asked.get() == 1, "{} looks, {} asked", LOOKS.get(), asked.get());
}

mod properties;
