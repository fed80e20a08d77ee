//! Filters, sorts and pages the records of one collection. Typed: a field is what the first record
//! that has it says it is, and a filter of another type is refused instead of finding nothing.
//! Text compares without case, numbers by value. A record without the field matches only
//! `not-equal`; one whose value is of another type than its neighbours' matches nothing else.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, BinaryHeap, HashSet};

use serde_json::{Number, Value};

use super::{comparison_name, refusal};
use crate::brain::abi::bindings::switchboard::brain::records::{Comparison, Filter, Found, Query, Sort};
use crate::brain::abi::wit::Refusal;
use crate::brain::budget::Exceeded;
use crate::brain::grants::ANSWER_BYTES;
use crate::brain::work::Work;

/// As the contract says.
const LIMIT: u32 = 100;
const FILTERS: usize = 32;
const SORTS: usize = 8;
const ONE_OF: usize = 256;

/// Of the values of all filters together, as JSON.
const VALUE_BYTES: usize = 64 << 10;

/// A dotted path.
const FIELD_BYTES: usize = 256;

/// So many records are put in order in one go.
const STRETCH: usize = 500;

/// What a record costs that is looked at, in fuel, and
const RECORD_FUEL: u64 = 50;
/// a look at one of its fields, and
const FIELD_FUEL: u64 = 30;
/// a place in the order.
const ORDER_FUEL: u64 = 500;

/// Is the question itself small enough?
pub fn within_bounds(query: &Query) -> Result<(), Refusal> {
    within("limit", query.limit as usize, LIMIT as usize)?;
    within("filters", query.filters.len(), FILTERS)?;
    within("sort", query.sort.len(), SORTS)?;
    let fields =
        query.filters.iter().map(|filter| &filter.field).chain(query.sort.iter().map(|sort| &sort.field));
    for field in fields {
        within("bytes of a field's name", field.len(), FIELD_BYTES)?;
    }
    within(
        "bytes of the filters' values",
        query.filters.iter().map(|filter| filter.value.len()).sum(),
        VALUE_BYTES,
    )
}

