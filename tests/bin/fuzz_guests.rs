//! Random guests in a running gateway, beside an honest neighbour, for a bounded time: whatever they are,
//! their turns end, what they cost is within its bounds, and the gateway goes on. `cargo xtask fuzz
//! guests` builds it and what it needs. What breaks is told with its seed; `--seed N` tries that one.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use switchboard_tests::hostile::beside::Pace;
use switchboard_tests::hostile::ground::{Ground, tenant_of};
use switchboard_tests::hostile::smith;
use switchboard_tests::hostile::trial::phone;

/// Pushes are spread over so many tenants, as each has a number of them an hour.
const TENANTS: usize = 64;

const PACE: Pace =
    Pace { contacts: 2, every: Duration::from_millis(250), health_every: Duration::from_millis(50) };

/// Small, so that what wants too much is told soon.
const LIMITS: &str = "[limits]\nfuel = 50_000_000\nwall_time_ms = 1_000\nmemory_bytes = 33554432\n";

/// A turn of the limits above ends within this time, on a machine that does something else too.
const TURN: Duration = Duration::from_secs(8);

/// A turn's line in the journal is no longer,
const JOURNAL_BYTES: usize = 512 << 10;

/// and it writes no more to the log than log_bytes, twice for what is around a line.
const LOG_BYTES: usize = 64 << 10;

/// `/health` is answered within this time.
const HEALTH: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    match fuzz() {
        Ok(said) => {
            eprintln!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn fuzz() -> Result<String> {
    let (mut seconds, mut seed, mut once) = (20.0, rand::random::<u32>().into(), false);
    let mut given = std::env::args().skip(1);
    while let Some(option) = given.next() {
        let value = given.next().with_context(|| format!("{option} wants a value"))?;
        match option.as_str() {
            "--seconds" => seconds = value.parse()?,
            "--seed" => (seed, once) = (value.parse()?, true),
            _ => bail!("there is no option {option}; there are --seconds and --seed"),
        }
    }
    let until = Instant::now() + Duration::from_secs_f64(if once { 0.0 } else { seconds });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(go_on(seed, until))
}

async fn go_on(first: u64, until: Instant) -> Result<String> {
    let mut ground = Ground::start(&[], TENANTS, LIMITS).await;
    let beside = ground.beside(PACE);
    let (mut seed, mut counts) = (first, Counts::default());
    loop {
        let place = usize::try_from(seed % TENANTS as u64)?;
        one(&ground, place, seed, &mut counts).await.with_context(|| format!("the guest of seed {seed}"))?;
        let seen = beside.take();
        if let Some(unanswered) = seen.unanswered.first() {
            bail!("the guest of seed {seed}, or one shortly before: {unanswered}");
        }
        if seen.health.quantile(1.0) > HEALTH {
            bail!("the guest of seed {seed}: /health took {:?}", seen.health.quantile(1.0));
        }
        seed += 1;
        if Instant::now() >= until {
            break;
        }
    }
    drop(beside);
    ground.settles().await?;
    let stopped = ground.gateway.stop().await;
    if !stopped.success() {
        bail!("the gateway ended with {stopped}");
    }
    let Counts { made, taken, ended_well, failed, refusal } = counts;
    if taken == 0 {
        bail!("none of {made} random guests was taken; the last refusal: {refusal}");
    }
    Ok(format!(
        "Done {made} random guests from seed {first} on: {taken} were taken, {ended_well} turns went well, {failed} failed"
    ))
}

#[derive(Default)]
struct Counts {
    made: usize,
    taken: usize,
    ended_well: usize,
    failed: usize,
    /// The last one.
    refusal: String,
}

async fn one(ground: &Ground, place: usize, seed: u64, counts: &mut Counts) -> Result<()> {
    // Not every run of random bytes is a module that the contract fits around.
    let Ok(component) = smith::component(seed) else { return Ok(()) };
    counts.made += 1;
    let pushed = ground.push(tenant_of(place), component).await?;
    if pushed.text.len() > 8 << 10 || pushed.status >= 500 {
        bail!(
            "the push is answered {} with {} bytes: {:.300}",
            pushed.status,
            pushed.text.len(),
            pushed.text
        );
    }
    if pushed.status != 200 {
        counts.refusal = pushed.text;
        return Ok(());
    }
    counts.taken += 1;
    let logged = ground.gateway.log().len();
    let phone = phone(usize::try_from(seed % 10_000)?, place);
    ground.say(&phone, &format!("start_realty_{}", tenant_of(place))).await?;
    let turns = ground.turns(tenant_of(place), &phone, 1, TURN).await?;
    let turn = turns.last().context("a turn")?;
    let bytes = turn.to_string().len();
    if bytes > JOURNAL_BYTES {
        bail!("its turn takes {bytes} bytes of the journal; limit {JOURNAL_BYTES}");
    }
    let wrote = ground.gateway.log().len() - logged;
    if wrote > LOG_BYTES {
        bail!("its turn wrote {wrote} bytes of log; limit {LOG_BYTES}");
    }
    match turn["outcome"]["fault"]["code"] {
        Value::Null => counts.ended_well += 1,
        _ => counts.failed += 1,
    }
    Ok(())
}
