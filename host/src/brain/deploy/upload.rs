//! What tenants and operators send: a component, texts, or the wish to go back. Each changes one file
//! of a package, and only after the package was built with it. Until then it is given up when whoever
//! sent it has gone; after that it comes to its end.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;

use super::compiled::Coming;
use super::{Built, Deployer, Obstacle, Terms, blocking, is_name, lock};
use crate::brain::cache::write_atomically;
use crate::brain::compiler::Lane;
use crate::brain::manifest;
use crate::brain::package::{COMPONENT, Component, Files, PERSONALITY, Stamp};
use crate::brain::{By, Refused, Uploaded};
use crate::message::TenantId;

/// Where there is no room for an upload, there may be after this.
const ANOTHER_TIME: Duration = Duration::from_secs(10);

/// One tenant's uploads may hold this part of what all may.
const TENANTS_PART: usize = 4;

/// What waits or is being built, so that nobody fills the memory with it.
#[derive(Debug, Default)]
pub struct Room {
    bytes: usize,
    /// How many, and how large together.
    tenants: HashMap<TenantId, (usize, usize)>,
}

/// A place in it.
struct InRoom<'r> {
    room: &'r Mutex<Room>,
    tenant: TenantId,
    bytes: usize,
}

impl Drop for InRoom<'_> {
    fn drop(&mut self) {
        let mut room = lock(self.room);
        room.bytes = room.bytes.saturating_sub(self.bytes);
        if let Some((number, bytes)) = room.tenants.get_mut(&self.tenant) {
            *number = number.saturating_sub(1);
            *bytes = bytes.saturating_sub(self.bytes);
            if *number == 0 {
                room.tenants.remove(&self.tenant);
            }
        }
    }
}

impl Deployer {
    pub async fn put_brain(&self, tenant: TenantId, component: Bytes, by: By) -> Result<Uploaded, Refused> {
        let _held = self.room(tenant, component.len())?;
        let component = blocking(move || Component::new(component)).await.map_err(refused)?;
        let change = |files: &mut Files| files.component = Some(component);
        self.replace(&manifest::package_of(tenant), COMPONENT, by, None, change).await
    }

    pub async fn put_personality(&self, tenant: TenantId, toml: String, by: By) -> Result<Uploaded, Refused> {
        let _held = self.room(tenant, toml.len())?;
        let change = |files: &mut Files| files.personality = Some(toml);
        self.replace(&manifest::package_of(tenant), PERSONALITY, by, None, change).await
    }

