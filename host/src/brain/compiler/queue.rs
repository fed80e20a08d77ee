//! Who compiles next. Whoever waits stands in the lane of its owner; lanes take turns, the operator's own
//! first. Within a lane small components pass large ones, and large ones never hold every place: a
//! small one, which takes a second, finds one soon beside others that take a minute. Pure.

use std::collections::VecDeque;

use crate::message::TenantId;

/// Whose turn a compilation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// What the operator put into the plugins directory for everybody.
    Operator,
    Tenant(TenantId),
}

/// A Rust brain has 50 KB to 2 MB, one in another language 12 MB and more.
const SMALL_BYTES: usize = 2 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Small,
    Large,
}

impl Size {
    pub fn of(component: &[u8]) -> Self {
        if component.len() <= SMALL_BYTES { Size::Small } else { Size::Large }
    }
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    size: Size,
}

/// Who waits, and how many run.
#[derive(Debug)]
pub struct Queue {
    places: usize,
    small: usize,
    large: usize,
    /// In the order of their turns. None is empty.
    lanes: VecDeque<(Lane, VecDeque<Waiting>)>,
    large_was_last: bool,
    next: u64,
}

impl Queue {
    pub fn new(places: usize) -> Self {
        let places = places.max(1);
        Queue { places, small: 0, large: 0, lanes: VecDeque::new(), large_was_last: false, next: 0 }
    }

    pub fn enter(&mut self, lane: Lane, size: Size) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        let waiting = Waiting { ticket, size };
        match self.lanes.iter_mut().find(|(other, _)| *other == lane) {
            Some((_, queue)) => queue.push_back(waiting),
            None => self.lanes.push_back((lane, VecDeque::from([waiting]))),
        }
        ticket
    }

    /// Waits no longer; nothing where it does not wait.
    pub fn leave(&mut self, ticket: Ticket) {
        for (_, queue) in &mut self.lanes {
            queue.retain(|waiting| waiting.ticket != ticket);
        }
        self.lanes.retain(|(_, queue)| !queue.is_empty());
    }

    /// The next to start, where a place is free for one that waits. It runs until [`Queue::ended`].
    pub fn start(&mut self) -> Option<(Ticket, Size)> {
        if self.small + self.large >= self.places {
            return None;
        }
        let operator = self.lanes.iter().position(|(lane, _)| *lane == Lane::Operator);
        let order = operator.into_iter().chain(0..self.lanes.len());
        let may_large = self.may_large();
        let (at, within) = order.into_iter().find_map(|at| Some((at, self.first(at, may_large)?)))?;
        let (lane, mut queue) = self.lanes.remove(at)?;
        let Waiting { ticket, size } = queue.remove(within)?;
        if !queue.is_empty() {
            self.lanes.push_back((lane, queue));
        }
        match size {
            Size::Small => self.small += 1,
            Size::Large => self.large += 1,
        }
        self.large_was_last = size == Size::Large;
        Some((ticket, size))
    }

    /// A lane whose large one may not start yet keeps its turn.
    fn first(&self, lane: usize, may_large: bool) -> Option<usize> {
        let (_, queue) = &self.lanes[lane];
        let small = queue.iter().position(|waiting| waiting.size == Size::Small);
        small.or((may_large && !queue.is_empty()).then_some(0))
    }

    fn may_large(&self) -> bool {
        if self.places > 1 {
            return self.large + 1 < self.places;
        }
        let small_waits =
            self.lanes.iter().any(|(_, queue)| queue.iter().any(|waiting| waiting.size == Size::Small));
        !(self.large_was_last && small_waits)
    }

    pub fn ended(&mut self, size: Size) {
        match size {
            Size::Small => self.small = self.small.saturating_sub(1),
            Size::Large => self.large = self.large.saturating_sub(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(id: u32) -> Lane {
        Lane::Tenant(TenantId::new(id).expect("not 0"))
    }

    /// The names of those that wait in the order in which one place, given back each time, starts them.
    fn order(places: usize, waiting: &[(&'static str, Lane, Size)]) -> Vec<&'static str> {
        let mut queue = Queue::new(places);
        let tickets: Vec<Ticket> = waiting.iter().map(|(_, lane, size)| queue.enter(*lane, *size)).collect();
        let mut order = Vec::new();
        while let Some((ticket, size)) = queue.start() {
            let at = tickets.iter().position(|other| *other == ticket).expect("it waits");
            order.push(waiting[at].0);
            queue.ended(size);
        }
        order
    }

    #[test]
    fn lanes_take_turns_and_the_operators_comes_first() {
        use Size::Small;
        let waiting = [
            ("2a", tenant(2), Small),
            ("2b", tenant(2), Small),
            ("2c", tenant(2), Small),
            ("3a", tenant(3), Small),
            ("oa", Lane::Operator, Small),
            ("4a", tenant(4), Small),
            ("ob", Lane::Operator, Small),
        ];
        assert_eq!(order(1, &waiting), ["oa", "ob", "2a", "3a", "4a", "2b", "2c"]);
    }

    #[test]
    fn with_one_place_no_two_large_ones_follow_each_other_while_a_small_one_waits() {
        use Size::{Large, Small};
        let waiting = [
            ("large 2", tenant(2), Large),
            ("large 3", tenant(3), Large),
            ("large 4", tenant(4), Large),
            ("small 5", tenant(5), Small),
            ("small 6", tenant(6), Small),
        ];
        assert_eq!(order(1, &waiting), ["large 2", "small 5", "large 3", "small 6", "large 4"]);
    }

    #[test]
    fn within_a_lane_a_small_one_passes_a_large_one() {
        use Size::{Large, Small};
        assert_eq!(order(1, &[("large", tenant(2), Large), ("small", tenant(2), Small)]), ["small", "large"]);
    }

    #[test]
    fn one_of_several_places_is_kept_for_small_ones() {
        let mut queue = Queue::new(2);
        let first = queue.enter(tenant(2), Size::Large);
        let second = queue.enter(tenant(3), Size::Large);
        assert_eq!(queue.start(), Some((first, Size::Large)));
        assert_eq!(queue.start(), None, "the other place is not for a large one");
        let small = queue.enter(tenant(4), Size::Small);
        assert_eq!(queue.start(), Some((small, Size::Small)));
        queue.ended(Size::Small);
        assert_eq!(queue.start(), None);
        queue.ended(Size::Large);
        assert_eq!(queue.start(), Some((second, Size::Large)));
    }

    #[test]
    fn who_leaves_is_not_waited_for() {
        let mut queue = Queue::new(1);
        let gone = queue.enter(tenant(2), Size::Small);
        let stays = queue.enter(tenant(2), Size::Small);
        queue.leave(gone);
        assert_eq!(queue.start(), Some((stays, Size::Small)));
        queue.leave(stays);
        assert_eq!(queue.start(), None, "the place is taken until it is given back");
    }
}
