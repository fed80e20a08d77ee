//! New versions under load: is anything lost, and how long does it take from the file being in
//! place to the first reply of the new version?

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::{Bench, USUAL, connected, gateway_load, usual};
use crate::load::sink::Sink;
use crate::load::{self, Measured, Until};
use crate::rounds::median;
use crate::server::Installation;
use crate::table::{self, Row, Target};

/// The word in the echo brain's code whose place in its texts it fills in. A version that looks for
/// another word leaves the place as it is, and every reply shows it.
const WORD: &[u8] = b"number";
const OTHER_WORD: &[u8] = b"nummer";
const LEFT_ALONE: &[u8] = b"{number}";

/// Part of the echo brain's texts.
const SAID: &[u8] = b"You said";
const WROTE: &[u8] = b"You wrote";

/// A version that is not live by then never will be.
const PATIENCE: Duration = Duration::from_secs(30);
const TARGET: Duration = Duration::from_secs(1);

pub async fn rows(bench: &Bench) -> Result<Vec<Row>> {
    Ok(vec![
        swaps(bench, "new brain.wasm", "brain.wasm", brain, LEFT_ALONE).await?,
        swaps(bench, "new personality.toml", "personality.toml", texts, WROTE).await?,
    ])
}

/// Puts the file in place again and again, each time another version, under load all the while.
/// `sign` is in the replies of every second version and not in the others'.
async fn swaps(
    bench: &Bench,
    what: &str,
    file: &str,
    version: fn(&[u8], u32) -> Result<Vec<u8>>,
    sign: &'static [u8],
) -> Result<Row> {
    let installation = Installation::new(&bench.programs, &usual())?;
    let original = std::fs::read(installation.package("echo").join(file))?;
    let gateway = installation.start(false).await?;
    let mut plan = gateway_load(&gateway, Until::Replied, USUAL).plan(&bench.pace);
    plan.measured = PATIENCE * bench.pace.swaps;
    let stop = plan.stop.clone();
    let sink = bench.sink.clone();
    let loading = tokio::task::spawn_local(async move { load::run(&plan, &sink).await });
    tokio::time::sleep(bench.pace.warm_up).await;
    let mut took = Vec::new();
    let swapped: Result<()> = async {
        for number in 1..=bench.pace.swaps {
            let new = version(&original, number)?;
            let there = number % 2 == 1;
            took.push(swap(&installation.package("echo"), file, &new, &bench.sink, (sign, there)).await?);
        }
        Ok(())
    }
    .await;
    // First the load, whatever came of the swaps: it must not run beside what is measured next.
    stop.set(true);
    let loaded = loading.await.context("the load panicked")??;
    swapped?;
    Ok(row(what, &took, &loaded))
}

/// From the file being in place to the first reply that shows it.
async fn swap(
    package: &Path,
    file: &str,
    new: &[u8],
    sink: &Sink,
    (sign, there): (&[u8], bool),
) -> Result<Duration> {
    let beside = package.join(format!(".{file}.new"));
    std::fs::write(&beside, new)?;
    std::fs::rename(&beside, package.join(file))?;
    let began = Instant::now();
    let seen = sink.watch(sign, there);
    match tokio::time::timeout(PATIENCE, seen).await {
        Ok(seen) => seen.context("the watch was given up")?,
        Err(_) => bail!("a new {file} had not answered after {PATIENCE:?}"),
    }
    Ok(began.elapsed())
}

fn row(what: &str, took: &[Duration], loaded: &Measured) -> Row {
    let middle = Duration::from_secs_f64(median(took.iter().map(Duration::as_secs_f64)));
    let longest = took.iter().max().copied().unwrap_or_default();
    let failure = loaded.failure.as_deref().map(|failure| format!(" ({failure})")).unwrap_or_default();
    Row {
        what: format!("{what}, {} times under load, {}", took.len(), connected(USUAL)),
        gateway: format!(
            "{} of {} messages lost{failure} · live after {} ms, at most {} ms · {}/s, p99 {} ms meanwhile",
            loaded.failed,
            table::thousands(loaded.sent as f64),
            table::milliseconds(middle),
            table::milliseconds(longest),
            table::thousands(loaded.per_second),
            table::milliseconds(loaded.p99),
        ),
        target: Some(Target {
            text: "nothing lost, live in < 1 s".into(),
            met: loaded.failed == 0 && middle < TARGET,
        }),
        ..Row::default()
    }
}

/// Another component every time: another word in its code, and a custom section of its own.
fn brain(original: &[u8], number: u32) -> Result<Vec<u8>> {
    let mut new = original.to_vec();
    if number % 2 == 1 {
        replace(&mut new, WORD, OTHER_WORD).context("the echo brain's code fills in no {number}")?;
    }
    let name = b"bench";
    let payload = number.to_le_bytes();
    // A custom section: id 0, the size of the rest, the size of the name, the name, anything.
    new.push(0);
    new.push((1 + name.len() + payload.len()) as u8);
    new.push(name.len() as u8);
    new.extend_from_slice(name);
    new.extend_from_slice(&payload);
    Ok(new)
}

/// Another personality every time.
fn texts(original: &[u8], number: u32) -> Result<Vec<u8>> {
    let text = std::str::from_utf8(original)?;
    let (said, wrote) = (std::str::from_utf8(SAID)?, std::str::from_utf8(WROTE)?);
    if !text.contains(said) {
        bail!("the echo brain's personality does not say {said:?}");
    }
    let new = if number % 2 == 1 { text.replace(said, wrote) } else { text.to_owned() };
    Ok(format!("{new}\n# version {number}\n").into_bytes())
}

/// Every occurrence; both are of one length.
fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) -> Result<()> {
    let mut found = 0;
    for at in 0..bytes.len().saturating_sub(old.len() - 1) {
        if bytes[at..].starts_with(old) {
            bytes[at..at + old.len()].copy_from_slice(new);
            found += 1;
        }
    }
    if found == 0 {
        bail!("{:?} is not there", String::from_utf8_lossy(old));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn no_two_versions_are_the_same() {
        let original = b"\0asm number code";
        let odd = brain(original, 1).unwrap();
        let even = brain(original, 2).unwrap();
        assert!(odd.windows(6).any(|window| window == OTHER_WORD));
        assert!(even.starts_with(original));
        assert_ne!(even, brain(original, 4).unwrap());
        assert!(brain(b"\0asm", 1).is_err());
        assert_ne!(texts(b"You said: x", 2).unwrap(), texts(b"You said: x", 4).unwrap());
    }
}
