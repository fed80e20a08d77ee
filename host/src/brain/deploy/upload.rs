//! What tenants and operators send: a component, texts, or the wish to go back. Each changes one file
//! of a package, and only after the package was built with it.

use std::io;
use std::path::PathBuf;

use super::compiled::Coming;
use super::{Deployer, blocking, is_name, lock};
use crate::brain::cache::write_atomically;
use crate::brain::manifest;
use crate::brain::package::{COMPONENT, Files, PERSONALITY, Stamp};
use crate::brain::{Refused, Uploaded};
use crate::message::TenantId;

impl Deployer {
    pub async fn put_brain(
        &self,
        tenant: TenantId,
        component: Vec<u8>,
        actor: &str,
    ) -> Result<Uploaded, Refused> {
        let name = manifest::package_of(tenant);
        self.replace(&name, COMPONENT, actor, None, |files| files.component = Some(component)).await
    }

    pub async fn put_personality(
        &self,
        tenant: TenantId,
        toml: String,
        actor: &str,
    ) -> Result<Uploaded, Refused> {
        let name = manifest::package_of(tenant);
        self.replace(&name, PERSONALITY, actor, None, |files| files.personality = Some(toml)).await
    }

    pub async fn rollback(&self, name: &str, digest: Option<&str>, actor: &str) -> Result<Uploaded, Refused> {
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
        self.replace(name, COMPONENT, actor, live, |files| files.component = Some(component)).await
    }

    /// Changes one file of a package: builds with it first, then renames it into the directory.
    async fn replace(
        &self,
        name: &str,
        file: &str,
        actor: &str,
        withdrawn: Option<String>,
        change: impl FnOnce(&mut Files),
    ) -> Result<Uploaded, Refused> {
        let _one = self.landing(name).await;
        let directory = self.settings.plugins.join(name);
        let mut files =
            blocking(move || Files::read(&directory)).await.and_then(|files| files).map_err(refused)?;
        // Whoever uploads need not know where the gateway keeps its files.
        files.shown = PathBuf::from(name);
        change(&mut files);
        let bytes = match file {
            COMPONENT => files.component.clone(),
            _ => files.personality.clone().map(String::into_bytes),
        };
        let coming = Coming::new(&self.coming, &files);
        let replaced = self.replace_with(name, file, files, bytes, actor, withdrawn).await;
        drop(coming);
        self.sweep().await;
        replaced
    }

    async fn replace_with(
        &self,
        name: &str,
        file: &str,
        files: Files,
        bytes: Option<Vec<u8>>,
        actor: &str,
        withdrawn: Option<String>,
    ) -> Result<Uploaded, Refused> {
        let directory = self.settings.plugins.join(name);
        let built = self.build(name, files).await.map_err(refused)?;
        let path = directory.join(file);
        let written = blocking(move || {
            std::fs::create_dir_all(&directory)?;
            write_atomically(&path, &[&bytes.unwrap_or_default()])?;
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

fn refused(reason: String) -> Refused {
    Refused { reason: reason.into() }
}
