//! `records`: find in the tenant's collections. A wrong question is refused with a code and a
//! sentence that names the field, what it holds and what was asked; it does not end the turn.

use serde_json::{Value, json};

use crate::brain::abi::bindings::switchboard::brain::records::{Comparison, Found, Host, Query};
use crate::brain::abi::wit::Refusal;
use crate::brain::grants::is_name;
use crate::brain::reading::InUse;
use crate::brain::sandbox::State;
use crate::brain::work::Work;
use crate::glyph;

mod search;

impl Host for State {
    async fn find(&mut self, query: Query) -> wasmtime::Result<Result<Found, Refusal>> {
        self.count().await?;
        self.carry(bytes_of(&query)).await?;
        let answer = match search::within_bounds(&query) {
            Ok(()) => match read(self, &query.collection).await {
                Ok(found) => search::find(&found.records, &query, &mut Work::new(&mut self.meter)).await?,
                Err(refusal) => Err(refusal),
            },
            Err(refusal) => Err(refusal),
        };
        let arguments = describe(&query);
        let recorded = match &answer {
            Ok(found) => format!(r#"{{"records":[{}],"total":{}}}"#, found.records.join(","), found.total),
            Err(refusal) => refusal_json(refusal),
        };
        // The answer is there twice for a moment, and a third time in the guest.
        self.meter.hold(2 * recorded.len())?;
        self.carry(arguments.len() + recorded.len()).await?;
        self.record("records.find", arguments, recorded)?;
        Ok(answer)
    }

    async fn get(
        &mut self,
        collection: String,
        id: String,
    ) -> wasmtime::Result<Result<Option<String>, Refusal>> {
        self.count().await?;
        self.carry(collection.len() + id.len()).await?;
        let arguments = json!([collection, id]).to_string();
        let answer = match read(self, &collection).await {
            Ok(_) if !is_name(&id) => Ok(None),
            Ok(found) => {
                let found = search::with_id(&found.records, &id, &mut Work::new(&mut self.meter)).await?;
                Ok(found.map(Value::to_string))
            }
            Err(refusal) => Err(refusal),
        };
        let recorded = match &answer {
            Ok(record) => record.clone().unwrap_or_else(|| "null".into()),
            Err(refusal) => refusal_json(refusal),
        };
        self.carry(arguments.len() + recorded.len()).await?;
        self.record("records.get", arguments, recorded)?;
        Ok(answer)
    }
}

async fn read(state: &mut State, name: &str) -> Result<InUse, Refusal> {
    if !is_name(name) {
        return Err(unknown(name));
    }
    let (tenant, sources) = (state.ask.key.tenant, state.ask.sources.clone());
    match state.reading.collection(tenant, sources, name.to_owned()).await {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(unknown(name)),
        Err(error) => Err(Refusal {
            code: "unavailable".into(),
            message: format!("the collection `{name}` could not be read: {error}"),
            retryable: true,
        }),
    }
}

fn unknown(name: &str) -> Refusal {
    let name = glyph::shown(name, 200);
    refusal(
        "unknown-collection",
        format!("the tenant has no collection `{name}`; `switchboard import collection` brings one in"),
    )
}

/// What a question carries.
fn bytes_of(query: &Query) -> usize {
    let filters = query.filters.iter().map(|filter| filter.field.len() + filter.value.len());
    let sorts = query.sort.iter().map(|sort| sort.field.len());
    query.collection.len() + filters.chain(sorts).sum::<usize>()
}

fn refusal(code: &str, message: String) -> Refusal {
    Refusal { code: code.into(), message, retryable: false }
}

fn refusal_json(refusal: &Refusal) -> String {
    json!({ "refused": { "code": refusal.code, "message": refusal.message } }).to_string()
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
