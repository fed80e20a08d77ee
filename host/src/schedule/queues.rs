//! Where the conversations of a schedule stand: not due yet, or ready in the line of their group and
//! tenant. Groups take turns, and in a group its tenants do ([`Round`]). Groups, tenants and lines are
//! remembered once they were met: there are as many as there are senders and tenants.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use super::round::{self, Class, Id, Round, Share, Standing};
use crate::message::{TenantId, Timestamp};

/// Orders what is queued: by due time, then by when it was queued.
pub type Slot = (Timestamp, u64);

/// How many claims may be out at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub in_all: usize,
    pub per_group: usize,
    /// Of one tenant, in all groups together.
    pub per_tenant: usize,
}

/// What of a tenant may be claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admits {
    #[default]
    All,
    /// Its reminders wait.
    Answers,
    Nothing,
}

/// Who would be claimed next.
#[derive(Clone, Copy, Debug)]
pub struct Next {
    pub line: Id,
    group: Id,
    as_group: Class,
    as_line: Class,
    class: Class,
    pub due: Timestamp,
}

#[derive(Debug)]
pub struct Queues<C, G> {
    limits: Limits,
    /// Conversations that are not due yet.
    waiting: BTreeMap<Slot, Arc<C>>,
    groups: Vec<Group<G>>,
    group_ids: HashMap<G, Id>,
    tenants: Vec<Tenant>,
    tenant_ids: HashMap<TenantId, Id>,
    lines: Vec<Line<C>>,
    line_ids: HashMap<(Id, Id), Id>,
    /// Of the groups.
    round: Round,
    pauses: BTreeSet<(Timestamp, Paused)>,
    ticks: u64,
    /// When something was last asked for.
    asked_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Paused {
    Group(Id),
    Line(Id),
}

#[derive(Debug)]
struct Group<G> {
    name: G,
    /// Of its lines.
    round: Round,
    out: usize,
    standing: Option<Standing>,
    paused: Option<Timestamp>,
}

#[derive(Debug)]
struct Tenant {
    id: TenantId,
    out: usize,
    admits: Admits,
    lines: Vec<Id>,
}

/// What one tenant has in one group.
#[derive(Debug)]
struct Line<C> {
    group: Id,
    tenant: Id,
    answers: BTreeMap<Slot, Arc<C>>,
    reminders: BTreeMap<Slot, Arc<C>>,
    share: Share,
    out: usize,
    standing: Option<Standing>,
    paused: Option<Timestamp>,
}

impl<C> Line<C> {
    fn ready(&mut self, class: Class) -> &mut BTreeMap<Slot, Arc<C>> {
        match class {
            Class::Answer => &mut self.answers,
            Class::Reminder => &mut self.reminders,
        }
    }

    /// Has it answers, has it reminders, that its tenant may have claimed?
    fn offers(&self, admits: Admits) -> (bool, bool) {
        let answers = admits != Admits::Nothing && !self.answers.is_empty();
        (answers, admits == Admits::All && !self.reminders.is_empty())
    }
}

fn at(id: Id) -> usize {
    id as usize
}

/// There are fewer senders and tenants than this counts.
fn next_id<T>(list: &[T]) -> Id {
    Id::try_from(list.len()).unwrap_or(Id::MAX)
}

impl<C, G: Clone + Eq + Hash> Queues<C, G> {
    pub fn new(limits: Limits) -> Self {
        // One tenant alone never takes all there is.
        let most = limits.in_all - round::kept(limits.in_all);
        let limits = Limits { per_tenant: limits.per_tenant.min(most).max(1), ..limits };
        Queues {
            limits,
            waiting: BTreeMap::new(),
            groups: Vec::new(),
            group_ids: HashMap::new(),
            tenants: Vec::new(),
            tenant_ids: HashMap::new(),
            lines: Vec::new(),
            line_ids: HashMap::new(),
            round: Round::new(limits.in_all, 0),
            pauses: BTreeSet::new(),
            ticks: 0,
            asked_at: Timestamp::ZERO,
        }
    }

    /// The line of this tenant in this group.
    pub fn line(&mut self, name: &G, tenant: TenantId) -> Id {
        let group = match self.group_ids.get(name) {
            Some(id) => *id,
            None => self.meet_group(name),
        };
        let tenant = self.tenant(tenant);
        *self.line_ids.entry((group, tenant)).or_insert_with(|| {
            let id = next_id(&self.lines);
            self.lines.push(Line {
                group,
                tenant,
                answers: BTreeMap::new(),
                reminders: BTreeMap::new(),
                share: Share::default(),
                out: 0,
                standing: None,
                paused: None,
            });
            self.tenants[at(tenant)].lines.push(id);
            id
        })
    }

