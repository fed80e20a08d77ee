//! Runs seeds of the simulation and tells which of them show something. `cargo xtask simulate` builds it; `--seed N`
//! runs that one alone.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use switchboard_tests::simulation;

fn main() -> ExitCode {
    match simulate() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Did everything hold?
fn simulate() -> Result<bool> {
    let (mut first, mut seeds, mut steps) = (0, 1_000, 10_000);
    let mut given = std::env::args().skip(1);
    while let Some(option) = given.next() {
        let value = given.next().with_context(|| format!("{option} wants a value"))?;
        match option.as_str() {
            "--seeds" => seeds = value.parse()?,
            "--from" => first = value.parse()?,
            "--seed" => (first, seeds) = (value.parse()?, 1),
            "--steps" => steps = value.parse()?,
            _ => bail!("there is no option {option}; there are --seeds, --from, --seed and --steps"),
        }
    }
    let (began, next, broken) = (Instant::now(), AtomicU64::new(first), Mutex::new(0_u64));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    let run = if seeds == 1 { simulation::run_aloud } else { simulation::run };
                    if let Err(what) = run(seed, steps) {
                        println!("seed {seed}: {what}");
                        println!("  again: cargo xtask simulate --seed {seed} --steps {steps}");
                        *broken.lock().expect("no panic with it") += 1;
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap_or_default();
    let took = began.elapsed().as_secs_f64();
    println!("{seeds} seeds of {steps} steps from {first}: {broken} showed something; {took:.1} s");
    Ok(broken == 0)
}
