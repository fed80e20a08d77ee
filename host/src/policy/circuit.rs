//! How many requests may be under way at once to whoever answers them, by how it answers. It begins
//! with a few, each answer lets one more be under way, and what gets no answer halves them. After
//! [`TRIPS`] without an answer in a row it is *tripped*: one request at a time asks whether it answers
//! again, after a pause that grows, and everything else waits. Pure: the time comes in, since whenever.

use std::time::Duration;

/// At first, and after it was tripped.
const AT_FIRST: usize = 8;

/// So many in a row without an answer trip it.
const TRIPS: u32 = 3;

/// Between two requests that ask whether it answers again.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_AT_MOST: Duration = Duration::from_secs(60);

/// Whoever is answered may have so many times what is free.
const PER_FREE: usize = 3;

/// Of one sender, or of one host.
#[derive(Clone, Debug)]
pub struct Circuit {
    most: usize,
    limit: usize,
    under_way: usize,
    /// Without an answer in a row.
    unanswered: u32,
    tripped: Option<Tripped>,
}

#[derive(Clone, Copy, Debug)]
struct Tripped {
    again_at: Duration,
    pause: Duration,
    asking: bool,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// An answer, whatever it says.
    Answer,
    /// One that is the server's own trouble: it neither earns trust nor costs it.
    Trouble,
    /// None at all, or no connection.
    Nothing,
    /// Nobody knows: it was given up by us.
    Unknown,
}

/// A request that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Ticket {
    asks: bool,
}

/// Why one more may not be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Until one that is under way has ended.
    Full,
    /// Until the one has ended that asks whether it answers again.
    Asking,
    /// It is asked again after so long.
    For(Duration),
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Tripped,
    Answers,
}

impl Circuit {
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        Circuit { most, limit: AT_FIRST.min(most), under_way: 0, unanswered: 0, tripped: None }
    }

    /// Nothing about it needs to be remembered.
    pub fn is_fresh(&self) -> bool {
        self.under_way == 0 && self.unanswered == 0 && self.tripped.is_none()
    }

    pub fn is_tripped(&self) -> bool {
        self.tripped.is_some()
    }

    /// So many are.
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// May one more be under way beside `going` that are about to be?
    pub fn admits(&self, going: usize, now: Duration) -> Result<(), Held> {
        match self.tripped {
            None if self.under_way + going < self.limit => Ok(()),
            None => Err(Held::Full),
            Some(tripped) if now < tripped.again_at => Err(Held::For(tripped.again_at - now)),
            Some(tripped) if tripped.asking || going > 0 => Err(Held::Asking),
            Some(_) => Ok(()),
        }
    }

    /// So many more may be under way, as far as it goes by itself.
    pub fn room(&self, now: Duration) -> usize {
        match self.tripped {
            None => self.limit.saturating_sub(self.under_way),
            Some(_) => usize::from(self.admits(0, now).is_ok()),
        }
    }

    pub fn begin(&mut self) -> Ticket {
        self.under_way += 1;
        let asks = self.tripped.as_mut().is_some_and(|tripped| !std::mem::replace(&mut tripped.asking, true));
        Ticket { asks }
    }

    pub fn end(&mut self, ticket: Ticket, came: Came, now: Duration) -> Option<Change> {
        self.under_way = self.under_way.saturating_sub(1);
        if ticket.asks
            && let Some(tripped) = &mut self.tripped
        {
            tripped.asking = false;
        }
        match came {
            Came::Answer => {
                self.unanswered = 0;
                self.limit = if self.tripped.is_some() { AT_FIRST } else { self.limit + 1 }.min(self.most);
                self.tripped.take().map(|_| Change::Answers)
            }
            Came::Nothing => self.nothing_came(ticket, now),
            Came::Trouble | Came::Unknown => {
                self.wait_on(ticket, now);
                None
            }
        }
    }

    fn nothing_came(&mut self, ticket: Ticket, now: Duration) -> Option<Change> {
        self.unanswered = self.unanswered.saturating_add(1);
        self.limit = (self.limit / 2).max(1);
        if self.tripped.is_some() {
            self.wait_on(ticket, now);
            return None;
        }
        if self.unanswered < TRIPS {
            return None;
        }
        self.tripped = Some(Tripped { again_at: now + PAUSE, pause: PAUSE, asking: false });
        Some(Change::Tripped)
    }

    /// It asked, and was not told that it is over. Those that were under way before say nothing new.
    fn wait_on(&mut self, ticket: Ticket, now: Duration) {
        if let Some(tripped) = self.tripped.as_mut().filter(|_| ticket.asks) {
            tripped.pause = (2 * tripped.pause).min(PAUSE_AT_MOST);
            tripped.again_at = now + tripped.pause;
        }
    }
}