    fn meet_group(&mut self, name: &G) -> Id {
        let id = next_id(&self.groups);
        let slots = self.limits.per_group;
        let round = Round::new(slots, round::kept(slots));
        self.groups.push(Group { name: name.clone(), round, out: 0, standing: None, paused: None });
        self.group_ids.insert(name.clone(), id);
        id
    }

    fn tenant(&mut self, tenant: TenantId) -> Id {
        *self.tenant_ids.entry(tenant).or_insert_with(|| {
            let id = next_id(&self.tenants);
            self.tenants.push(Tenant { id: tenant, out: 0, admits: Admits::All, lines: Vec::new() });
            id
        })
    }

    /// Whose line it is, and of which group.
    pub fn whose(&self, line: Id) -> (&G, TenantId) {
        let line = &self.lines[at(line)];
        (&self.groups[at(line.group)].name, self.tenants[at(line.tenant)].id)
    }

    /// Until it is due.
    pub fn wait(&mut self, due: Timestamp, key: Arc<C>) -> Slot {
        self.ticks += 1;
        let slot = (due, self.ticks);
        self.waiting.insert(slot, key);
        slot
    }

    pub fn stop_waiting(&mut self, slot: Slot) {
        self.waiting.remove(&slot);
    }

    /// The first that waits, if it is due.
    pub fn due(&mut self, now: Timestamp) -> Option<(Slot, Arc<C>)> {
        let first = self.waiting.first_entry()?;
        (first.key().0 <= now).then(|| first.remove_entry())
    }

    pub fn make_ready(&mut self, line: Id, class: Class, slot: Slot, key: Arc<C>) {
        self.lines[at(line)].ready(class).insert(slot, key);
        self.settle(line);
    }

    pub fn take_back(&mut self, line: Id, class: Class, slot: Slot) {
        self.lines[at(line)].ready(class).remove(&slot);
        self.settle(line);
    }

    /// Ends the pauses that are over.
    pub fn wake(&mut self, now: Timestamp) {
        self.asked_at = now;
        while let Some((until, paused)) = self.pauses.first().copied()
            && until <= now
        {
            self.end_pause(until, paused);
        }
    }

    pub fn next(&self) -> Option<Next> {
        let (group, as_group) = self.round.next()?;
        let (id, as_line) = self.groups[at(group)].round.next()?;
        let line = &self.lines[at(id)];
        let (answer, reminder) = line.offers(self.tenants[at(line.tenant)].admits);
        let class = line.share.next(answer, reminder)?;
        let ready = if class == Class::Answer { &line.answers } else { &line.reminders };
        let ((due, _), _) = ready.first_key_value()?;
        Some(Next { line: id, group, as_group, as_line, class, due: *due })
    }

    /// Takes it: the conversation counts as claimed.
    pub fn take(&mut self, next: Next) -> Option<Arc<C>> {
        let Next { line: id, group: of, as_group, as_line, class, .. } = next;
        let line = &mut self.lines[at(id)];
        let (_, key) = line.ready(class).pop_first()?;
        line.share.took(class, !line.reminders.is_empty());
        let group = &mut self.groups[at(of)];
        group.round.take(as_line, &mut line.standing);
        self.round.take(as_group, &mut group.standing);
        group.out += 1;
        self.count_out(id);
        Some(key)
    }

    /// A claim that nobody asked for: it was out already when this schedule was made.
    pub fn occupy(&mut self, line: Id) {
        let group = &mut self.groups[at(self.lines[at(line)].group)];
        group.round.occupy();
        group.out += 1;
        self.round.occupy();
        self.count_out(line);
    }

    fn count_out(&mut self, id: Id) {
        let line = &mut self.lines[at(id)];
        line.out += 1;
        let tenant = &mut self.tenants[at(line.tenant)];
        tenant.out += 1;
        let is_at_limit = tenant.out == self.limits.per_tenant;
        let tenant = line.tenant;
        self.settle(id);
        if is_at_limit {
            self.settle_tenant(tenant);
        }
    }

