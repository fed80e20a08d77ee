//! Seeds of the simulation, and the proof that it sees what it is to see.

use std::thread;

use switchboard_tests::simulation::troubles::Fault;
use switchboard_tests::simulation::{run, run_in};

const SEEDS: u64 = 300;
const STEPS: usize = 250;

#[test]
fn whatever_happens_what_was_promised_holds() {
    let broken: Vec<String> = thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            scope.spawn(move || {
                let seeds = (0..SEEDS).filter(|seed| seed % 2 == half);
                let told = seeds.filter_map(|seed| Some(format!("seed {seed}: {}", run(seed, STEPS).err()?)));
                told.collect::<Vec<_>>()
            })
        });
        halves.into_iter().flat_map(|half| half.join().expect("no panic")).collect()
    });
    assert!(
        broken.is_empty(),
        "{} of {SEEDS} seeds, {STEPS} steps each:\n{}",
        broken.len(),
        broken.join("\n")
    );
}

/// Each of these engines breaks one promise; each is convicted, by a seed that convicts it again.
#[test]
fn every_broken_promise_is_seen() {
    for fault in Fault::ALL {
        let seen = (0..20).find_map(|seed| Some((seed, run_in(seed, STEPS, fault.engine()).err()?)));
        let (seed, broken) = seen.unwrap_or_else(|| panic!("{fault:?} goes unseen"));
        assert_eq!(run_in(seed, STEPS, fault.engine()), Err(broken.clone()), "{fault:?}: seed {seed} again");
        assert_eq!(broken.guarantee, fault.breaks(), "{fault:?} is taken for another: {broken}");
        eprintln!("{fault:?}: seed {seed}, {broken}");
    }
}
