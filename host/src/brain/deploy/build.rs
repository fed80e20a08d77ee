//! From files to a package that can run: everything that can be found out without running it, its code,
//! and its selftest.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::{Built, Deployer, Obstacle, Terms, blocking};
use crate::brain::compiler::{Rehearsal, Rehearsed};
use crate::brain::engine::Version;
use crate::brain::manifest::{self, Manifest};
use crate::brain::package::{self, COMPONENT, Component, Files, MANIFEST, PERSONALITY, Package};
use crate::brain::personality::{Layer, Personality};
use crate::brain::{preflight, rehearsal};
use crate::clock;
use crate::message::TenantId;

/// A package of which nothing has run yet.
pub struct Prepared {
    /// Without its brain.
    pub package: Package,
    component: Option<Component>,
    /// What its texts were read from.
    texts: Files,
    base: Option<Arc<Package>>,
    checked: Vec<String>,
    /// The directory as messages name it.
    shown: PathBuf,
}

impl Prepared {
    /// The same, to be there while the brain is compiled.
    pub fn texts(&self) -> Package {
        let Package { name, manifest, personality, schema, live_since, .. } = &self.package;
        Package {
            name: name.clone(),
            tenant: self.package.tenant,
            manifest: manifest.clone(),
            brain: None,
            personality: personality.clone(),
            schema: schema.clone(),
            live_since: *live_since,
            earlier: Vec::new(),
            fallback: None,
            previous: OnceCell::new(),
        }
    }

    fn path(&self, file: &str) -> String {
        self.shown.join(file).display().to_string()
    }

    /// What its brain is rehearsed with.
    fn personality(&self) -> Personality {
        Personality {
            package: self.base.as_ref().and_then(|base| base.personality.clone()),
            own: self.package.personality.clone(),
            ..Personality::default()
        }
    }
}

impl Deployer {
    /// Everything that can be found out without compiling or running anything.
    pub async fn prepare(&self, name: &str, files: Files) -> Result<Prepared, String> {
        let tenant = manifest::tenant_of(name);
        let place = files.path(COMPONENT).display().to_string();
        let examined = match files.component.clone() {
            None => None,
            Some(component) => {
                let place = place.clone();
                Some(blocking(move || preflight::examine(&component.bytes, &place)).await??)
            }
        };
        let built_in = examined.as_ref().and_then(|examined| examined.manifest.as_deref());
        let manifest = files.parse_manifest(tenant, built_in)?;
        let schema = files.parse_schema()?.map(Arc::new);
        let personality = files.parse_personality()?.map(Arc::new);
        let base = tenant.and_then(|tenant| self.base_of(tenant, &manifest));
        let mut checked = Vec::new();
        if let (Some(layer), Some(text)) = (&personality, &files.personality) {
            checked.push("toml".to_owned());
            if check_personality(layer, text, &files, schema.as_ref(), base.as_deref())? {
                checked.push("schema".to_owned());
            }
        }
        if let Some(examined) = examined {
            examined.check(&manifest.grants, &place, &files.path(MANIFEST).display().to_string())?;
            checked.extend(["component", "imports", "exports"].map(str::to_owned));
        } else if tenant.is_none() || personality.is_none() {
            return Err(format!(
                "{place}: not there; build it and copy it here (the bundled brains: `cargo xtask brains`)"
            ));
        }
        let package = Package {
            name: name.into(),
            tenant,
            manifest,
            brain: None,
            personality,
            schema,
            live_since: clock::now(),
            earlier: Vec::new(),
            fallback: None,
            previous: OnceCell::new(),
        };
        let (texts, Files { component, shown, .. }) = (files.texts(), files);
        Ok(Prepared { package, component, texts, base, checked, shown })
    }

    /// Compiles its brain where it has one, and runs the selftest.
    pub async fn build(&self, mut prepared: Prepared, terms: Terms) -> Result<Built, Obstacle> {
        let tested = match prepared.component.clone() {
            Some(component) => {
                let (version, tested) = self.version(&prepared, &component, terms).await?;
                prepared.package.brain = Some(version);
                tested
            }
            None => match prepared.base.as_ref().and_then(|base| base.brain.clone()) {
                Some(version) => {
                    let place = prepared.path(PERSONALITY);
                    self.rehearse(&prepared, &version, &place).await?
                }
                None => false,
            },
        };
        let Prepared { package, component, texts, mut checked, .. } = prepared;
        if tested {
            checked.push("selftest".to_owned());
        }
        Ok(Built { package, component, texts, checked })
    }

