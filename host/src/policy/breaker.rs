//! Two machines that answer each other never stop by themselves. A person cannot answer dozens of
//! messages in a row within seconds of each; whoever does is taken for a machine.

use crate::message::Timestamp;

/// More turns than this in a row, within this time, each so soon after our answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// 0: no limit.
    pub turns: u32,
    pub within_ms: i64,
    pub answer_ms: i64,
}

/// How quickly a contact has been answering lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// When we last said something.
    answered_at: Option<Timestamp>,
    /// Quick answers in a row, and when the first of them came.
    quick: u32,
    since: Timestamp,
}

impl Exchange {
    /// The contact wrote in words at `at`. Is that one time too many?
    pub fn heard(&mut self, at: Timestamp, limit: Limit) -> bool {
        let Some(answered_at) = self.answered_at else { return false };
        let gap_ms = at.as_ms().saturating_sub(answered_at.as_ms());
        if gap_ms < 0 {
            // It came before we had answered what came before it: it answers nothing.
            return false;
        }
        if gap_ms > limit.answer_ms {
            self.quick = 0;
            return false;
        }
        if self.quick == 0 || at.as_ms().saturating_sub(self.since.as_ms()) > limit.within_ms {
            (self.quick, self.since) = (0, at);
        }
        self.quick += 1;
        limit.turns > 0 && self.quick > limit.turns
    }

    pub fn answered(&mut self, at: Timestamp) {
        self.answered_at = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { turns: 3, within_ms: 60_000, answer_ms: 5_000 };

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(1_772_366_400_000 + ms)
    }

    /// `(message, our answer)` in milliseconds; which message is one too many.
    #[test]
    fn machines_are_told_from_people() {
        let every = |gap: i64, answer: i64| (0..10).map(|n| (n * gap, n * gap + answer)).collect::<Vec<_>>();
        for (case, limit, talk, expected) in [
            ("two machines", LIMIT, every(1_000, 10), Some(4)),
            ("as slow as still counts", LIMIT, every(5_010, 10), Some(4)),
            ("a person who reads", LIMIT, every(5_011, 10), None),
            ("no limit", Limit { turns: 0, ..LIMIT }, every(1_000, 10), None),
            (
                "a pause begins anew",
                LIMIT,
                vec![(0, 1), (2, 3), (4, 5), (60_000, 60_001), (60_002, 60_003), (60_004, 60_005)],
                None,
            ),
            ("spread over more than the time", Limit { within_ms: 9_000, ..LIMIT }, every(4_000, 10), None),
            ("a flood that waits for no answer", LIMIT, (0..10).map(|n| (n, 1_000 + n)).collect(), None),
            ("one message", LIMIT, vec![(0, 1)], None),
        ] {
            let mut exchange = Exchange::default();
            let tripped = talk.into_iter().position(|(heard, answered)| {
                let tripped = exchange.heard(at(heard), limit);
                exchange.answered(at(answered));
                tripped
            });
            assert_eq!(tripped, expected, "{case}");
        }
    }

    #[test]
    fn who_is_not_answered_is_in_no_loop() {
        let mut exchange = Exchange::default();
        assert!((0..100).all(|n| !exchange.heard(at(n * 1_000), LIMIT)));
        // One answer long ago makes the messages after it no loop either.
        exchange.answered(at(0));
        assert!((10..100).all(|n| !exchange.heard(at(n * 1_000), LIMIT)));
    }
}
