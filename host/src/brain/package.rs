//! A directory in the plugins directory, read and made ready to run. Reading and building are apart:
//! files are read in one go and only count when nothing changed meanwhile; building takes what was
//! read and needs no directory.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use super::engine::Version;
use super::manifest::{self, Manifest};
use super::personality::{Layer, merge};
use crate::glyph::shown;
use crate::message::{TenantId, Timestamp};
use crate::regular_file;
use crate::tenant::Tenant;

pub const MANIFEST: &str = "plugin.toml";
pub const COMPONENT: &str = "brain.wasm";
pub const PERSONALITY: &str = "personality.toml";
pub const SCHEMA: &str = "personality.schema.json";

/// What makes up a package, in the order of [`Stamp`].
pub const FILES: [&str; 4] = [MANIFEST, COMPONENT, PERSONALITY, SCHEMA];

/// Texts and settings; a megabyte of them would be read by every turn that asks for all.
pub const PERSONALITY_BYTES: usize = 512 << 10;

/// So many of what does not fit a schema are told, and so much of each: they quote what they are about.
const SCHEMA_ERRORS: usize = 5;
const SCHEMA_ERROR_BYTES: usize = 250;
const KEY_BYTES: usize = 100;

/// A package that runs. Never changes; a new one takes its place.
pub struct Package {
    pub name: Arc<str>,
    /// Whom it is for, where it is a tenant's own.
    pub tenant: Option<TenantId>,
    pub manifest: Manifest,
    /// A tenant's package may leave this to the one it lies on.
    pub brain: Option<Arc<Version>>,
    pub personality: Option<Arc<Layer>>,
    pub schema: Option<Arc<Schema>>,
    pub live_since: Timestamp,
    /// Digests that ran before, newest first.
    pub earlier: Vec<String>,
    /// The newest of them that nobody went back from: what answers where this one traps.
    pub fallback: Option<String>,
    /// The fallback, loaded when a trap first asks for it.
    pub previous: OnceCell<Arc<Version>>,
}

/// What runs now, as one immutable picture.
#[derive(Clone, Default)]
pub struct Packages {
    /// Those that tenants name.
    pub named: HashMap<String, Arc<Package>>,
    /// Those uploaded for one tenant.
    pub own: HashMap<TenantId, Arc<Package>>,
}

impl Packages {
    pub fn get(&self, name: &str) -> Option<&Arc<Package>> {
        match manifest::tenant_of(name) {
            Some(tenant) => self.own.get(&tenant),
            None => self.named.get(name),
        }
    }

    /// A tenant's own package, and the one below it, which without one of its own is simply the tenant's.
    pub fn layers(&self, tenant: &Tenant) -> (Option<&Arc<Package>>, Option<&Arc<Package>>) {
        (self.own.get(&tenant.id), self.named.get(self.base_name(tenant)))
    }

    pub fn base_name<'t>(&'t self, tenant: &'t Tenant) -> &'t str {
        let own = self.own.get(&tenant.id);
        own.and_then(|own| own.manifest.extends.as_deref()).unwrap_or(&tenant.brain)
    }

    /// The brain that answers a tenant's contacts, and the package that it comes from.
    pub fn brain_of(&self, tenant: &Tenant) -> Option<(&Arc<Package>, &Arc<Version>)> {
        let (own, base) = self.layers(tenant);
        [own, base].into_iter().flatten().find_map(|package| Some((package, package.brain.as_ref()?)))
    }

    pub fn put(&mut self, package: Arc<Package>) {
        match package.tenant {
            Some(tenant) => self.own.insert(tenant, package),
            None => self.named.insert(package.name.to_string(), package),
        };
    }