    /// The component ready to run, and whether it has a selftest, which it then passed. The version that
    /// runs is taken again where neither component nor grants changed.
    async fn version(
        &self,
        prepared: &Prepared,
        component: &Component,
        terms: Terms,
    ) -> Result<(Arc<Version>, bool), Obstacle> {
        let (package, place) = (&prepared.package, prepared.path(COMPONENT));
        let running = self.packages.load().get(&package.name).and_then(|running| {
            let same = running.manifest.grants == package.manifest.grants;
            running.brain.clone().filter(|version| same && version.digest == component.digest)
        });
        let (version, rehearsed) = match running {
            Some(version) => (version, Rehearsed::Not),
            None => {
                let rehearsal = Some(self.rehearsal(prepared));
                let loaded = self.load(&package.name, component, &package.manifest, terms, rehearsal).await;
                let (version, rehearsed) = loaded.map_err(|obstacle| obstacle.at(&place))?;
                (Arc::new(version), rehearsed)
            }
        };
        let tested = match rehearsed {
            Rehearsed::Good { selftest } => selftest,
            Rehearsed::Bad { fault, why } => return Err(badly(&place, fault, &why).into()),
            Rehearsed::Unlinked { why } => return Err(format!("{place}: cannot be linked: {why}").into()),
            Rehearsed::Not => self.rehearse(prepared, &version, &place).await?,
        };
        Ok((version, tested))
    }

    fn rehearsal(&self, prepared: &Prepared) -> Rehearsal {
        let values = |layer: Option<&Arc<Layer>>| layer.map(|layer| layer.values.clone());
        let base = prepared.base.as_ref().and_then(|base| base.personality.as_ref());
        Rehearsal {
            package: prepared.package.name.to_string(),
            grants: prepared.package.manifest.grants.clone(),
            limits: self.settings.limits,
            now: clock::now(),
            below: values(base),
            own: values(prepared.package.personality.as_ref()),
        }
    }

    /// Starts a version and runs its selftest with these texts; `true` where it has one.
    async fn rehearse(
        &self,
        prepared: &Prepared,
        version: &Arc<Version>,
        place: &str,
    ) -> Result<bool, String> {
        let (name, texts) = (&prepared.package.name, prepared.personality());
        let turn = rehearsal::turn(name, texts, self.settings.limits, clock::now());
        let probed = self.engine.probe(version, turn).await;
        probed.map_err(|stopped| badly(place, stopped.fault, &stopped.failure.to_string()))
    }

    /// The package below a tenant's own.
    pub(super) fn base_of(&self, tenant: TenantId, manifest: &Manifest) -> Option<Arc<Package>> {
        let name = match &manifest.extends {
            Some(name) => name.clone(),
            None => (self.brain_of)(tenant)?,
        };
        self.packages.load().named.get(&name).cloned()
    }
}

/// A first run that ended badly. `place` is the file that is new.
fn badly(place: &str, fault: bool, why: &str) -> String {
    let what = match (place.ends_with(COMPONENT), fault) {
        (true, true) => "its selftest failed",
        (true, false) => "it cannot be started",
        (false, true) => "the brain's selftest failed with it",
        (false, false) => "the brain cannot be started with it",
    };
    format!("{place}: {what}: {why}")
}

/// `true` when a schema was there to hold it against. A tenant's texts lie on those of its base.
fn check_personality(
    layer: &Layer,
    text: &str,
    files: &Files,
    schema: Option<&Arc<package::Schema>>,
    base: Option<&Package>,
) -> Result<bool, String> {
    let Some(schema) = schema.or(base.and_then(|base| base.schema.as_ref())) else { return Ok(false) };
    let lower = base.and_then(|base| base.personality.as_ref()).map(|layer| &layer.values);
    schema.check(lower, &layer.values, text, &files.path(PERSONALITY))?;
    Ok(true)
}
