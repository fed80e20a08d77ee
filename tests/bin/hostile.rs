//! Goes round the whole hostile suite for as long as it is told to: every case once for its verdict, then
//! under load beside an honest neighbour, a quiet while before each, so that what drifts cancels out.
//! Prints a table. `cargo xtask hostile` builds it and what it needs in release.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use switchboard_tests::hostile::beside::{Beside, Pace, Seen, Slow};
use switchboard_tests::hostile::caller::{self, Caller};
use switchboard_tests::hostile::case::Guest;
use switchboard_tests::hostile::ground::{Ground, tenant_of};
use switchboard_tests::hostile::load::Load;
use switchboard_tests::hostile::trial;

/// Fifty messages a second of the neighbour's, well below what the machine can do and its own quotas allow.
const PACE: Pace =
    Pace { contacts: 8, every: Duration::from_millis(160), health_every: Duration::from_millis(10) };

/// Conversations of each hostile guest, and of the idle one that it is compared with.
const CONVERSATIONS: usize = 16;

/// Another tenant's whole turn may take so many times what it takes beside an idle guest.
const MOST: f64 = 1.1;

/// And `/health`, p99.
const HEALTH: Duration = Duration::from_millis(20);

/// The configured drain time, and a moment for the process to end.
const STOP: Duration = Duration::from_secs(12);

/// What is tried.
enum Case {
    Guest(Guest),
    Caller(Caller),
}

impl Case {
    fn name(&self) -> &str {
        match self {
            Case::Guest(guest) => &guest.name,
            Case::Caller(caller) => &caller.name,
        }
    }

    fn bound(&self) -> &str {
        match self {
            Case::Guest(guest) => &guest.head.bound,
            Case::Caller(caller) => &caller.bound,
        }
    }
}

fn main() -> ExitCode {
    let run = || -> Result<bool> {
        let (minutes, filter) = arguments(std::env::args().skip(1))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(go_round(minutes, &filter))
    };
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<(f64, String)> {
    let (mut minutes, mut filter) = (10.0, String::new());
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--minutes" => minutes = given.next().unwrap_or_default().parse()?,
            option if option.starts_with('-') => bail!("there is no option {option}; there is --minutes N"),
            _ => filter = argument,
        }
    }
    Ok((minutes, filter))
}

async fn go_round(minutes: f64, filter: &str) -> Result<bool> {
    let mut guests = [Guest::all("guests")?, Guest::all("uploads")?].concat();
    guests.retain(|case| case.name.contains(filter));
    let mut callers = Caller::all()?;
    callers.retain(|case| case.name.contains(filter));
    let number = guests.len() + callers.len();
    if number == 0 {
        bail!("no case has {filter:?} in its name");
    }
    // One tenant more, whose guest is idle.
    let mut ground = Ground::start(&guests, number + 1, "").await;
    let cases: Vec<Case> =
        guests.into_iter().map(Case::Guest).chain(callers.into_iter().map(Case::Caller)).collect();
    let pid = ground.gateway.pid();
    let while_ = Duration::from_secs_f64(minutes * 60.0 / (2.0 * number as f64));
    let while_ = while_.clamp(Duration::from_millis(500), Duration::from_secs(20));
    let beside = ground.beside(PACE);
    println!("| case | verdict | bound | longest turn | neighbour p50, p99 | /health p99 | |");
    println!("|---|---|---|--:|--:|--:|---|");
    let (mut quiet, mut loud, mut well) = (Seen::default(), Seen::default(), true);
    let until = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
    let mut round = 0;
    while round == 0 || Instant::now() < until {
        for (place, case) in cases.iter().enumerate() {
            if round > 0 && Instant::now() >= until {
                break;
            }
            let before = idle(&ground, &beside, number, while_).await;
            let (verdict, took) = tried(&ground, place, case, round == 0).await;
            let beside_it = attacked(&ground, &beside, place, case, while_).await;
            let line = Line { case, verdict: &verdict, took, before: &before, beside_it: &beside_it };
            well &= line.print(verdict.is_ok());
            quiet.add(&before);
            loud.add(&beside_it);
        }
        round += 1;
    }
    drop(beside);
    if ground.gateway.pid() != pid {
        bail!("the gateway is another process than at the begin");
    }
    let settles = ground.settles().await;
    let stopped = stops(&mut ground, &cases).await;
    let met = summary(&quiet, &loud, stopped);
    settles?;
    Ok(met && well)
}

/// The neighbour beside conversations of an idle guest.
async fn idle(ground: &Ground, beside: &Beside, number: usize, for_: Duration) -> Seen {
    let load = Load::start(ground, number, CONVERSATIONS);
    beside.take();
    tokio::time::sleep(for_).await;
    let seen = beside.take();
    load.stop(ground).await;
    seen
}

