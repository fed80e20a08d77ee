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

use crate::fault::Fault;
use crate::host;
use crate::query::{Found, Query};

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

impl Query {
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
