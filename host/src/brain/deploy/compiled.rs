//! Components on their way to running code: compiled, kept, and swept away when nobody can want them
//! any more.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Mutex;

use super::{Deployer, Obstacle, Terms, blocking, lock};
use crate::brain::compiler::{Order, Rehearsal, Rehearsed};
use crate::brain::engine::Version;
use crate::brain::manifest::Manifest;
use crate::brain::package::{Component, Files};
use crate::message::Timestamp;
use crate::{clock, glyph};

/// What a component does not fit is named in its own words, cut to this.
const UNLINKED_BYTES: usize = 2_000;

impl Deployer {
    /// Takes code from the cache, or has it made, which runs the component for the first time where
    /// `rehearsal` says so. Then it is linked.
    pub(super) async fn load(
        &self,
        name: &str,
        component: &Component,
        manifest: &Manifest,
        terms: Terms,
        rehearsal: Option<Rehearsal>,
    ) -> Result<(Version, Rehearsed), Obstacle> {
        let Component { digest, bytes } = component;
        let (code, rehearsed) = match self.find(digest).await? {
            Some(code) => (code, Rehearsed::Not),
            None if !terms.compile => return Err(Obstacle::Uncompiled),
            None => {
                let _making = Making::new(&self.making, name);
                let Terms { lane, pays, .. } = terms;
                let component = bytes.clone();
                let order = Order { digest: digest.clone(), component, lane, pays, rehearsal };
                let made = self.compiler.make(order).await?;
                (made.code, made.rehearsed)
            }
        };
        let version = self.engine.version(digest.clone(), &code, &manifest.grants);
        Ok((version.map_err(|error| unlinked(&error))?, rehearsed))
    }

    async fn find(&self, digest: &str) -> Result<Option<wasmtime::component::Component>, String> {
        let (engine, cache, wanted) = (self.engine.clone(), self.cache.clone(), digest.to_owned());
        blocking(move || cache.find(engine.wasmtime(), &wanted)).await
    }

    /// Removes compiled code of what neither runs nor can be gone back to nor is being built: of
    /// refused components, and of what fell off the shelf.
    pub(super) async fn sweep(&self) {
        let _one = self.shelving.lock().await;
        let (shelf, cache) = (self.shelf.clone(), self.cache.clone());
        let mut wanted = lock(&self.coming).clone();
        wanted.extend(
            self.packages.load().iter().filter_map(|package| Some(package.brain.as_ref()?.digest.clone())),
        );
        let swept = blocking(move || {
            wanted.extend(shelf.digests());
            cache.keep_only(&wanted);
        });
        if let Err(error) = swept.await {
            tracing::warn!(error, "the cache of compiled brains could not be swept");
        }
    }
}

fn unlinked(error: &wasmtime::Error) -> String {
    format!("cannot be linked: {}", glyph::shown(format!("{error:#}"), UNLINKED_BYTES))
}

/// A package is listed as being compiled for as long as this is there; where it was listed before, it
/// stays so until it is landed.
struct Making<'a> {
    all: &'a Mutex<BTreeMap<String, Timestamp>>,
    name: Option<&'a str>,
}

impl<'a> Making<'a> {
    fn new(all: &'a Mutex<BTreeMap<String, Timestamp>>, name: &'a str) -> Self {
        let name = match lock(all).entry(name.to_owned()) {
            Entry::Vacant(place) => {
                place.insert(clock::now());
                Some(name)
            }
            Entry::Occupied(_) => None,
        };
        Making { all, name }
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        if let Some(name) = self.name {
            lock(self.all).remove(name);
        }
    }
}

/// A component that is being built.
pub(super) struct Coming<'a> {
    all: &'a Mutex<Vec<String>>,
    digest: Option<String>,
}

impl<'a> Coming<'a> {
    pub(super) fn new(all: &'a Mutex<Vec<String>>, files: &Files) -> Self {
        let digest = files.component.as_ref().map(|component| component.digest.clone());
        lock(all).extend(digest.clone());
        Coming { all, digest }
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        let mut all = lock(self.all);
        if let Some(at) = all.iter().position(|digest| Some(digest) == self.digest.as_ref()) {
            all.swap_remove(at);
        }
    }
}
