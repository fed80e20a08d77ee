//! Which records of a collection are asked for, and what is found. Asking is in `records.rs`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
}
