//! Filters, sorts and pages the records of one collection. Typed: a field is what the first record
//! that has it says it is, and a filter of another type is refused instead of finding nothing.
//! Text compares without case, numbers by value. A record without the field matches only
//! `not-equal`; one whose value is of another type than its neighbours' matches nothing else.

use std::cmp::Ordering;

use serde_json::Value;

use super::{comparison_name, refusal};
use crate::brain::abi::bindings::switchboard::brain::records::{Comparison, Filter, Found, Query};
use crate::brain::abi::wit::Refusal;

/// As the contract says.
const LIMIT: u32 = 100;
const FILTERS: usize = 32;
const SORTS: usize = 8;
const ONE_OF: usize = 256;

/// After this many records other turns get their chance.
const STRETCH: usize = 2_000;

pub async fn find(records: &[Value], query: &Query) -> Result<Found, Refusal> {
    within("limit", query.limit as usize, LIMIT as usize)?;
    within("filters", query.filters.len(), FILTERS)?;
    within("sort", query.sort.len(), SORTS)?;
    let tests =
        query.filters.iter().map(|filter| Test::new(filter, records)).collect::<Result<Vec<_>, _>>()?;
    let mut matching = Vec::new();
    for stretch in records.chunks(STRETCH) {
        matching.extend(stretch.iter().filter(|record| tests.iter().all(|test| test.holds(record))));
        if records.len() > STRETCH {
            tokio::task::yield_now().await;
        }
    }
    if !query.sort.is_empty() {
        // Stable: what is equal keeps the collection's own order.
        matching.sort_by(|a, b| order(a, b, query));
    }
    let total = u32::try_from(matching.len()).unwrap_or(u32::MAX);
    let page = matching.into_iter().skip(query.offset as usize).take(query.limit as usize);
    Ok(Found { records: page.map(Value::to_string).collect(), total })
}

fn within(what: &str, count: usize, limit: usize) -> Result<(), Refusal> {
    if count <= limit {
        return Ok(());
    }
    Err(refusal("limit", format!("`{what}`: at most {limit}, asked {count}")))
}

/// What a value is, in the words of the refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Boolean,
    Number,
    Text,
    List,
    Object,
    Null,
}

impl Kind {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Boolean,
            Value::Number(_) => Kind::Number,
            Value::String(_) => Kind::Text,
            Value::Array(_) => Kind::List,
            Value::Object(_) => Kind::Object,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Kind::Boolean => "true or false",
            Kind::Number => "a number",
            Kind::Text => "text",
            Kind::List => "a list",
            Kind::Object => "an object",
            Kind::Null => "null",
        }
    }
}

/// The value at a dotted path; null is the same as missing.
fn at<'a>(record: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(record, |value, key| value.get(key)).filter(|value| !value.is_null())
}

/// One filter, its value read once.
struct Test<'a> {
    field: &'a str,
    comparison: Comparison,
    values: Vec<Value>,
}

impl<'a> Test<'a> {
    fn new(filter: &'a Filter, records: &[Value]) -> Result<Self, Refusal> {
        let Filter { field, comparison, value } = filter;
        let wrong = |why: String| refusal("bad-filter", format!("filter on `{field}`: {why}"));
        let value: Value =
            serde_json::from_str(value).map_err(|error| wrong(format!("its value is not JSON: {error}")))?;
        let values = match (comparison, value) {
            (Comparison::OneOf, Value::Array(values)) if values.len() <= ONE_OF => values,
            (Comparison::OneOf, Value::Array(values)) => {
                return Err(wrong(format!("limit {ONE_OF} values, asked {}", values.len())));
            }
            (Comparison::OneOf, value) => {
                let kind = Kind::of(&value).name();
                return Err(wrong(format!("one-of takes a list of values; its value is {kind}")));
            }
            (_, value) => vec![value],
        };
        let held = records.iter().find_map(|record| at(record, field)).map(Kind::of);
        for value in &values {
            fits(*comparison, held, Kind::of(value)).map_err(&wrong)?;
        }
        let values = values.into_iter().map(folded).collect();
        Ok(Test { field, comparison: *comparison, values })
    }

