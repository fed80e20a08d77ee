//! Rounds: each thing that is compared is run once a round, one after the other, A B A B, so that
//! what the machine does meanwhile meets all of them. What counts is the median over the rounds.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;

use crate::load::sink::Sink;
use crate::load::{self, Contacts, Measured, Plan, Target, Until};
use crate::server::Process;

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub rounds: usize,
    pub warm_up: Duration,
    pub measured: Duration,
    /// Swaps of the brain under load.
    pub swaps: u32,
    /// Contacts in the largest store.
    pub most_contacts: u64,
}

impl Pace {
    pub const FULL: Pace = Pace {
        rounds: 5,
        warm_up: Duration::from_millis(500),
        measured: Duration::from_secs(3),
        swaps: 200,
        most_contacts: 1_000_000,
    };
    pub const QUICK: Pace = Pace {
        rounds: 3,
        warm_up: Duration::from_millis(400),
        measured: Duration::from_millis(1500),
        swaps: 20,
        most_contacts: 100_000,
    };
}

/// What one server is loaded with in every round.
#[derive(Clone, Debug)]
pub struct Load {
    pub target: Target,
    /// Who answers there.
    pub process: Process,
    pub connections: u64,
    pub contacts: u64,
    pub until: Until,
    pub hmac_key: Option<String>,
}

impl Load {
    pub fn plan(&self, pace: &Pace) -> Plan {
        Plan {
            target: self.target,
            connections: self.connections,
            contacts: Contacts { first: 0, count: self.contacts },
            text: load::webhook::HELLO,
            until: self.until,
            hmac_key: self.hmac_key.clone(),
            every: None,
            warm_up: pace.warm_up,
            measured: pace.measured,
            stop: Rc::new(Cell::new(false)),
        }
    }
}

/// One round of one server.
#[derive(Clone, Debug)]
pub struct Round {
    pub load: Measured,
    /// The server's processor time for each message.
    pub busy: Duration,
}

impl Round {
    pub async fn run(plan: &Plan, process: Process, sink: &Rc<Sink>) -> Result<Self> {
        let before = process.busy()?;
        let load = load::run(plan, sink).await?;
        let busy = process.busy()?.saturating_sub(before).div_f64(load.sent.max(1) as f64);
        Ok(Round { load, busy })
    }
}

/// One server's rounds.
#[derive(Clone, Debug, Default)]
pub struct Rounds(Vec<Round>);

impl Rounds {
    pub fn push(&mut self, round: Round) {
        self.0.push(round);
    }

    pub fn per_second(&self) -> f64 {
        median(self.0.iter().map(|round| round.load.per_second))
    }

    pub fn p50(&self) -> Duration {
        self.time(|round| round.load.p50)
    }

    pub fn p99(&self) -> Duration {
        self.time(|round| round.load.p99)
    }

    pub fn busy(&self) -> Duration {
        self.time(|round| round.busy)
    }

    fn time(&self, of: impl Fn(&Round) -> Duration) -> Duration {
        Duration::from_secs_f64(median(self.0.iter().map(|round| of(round).as_secs_f64())))
    }

    pub fn failed(&self) -> u64 {
        self.0.iter().map(|round| round.load.failed).sum()
    }

    pub fn failure(&self) -> Option<&str> {
        self.0.iter().find_map(|round| round.load.failure.as_deref())
    }

    /// The median of the ratios of rounds that ran side by side.
    pub fn ratio_to(&self, other: &Rounds, of: impl Fn(&Measured) -> f64) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(own, others)| of(&own.load) / of(&others.load)))
    }
}

/// Runs the loads in turn, round by round.
pub async fn run(loads: &[Load], pace: &Pace, sink: &Rc<Sink>) -> Result<Vec<Rounds>> {
    let mut rounds = vec![Rounds::default(); loads.len()];
    for _ in 0..pace.rounds {
        for (load, rounds) in loads.iter().zip(&mut rounds) {
            rounds.push(Round::run(&load.plan(pace), load.process, sink).await?);
        }
    }
    Ok(rounds)
}

/// 0 of nothing.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        even if even % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_or_between_the_middle_two() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median([].into_iter()), 0.0);
    }

    #[test]
    fn a_ratio_compares_rounds_that_ran_side_by_side() {
        let round = |per_second| Round {
            load: Measured {
                per_second,
                p50: Duration::ZERO,
                p99: Duration::ZERO,
                sent: 0,
                failed: 0,
                failure: None,
            },
            busy: Duration::ZERO,
        };
        // The machine was half as fast in the second round; the ratio does not notice.
        let bare = Rounds(vec![round(100.0), round(50.0), round(100.0)]);
        let gateway = Rounds(vec![round(60.0), round(30.0), round(60.0)]);
        assert_eq!(gateway.ratio_to(&bare, |round| round.per_second), 0.6);
    }
}