    pub fn remove(&mut self, name: &str) -> bool {
        match manifest::tenant_of(name) {
            Some(tenant) => self.own.remove(&tenant).is_some(),
            None => self.named.remove(name).is_some(),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Package>> {
        self.named.values().chain(self.own.values())
    }
}

/// How a package's files look from outside: what is compared to see that nothing changes any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp([Option<FileStamp>; FILES.len()]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileStamp {
    bytes: u64,
    modified: SystemTime,
    /// A file renamed over another of the same size within one tick of the clock is another file.
    inode: u64,
}

impl Stamp {
    pub fn of(directory: &Path) -> Self {
        Stamp(FILES.map(|name| {
            // Also of what is no regular file, so that it is found, and refused by its name.
            let metadata = std::fs::metadata(directory.join(name)).ok()?;
            Some(FileStamp {
                bytes: metadata.len(),
                modified: metadata.modified().ok()?,
                inode: std::os::unix::fs::MetadataExt::ino(&metadata),
            })
        }))
    }

    /// None of the files is there: no package.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Does the component differ?
    pub fn other_component(&self, other: &Stamp) -> bool {
        self.0[1] != other.0[1]
    }
}

/// A component with its version.
#[derive(Clone, Debug)]
pub struct Component {
    /// Hex SHA-256.
    pub digest: String,
    pub bytes: Bytes,
}

impl Component {
    /// Reads it all once, which takes a moment for a large one.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Component { digest: digest(&bytes), bytes }
    }
}

/// The contents of a package's files at one moment.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The directory as messages name it.
    pub shown: PathBuf,
    pub manifest: Option<String>,
    pub component: Option<Component>,
    pub personality: Option<String>,
    pub schema: Option<String>,
}

impl Files {
    pub fn read(directory: &Path) -> Result<Self, String> {
        let limits =
            [PERSONALITY_BYTES, super::preflight::COMPONENT_BYTES, PERSONALITY_BYTES, PERSONALITY_BYTES];
        let read = |index: usize| bytes(directory, FILES[index], limits[index]);
        let text = |index: usize| {
            let path = directory.join(FILES[index]);
            let not_text = |_| format!("{}: not UTF-8 text", path.display());
            read(index)?.map(|bytes| String::from_utf8(bytes).map_err(not_text)).transpose()
        };
        Ok(Files {
            shown: directory.to_owned(),
            manifest: text(0)?,
            component: read(1)?.map(Component::new),
            personality: text(2)?,
            schema: text(3)?,
        })
    }

    /// The texts alone, as far as they can be read.
    pub fn read_texts(directory: &Path) -> Self {
        let text = |name: &str| {
            let bytes = bytes(directory, name, PERSONALITY_BYTES).ok()??;
            String::from_utf8(bytes).ok()
        };
        Files {
            shown: directory.to_owned(),
            manifest: text(MANIFEST),
            component: None,
            personality: text(PERSONALITY),
            schema: text(SCHEMA),
        }
    }

    /// The same without the component.
    pub fn texts(&self) -> Self {
        Files { component: None, ..self.clone() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.shown.join(name)
    }

    /// `plugin.toml`. A tenant's package may do without: then it is what was built into the component.
    pub fn parse_manifest(
        &self,
        tenant: Option<TenantId>,
        built_in: Option<&str>,
    ) -> Result<Manifest, String> {
        match (&self.manifest, tenant) {
            (Some(text), _) => Manifest::parse(text, &self.path(MANIFEST)),
            (None, Some(tenant)) => Manifest::of_upload(tenant, built_in, &self.path(COMPONENT)),
            (None, None) => Err(format!(
                "{}: not there; write one with `name`, `version` and `grants`",
                self.path(MANIFEST).display()
            )),
        }
    }

    pub fn parse_personality(&self) -> Result<Option<Layer>, String> {
        let Some(text) = &self.personality else { return Ok(None) };
        Ok(Some(parse_personality(text, &self.path(PERSONALITY))?))
    }

    pub fn parse_schema(&self) -> Result<Option<Schema>, String> {
        self.schema.as_ref().map(|text| Schema::parse(text, &self.path(SCHEMA))).transpose()
    }
}

/// None where the file is not there. A tenant may own what lies in a package: a link among its files
/// leads nowhere but about the directory that the package lies in.
pub fn bytes(directory: &Path, name: &str, limit: usize) -> Result<Option<Vec<u8>>, String> {
    let path = directory.join(name);
    match regular_file::read_below(&directory.join(".."), &path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// A personality's text as a layer.
pub fn parse_personality(text: &str, place: &Path) -> Result<Layer, String> {
    if text.len() > PERSONALITY_BYTES {
        return Err(format!(
            "{}: too large: limit {PERSONALITY_BYTES} bytes, used {}",
            place.display(),
            text.len()
        ));
    }
    let table: toml::Table = manifest::parse(text, place)?;
    let values = table.into_iter().map(|(key, value)| (key, to_json(value))).collect();
    Ok(Layer::new(values, text.as_bytes()))
}

/// Dates and times become text, as JSON has none; a number that JSON cannot write becomes null.
fn to_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(yes) => yes.into(),
        toml::Value::Datetime(at) => Value::String(at.to_string()),
        toml::Value::Array(values) => values.into_iter().map(to_json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, to_json(value))).collect(),
    }
}