    fn holds(&self, record: &Value) -> bool {
        let Some(held) = at(record, self.field) else { return self.comparison == Comparison::NotEqual };
        match self.comparison {
            Comparison::Contains => self.values.iter().all(|value| contains(held, value)),
            Comparison::OneOf => {
                self.values.iter().any(|value| same(held, value) || contains_item(held, value))
            }
            Comparison::Equal => self.values.iter().all(|value| same(held, value)),
            Comparison::NotEqual => !self.values.iter().any(|value| same(held, value)),
            comparison => self.values.iter().all(|value| {
                compare(held, value).is_some_and(|order| match comparison {
                    Comparison::Less => order.is_lt(),
                    Comparison::AtMost => order.is_le(),
                    Comparison::Greater => order.is_gt(),
                    _ => order.is_ge(),
                })
            }),
        }
    }
}

/// May a field that holds `held` be compared so with an `asked`? `held` is none where no record has
/// the field: an optional field that nobody filled in finds nothing and is no error.
fn fits(comparison: Comparison, held: Option<Kind>, asked: Kind) -> Result<(), String> {
    let name = comparison_name(comparison);
    if matches!(asked, Kind::Null | Kind::List | Kind::Object) {
        return Err(format!("{name} cannot compare with {}", asked.name()));
    }
    let ordered = !matches!(
        comparison,
        Comparison::Equal | Comparison::NotEqual | Comparison::Contains | Comparison::OneOf
    );
    if ordered && asked == Kind::Boolean {
        return Err(format!("{name} cannot compare with {}", asked.name()));
    }
    let Some(held) = held else { return Ok(()) };
    match (comparison, held) {
        (Comparison::Contains | Comparison::OneOf, Kind::List) => Ok(()),
        (Comparison::Contains, Kind::Text) if asked == Kind::Text => Ok(()),
        (Comparison::Contains, held) => {
            Err(format!("contains looks into text and lists; the field holds {}", held.name()))
        }
        (_, held) if held == asked => Ok(()),
        (_, held) => Err(format!("the field holds {}, the filter's value is {}", held.name(), asked.name())),
    }
}

/// Text of the filter in the form it is compared in.
fn folded(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.to_lowercase()),
        value => value,
    }
}

/// `folded` is lower case already.
fn same_text(held: &str, folded: &str) -> bool {
    if held.is_ascii() && folded.is_ascii() {
        return held.eq_ignore_ascii_case(folded);
    }
    held.to_lowercase() == folded
}

fn same(held: &Value, asked: &Value) -> bool {
    match (held, asked) {
        (Value::String(held), Value::String(asked)) => same_text(held, asked),
        (Value::Number(_), Value::Number(_)) => compare(held, asked) == Some(Ordering::Equal),
        _ => held == asked,
    }
}

fn contains(held: &Value, asked: &Value) -> bool {
    match (held, asked) {
        (Value::String(held), Value::String(asked)) => held.to_lowercase().contains(asked.as_str()),
        _ => contains_item(held, asked),
    }
}

fn contains_item(held: &Value, asked: &Value) -> bool {
    held.as_array().is_some_and(|items| items.iter().any(|item| same(item, asked)))
}

/// None where the two are of different types.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
        (Value::String(a), Value::String(b)) => Some(a.to_lowercase().cmp(&b.to_lowercase())),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Records without the field come last, whichever the direction.
fn order(a: &Value, b: &Value, query: &Query) -> Ordering {
    for sort in &query.sort {
        let order = match (at(a, &sort.field), at(b, &sort.field)) {
            (Some(a), Some(b)) => {
                let order = compare(a, b).unwrap_or_else(|| Kind::of(a).cmp(&Kind::of(b)));
                if sort.descending { order.reverse() } else { order }
            }
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

#[cfg(test)]
mod tests;