    /// A place for an upload, where there is room for one.
    fn room(&self, tenant: TenantId, bytes: usize) -> Result<InRoom<'_>, Refused> {
        let limits = &self.settings.compiling;
        let mut room = lock(&self.room);
        let (number, held) = room.tenants.get(&tenant).copied().unwrap_or_default();
        let tenants_part = limits.upload_memory_bytes / TENANTS_PART;
        let full = |what: String, key: &str| Refused {
            reason: format!("{what}; raise `[brains] {key}` in switchboard.toml").into(),
            retry_after: Some(ANOTHER_TIME),
        };
        if number >= limits.tenant_uploads {
            let what = format!("tenant {tenant} has too many uploads waiting: limit {number}, used {number}");
            return Err(full(what, "tenant_uploads"));
        }
        // One alone is always taken: how large it may be is said elsewhere.
        if number > 0 && held + bytes > tenants_part {
            let used = held + bytes;
            let what = format!("tenant {tenant}: uploads that wait: limit {tenants_part} bytes, used {used}");
            return Err(full(what, "upload_memory_bytes"));
        }
        if room.bytes > 0 && room.bytes + bytes > limits.upload_memory_bytes {
            let (limit, used) = (limits.upload_memory_bytes, room.bytes + bytes);
            let what = format!("all uploads that wait: limit {limit} bytes, used {used}");
            return Err(full(what, "upload_memory_bytes"));
        }
        room.bytes += bytes;
        room.tenants.insert(tenant, (number + 1, held + bytes));
        Ok(InRoom { room: &self.room, tenant, bytes })
    }

    pub async fn rollback(&self, name: &str, digest: Option<&str>, by: By) -> Result<Uploaded, Refused> {
        let live =
            self.packages.load().get(name).and_then(|package| Some(package.brain.as_ref()?.digest.clone()));
        let list = if is_name(name) { self.shelf.list(name) } else { Vec::new() };
        let mut earlier = list.iter().filter(|entry| Some(&entry.digest) != live.as_ref());
        let target = match digest {
            // Where somebody went back already, going back again goes further.
            None => earlier.find(|entry| !entry.withdrawn),
            Some(wanted) if wanted.len() >= 6 => earlier.find(|entry| entry.digest.starts_with(wanted)),
            Some(_) => return Err(refused("name at least 6 digits of the version".into())),
        };
        let Some(target) = target else {
            let known: Vec<&str> = list.iter().map(|entry| &entry.digest[..12]).collect();
            return Err(refused(format!(
                "{name}: no such earlier version; kept are: {}",
                if known.is_empty() { "none".into() } else { known.join(", ") }
            )));
        };
        let component =
            self.shelf.component(&target.digest).map_err(|error| refused(format!("{name}: {error}")))?;
        let component = Component { digest: target.digest.clone(), bytes: component.into() };
        self.replace(name, COMPONENT, by, live, |files| files.component = Some(component)).await
    }

    /// Changes one file of a package: builds with it first, then renames it into the directory.
    async fn replace(
        &self,
        name: &str,
        file: &str,
        by: By,
        withdrawn: Option<String>,
        change: impl FnOnce(&mut Files),
    ) -> Result<Uploaded, Refused> {
        let ready = tokio::select! {
            biased;
            () = by.gone.cancelled() => Err(refused(format!("{name}: given up: whoever sent it has gone"))),
            ready = self.make_ready(name, file, change) => ready,
        };
        let replaced = match ready {
            Ok(ready) => self.put_in_place(name, file, ready, &by.actor, withdrawn).await,
            Err(refused) => Err(refused),
        };
        self.sweep().await;
        replaced
    }

    /// Builds the package with the change.
    async fn make_ready(
        &self,
        name: &str,
        file: &str,
        change: impl FnOnce(&mut Files),
    ) -> Result<Ready<'_>, Refused> {
        let one = self.landing(name).await;
        let directory = self.settings.plugins.join(name);
        let mut files =
            blocking(move || Files::read(&directory)).await.and_then(|files| files).map_err(refused)?;
        // Whoever uploads need not know where the gateway keeps its files.
        files.shown = PathBuf::from(name);
        change(&mut files);
        let bytes = match file {
            COMPONENT => files.component.as_ref().map(|component| component.bytes.clone()),
            _ => files.personality.clone().map(Bytes::from),
        };
        let coming = Coming::new(&self.coming, &files);
        let prepared = self.prepare(name, files).await.map_err(refused)?;
        let pays = manifest::tenant_of(name);
        let lane = pays.map_or(Lane::Operator, Lane::Tenant);
        let built = self.build(prepared, Terms { lane, pays, compile: true }).await?;
        Ok(Ready { built, bytes: bytes.unwrap_or_default(), _coming: coming, _one: one })
    }

    async fn put_in_place(
        &self,
        name: &str,
        file: &str,
        ready: Ready<'_>,
        actor: &str,
        withdrawn: Option<String>,
    ) -> Result<Uploaded, Refused> {
        let Ready { built, bytes, _coming, _one } = ready;
        let directory = self.settings.plugins.join(name);
        let path = directory.join(file);
        let written = blocking(move || {
            std::fs::create_dir_all(&directory)?;
            write_atomically(&path, &[&bytes])?;
            io::Result::Ok(Stamp::of(&directory))
        });
        let stamp = written
            .await
            .and_then(|stamp| stamp.map_err(|error| error.to_string()))
            .map_err(|error| refused(format!("{name}: the plugins directory cannot be written: {error}")))?;
        lock(&self.seen).insert(name.to_owned(), stamp);
        let own = built.package.brain.as_ref().map(|version| version.digest.clone());
        let digest = own.or_else(|| {
            let base = self.base_of(built.package.tenant?, &built.package.manifest)?;
            Some(base.brain.as_ref()?.digest.clone())
        });
        let uploaded = Uploaded {
            package: name.to_owned(),
            digest: digest.unwrap_or_default(),
            checked: built.checked.clone(),
        };
        self.go_live(built, actor, withdrawn).await;
        Ok(uploaded)
    }
}

/// A package that was built with a change, which is to be put in place.
struct Ready<'d> {
    built: Built,
    /// What the file is to hold.
    bytes: Bytes,
    _coming: Coming<'d>,
    _one: tokio::sync::OwnedMutexGuard<()>,
}

fn refused(reason: String) -> Refused {
    Refused { reason: reason.into(), retry_after: None }
}

impl From<Obstacle> for Refused {
    fn from(obstacle: Obstacle) -> Self {
        let retry_after = match &obstacle {
            Obstacle::NotNow { retry_after, .. } => Some(*retry_after),
            Obstacle::Wrong(_) | Obstacle::Uncompiled => None,
        };
        Refused { reason: obstacle.to_string().into(), retry_after }
    }
}