    /// A claim has ended.
    pub fn free(&mut self, id: Id) {
        let line = &mut self.lines[at(id)];
        line.out = line.out.saturating_sub(1);
        let tenant = &mut self.tenants[at(line.tenant)];
        let was_at_limit = tenant.out == self.limits.per_tenant;
        tenant.out = tenant.out.saturating_sub(1);
        let group = &mut self.groups[at(line.group)];
        group.round.free();
        group.out = group.out.saturating_sub(1);
        self.round.free();
        let tenant = line.tenant;
        self.settle(id);
        if was_at_limit {
            self.settle_tenant(tenant);
        }
    }

    /// Nothing of the group is claimed before then.
    pub fn pause_group(&mut self, line: Id, until: Timestamp) {
        let id = self.lines[at(line)].group;
        self.pause(Paused::Group(id), until);
    }

    /// Nothing of this line is claimed before then.
    pub fn pause_line(&mut self, line: Id, until: Timestamp) {
        self.pause(Paused::Line(line), until);
    }

    fn pause(&mut self, what: Paused, until: Timestamp) {
        // One that is over already would be begun again at once, for ever.
        let until = until.max(self.asked_at.plus_ms(1));
        if let Some(before) = self.paused(what).replace(until) {
            self.pauses.remove(&(before, what));
        }
        self.pauses.insert((until, what));
        self.settle_paused(what);
    }

    fn end_pause(&mut self, until: Timestamp, what: Paused) {
        self.pauses.remove(&(until, what));
        *self.paused(what) = None;
        self.settle_paused(what);
    }

    fn paused(&mut self, what: Paused) -> &mut Option<Timestamp> {
        match what {
            Paused::Group(id) => &mut self.groups[at(id)].paused,
            Paused::Line(id) => &mut self.lines[at(id)].paused,
        }
    }

    fn settle_paused(&mut self, what: Paused) {
        match what {
            Paused::Group(id) => self.settle_group(id),
            Paused::Line(id) => self.settle(id),
        }
    }

    /// When something was last asked for.
    pub fn asked_at(&self) -> Timestamp {
        self.asked_at
    }

    /// Whatever anybody was paused for is to be asked again.
    pub fn resume_all(&mut self) {
        self.asked_at = Timestamp::ZERO;
        while let Some((until, paused)) = self.pauses.first().copied() {
            self.end_pause(until, paused);
        }
    }

    /// Whatever a group, or a tenant in it, was paused for is over.
    pub fn resume(&mut self, name: &G) {
        let Some(group) = self.group_ids.get(name).copied() else { return };
        let of = |paused: &Paused| match paused {
            Paused::Group(id) => *id == group,
            Paused::Line(id) => self.lines[at(*id)].group == group,
        };
        let ended: Vec<_> = self.pauses.iter().filter(|(_, paused)| of(paused)).copied().collect();
        for (until, paused) in ended {
            self.end_pause(until, paused);
        }
    }

    pub fn admit(&mut self, tenant: TenantId, admits: Admits) -> bool {
        let tenant = self.tenant(tenant);
        let news = std::mem::replace(&mut self.tenants[at(tenant)].admits, admits) != admits;
        if news {
            self.settle_tenant(tenant);
        }
        news
    }

    pub fn next_at(&self) -> Option<Timestamp> {
        let ready = self.round.offers().map(|_| self.asked_at);
        let waiting = self.waiting.keys().next().map(|(due, _)| *due);
        let paused = self.pauses.first().map(|(until, _)| *until);
        ready.into_iter().chain(waiting).chain(paused).min()
    }

    fn settle_tenant(&mut self, tenant: Id) {
        for nth in 0..self.tenants[at(tenant)].lines.len() {
            let line = self.tenants[at(tenant)].lines[nth];
            self.settle(line);
        }
    }

    /// Puts a line where it belongs among those of its group, and the group where it belongs then.
    fn settle(&mut self, id: Id) {
        let line = &mut self.lines[at(id)];
        let tenant = &self.tenants[at(line.tenant)];
        let offers = match line.offers(tenant.admits) {
            _ if line.paused.is_some() || tenant.out >= self.limits.per_tenant => None,
            (true, _) => Some(Class::Answer),
            (false, true) => Some(Class::Reminder),
            (false, false) => None,
        };
        let wanted = offers.map(|class| (class, line.out > 0));
        let group = line.group;
        self.groups[at(group)].round.place(id, &mut line.standing, wanted, &mut self.ticks);
        self.settle_group(group);
    }

    fn settle_group(&mut self, id: Id) {
        let group = &mut self.groups[at(id)];
        let offers = if group.paused.is_some() { None } else { group.round.offers() };
        let wanted = offers.map(|class| (class, group.out > 0));
        self.round.place(id, &mut group.standing, wanted, &mut self.ticks);
    }
}
