//! The schedule against a model that is too slow to be wrong, and what it promises of turns.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { in_all: 6, per_group: 3, per_tenant: 2 };

#[derive(Clone, Debug)]
enum Step {
    Put {
        conversation: u32,
        id: u32,
        group: u8,
        tenant: u32,
        answer: bool,
        due: i64,
    },
    Remove {
        conversation: u32,
        id: u32,
    },
    Claim {
        n: usize,
        now: i64,
    },
    /// One group may have nothing claimed before then.
    Wait {
        group: u8,
        until: i64,
    },
    Resume {
        group: u8,
    },
    Admit {
        tenant: u32,
        admits: Admits,
    },
    Release {
        nth: usize,
    },
    Postpone {
        nth: usize,
        due: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let admits = prop_oneof![Just(Admits::All), Just(Admits::Answers), Just(Admits::Nothing)];
    prop_oneof![
        6 => (0..16u32, 0..6u32, 0..3u8, 0..4u32, any::<bool>(), 0..100i64).prop_map(
            |(conversation, id, group, tenant, answer, due)| Step::Put {
                conversation, id, group, tenant, answer, due
            }
        ),
        2 => (0..16u32, 0..6u32).prop_map(|(conversation, id)| Step::Remove { conversation, id }),
        4 => (1..7usize, 0..100i64).prop_map(|(n, now)| Step::Claim { n, now }),
        1 => (0..3u8, 0..100i64).prop_map(|(group, until)| Step::Wait { group, until }),
        1 => (0..3u8).prop_map(|group| Step::Resume { group }),
        1 => (0..4u32, admits).prop_map(|(tenant, admits)| Step::Admit { tenant, admits }),
        4 => (0..8usize).prop_map(|nth| Step::Release { nth }),
        1 => (0..8usize, 0..100i64).prop_map(|(nth, due)| Step::Postpone { nth, due }),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Known {
    group: u8,
    tenant: u32,
    answer: bool,
    due: i64,
}

/// Every item in a plain map; what may be claimed is found by looking at all of it.
#[derive(Default)]
struct Model {
    items: BTreeMap<u32, BTreeMap<u32, Known>>,
    claimed: BTreeMap<u32, Known>,
    waits: BTreeMap<u8, i64>,
    admits: BTreeMap<u32, Admits>,
}

impl Model {
    fn out(&self, of: impl Fn(&Known) -> bool) -> usize {
        self.claimed.values().filter(|claim| of(claim)).count()
    }

    /// May this one be claimed, beside those that are out?
    fn fits(&self, first: &Known, answer: bool, now: i64) -> bool {
        let admits = self.admits.get(&first.tenant).copied().unwrap_or_default();
        let admitted = admits == Admits::All || (admits == Admits::Answers && answer);
        let waits = self.waits.get(&first.group).is_some_and(|until| *until > now);
        let (group, both) = (
            self.out(|other| other.group == first.group),
            self.out(|other| other.group == first.group && other.tenant == first.tenant),
        );
        let room = |out: usize, slots: usize, holds: usize| {
            out < if holds == 0 { slots } else { slots - round::kept(slots) }
        };
        first.due <= now
            && admitted
            && !waits
            && self.out(|other| other.tenant == first.tenant) < LIMITS.per_tenant
            && room(group, LIMITS.per_group, both)
            && self.claimed.len() < LIMITS.in_all
    }

    fn claimable(&self, now: i64) -> BTreeSet<u32> {
        let free = self.items.iter().filter(|(key, _)| !self.claimed.contains_key(key));
        free.filter_map(|(key, items)| {
            let answer = items.values().any(|item| item.answer);
            items.values().next().filter(|first| self.fits(first, answer, now)).map(|_| *key)
        })
        .collect()
    }
}

/// The schedule and the model, led through the same steps.
struct Both {
    schedule: Schedule<u32, u8, u32>,
    model: Model,
    /// Time never goes back: what has ripened stays ripe.
    clock: i64,
}

impl Both {
    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        let Both { schedule, model, .. } = self;
        match step {
            Step::Put { conversation, id, group, tenant, answer, due } => {
                let class = if answer { Class::Answer } else { Class::Reminder };
                schedule.put(&conversation, id, of(group, tenant, class, due));
                let known = Known { group, tenant, answer, due };
                model.items.entry(conversation).or_default().insert(id, known);
            }
            Step::Remove { conversation, id } => {
                schedule.remove(&conversation, &id);
                model.items.get_mut(&conversation).and_then(|items| items.remove(&id));
            }
            Step::Claim { n, now } => self.claim(n, now)?,
            Step::Wait { group, until } => self.wait(group, until),
            Step::Resume { group } => {
                schedule.resume(&group);
                model.waits.remove(&group);
            }
            Step::Admit { tenant, admits } => {
                schedule.admit(TenantId::from_stored(tenant), admits);
                model.admits.insert(tenant, admits);
            }
            Step::Release { nth } => {
                if let Some(conversation) = model.claimed.keys().nth(nth).copied() {
                    schedule.release(&conversation);
                    model.claimed.remove(&conversation);
                }
            }
            Step::Postpone { nth, due } => self.postpone(nth, due),
        }
        Ok(())
    }

    fn claim(&mut self, n: usize, now: i64) -> Result<(), TestCaseError> {
        let Both { schedule, model, clock } = self;
        *clock = now.max(*clock);
        let mut taken = 0;
        while taken < n {
            let Some(conversation) = claim(schedule, 1, *clock).pop() else { break };
            prop_assert!(model.claimable(*clock).contains(&conversation), "{conversation} may not");
            let first = *model.items[&conversation].values().next().expect("it has items");
            model.claimed.insert(conversation, first);
            taken += 1;
        }
        prop_assert!(taken == n || model.claimable(*clock).is_empty(), "nothing is left behind");
        for conversation in model.claimed.keys() {
            let expected: Vec<u32> = model.items[conversation].keys().copied().collect();
            prop_assert_eq!(schedule.run(conversation, usize::MAX), expected);
        }
        Ok(())
    }

    /// Everybody is told to wait; those of other groups are asked again at once.
    fn wait(&mut self, group: u8, until: i64) {
        let Both { schedule, model, clock } = self;
        let of_group = |conversation: &u32| {
            model.items[conversation].values().next().is_some_and(|first| first.group == group)
        };
        let asked = model.claimable(*clock).iter().any(of_group);
        let next = *clock + 1;
        schedule.claim(99, at(*clock), &mut |candidate| {
            Pace::GroupWaits(at(if *candidate.group == group { until } else { next }))
        });
        if asked {
            model.waits.insert(group, until.max(next));
        }
        for other in (0..3).filter(|other| *other != group) {
            schedule.resume(&other);
            model.waits.remove(&other);
        }
    }

    fn postpone(&mut self, nth: usize, due: i64) {
        let Both { schedule, model, .. } = self;
        let Some(conversation) = model.claimed.keys().nth(nth).copied() else { return };
        let claims: BTreeMap<u32, u32> = schedule.claimed().map(|(key, id)| (**key, *id)).collect();
        let id = claims[&conversation];
        schedule.postpone(&conversation, &id, at(due));
        model.claimed.remove(&conversation);
        if let Some(item) = model.items.get_mut(&conversation).and_then(|it| it.get_mut(&id)) {
            item.due = due;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn agrees_with_the_model(steps in proptest::collection::vec(step(), 1..160)) {
        let mut both = Both { schedule: Schedule::new(LIMITS), model: Model::default(), clock: 0 };
        for step in steps {
            both.step(step)?;
            let Both { schedule, model, clock } = &both;
            let claimable = !model.claimable(*clock).is_empty();
            let says = schedule.next_at().is_some_and(|at| at.as_ms() <= *clock);
            prop_assert!(!claimable || says, "next_at tells of everything that can be claimed");
            let out: Vec<u32> = schedule.claimed().map(|(key, _)| **key).collect();
            prop_assert_eq!(out, model.claimed.keys().copied().collect::<Vec<_>>());
        }
    }

    /// However much the others have, and whenever they get more: a tenant that waits with an answer is
    /// served before any other tenant of its sender is served twice, but for the reminders' share.
    #[test]
    fn who_waits_is_served_within_a_round(
        backlog in proptest::collection::vec(0..30usize, 2..7),
        more in proptest::collection::vec((0..6u32, any::<bool>()), 0..120),
    ) {
        let mut schedule = Schedule::new(per_tenant(100));
        let mut next_key = 0;
        let mut put = |schedule: &mut Schedule<u32, u8, u32>, tenant: u32, class| {
            schedule.put(&next_key, 0, of(1, tenant, class, 0));
            next_key += 1;
            next_key - 1
        };
        let mut of_tenant = BTreeMap::new();
        let mut waiting: BTreeMap<u32, usize> = BTreeMap::new();
        for (tenant, count) in backlog.iter().enumerate() {
            for _ in 0..*count {
                of_tenant.insert(put(&mut schedule, tenant as u32, Class::Answer), (tenant as u32, true));
                *waiting.entry(tenant as u32).or_default() += 1;
            }
        }
        let mut since: BTreeMap<u32, usize> = BTreeMap::new();
        for (tenant, answer) in more.into_iter().chain(std::iter::repeat_n((0, false), 250)) {
            let class = if answer { Class::Answer } else { Class::Reminder };
            of_tenant.insert(put(&mut schedule, tenant, class), (tenant, answer));
            *waiting.entry(tenant).or_default() += usize::from(answer);
            let Some(key) = one_by_one(&mut schedule, 1).pop() else { continue };
            let (served, was_answer) = of_tenant[&key];
            if was_answer {
                *waiting.get_mut(&served).expect("it waited") -= 1;
            }
            since.remove(&served);
            let tenants = waiting.len();
            for (tenant, count) in &waiting {
                if *count > 0 && *tenant != served {
                    let turns = since.entry(*tenant).or_default();
                    *turns += 1;
                    // Everybody else once, and the share of those who only remind.
                    let most = tenants + tenants / (REMINDER_EVERY as usize - 1) + 1;
                    prop_assert!(*turns <= most, "tenant {tenant} waits for the {turns}th turn");
                }
            }
        }
        prop_assert!(waiting.values().all(|count| *count == 0), "nothing is left: {waiting:?}");
    }

    /// A window of claims on one sender is shared alike by those that wait all the time.
    #[test]
    fn a_window_of_claims_is_shared_alike(tenants in 2..8u32, window in 8..64usize, reminds in any::<bool>()) {
        let mut schedule = Schedule::new(per_tenant(100));
        for tenant in 0..tenants {
            for nth in 0..200 {
                schedule.put(&(tenant * 1_000 + nth), 0, of(1, tenant, Class::Answer, 0));
                if reminds && tenant == 0 {
                    schedule.put(&(500 + nth), 0, of(1, 0, Class::Reminder, 0));
                }
            }
        }
        let order = one_by_one(&mut schedule, 128);
        for served in order.windows(window) {
            for tenant in 0..tenants {
                let count = served.iter().filter(|key| **key / 1_000 == tenant).count();
                prop_assert!(count >= window / tenants as usize, "tenant {tenant}: {count} of {window}");
                prop_assert!(count <= window.div_ceil(tenants as usize), "tenant {tenant}: {count} of {window}");
            }
        }
    }

    /// With answers coming for ever, what only reminds gets at least half of an eighth.
    #[test]
    fn reminders_are_never_starved(answering in 1..6u32, claims in 64..256usize) {
        let mut schedule = Schedule::new(per_tenant(100));
        for tenant in 0..answering {
            for nth in 0..300 {
                schedule.put(&(tenant * 1_000 + nth), 0, of(1, tenant, Class::Answer, 0));
            }
        }
        for nth in 0..300 {
            schedule.put(&(90_000 + nth), 0, of(1, 9, Class::Reminder, 0));
        }
        let order = one_by_one(&mut schedule, claims);
        let reminders = order.iter().filter(|key| **key >= 90_000).count();
        prop_assert!(reminders >= claims / 16, "{reminders} of {claims}");
        prop_assert!(reminders <= claims / 8 + 1, "no more than its share: {reminders} of {claims}");
    }
}
