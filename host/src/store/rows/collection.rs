//! A collection as it is kept.

/// Its records as JSON, as it came.
#[derive(Clone, Debug)]
pub struct CollectionRow {
    pub json: Vec<u8>,
}

impl CollectionRow {
    /// What it takes under this name, as a tenant's collections are counted: its key, which is the tenant's number and
    /// the name, and its records.
    pub fn size(&self, name: &str) -> i64 {
        (size_of::<u32>() + name.len() + self.json.len()) as i64
    }
}
