//! Components on their way to running code: compiled one at a time, kept, and swept away when nobody
//! can want them any more.

use std::sync::Mutex;
use std::time::Instant;

use wasmtime::component::Component;

use super::{Deployer, blocking, lock};
use crate::brain::engine::Version;
use crate::brain::manifest::Manifest;
use crate::brain::package::{self, Files};

impl Deployer {
    /// Compiles, or takes from the cache, away from the threads that run turns.
    pub(super) async fn load(
        &self,
        digest: String,
        component: Vec<u8>,
        manifest: &Manifest,
    ) -> Result<Version, String> {
        let (engine, cache, wanted) = (self.engine.clone(), self.cache.clone(), digest.clone());
        let kept = blocking(move || cache.find(engine.wasmtime(), &wanted)).await?;
        let code = match kept {
            Some(code) => code,
            None => self.compile(digest.clone(), component).await?,
        };
        let version = self.engine.version(digest, &code, &manifest.grants);
        version.map_err(|error| format!("cannot be linked: {error:#}"))
    }

    async fn compile(&self, digest: String, component: Vec<u8>) -> Result<Component, String> {
        let turn = self.compiler.clone().acquire_owned().await.map_err(|error| error.to_string())?;
        let (engine, cache) = (self.engine.clone(), self.cache.clone());
        blocking(move || {
            let began = Instant::now();
            let code = cache.compile(engine.wasmtime(), &digest, &component);
            tracing::debug!(digest = &digest[..12], took_ms = began.elapsed().as_millis() as u64, "compiled");
            // Not given back before: a caller who has gone away leaves the compiler busy.
            drop(turn);
            code.map_err(|error| format!("not a component that can run here: {error:#}"))
        })
        .await?
    }

    /// Removes compiled code of what neither runs nor can be gone back to nor is being built: of
    /// refused components, and of what fell off the shelf.
    pub(super) async fn sweep(&self) {
        let _one = self.shelving.lock().await;
        let (shelf, cache, engine) = (self.shelf.clone(), self.cache.clone(), self.engine.clone());
        let mut wanted = lock(&self.coming).clone();
        wanted.extend(
            self.packages.load().iter().filter_map(|package| Some(package.brain.as_ref()?.digest.clone())),
        );
        let swept = blocking(move || {
            wanted.extend(shelf.digests());
            cache.keep_only(engine.wasmtime(), &wanted);
        });
        if let Err(error) = swept.await {
            tracing::warn!(error, "the cache of compiled brains could not be swept");
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
        let digest = files.component.as_deref().map(package::digest);
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
