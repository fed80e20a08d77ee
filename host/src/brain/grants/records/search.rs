//! Filters, sorts and pages the records of one collection. Typed: a field is what the first record
//! that has it says it is, and a filter of another type is refused instead of finding nothing.
//! Text compares without case, numbers by value. A record without the field matches only
//! `not-equal`; one whose value is of another type than its neighbours' matches nothing else.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use serde_json::{Number, Value};

use super::{comparison_name, refusal};
use crate::brain::abi::bindings::switchboard::brain::records::{Comparison, Filter, Found, Query, Sort};
use crate::brain::abi::wit::Refusal;
use crate::brain::pace::Pace;

/// As the contract says.
const LIMIT: u32 = 100;
const FILTERS: usize = 32;
const SORTS: usize = 8;
const ONE_OF: usize = 256;

/// So many records are put in order in one go.
const STRETCH: usize = 2_000;

pub async fn find(records: &[Value], query: &Query) -> Result<Found, Refusal> {
    within("limit", query.limit as usize, LIMIT as usize)?;
    within("filters", query.filters.len(), FILTERS)?;
    within("sort", query.sort.len(), SORTS)?;
    let tests =
        query.filters.iter().map(|filter| Test::new(filter, records)).collect::<Result<Vec<_>, _>>()?;
    let mut pace = Pace::new();
    let mut matching = Vec::new();
    for record in records {
        if all_hold(&tests, record, &mut pace).await {
            matching.push(record);
        }
    }
    if !query.sort.is_empty() {
        let wanted = (query.offset as usize).saturating_add(query.limit as usize);
        return Ok(Found {
            total: count(&matching),
            records: sorted(&matching, query, wanted, &mut pace).await,
        });
    }
    let total = count(&matching);
    let page = matching.into_iter().skip(query.offset as usize).take(query.limit as usize);
    Ok(Found { records: page.map(Value::to_string).collect(), total })
}

async fn all_hold(tests: &[Test<'_>], record: &Value, pace: &mut Pace) -> bool {
    pace.keep().await;
    for test in tests {
        if !test.holds(record) {
            return false;
        }
        pace.keep().await;
    }
    true
}

fn count(matching: &[&Value]) -> u32 {
    u32::try_from(matching.len()).unwrap_or(u32::MAX)
}

/// The page that ends at `wanted`, in order: stretches are ordered by themselves and merged as far as
/// the page goes. What is equal keeps the collection's own order.
async fn sorted(matching: &[&Value], query: &Query, wanted: usize, pace: &mut Pace) -> Vec<String> {
    let mut stretches = Vec::new();
    for (number, stretch) in matching.chunks(STRETCH).enumerate() {
        let mut places = Vec::with_capacity(stretch.len());
        for (index, record) in stretch.iter().enumerate() {
            places.push(Place { keys: keys(record, &query.sort), index: number * STRETCH + index });
            pace.keep().await;
        }
        places.sort_unstable();
        stretches.push(places.into_iter());
        pace.keep().await;
    }
    let first =
        |(number, stretch): (usize, &mut std::vec::IntoIter<Place>)| Some(Reverse((stretch.next()?, number)));
    let mut heads: BinaryHeap<_> = stretches.iter_mut().enumerate().filter_map(first).collect();
    let mut page = Vec::new();
    for position in 0..wanted {
        let Some(Reverse((place, number))) = heads.pop() else { break };
        if position >= query.offset as usize {
            page.push(matching[place.index].to_string());
        }
        heads.extend(stretches[number].next().map(|place| Reverse((place, number))));
        pace.keep().await;
    }
    page
}

fn within(what: &str, count: usize, limit: usize) -> Result<(), Refusal> {
    if count <= limit {
        return Ok(());
    }
    Err(refusal("limit", format!("`{what}`: at most {limit}, asked {count}")))
}

/// What a value is, in the words of the refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        (Value::Number(a), Value::Number(b)) => Some(Quantity::of(a).cmp(&Quantity::of(b))),
        (Value::String(a), Value::String(b)) => Some(a.to_lowercase().cmp(&b.to_lowercase())),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// A number by its exact value, so that the order is total: comparing a large integer with a float as
/// floats would call neighbours equal that are not.
#[derive(Clone, Copy, Debug)]
enum Quantity {
    Whole(i128),
    Float(f64),
}

impl Quantity {
    fn of(number: &Number) -> Self {
        let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        // JSON has no number that is neither.
        whole.map_or_else(|| Quantity::Float(number.as_f64().unwrap_or(0.0)), Quantity::Whole)
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        match (*self, *other) {
            (Quantity::Whole(a), Quantity::Whole(b)) => a.cmp(&b),
            (Quantity::Whole(a), Quantity::Float(b)) => whole_with_float(a, b),
            (Quantity::Float(a), Quantity::Whole(b)) => whole_with_float(b, a).reverse(),
            // The two zeros are equal; others that cannot be compared are not JSON.
            (Quantity::Float(a), Quantity::Float(b)) => a.partial_cmp(&b).unwrap_or_else(|| a.total_cmp(&b)),
        }
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Quantity {}

/// `whole` is within 64 bits, signed or not.
fn whole_with_float(whole: i128, float: f64) -> Ordering {
    // Exact: what is beyond an i128 stays beyond every 64 bits.
    let below = float.floor() as i128;
    whole.cmp(&below).then(if float > float.floor() { Ordering::Less } else { Ordering::Equal })
}

/// What a record is sorted by, read once. Variants in the order of [`Kind`]; a record without the
/// field comes last, whichever the direction.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Ascending(Rank),
    Descending(Reverse<Rank>),
    Missing,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Boolean(bool),
    Number(Quantity),
    Text(String),
    List,
    Object,
}

/// A record on its way into order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    keys: Vec<Key>,
    /// Among those that match.
    index: usize,
}

fn keys(record: &Value, sort: &[Sort]) -> Vec<Key> {
    let key = |sort: &Sort| {
        let rank = match at(record, &sort.field) {
            None | Some(Value::Null) => return Key::Missing,
            Some(Value::Bool(yes)) => Rank::Boolean(*yes),
            Some(Value::Number(number)) => Rank::Number(Quantity::of(number)),
            Some(Value::String(text)) => Rank::Text(text.to_lowercase()),
            Some(Value::Array(_)) => Rank::List,
            Some(Value::Object(_)) => Rank::Object,
        };
        if sort.descending { Key::Descending(Reverse(rank)) } else { Key::Ascending(rank) }
    };
    sort.iter().map(key).collect()
}

#[cfg(test)]
mod tests;