/// May whoever has taken so many places take one more, of which so many are free for all? However many
/// hang, and however much they have taken, there is something left for one that has taken nothing.
pub fn leaves_room(taken: usize, free: usize) -> bool {
    taken < PER_FREE * free
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 64;

    fn fill(circuit: &mut Circuit, now: Duration) -> Vec<Ticket> {
        let mut tickets = Vec::new();
        while circuit.admits(0, now).is_ok() {
            tickets.push(circuit.begin());
        }
        tickets
    }

    #[test]
    fn each_answer_lets_one_more_be_under_way_up_to_the_most() {
        let (mut circuit, now) = (Circuit::new(MOST), Duration::ZERO);
        let mut widths = Vec::new();
        for _ in 0..5 {
            let tickets = fill(&mut circuit, now);
            widths.push(tickets.len());
            for ticket in tickets {
                assert_eq!(circuit.end(ticket, Came::Answer, now), None);
            }
        }
        assert_eq!(widths, [8, 16, 32, 64, 64]);
        assert_eq!(circuit.admits(MOST, now), Err(Held::Full), "those about to begin count as well");
    }

    #[test]
    fn without_an_answer_one_at_a_time_asks_after_a_pause_that_grows() {
        let (mut circuit, mut now) = (Circuit::new(MOST), Duration::ZERO);
        let mut changes = Vec::new();
        for ticket in fill(&mut circuit, now) {
            changes.extend(circuit.end(ticket, Came::Nothing, now));
        }
        assert_eq!(changes, [Change::Tripped], "told once");
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(circuit.admits(0, now), Err(Held::For(Duration::from_secs(pause))));
            now += Duration::from_secs(pause);
            assert_eq!(circuit.admits(1, now), Err(Held::Asking), "one");
            let tickets = fill(&mut circuit, now);
            assert_eq!(tickets.len(), 1);
            assert_eq!(circuit.end(tickets[0], Came::Nothing, now), None);
        }
        now += PAUSE_AT_MOST;
        let asks = circuit.begin();
        assert_eq!(circuit.end(asks, Came::Answer, now), Some(Change::Answers));
        assert_eq!(fill(&mut circuit, now).len(), AT_FIRST);
    }

    #[test]
    fn what_was_under_way_before_prolongs_no_pause_and_its_answer_ends_it() {
        let (mut circuit, now) = (Circuit::new(MOST), Duration::ZERO);
        let mut tickets = fill(&mut circuit, now);
        for _ in 0..TRIPS {
            let _ = circuit.end(tickets.pop().expect("one"), Came::Nothing, now);
        }
        let _ = circuit.end(tickets.pop().expect("one"), Came::Nothing, now);
        assert_eq!(circuit.admits(0, now), Err(Held::For(PAUSE)));
        assert_eq!(circuit.end(tickets.pop().expect("one"), Came::Answer, now), Some(Change::Answers));
        assert!(!circuit.is_tripped());
    }

    #[test]
    fn one_that_asked_and_was_given_up_does_not_block_the_next() {
        let (mut circuit, now) = (Circuit::new(MOST), Duration::ZERO);
        for ticket in fill(&mut circuit, now) {
            let _ = circuit.end(ticket, Came::Nothing, now);
        }
        let asks = circuit.begin();
        assert_eq!(circuit.end(asks, Came::Unknown, now), None);
        assert!(circuit.admits(0, now + PAUSE_AT_MOST).is_ok());
    }

    #[test]
    fn an_answer_now_and_then_keeps_it_from_tripping() {
        let (mut circuit, now) = (Circuit::new(MOST), Duration::ZERO);
        for round in 0..100 {
            let ticket = circuit.begin();
            let came = if round % 3 == 2 { Came::Answer } else { Came::Nothing };
            assert_eq!(circuit.end(ticket, came, now), None);
        }
        assert!(circuit.admits(0, now).is_ok());
    }

    #[test]
    fn one_after_the_other_that_takes_all_it_may_leaves_something_for_the_next() {
        let (mut free, mut taken) = (256, Vec::new());
        while taken.len() < 4 {
            let mut its = 0;
            while leaves_room(its, free) {
                (its, free) = (its + 1, free - 1);
            }
            taken.push(its);
        }
        assert_eq!(taken, [192, 48, 12, 3], "and one is free");
        assert!(leaves_room(0, 1) && !leaves_room(0, 0));
    }
}