/// `personality.schema.json`: what a package's personality must look like.
pub struct Schema(jsonschema::Validator);

impl Schema {
    fn parse(text: &str, place: &Path) -> Result<Self, String> {
        let schema: Value = serde_json::from_str(text)
            .map_err(|error| format!("{}:{}: {error}", place.display(), error.line()))?;
        let validator = jsonschema::validator_for(&schema)
            .map_err(|error| format!("{}: not a JSON Schema: {error}", place.display()))?;
        Ok(Schema(validator))
    }

    /// Holds `upper` laid over `lower` against the schema. Errors name the line in `text`, which is
    /// what `upper` was read from.
    pub fn check(
        &self,
        lower: Option<&Map<String, Value>>,
        upper: &Map<String, Value>,
        text: &str,
        place: &Path,
    ) -> Result<(), String> {
        let mut merged = lower.cloned().unwrap_or_default();
        merge(&mut merged, upper);
        let merged = Value::Object(merged);
        let errors: Vec<String> = self
            .0
            .iter_errors(&merged)
            .take(SCHEMA_ERRORS)
            .map(|error| {
                let key = error.instance_path().to_string().trim_start_matches('/').replace('/', ".");
                let name =
                    if key.is_empty() { String::new() } else { format!("`{}`: ", shown(&key, KEY_BYTES)) };
                let error = shown(error, SCHEMA_ERROR_BYTES);
                manifest::at_key(text, place, &key, &format!("{name}{error}"))
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
    }
}

/// A component's version: hex SHA-256.
pub fn digest(component: &[u8]) -> String {
    hex::encode(Sha256::digest(component))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_personality_is_held_against_the_schema_line_by_line() {
        let schema = r#"{
            "type": "object", "required": ["name"],
            "properties": { "name": {"type": "string"}, "greeting": {
                "type": "object", "additionalProperties": {"type": "string"} } } }"#;
        let schema = Schema::parse(schema, Path::new("s.json")).expect("a schema");
        let place = Path::new("p.toml");
        let check = |lower: Option<&str>, upper: &str| {
            let lower = lower.map(|text| parse_personality(text, place).expect("TOML").values);
            let layer = parse_personality(upper, place).expect("TOML");
            schema.check(lower.as_ref(), &layer.values, upper, place)
        };
        assert_eq!(check(None, "name = \"Sara\"\n"), Ok(()));
        assert_eq!(check(Some("name = \"Sara\""), "[greeting]\nen = \"Hi\"\n"), Ok(()));
        assert_eq!(
            check(None, "name = \"Sara\"\n[greeting]\nen = \"Hi\"\nar = 5\n"),
            Err("p.toml:4: `greeting.ar`: 5 is not of type \"string\"".into())
        );
        assert_eq!(check(None, "x = 1\n"), Err("p.toml: \"name\" is a required property".into()));
    }

    #[test]
    fn toml_becomes_json() {
        let layer = parse_personality(
            "n = 1\nf = 0.5\nb = true\nd = 2026-03-01\nl = [1, \"a\"]\n[t]\nx = \"y\"\n",
            Path::new("p.toml"),
        )
        .expect("TOML");
        let expected = serde_json::json!({
            "n": 1, "f": 0.5, "b": true, "d": "2026-03-01", "l": [1, "a"], "t": {"x": "y"}
        });
        assert_eq!(Value::Object(layer.values), expected);
    }
}
