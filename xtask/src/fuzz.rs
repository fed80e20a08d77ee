//! Throws random bytes at what strangers can send, starting from the payloads of the tests, for a
//! bounded time. Not part of the tests: it says something new each time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::{hostile, shell};

/// A target, and the folder of payloads that it starts from.
const DECODERS: [(&str, &str); 4] =
    [("waha", "waha"), ("infobip", "infobip"), ("gupshup", "gupshup"), ("meta", "meta")];

/// Targets that read text start from these.
const TEXTS: [(&str, &[&str]); 2] = [
    (
        "deep_link",
        &[
            "start_realty_2",
            "Start_Realty_12-instagram. Hello",
            "«start_realty_٢»",
            "start%5Frealty%5F3",
            "start_realty_2abc",
            "*start_realty_7*",
        ],
    ),
    (
        "identity",
        &[
            "971501234567@c.us",
            "+971 50 123-4567",
            "558591203123:12@s.whatsapp.net",
            "5215512345678",
            "541123456789",
            "245800000000182@lid",
            "120363000000000002@g.us",
            "US.ENT.1234",
            "status@broadcast",
        ],
    ),
];

/// Random components in a running gateway.
const GUESTS: &str = "guests";

/// One input takes no longer, nor is it larger: what a webhook holds is bounded elsewhere.
const INPUT_SECONDS: u32 = 10;
const INPUT_BYTES: u32 = 64 << 10;

/// Of a panic's message.
const BROKEN_LINES: usize = 6;

#[derive(Args)]
pub struct Fuzz {
    /// How long each target runs.
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Tries this one random guest again.
    #[arg(long)]
    seed: Option<u64>,
    /// waha, infobip, gupshup, meta, deep_link, identity, guests; all of them if none is named.
    targets: Vec<String>,
}

impl Fuzz {
    pub fn run(&self, root: &Path) -> Result<()> {
        let known: Vec<&str> =
            DECODERS.iter().map(|(name, _)| *name).chain(TEXTS.iter().map(|(name, _)| *name)).collect();
        let guests = |name: &String| name == GUESTS;
        if self.seed.is_some() || (!self.targets.is_empty() && self.targets.iter().all(guests)) {
            return self.guests(root);
        }
        if let Some(unknown) =
            self.targets.iter().find(|name| !known.contains(&name.as_str()) && !guests(name))
        {
            bail!("there is no target {unknown}; there are {}, {GUESTS}", known.join(", "));
        }
        let targets: Vec<&str> = known
            .into_iter()
            .filter(|name| self.targets.is_empty() || self.targets.iter().any(|it| it == name))
            .collect();
        ensure_cargo_fuzz(root)?;
        seed(root)?;
        shell::step("building the fuzz targets");
        shell::run(&mut cargo_fuzz(root, "build"))?;
        let mut findings = Vec::new();
        for target in targets {
            shell::step(&format!("fuzzing {target} for {} s", self.seconds));
            findings.extend(self.fuzz(root, target)?);
        }
        if self.targets.is_empty() || self.targets.iter().any(guests) {
            self.guests(root)?;
        }
        if findings.is_empty() {
            return Ok(());
        }
        let told: Vec<String> = findings.iter().map(|it| format!("  {it}")).collect();
        bail!(
            "inputs that break a promise; fix it, and make a test of each:\n{}\nto see one again: \
             cargo fuzz run --sanitizer none TARGET FILE",
            told.join("\n")
        )
    }

    /// Not with libFuzzer: counting the branches of the engine and its compiler finds no more guests than
    /// a generator of modules does. In the unoptimised build, which the tests have made already.
    fn guests(&self, root: &Path) -> Result<()> {
        let programs = hostile::programs(root, true, "switchboard-fuzz-guests")?;
        shell::step(&format!("trying random guests for {} s", self.seconds));
        let mut command = Command::new(programs.join("switchboard-fuzz-guests"));
        command.args(["--seconds", &self.seconds.to_string()]).current_dir(root);
        if let Some(seed) = self.seed {
            command.args(["--seed", &seed.to_string()]);
        }
        shell::run(&mut command)
    }

    /// The inputs that broke something, new and old.
    fn fuzz(&self, root: &Path, target: &str) -> Result<Vec<String>> {
        let mut command = cargo_fuzz(root, "run");
        command.arg(target).arg("--").args([
            format!("-max_total_time={}", self.seconds),
            format!("-timeout={INPUT_SECONDS}"),
            format!("-max_len={INPUT_BYTES}"),
        ]);
        let output = command.output().context("cannot start cargo fuzz")?;
        let said = String::from_utf8_lossy(&output.stderr);
        tell(&said, output.status.success());
        let found = files(&root.join("fuzz/artifacts").join(target));
        if !output.status.success() && found.is_empty() {
            bail!("the fuzzer of {target} ended with {} and left no input:\n{said}", output.status);
        }
        Ok(found.iter().map(|file| file.strip_prefix(root).unwrap_or(file).display().to_string()).collect())
    }
}

/// Of all that libFuzzer says: how much it tried, or what broke.
fn tell(said: &str, well: bool) {
    let mut lines = said.lines();
    if well {
        if let Some(done) = lines.find(|line| line.starts_with("Done ")) {
            eprintln!("{done}");
        }
        return;
    }
    let broke = lines.skip_while(|line| !(line.contains("panicked at") || line.contains("ERROR: libFuzzer")));
    for line in broke.take(BROKEN_LINES) {
        eprintln!("{line}");
    }
}

/// No sanitizer: the gateway's floors have no unsafe code, and a sanitizer needs a nightly compiler.
fn cargo_fuzz(root: &Path, task: &str) -> Command {
    let mut command = shell::cargo(root);
    command.args(["fuzz", task, "--sanitizer", "none"]);
    command
}

fn ensure_cargo_fuzz(root: &Path) -> Result<()> {
    let found = shell::cargo(root)
        .args(["fuzz", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot start cargo")?;
    if found.success() {
        return Ok(());
    }
    shell::step("installing cargo-fuzz");
    shell::run(shell::cargo(root).args(["install", "cargo-fuzz", "--locked"]))
}

/// The payloads of the tests, as they are now; what earlier runs found stays beside them.
fn seed(root: &Path) -> Result<()> {
    for (target, provider) in DECODERS {
        let corpus = corpus(root, target)?;
        for file in files(&root.join("tests/payloads").join(provider)) {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if !name.ends_with(".expected.json") {
                fs::copy(&file, corpus.join(&name))
                    .with_context(|| format!("cannot copy {}", file.display()))?;
            }
        }
    }
    for (target, texts) in TEXTS {
        let corpus = corpus(root, target)?;
        for (number, text) in texts.iter().enumerate() {
            fs::write(corpus.join(format!("seed_{number}")), text)?;
        }
    }
    Ok(())
}

fn corpus(root: &Path, target: &str) -> Result<PathBuf> {
    let corpus = root.join("fuzz/corpus").join(target);
    fs::create_dir_all(&corpus).with_context(|| format!("cannot create {}", corpus.display()))?;
    Ok(corpus)
}

/// None where there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}
