//! Whose turn it is among several: one after the other, in the order in which they came to have
//! something. What somebody waits for goes before what nobody asked for, which keeps a small share;
//! the last free slots are for those that hold none.

use std::collections::BTreeMap;

/// A place in a list of those that take turns.
pub type Id = u32;

/// While answers wait too, one in so many is a reminder: answers come first, and reminders come.
pub const REMINDER_EVERY: u32 = 8;

/// Of so many slots one is kept for those that hold none.
const KEPT_OF: usize = 8;

/// Of so many slots those that are kept for who holds none.
pub fn kept(slots: usize) -> usize {
    if slots < 2 { 0 } else { (slots / KEPT_OF).max(1) }
}

/// What goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Somebody waits for it: they wrote a moment ago.
    Answer,
    /// Nobody asked for it just now: a timer rang, a receipt came.
    Reminder,
}

/// Keeps the reminders' share.
#[derive(Clone, Copy, Debug, Default)]
pub struct Share {
    /// Answers that went while a reminder waited, since the last reminder.
    answers: u32,
}

impl Share {
    /// Which goes, where there is an answer or a reminder.
    pub fn next(self, answer: bool, reminder: bool) -> Option<Class> {
        match (answer, reminder) {
            (true, true) if self.answers + 1 >= REMINDER_EVERY => Some(Class::Reminder),
            (true, _) => Some(Class::Answer),
            (false, true) => Some(Class::Reminder),
            (false, false) => None,
        }
    }

    pub fn took(&mut self, class: Class, reminder_waits: bool) {
        match class {
            Class::Reminder => self.answers = 0,
            Class::Answer if reminder_waits => self.answers += 1,
            Class::Answer => {}
        }
    }
}

/// Where somebody stands in a round, and since when.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    class: Class,
    /// It holds a slot already.
    busy: bool,
    since: u64,
}

/// Those that take turns, and the slots that they share.
#[derive(Debug)]
pub struct Round {
    slots: usize,
    /// So many of them only who holds none may take.
    kept: usize,
    out: usize,
    share: Share,
    answers: Ring,
    reminders: Ring,
}

/// Who has something of one class, by since when.
#[derive(Debug, Default)]
struct Ring {
    idle: BTreeMap<u64, Id>,
    busy: BTreeMap<u64, Id>,
}

impl Ring {
    /// Who has stood here longest; one that holds a slot only where there is room for it.
    fn first(&self, room_for_busy: bool) -> Option<Id> {
        let idle = self.idle.first_key_value();
        let busy = self.busy.first_key_value().filter(|_| room_for_busy);
        idle.into_iter().chain(busy).min().map(|(_, id)| *id)
    }

    fn part(&mut self, busy: bool) -> &mut BTreeMap<u64, Id> {
        if busy { &mut self.busy } else { &mut self.idle }
    }
}

impl Round {
    pub fn new(slots: usize, kept: usize) -> Self {
        let (answers, reminders) = (Ring::default(), Ring::default());
        Round { slots: slots.max(1), kept, out: 0, share: Share::default(), answers, reminders }
    }

    fn first(&self, class: Class) -> Option<Id> {
        if self.out >= self.slots {
            return None;
        }
        let room_for_busy = self.out < self.slots - self.kept;
        match class {
            Class::Answer => self.answers.first(room_for_busy),
            Class::Reminder => self.reminders.first(room_for_busy),
        }
    }

    /// What there is to have: an answer, else a reminder, else nothing.
    pub fn offers(&self) -> Option<Class> {
        [Class::Answer, Class::Reminder].into_iter().find(|class| self.first(*class).is_some())
    }

    /// Whose turn it is, and as what.
    pub fn next(&self) -> Option<(Id, Class)> {
        let (answer, reminder) = (self.first(Class::Answer), self.first(Class::Reminder));
        let class = self.share.next(answer.is_some(), reminder.is_some())?;
        let id = if class == Class::Answer { answer } else { reminder };
        id.map(|id| (id, class))
    }

    /// The turn is taken. Who took it stands nowhere until it is placed anew, behind the others.
    pub fn take(&mut self, class: Class, standing: &mut Option<Standing>) {
        let reminder_waits = self.first(Class::Reminder).is_some();
        self.share.took(class, reminder_waits);
        self.leave(standing);
        self.occupy();
    }

    /// A slot is taken, turn or no turn.
    pub fn occupy(&mut self) {
        self.out += 1;
    }

    pub fn free(&mut self) {
        self.out = self.out.saturating_sub(1);
    }

    /// Puts somebody where it belongs: `wanted` is the class of what it has, and whether it holds a
    /// slot. Who stands here already keeps its turn.
    pub fn place(
        &mut self,
        id: Id,
        standing: &mut Option<Standing>,
        wanted: Option<(Class, bool)>,
        ticks: &mut u64,
    ) {
        if standing.map(|it| (it.class, it.busy)) == wanted {
            return;
        }
        let since = self.leave(standing);
        let Some((class, busy)) = wanted else { return };
        let since = since.unwrap_or_else(|| {
            *ticks += 1;
            *ticks
        });
        self.ring(class).part(busy).insert(since, id);
        *standing = Some(Standing { class, busy, since });
    }

    fn leave(&mut self, standing: &mut Option<Standing>) -> Option<u64> {
        let Standing { class, busy, since } = standing.take()?;
        self.ring(class).part(busy).remove(&since);
        Some(since)
    }

    fn ring(&mut self, class: Class) -> &mut Ring {
        match class {
            Class::Answer => &mut self.answers,
            Class::Reminder => &mut self.reminders,
        }
    }
}
