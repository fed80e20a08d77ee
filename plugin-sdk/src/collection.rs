//! Finds records the way the gateway does: typed comparisons on dotted paths, text without case. For
//! native tests; pure.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::fault::{Answer, Refusal};
use crate::query::{Comparison, Filter, Found, Query};

/// Records by collection.
pub type Collections = BTreeMap<String, Vec<Value>>;

const LIMIT: u32 = 100;

pub(crate) fn find(collections: &Collections, query: &Query) -> Answer<Found<String>> {
    let records = named(collections, &query.collection)?;
    if query.limit > LIMIT {
        return Err(refusal("limit", format!("at most {LIMIT} records, asked {}", query.limit)));
    }
    for filter in &query.filters {
        fits(records, filter)
            .map_err(|why| refusal("bad-filter", format!("filter on `{}`: {why}", filter.field)))?;
    }
    let mut matching: Vec<&Value> =
        records.iter().filter(|record| query.filters.iter().all(|filter| holds(record, filter))).collect();
    matching.sort_by(|a, b| order(a, b, query));
    let total = u32::try_from(matching.len()).unwrap_or(u32::MAX);
    let page = matching.into_iter().skip(query.offset as usize).take(query.limit as usize);
    Ok(Found { records: page.map(Value::to_string).collect(), total })
}

/// A field is what the first record that has it says it is; a filter of another type is refused
/// instead of finding nothing.
fn fits(records: &[Value], filter: &Filter) -> Result<(), String> {
    let asked: Vec<&Value> = match (filter.comparison, &filter.value) {
        (Comparison::OneOf, Value::Array(values)) => values.iter().collect(),
        (Comparison::OneOf, _) => return Err("one-of takes a list of values".into()),
        (_, value) => vec![value],
    };
    let held = records.iter().map(|record| at(record, &filter.field)).find(|value| !value.is_null());
    for value in asked {
        if matches!(value, Value::Null | Value::Array(_) | Value::Object(_)) {
            return Err(format!("{value} cannot be compared with"));
        }
        let fits = match (held, filter.comparison) {
            (None, _) | (Some(Value::Array(_)), Comparison::Contains | Comparison::OneOf) => true,
            (Some(held), Comparison::Contains) => held.is_string() && value.is_string(),
            (Some(held), _) => std::mem::discriminant(held) == std::mem::discriminant(value),
        };
        if !fits {
            return Err(format!("the field holds {}, asked was {value}", held.unwrap_or(&Value::Null)));
        }
    }
    Ok(())
}

/// Records without the field come last, whichever the direction.
fn order(a: &Value, b: &Value, query: &Query) -> Ordering {
    for sort in &query.sort {
        let (a, b) = (at(a, &sort.field), at(b, &sort.field));
        let order = match (a.is_null(), b.is_null()) {
            (false, false) => {
                let order = compare(a, b).unwrap_or(Ordering::Equal);
                if sort.descending { order.reverse() } else { order }
            }
            (a_missing, b_missing) => a_missing.cmp(&b_missing),
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
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
            _ => holds_item(field, &filter.value),
        },
        Comparison::OneOf => filter
            .value
            .as_array()
            .is_some_and(|values| values.iter().any(|value| equal(field, value) || holds_item(field, value))),
    }
}

fn holds_item(field: &Value, value: &Value) -> bool {
    field.as_array().is_some_and(|items| items.iter().any(|item| equal(item, value)))
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
        assert_eq!(ids(homes().one_of("tags", ["gym"])).0, ["3"]);
        assert_eq!(ids(records("homes").descending("at.city")).0, ["a", "b", "3"]);
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
        let homes = Collections::from([("homes".to_owned(), vec![json!({"price": 5})])]);
        let text = records("homes").at_least("price", "5");
        assert_eq!(find(&homes, &text).expect_err("text").code, "bad-filter");
        assert_eq!(find(&homes, &records("homes").limit(101)).expect_err("many").code, "limit");
    }
}
