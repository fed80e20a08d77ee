//! Finds records the way the gateway does: typed comparisons on dotted paths, text without case. For
//! native tests; pure.

use std::cmp::Ordering;

use serde_json::Value;

use crate::fault::Refusal;
use crate::records::{Answer, Comparison, Filter, Found, Query};
use crate::sources::Collections;

const LIMIT: u32 = 100;

pub(crate) fn find(collections: &Collections, query: &Query) -> Answer<Found<String>> {
    let records = named(collections, &query.collection)?;
    for filter in &query.filters {
        if filter.comparison == Comparison::OneOf && !filter.value.is_array() {
            return Err(refusal("bad-filter", format!("one-of on `{}` takes a list", filter.field)));
        }
    }
    let mut matching: Vec<&Value> =
        records.iter().filter(|record| query.filters.iter().all(|filter| holds(record, filter))).collect();
    // Sorting is stable: the last key first, the first key last.
    for sort in query.sort.iter().rev() {
        matching.sort_by(|a, b| {
            let order = compare(at(a, &sort.field), at(b, &sort.field)).unwrap_or(Ordering::Equal);
            if sort.descending { order.reverse() } else { order }
        });
    }
    let total = u32::try_from(matching.len()).unwrap_or(u32::MAX);
    let page = matching.into_iter().skip(query.offset as usize).take(query.limit.min(LIMIT) as usize);
    Ok(Found { records: page.map(Value::to_string).collect(), total })
}

pub(crate) fn get(collections: &Collections, name: &str, id: &str) -> Answer<Option<String>> {
    let records = named(collections, name)?;
    let is_it = |record: &&Value| match record.get("id") {
        Some(Value::String(text)) => text == id,
        Some(Value::Number(number)) => number.to_string() == id,
        _ => false,
    };
    Ok(records.iter().find(is_it).map(Value::to_string))
}

fn named<'a>(collections: &'a Collections, name: &str) -> Answer<&'a [Value]> {
    match collections.get(name) {
        Some(records) => Ok(records),
        None => Err(refusal("unknown-collection", format!("the tenant has no collection `{name}`"))),
    }
}

fn refusal(code: &str, message: String) -> Refusal {
    Refusal { code: code.into(), message, retryable: false }
}

fn at<'a>(record: &'a Value, path: &str) -> &'a Value {
    path.split('.').try_fold(record, |value, key| value.get(key)).unwrap_or(&Value::Null)
}

fn holds(record: &Value, filter: &Filter) -> bool {
    let field = at(record, &filter.field);
    let order = compare(field, &filter.value);
    match filter.comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::AtMost => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::AtLeast => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        Comparison::Contains => match field {
            Value::String(text) => {
                filter.value.as_str().is_some_and(|part| text.to_lowercase().contains(&part.to_lowercase()))
            }
            Value::Array(items) => items.iter().any(|item| equal(item, &filter.value)),
            _ => false,
        },
        Comparison::OneOf => {
            filter.value.as_array().is_some_and(|values| values.iter().any(|value| equal(field, value)))
        }
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    compare(a, b) == Some(Ordering::Equal)
}

/// `None` between things of different kinds.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) => Some(a.to_lowercase().cmp(&b.to_lowercase())),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::records::records;

    fn ids(query: Query) -> (Vec<String>, u32) {
        let homes = vec![
            json!({"id": "a", "price": 300, "area": "Marina", "tags": ["pool"], "at": {"city": "Dubai"}}),
            json!({"id": "b", "price": 100, "area": "marina", "tags": [], "at": {"city": "Ajman"}}),
            json!({"id": 3, "price": 200, "area": "Downtown", "tags": ["gym", "pool"]}),
        ];
        let collections = Collections::from([("homes".to_owned(), homes)]);
        let found = find(&collections, &query).expect("found");
        let ids = found.records.iter().map(|record| {
            let record: Value = serde_json::from_str(record).expect("JSON");
            record["id"].to_string().trim_matches('"').to_owned()
        });
        (ids.collect(), found.total)
    }

    #[test]
    fn filters_sorts_and_pages() {
        let homes = || records("homes").ascending("price");
        assert_eq!(ids(homes().equal("area", "MARINA")).0, ["b", "a"]);
        assert_eq!(ids(homes().at_most("price", 200)).0, ["b", "3"]);
        assert_eq!(ids(homes().contains("tags", "pool")).0, ["3", "a"]);
        assert_eq!(ids(homes().contains("area", "town")).0, ["3"]);
        assert_eq!(ids(homes().equal("at.city", "dubai")).0, ["a"]);
        assert_eq!(ids(homes().one_of("area", ["downtown"])).0, ["3"]);
        assert_eq!(ids(homes().at_least("area", 5)).0, Vec::<String>::new());
        assert_eq!(ids(homes().limit(1).offset(1)), (vec!["3".to_owned()], 3));
        assert_eq!(ids(records("homes").descending("price").limit(1)).0, ["a"]);
    }

    #[test]
    fn refusals_have_codes() {
        let none = Collections::new();
        assert_eq!(find(&none, &records("homes")).expect_err("none").code, "unknown-collection");
        let homes = Collections::from([("homes".to_owned(), Vec::new())]);
        let bad = records("homes").filter("area", Comparison::OneOf, "x");
        assert_eq!(find(&homes, &bad).expect_err("bad").code, "bad-filter");
        assert_eq!(get(&homes, "homes", "x"), Ok(None));
    }
}
