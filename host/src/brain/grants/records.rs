//! `records`: find in the tenant's collections. A wrong question is refused with a code and a
//! sentence that names the field, what it holds and what was asked; it does not end the turn.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::brain::Sources;
use crate::brain::abi::bindings::switchboard::brain::records::{Comparison, Found, Host, Query};
use crate::brain::abi::wit::Refusal;
use crate::brain::pace::Pace;
use crate::brain::sandbox::State;

mod search;

impl Host for State {
    async fn find(&mut self, query: Query) -> wasmtime::Result<Result<Found, Refusal>> {
        self.count().await?;
        let arguments = describe(&query);
        let answer = match read(&self.ask.sources, &query.collection).await {
            Ok(records) => search::find(&records, &query).await,
            Err(refusal) => Err(refusal),
        };
        let recorded = match &answer {
            Ok(found) => format!(r#"{{"records":[{}],"total":{}}}"#, found.records.join(","), found.total),
            Err(refusal) => refusal_json(refusal),
        };
        self.carry(arguments.len() + recorded.len()).await;
        self.journal.record("records.find", arguments, recorded);
        Ok(answer)
    }

    async fn get(
        &mut self,
        collection: String,
        id: String,
    ) -> wasmtime::Result<Result<Option<String>, Refusal>> {
        self.count().await?;
        let arguments = json!([collection, id]).to_string();
        let answer = match read(&self.ask.sources, &collection).await {
            Ok(records) => Ok(with_id(&records, &id).await.map(Value::to_string)),
            Err(refusal) => Err(refusal),
        };
        let recorded = match &answer {
            Ok(record) => record.clone().unwrap_or_else(|| "null".into()),
            Err(refusal) => refusal_json(refusal),
        };
        self.carry(arguments.len() + recorded.len()).await;
        self.journal.record("records.get", arguments, recorded);
        Ok(answer)
    }
}

/// Reading a large collection is work for another thread.
async fn read(sources: &Arc<dyn Sources>, name: &str) -> Result<Arc<Vec<Value>>, Refusal> {
    let (sources, wanted) = (sources.clone(), name.to_owned());
    let read = tokio::task::spawn_blocking(move || sources.collection(&wanted)).await;
    match read.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(Some(records)) => Ok(records),
        Ok(None) => Err(refusal(
            "unknown-collection",
            format!("the tenant has no collection `{name}`; `switchboard import collection` brings one in"),
        )),
        Err(error) => Err(Refusal {
            code: "unavailable".into(),
            message: format!("the collection `{name}` could not be read: {error}"),
            retryable: true,
        }),
    }
}

fn refusal(code: &str, message: String) -> Refusal {
    Refusal { code: code.into(), message, retryable: false }
}

fn refusal_json(refusal: &Refusal) -> String {
    json!({ "refused": { "code": refusal.code, "message": refusal.message } }).to_string()
}

async fn with_id<'r>(records: &'r [Value], id: &str) -> Option<&'r Value> {
    let mut pace = Pace::new();
    for record in records {
        if has_id(record, id) {
            return Some(record);
        }
        pace.keep().await;
    }
    None
}

/// Ids are text or integers.
fn has_id(record: &Value, id: &str) -> bool {
    match record.get("id") {
        Some(Value::String(text)) => text == id,
        Some(Value::Number(number)) => number.to_string() == id,
        _ => false,
    }
}

/// The query as JSON, for the journal.
fn describe(query: &Query) -> String {
    let filters: Vec<_> = query
        .filters
        .iter()
        .map(|filter| json!([filter.field, comparison_name(filter.comparison), filter.value]))
        .collect();
    let sort: Vec<_> = query.sort.iter().map(|sort| json!([sort.field, sort.descending])).collect();
    json!({
        "collection": query.collection,
        "filters": filters,
        "sort": sort,
        "limit": query.limit,
        "offset": query.offset,
    })
    .to_string()
}

fn comparison_name(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "equal",
        Comparison::NotEqual => "not-equal",
        Comparison::Less => "less",
        Comparison::AtMost => "at-most",
        Comparison::Greater => "greater",
        Comparison::AtLeast => "at-least",
        Comparison::Contains => "contains",
        Comparison::OneOf => "one-of",
    }
}
