//! A tenant's texts and settings in layers: package, organization, tenant, and what was uploaded for
//! the tenant itself. Layers are looked through when a value is asked for and merged only where two
//! of them hold a table, so that a thousand tenants on one brain keep one copy of its texts.

use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::tenant::{Organization, Tenant};

/// The `personality.toml` of one package.
#[derive(Debug)]
pub struct Layer {
    pub values: Map<String, Value>,
    /// The start of the file's hex SHA-256.
    pub version: String,
}

impl Layer {
    pub fn new(values: Map<String, Value>, source: &[u8]) -> Self {
        Layer { values, version: short(&Sha256::digest(source)) }
    }
}

/// What one turn sees. Cheap to make: the layers are shared.
#[derive(Clone, Debug, Default)]
pub struct Personality {
    pub package: Option<Arc<Layer>>,
    pub organization: Option<Arc<Organization>>,
    pub tenant: Option<Arc<Tenant>>,
    /// Uploaded for the tenant.
    pub own: Option<Arc<Layer>>,
}

impl Personality {
    /// The value at a dotted path; tables of several layers merged.
    pub fn get(&self, path: &str) -> Option<Value> {
        let mut tables: Vec<&Map<String, Value>> = Vec::new();
        for layer in self.downwards() {
            match find(layer, path) {
                Looked::Table(table) => tables.push(table),
                Looked::Value(value) if tables.is_empty() => return Some(value.clone()),
                // A plain value under a table is hidden by it.
                Looked::Value(_) | Looked::Hidden => break,
                Looked::Missing => {}
            }
        }
        if tables.is_empty() {
            return None;
        }
        Some(Value::Object(merge_all(tables.into_iter().rev())))
    }

    /// Bytes, about, of what [`Personality::get`] would look at, to be paid for before it does.
    pub fn weight_at(&self, path: &str) -> usize {
        let found = self.downwards().map(|layer| match find(layer, path) {
            Looked::Table(table) => table_weight(table),
            Looked::Value(value) => weight(value),
            Looked::Hidden | Looked::Missing => 0,
        });
        found.sum()
    }

    /// The same of all layers together.
    pub fn weight(&self) -> usize {
        self.downwards().map(table_weight).sum()
    }

    /// All layers merged.
    pub fn all(&self) -> Map<String, Value> {
        let layers: Vec<_> = self.downwards().collect();
        merge_all(layers.into_iter().rev())
    }

    /// Changes when a value does.
    pub fn version(&self) -> String {
        let mut digest = Sha256::new();
        for layer in [&self.package, &self.own] {
            digest.update(layer.as_ref().map_or("", |layer| layer.version.as_str()));
            digest.update([0]);
        }
        let organization = self.organization.as_ref().map(|organization| &organization.personality);
        let tenant = self.tenant.as_ref().map(|tenant| &tenant.personality);
        for values in [organization, tenant].into_iter().flatten() {
            // A map of JSON values has no value that cannot be written as JSON.
            digest.update(serde_json::to_vec(values).unwrap_or_default());
            digest.update([0]);
        }
        short(&digest.finalize())
    }

    /// From the uppermost layer to the lowest.
    fn downwards(&self) -> impl Iterator<Item = &Map<String, Value>> {
        [
            self.own.as_ref().map(|layer| &layer.values),
            self.tenant.as_ref().map(|tenant| &tenant.personality),
            self.organization.as_ref().map(|organization| &organization.personality),
            self.package.as_ref().map(|layer| &layer.values),
        ]
        .into_iter()
        .flatten()
    }
}

fn short(digest: &[u8]) -> String {
    hex::encode(&digest[..8])
}

enum Looked<'a> {
    Table(&'a Map<String, Value>),
    Value(&'a Value),
    /// A plain value stands where the path goes on.
    Hidden,
    Missing,
}

fn find<'a>(layer: &'a Map<String, Value>, path: &str) -> Looked<'a> {
    let mut table = layer;
    let mut keys = path.split('.').peekable();
    while let Some(key) = keys.next() {
        match table.get(key) {
            None => return Looked::Missing,
            Some(Value::Object(inner)) if keys.peek().is_none() => return Looked::Table(inner),
            Some(Value::Object(inner)) => table = inner,
            Some(value) if keys.peek().is_none() => return Looked::Value(value),
            Some(_) => return Looked::Hidden,
        }
    }
    Looked::Missing
}

fn weight(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(weight).sum(),
            Value::Object(table) => table_weight(table),
            _ => 0,
        }
}

fn table_weight(table: &Map<String, Value>) -> usize {
    table.iter().map(|(key, value)| key.len() + weight(value)).sum()
}

/// Lowest first; the later win.
fn merge_all<'a>(layers: impl Iterator<Item = &'a Map<String, Value>>) -> Map<String, Value> {
    let mut merged = Map::new();
    for layer in layers {
        merge(&mut merged, layer);
    }
    merged
}

/// Lays `over` upon `base`: tables are merged, everything else is replaced.
pub fn merge(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Object(inner)), Value::Object(over)) => merge(inner, over),
            (Some(place), value) => *place = value.clone(),
            (None, value) => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn layer(value: Value) -> Option<Arc<Layer>> {
        let Value::Object(values) = value else { panic!("a table") };
        let source = serde_json::to_vec(&values).expect("JSON");
        Some(Arc::new(Layer::new(values, &source)))
    }

    fn personality() -> Personality {
        Personality {
            package: layer(
                json!({"name": "Agent", "greeting": {"en": "Hi", "ar": "مرحبا"}, "tone": {"a": 1}}),
            ),
            own: layer(json!({"name": "Sara", "greeting": {"en": "Hello"}, "tone": "warm"})),
            ..Personality::default()
        }
    }

    #[test]
    fn the_upper_layer_wins_and_tables_merge() {
        let personality = personality();
        assert_eq!(personality.get("name"), Some(json!("Sara")));
        assert_eq!(personality.get("greeting"), Some(json!({"en": "Hello", "ar": "مرحبا"})));
        assert_eq!(personality.get("greeting.ar"), Some(json!("مرحبا")));
        assert_eq!(personality.get("tone"), Some(json!("warm")));
        assert_eq!(personality.get("tone.a"), None, "a plain value hides the table below it");
        assert_eq!(personality.get("greeting.fa"), None);
        assert_eq!(personality.get(""), None);
    }

    #[test]
    fn what_is_found_by_path_is_what_the_whole_holds() {
        let personality = personality();
        let all = personality.all();
        for path in ["name", "greeting", "tone"] {
            assert_eq!(personality.get(path).as_ref(), all.get(path), "{path}");
        }
    }

    #[test]
    fn the_version_follows_the_values() {
        let before = personality();
        let mut after = personality();
        assert_eq!(before.version(), after.version());
        after.own = layer(json!({"name": "Lina"}));
        assert_ne!(before.version(), after.version());
    }
}
