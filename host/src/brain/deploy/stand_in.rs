//! A package whose files do not run, and that nothing runs for: a disk that bit into `brain.wasm` while the
//! gateway was stopped must not silence a tenant whose last good version is on the shelf. It stands in until
//! the files are mended, and the refusal stays on the list.

use std::path::PathBuf;

use super::{Deployer, Obstacle, Terms, blocking};
use crate::brain::manifest;
use crate::brain::package::{Component, Files};
use crate::brain::shelf::{Entry, Shelf};

impl Deployer {
    /// Does a package of this name run already? Then it stays, and nothing has to stand in.
    fn runs(&self, name: &str) -> bool {
        let packages = self.packages.load();
        packages.get(name).is_some_and(|package| package.brain.is_some() || package.tenant.is_some())
    }

    /// Brings the last good version back for files that are no good. `Uncompiled`: there is one, and its
    /// code is to be compiled first.
    pub(super) async fn stand_in(&self, name: &str, terms: Terms, reason: &Obstacle) -> Result<(), Obstacle> {
        if self.runs(name) || !matches!(reason, Obstacle::Wrong(_)) {
            return Ok(());
        }
        let (shelf, of) = (self.shelf.clone(), name.to_owned());
        let directory = self.settings.plugins.join(name);
        let (candidates, list) = blocking(move || {
            let list = shelf.list(&of);
            (last_good(&shelf, &of, &list, directory), list)
        })
        .await?;
        for (files, entry) in candidates {
            match self.stand_in_with(name, files, terms, (entry, &list), reason).await {
                Ok(()) => return Ok(()),
                Err(Obstacle::Uncompiled) => return Err(Obstacle::Uncompiled),
                Err(obstacle) => {
                    tracing::warn!(package = name, %obstacle, "an earlier version does not run either")
                }
            }
        }
        Ok(())
    }

    async fn stand_in_with(
        &self,
        name: &str,
        files: Files,
        terms: Terms,
        (entry, list): (Option<usize>, &[Entry]),
        reason: &Obstacle,
    ) -> Result<(), Obstacle> {
        let prepared = self.prepare(name, files).await?;
        let mut package = self.build(prepared, terms).await?.package;
        if let Some(entry) = entry.and_then(|at| list.get(at)) {
            package.live_since = entry.live_since;
        }
        let earlier = list.iter().skip(entry.map_or(0, |at| at + 1));
        package.fallback = earlier.clone().find(|entry| !entry.withdrawn).map(|entry| entry.digest.clone());
        package.earlier = earlier.map(|entry| entry.digest.clone()).collect();
        tracing::error!(
            package = name,
            running = package.brain.as_ref().map_or("", |version| &version.digest[..12]),
            %reason,
            "the files of a package do not run, its last good version stands in"
        );
        self.publish(package);
        Ok(())
    }
}

/// What ran before, the newest first, with the texts that ran with it.
fn last_good(shelf: &Shelf, name: &str, list: &[Entry], directory: PathBuf) -> Vec<(Files, Option<usize>)> {
    let mut texts = shelf.good(name).unwrap_or_else(|| Files::read_texts(&directory));
    // Messages name what is on the shelf.
    texts.shown = PathBuf::from(name);
    let components = list.iter().enumerate().filter(|(at, entry)| *at == 0 || !entry.withdrawn);
    let mut found: Vec<(Files, Option<usize>)> = components
        .filter_map(|(at, entry)| {
            let component = shelf
                .component(&entry.digest)
                .inspect_err(
                    |error| tracing::warn!(package = name, %error, "an earlier version cannot be read"),
                )
                .ok()?;
            let component = Component { digest: entry.digest.clone(), bytes: component.into() };
            Some((Files { component: Some(component), ..texts.clone() }, Some(at)))
        })
        .collect();
    // A tenant's package may be texts alone.
    if found.is_empty() && manifest::tenant_of(name).is_some() && texts.personality.is_some() {
        found.push((texts, None));
    }
    found
}