/// The outer error ends the turn: the question costs more than the turn has left.
pub async fn find(
    records: &[Value],
    query: &Query,
    work: &mut Work<'_>,
) -> Result<Result<Found, Refusal>, Exceeded> {
    let mut tests = Vec::with_capacity(query.filters.len());
    for filter in &query.filters {
        let held = kind_held(records, &filter.field, work).await?;
        match Test::new(filter, held) {
            Ok(test) => tests.push(test),
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    let mut matching = Vec::new();
    for record in records {
        if all_hold(&tests, record, work).await? {
            work.hold(size_of::<&Value>())?;
            matching.push(record);
        }
    }
    let total = u32::try_from(matching.len()).unwrap_or(u32::MAX);
    let page: Vec<&Value> = if query.sort.is_empty() {
        matching.into_iter().skip(query.offset as usize).take(query.limit as usize).collect()
    } else {
        sorted(&matching, query, work).await?
    };
    Ok(written(&page, work).await?.map(|records| Found { records, total }))
}

/// The record with this id.
pub async fn with_id<'r>(
    records: &'r [Value],
    id: &str,
    work: &mut Work<'_>,
) -> Result<Option<&'r Value>, Exceeded> {
    for record in records {
        work.spend(RECORD_FUEL).await?;
        if has_id(record, id) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Ids are text or integers.
fn has_id(record: &Value, id: &str) -> bool {
    match record.get("id") {
        Some(Value::String(text)) => text == id,
        Some(Value::Number(number)) => number.to_string() == id,
        _ => false,
    }
}

/// The page as JSON, unless it is more than one answer may hold.
async fn written(page: &[&Value], work: &mut Work<'_>) -> Result<Result<Vec<String>, Refusal>, Exceeded> {
    let mut records = Vec::with_capacity(page.len());
    let mut bytes = 0;
    for record in page {
        let text = record.to_string();
        bytes += text.len();
        if bytes > ANSWER_BYTES {
            let why = format!(
                "the {} records found on this page are longer than an answer may be: limit {ANSWER_BYTES} \
                 bytes; ask for fewer with `limit`",
                page.len()
            );
            return Ok(Err(refusal("limit", why)));
        }
        work.hold(text.len())?;
        work.spend(text.len() as u64).await?;
        records.push(text);
    }
    Ok(Ok(records))
}

async fn all_hold(tests: &[Test<'_>], record: &Value, work: &mut Work<'_>) -> Result<bool, Exceeded> {
    work.spend(RECORD_FUEL).await?;
    for test in tests {
        if !test.holds(record, work).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The page in order: stretches are ordered by themselves and merged as far as the page goes. What is
/// equal keeps the collection's own order.
async fn sorted<'r>(
    matching: &[&'r Value],
    query: &Query,
    work: &mut Work<'_>,
) -> Result<Vec<&'r Value>, Exceeded> {
    let mut stretches = Vec::new();
    for (number, stretch) in matching.chunks(STRETCH).enumerate() {
        let mut places = Vec::with_capacity(stretch.len());
        for (index, record) in stretch.iter().enumerate() {
            let place = Place { keys: keys(record, &query.sort), index: number * STRETCH + index };
            work.hold(place.bytes())?;
            work.spend(RECORD_FUEL * query.sort.len() as u64 + place.bytes() as u64).await?;
            places.push(place);
        }
        // About what ordering so many compares.
        work.spend(stretch.len() as u64 * ORDER_FUEL).await?;
        places.sort_unstable();
        stretches.push(places.into_iter());
    }
    let first =
        |(number, stretch): (usize, &mut std::vec::IntoIter<Place>)| Some(Reverse((stretch.next()?, number)));
    let mut heads: BinaryHeap<_> = stretches.iter_mut().enumerate().filter_map(first).collect();
    let mut page = Vec::new();
    let wanted = (query.offset as usize).saturating_add(query.limit as usize);
    for position in 0..wanted {
        let Some(Reverse((place, number))) = heads.pop() else { break };
        work.spend(ORDER_FUEL).await?;
        if position >= query.offset as usize {
            page.push(matching[place.index]);
        }
        heads.extend(stretches[number].next().map(|place| Reverse((place, number))));
    }
    Ok(page)
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

/// What the first record that has the field says it is.
async fn kind_held(records: &[Value], field: &str, work: &mut Work<'_>) -> Result<Option<Kind>, Exceeded> {
    for record in records {
        work.spend(FIELD_FUEL + field.len() as u64).await?;
        if let Some(held) = at(record, field) {
            return Ok(Some(Kind::of(held)));
        }
    }
    Ok(None)
}

/// One filter, its value read once.
struct Test<'a> {
    field: &'a str,
    comparison: Comparison,
    asked: Asked,
}

/// What a field is compared with.
enum Asked {
    One(Value),
    /// Looked up and not gone through: a field may be a long list itself.
    OneOf(Alternatives),
}

#[derive(Default)]
struct Alternatives {
    texts: HashSet<String>,
    numbers: BTreeSet<Quantity>,
    booleans: HashSet<bool>,
}

impl Alternatives {
    fn of(values: Vec<Value>) -> Self {
        let mut all = Alternatives::default();
        for value in values {
            match folded(value) {
                Value::String(text) => drop(all.texts.insert(text)),
                Value::Number(number) => drop(all.numbers.insert(Quantity::of(&number))),
                Value::Bool(yes) => drop(all.booleans.insert(yes)),
                // Refused before.
                Value::Null | Value::Array(_) | Value::Object(_) => {}
            }
        }
        all
    }

    fn hold(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => !self.texts.is_empty() && self.texts.contains(&text.to_lowercase()),
            Value::Number(number) => self.numbers.contains(&Quantity::of(number)),
            Value::Bool(yes) => self.booleans.contains(yes),
            _ => false,
        }
    }
}

impl<'a> Test<'a> {
    fn new(filter: &'a Filter, held: Option<Kind>) -> Result<Self, Refusal> {
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
        for value in &values {
            fits(*comparison, held, Kind::of(value)).map_err(&wrong)?;
        }
        let asked = match (comparison, values.len()) {
            (Comparison::OneOf, _) => Asked::OneOf(Alternatives::of(values)),
            _ => Asked::One(values.into_iter().next().map_or(Value::Null, folded)),
        };
        Ok(Test { field, comparison: *comparison, asked })
    }

    async fn holds(&self, record: &Value, work: &mut Work<'_>) -> Result<bool, Exceeded> {
        work.spend(FIELD_FUEL + self.field.len() as u64).await?;
        let Some(held) = at(record, self.field) else { return Ok(self.comparison == Comparison::NotEqual) };
        work.spend(length(held)).await?;
        let asked = match &self.asked {
            Asked::One(asked) => asked,
            Asked::OneOf(alternatives) => {
                return Ok(
                    alternatives.hold(held) || any_item(held, work, |item| alternatives.hold(item)).await?
                );
            }
        };
        Ok(match self.comparison {
            Comparison::Contains => match (held, asked) {
                (Value::String(held), Value::String(asked)) => held.to_lowercase().contains(asked.as_str()),
                _ => any_item(held, work, |item| same(item, asked)).await?,
            },
            Comparison::Equal => same(held, asked),
            Comparison::NotEqual => !same(held, asked),
            comparison => compare(held, asked).is_some_and(|order| match comparison {
                Comparison::Less => order.is_lt(),
                Comparison::AtMost => order.is_le(),
                Comparison::Greater => order.is_gt(),
                _ => order.is_ge(),
            }),
        })
    }
}

/// Does a list hold such an item?
async fn any_item(
    held: &Value,
    work: &mut Work<'_>,
    is_it: impl Fn(&Value) -> bool,
) -> Result<bool, Exceeded> {
    for item in held.as_array().into_iter().flatten() {
        work.spend(FIELD_FUEL + length(item)).await?;
        if is_it(item) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Comparing text takes time by its length: folding case makes a copy of it.
fn length(value: &Value) -> u64 {
    value.as_str().map_or(0, |text| 2 * text.len() as u64)
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

impl Place {
    /// What it takes, about.
    fn bytes(&self) -> usize {
        let text = |key: &Key| match key {
            Key::Ascending(Rank::Text(text)) | Key::Descending(Reverse(Rank::Text(text))) => text.len(),
            _ => 0,
        };
        size_of::<Self>() + self.keys.iter().map(|key| size_of::<Key>() + text(key)).sum::<usize>()
    }
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
