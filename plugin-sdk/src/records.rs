//! The tenant's collections (properties, products): asking for records.
//!
//! ```no_run
//! # use switchboard_sdk::{records, Fault};
//! # #[derive(serde::Deserialize)] struct Property { id: String }
//! # fn f() -> Result<(), Fault> {
//! let homes = records("properties")
//!     .equal("purpose", "rent")
//!     .at_most("price", 120_000)
//!     .ascending("price")
//!     .limit(8)
//!     .find::<Property>()?;
//! # Ok(()) }
//! ```

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::{Fault, Refusal};
use crate::host;

/// Starts a query of this collection.
pub fn records(collection: impl Into<String>) -> Query {
    Query { collection: collection.into(), filters: Vec::new(), sort: Vec::new(), limit: 100, offset: 0 }
}

/// One record by its id.
pub fn record<T: DeserializeOwned>(collection: &str, id: &str) -> Result<Option<T>, Fault> {
    match host::get(collection, id)? {
        Some(record) => parse(collection, record).map(Some),
        None => Ok(None),
    }
}

/// Which records; all filters must hold. Fields are dotted paths: `address.city`. Text compares
/// without case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Query {
    pub collection: String,
    pub filters: Vec<Filter>,
    pub sort: Vec<Sort>,
    /// At most 100.
    pub limit: u32,
    pub offset: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    pub field: String,
    pub comparison: Comparison,
    /// Of the field's type; a list of them for [`Comparison::OneOf`].
    pub value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Contains,
    OneOf,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sort {
    pub field: String,
    pub descending: bool,
}

/// Records, and how many match whatever the limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found<T = Value> {
    pub records: Vec<T>,
    pub total: u32,
}

impl Query {
    pub fn filter(
        mut self,
        field: impl Into<String>,
        comparison: Comparison,
        value: impl Into<Value>,
    ) -> Self {
        self.filters.push(Filter { field: field.into(), comparison, value: value.into() });
        self
    }

    pub fn equal(self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.filter(field, Comparison::Equal, value)
    }

    pub fn at_most(self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.filter(field, Comparison::AtMost, value)
    }

    pub fn at_least(self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.filter(field, Comparison::AtLeast, value)
    }

    /// Text that holds this text, or a list that holds this value.
    pub fn contains(self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.filter(field, Comparison::Contains, value)
    }

    pub fn one_of<V: Into<Value>>(
        self,
        field: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values: Vec<Value> = values.into_iter().map(Into::into).collect();
        self.filter(field, Comparison::OneOf, values)
    }

    pub fn ascending(mut self, field: impl Into<String>) -> Self {
        self.sort.push(Sort { field: field.into(), descending: false });
        self
    }

    pub fn descending(mut self, field: impl Into<String>) -> Self {
        self.sort.push(Sort { field: field.into(), descending: true });
        self
    }

    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    pub fn offset(mut self, offset: u32) -> Self {
        self.offset = offset;
        self
    }

    pub fn find<T: DeserializeOwned>(&self) -> Result<Found<T>, Fault> {
        let found = host::find(self)?;
        let records = found.records.into_iter().map(|record| parse(&self.collection, record));
        Ok(Found { records: records.collect::<Result<_, _>>()?, total: found.total })
    }

    /// How many match.
    pub fn count(mut self) -> Result<u32, Fault> {
        self.limit = 1;
        self.offset = 0;
        Ok(host::find(&self)?.total)
    }
}

fn parse<T: DeserializeOwned>(collection: &str, record: String) -> Result<T, Fault> {
    serde_json::from_str(&record)
        .map_err(|error| Fault::new("record", format!("a record of `{collection}` does not read: {error}")))
}

/// What the gateway answers, before the records are read.
pub(crate) type Answer<T> = Result<T, Refusal>;
