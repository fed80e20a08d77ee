//! What the build is made of, held against `deny.toml`: licences, bans, sources and known weaknesses. What cannot
//! be looked at without a network is left out aloud.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result};

use crate::shell;

/// Its options are not the same in all versions.
const VERSION: &str = "0.20.2";

pub fn run(root: &Path) -> Result<()> {
    if !is_installed(root)? {
        shell::step("installing cargo-deny");
        // Unoptimised it is there in half the time, and looks for a second longer.
        let arguments = ["install", "cargo-deny", "--version", VERSION, "--locked", "--debug"];
        if let Err(error) = shell::run(shell::cargo(root).args(arguments)) {
            return left_out("licences, bans, sources and known weaknesses", &error);
        }
    }
    shell::step("looking at licences, bans and sources");
    // Those of all platforms are looked at, and not all lie here.
    if let Err(error) = shell::run(shell::cargo(root).args(["fetch", "--locked"])) {
        return left_out("licences, bans, sources and known weaknesses", &error);
    }
    let check = ["deny", "--offline", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
    shell::run(shell::cargo(root).args(check))?;
    shell::step("looking for known weaknesses");
    if let Err(error) = shell::run(shell::cargo(root).args(["deny", "fetch", "db"])) {
        return left_out("known weaknesses", &error);
    }
    shell::run(shell::cargo(root).args(["deny", "--offline", "check", "advisories"]))
}

/// No failure of what is looked at, and not passed over in silence.
fn left_out(what: &str, why: &anyhow::Error) -> Result<()> {
    eprintln!("LEFT OUT, because it takes a network: {what}: {why:#}");
    Ok(())
}

fn is_installed(root: &Path) -> Result<bool> {
    let mut look = shell::cargo(root);
    look.args(["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(look.status().context("cannot start cargo")?.success())
}