async fn tried(ground: &Ground, place: usize, case: &Case, first: bool) -> (Result<String>, Duration) {
    match case {
        Case::Guest(guest) if first => match trial::try_guest(ground, place, guest, 2).await {
            Ok(tried) => (Ok(tried.verdict), tried.wall_time),
            Err(error) => (Err(error), Duration::ZERO),
        },
        _ => (Ok(String::new()), Duration::ZERO),
    }
}

/// The neighbour beside the case.
async fn attacked(ground: &Ground, beside: &Beside, place: usize, case: &Case, for_: Duration) -> Seen {
    match case {
        Case::Guest(guest) if guest.head.verdict.runs() => {
            let load = Load::start(ground, place, CONVERSATIONS);
            beside.take();
            tokio::time::sleep(for_).await;
            let seen = beside.take();
            load.stop(ground).await;
            seen
        }
        Case::Guest(guest) => {
            beside.take();
            let until = Instant::now() + for_;
            let Ok(component) = guest.component() else { return beside.take() };
            while Instant::now() < until {
                let _ = ground.push(tenant_of(place), component.clone()).await;
            }
            beside.take()
        }
        Case::Caller(caller) => {
            beside.take();
            let until = Instant::now() + for_;
            loop {
                if let Err(error) = caller::try_caller(ground, place, caller).await {
                    eprintln!("{}: {error:#}", caller.name);
                }
                if Instant::now() >= until {
                    return beside.take();
                }
            }
        }
    }
}

/// What came of one case.
struct Line<'a> {
    case: &'a Case,
    verdict: &'a Result<String>,
    took: Duration,
    before: &'a Seen,
    beside_it: &'a Seen,
}

impl Line<'_> {
    fn print(&self, mut well: bool) -> bool {
        let ratio = |q| ratio(self.beside_it, self.before, q);
        let verdict = match self.verdict {
            Ok(verdict) => verdict.clone(),
            Err(error) => format!("**{}**", format!("{error:#}").replace(['|', '\n'], " ")),
        };
        let health = self.beside_it.health.quantile(0.99);
        let unanswered = self.beside_it.unanswered.first().cloned().unwrap_or_default();
        well &= unanswered.is_empty();
        println!(
            "| {} | {verdict} | {} | {:.0} ms | {:.2}, {:.2} | {:.1} ms | {} |",
            self.case.name(),
            self.case.bound(),
            ms(self.took),
            ratio(0.5),
            ratio(0.99),
            ms(health),
            if well { "held" } else { unanswered.as_str() },
        );
        well
    }
}

/// A stop in the middle of it all.
async fn stops(ground: &mut Ground, cases: &[Case]) -> Duration {
    let guests: Vec<usize> = cases
        .iter()
        .enumerate()
        .filter(|(_, case)| matches!(case, Case::Guest(guest) if guest.head.verdict.runs()))
        .map(|(place, _)| place)
        .take(CONVERSATIONS)
        .collect();
    let loads: Vec<Load> = guests.iter().map(|place| Load::start(ground, *place, 2)).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    let status = ground.gateway.stop().await;
    let took = began.elapsed();
    drop(loads);
    if status.success() { took } else { Duration::MAX }
}

fn summary(quiet: &Seen, loud: &Seen, stopped: Duration) -> bool {
    let (p50, p99) = (ratio(loud, quiet, 0.5), ratio(loud, quiet, 0.99));
    let health = loud.health.quantile(0.99);
    let lines = [
        (format!("neighbour's whole turn, p50: {p50:.2} times (≤ {MOST})"), p50 <= MOST),
        (
            format!(
                "neighbour's whole turn, p99: {p99:.2} times (≤ {MOST}): {:.2} ms beside it, {:.2} ms beside an idle guest",
                ms(loud.turns.quantile(0.99)),
                ms(quiet.turns.quantile(0.99))
            ),
            p99 <= MOST,
        ),
        (format!("/health p99: {:.2} ms (< {} ms)", ms(health), HEALTH.as_millis()), health < HEALTH),
        (format!("not answered: {}", loud.unanswered.len()), loud.unanswered.is_empty()),
        (
            format!("SIGTERM amid 16 hostile guests: ended after {:.1} s", stopped.as_secs_f64()),
            stopped <= STOP,
        ),
    ];
    println!();
    for (line, met) in &lines {
        println!("- {line}: {}", if *met { "met" } else { "**missed**" });
    }
    let Slow { whole, webhook } = loud.slowest;
    println!("- the slowest of them took {:.0} ms, its webhook {:.0} ms", ms(whole), ms(webhook));
    println!("- of {} turns beside the suite, {} quiet ones", loud.turns.count(), quiet.turns.count());
    lines.iter().all(|(_, met)| *met)
}

fn ratio(own: &Seen, other: &Seen, q: f64) -> f64 {
    own.turns.quantile(q).as_secs_f64() / other.turns.quantile(q).as_secs_f64().max(f64::EPSILON)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
