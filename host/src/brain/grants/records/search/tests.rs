//! Questions to a small collection, and what comes of each.

use serde_json::json;

use super::*;
use crate::brain::abi::bindings::switchboard::brain::records::Sort;
use crate::brain::budget::{Limit, Meter};
use crate::tenant::ResolvedLimits;

fn homes() -> Vec<Value> {
    vec![
        json!({"id": 1, "kind": "Apartment", "price": 1_200_000, "address": {"city": "Dubai"}, "tags": ["Pool", "sea"]}),
        json!({"id": 2, "kind": "villa", "price": 950_000.5, "address": {"city": "DUBAI"}, "sold": true}),
        json!({"id": 3, "kind": "apartment", "price": 2_000_000, "address": {"city": "Sharjah"}, "tags": []}),
        json!({"id": 4, "kind": "آپارتمان", "price": null, "address": {"city": "Dubai"}}),
    ]
}

fn filter(field: &str, comparison: Comparison, value: Value) -> Filter {
    Filter { field: field.into(), comparison, value: value.to_string() }
}

fn query(filters: Vec<Filter>) -> Query {
    Query { collection: "homes".into(), filters, sort: Vec::new(), limit: 10, offset: 0 }
}

fn ids(found: &Found) -> Vec<i64> {
    let id = |record: &String| serde_json::from_str::<Value>(record).expect("JSON")["id"].as_i64();
    found.records.iter().map(|record| id(record).expect("an id")).collect()
}

async fn ask(records: &[Value], query: &Query) -> Result<Found, Refusal> {
    within_bounds(query)?;
    let mut meter = Meter::new(ResolvedLimits::default());
    find(records, query, &mut Work::new(&mut meter)).await.expect("the fuel of one turn is enough")
}

async fn check(field: &str, comparison: Comparison, value: Value, expected: &[i64]) {
    let found = ask(&homes(), &query(vec![filter(field, comparison, value.clone())])).await;
    let found = found.unwrap_or_else(|refusal| panic!("{field} {comparison:?} {value}: {}", refusal.message));
    assert_eq!(ids(&found), expected, "{field} {comparison:?} {value}");
    assert_eq!(found.total as usize, expected.len());
}

#[tokio::test]
async fn filters_compare_by_type() {
    use Comparison as C;
    check("kind", C::Equal, json!("APARTMENT"), &[1, 3]).await;
    check("kind", C::Equal, json!("آپارتمان"), &[4]).await;
    check("kind", C::NotEqual, json!("villa"), &[1, 3, 4]).await;
    check("address.city", C::Equal, json!("dubai"), &[1, 2, 4]).await;
    check("address.city", C::Contains, json!("JAH"), &[3]).await;
    check("price", C::AtMost, json!(1_200_000), &[1, 2]).await;
    check("price", C::Less, json!(1_200_000.0), &[2]).await;
    check("price", C::AtLeast, json!(1_200_000), &[1, 3]).await;
    check("price", C::Greater, json!(1_200_000), &[3]).await;
    check("price", C::NotEqual, json!(2_000_000), &[1, 2, 4]).await;
    check("tags", C::Contains, json!("pool"), &[1]).await;
    check("tags", C::OneOf, json!(["SEA", "garden"]), &[1]).await;
    check("kind", C::OneOf, json!(["villa", "apartment"]), &[1, 2, 3]).await;
    check("kind", C::OneOf, json!([]), &[]).await;
    check("sold", C::Equal, json!(true), &[2]).await;
    check("garden", C::Equal, json!("large"), &[]).await;
}

#[tokio::test]
async fn sorted_and_paged_with_the_total() {
    let mut query = query(Vec::new());
    query.sort = vec![Sort { field: "price".into(), descending: true }];
    let found = ask(&homes(), &query).await.expect("found");
    assert_eq!(ids(&found), [3, 1, 2, 4], "a record without a price comes last");
    query.sort = vec![
        Sort { field: "address.city".into(), descending: false },
        Sort { field: "price".into(), descending: false },
    ];
    (query.limit, query.offset) = (2, 1);
    let found = ask(&homes(), &query).await.expect("found");
    assert_eq!((ids(&found), found.total), (vec![1, 4], 4));
}

async fn refused_as(query: Query) -> String {
    let refusal = ask(&homes(), &query).await.expect_err("must be refused");
    format!("{}: {}", refusal.code, refusal.message)
}

#[tokio::test]
async fn a_wrong_question_is_refused_by_field_and_type() {
    use Comparison as C;
    let cases = [
        (
            filter("price", C::AtMost, json!("2M")),
            "bad-filter: filter on `price`: the field holds a number, the filter's value is text",
        ),
        (
            filter("price", C::Contains, json!(2)),
            "bad-filter: filter on `price`: contains looks into text and lists; the field holds a number",
        ),
        (
            filter("kind", C::OneOf, json!("villa")),
            "bad-filter: filter on `kind`: one-of takes a list of values; its value is text",
        ),
        (
            filter("kind", C::Equal, json!(null)),
            "bad-filter: filter on `kind`: equal cannot compare with null",
        ),
        (
            filter("sold", C::Less, json!(true)),
            "bad-filter: filter on `sold`: less cannot compare with true or false",
        ),
        (
            Filter { field: "kind".into(), comparison: C::Equal, value: "villa".into() },
            "bad-filter: filter on `kind`: its value is not JSON: expected value at line 1 column 1",
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(refused_as(query(vec![filter])).await, expected);
    }
    let mut many = query(Vec::new());
    many.limit = 101;
    assert_eq!(refused_as(many).await, "limit: `limit`: at most 100, asked 101");
}

#[tokio::test]
async fn what_a_question_costs_is_bounded_by_the_turn() {
    let long = json!({"id": 1, "tags": vec!["sea"; 7_000], "text": "x".repeat(2_000)});
    let records = vec![long; 200];
    let cost = async |query: &Query, limits: ResolvedLimits| {
        let mut meter = Meter::new(limits);
        find(&records, query, &mut Work::new(&mut meter)).await.map(|found| found.map(|found| found.total))
    };
    let mut tagged = query(vec![filter("tags", Comparison::OneOf, json!(vec!["garden"; 256]))]);
    let fuel = ResolvedLimits { fuel: 10_000_000, ..ResolvedLimits::default() };
    assert_eq!(cost(&tagged, fuel).await.expect_err("too much").of, Limit::Fuel);
    assert!(matches!(cost(&tagged, ResolvedLimits::default()).await, Ok(Ok(0))));
    tagged.filters.clear();
    tagged.sort = vec![Sort { field: "text".into(), descending: false }; 8];
    let memory = ResolvedLimits { memory_bytes: 1 << 20, ..ResolvedLimits::default() };
    assert_eq!(cost(&tagged, memory).await.expect_err("too much").of, Limit::Memory);
    tagged.sort.clear();
    tagged.limit = 100;
    let refused = ask(&records, &tagged).await.expect_err("too long an answer");
    assert_eq!(
        refused.message,
        "the 100 records found on this page are longer than an answer may be: limit 524288 bytes; ask for fewer \
         with `limit`"
    );
    let names = query(vec![filter(&"a.".repeat(200), Comparison::Equal, json!(1))]);
    assert_eq!(refused_as(names).await, "limit: `bytes of a field's name`: at most 256, asked 400");
}

/// Neighbours of the integers that a float cannot hold, and the floats between them.
fn number() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    prop_oneof![
        (0..9_i64).prop_map(|n| json!(i64::MAX - n)),
        (0..9_u64).prop_map(|n| json!(i64::MAX as u64 + n)),
        (0..9_i64).prop_map(|n| json!(i64::MIN + n)),
        (-4..4_i64).prop_map(|n| json!((1_i64 << 53) + n)),
        (-4..4_i32).prop_map(|n| json!(9_223_372_036_854_775_807.0 + f64::from(n) * 2048.0)),
        (-4..4_i32).prop_map(|n| json!(9_007_199_254_740_992.0 + f64::from(n))),
        (-4..4_i32).prop_map(|n| json!(f64::from(n) / 2.0)),
        any::<f64>().prop_map(|n| json!(n)),
    ]
}

/// As it is written, digit by digit: the sign, the digits before the point, those after it.
fn in_order(a: &Value, b: &Value) -> bool {
    let exact = |value: &Value| match (value.as_i64(), value.as_u64(), value.as_f64()) {
        (Some(n), ..) => (i128::from(n), 0.0),
        (_, Some(n), _) => (i128::from(n), 0.0),
        (.., Some(n)) => (n.floor() as i128, if n.abs() < 1e38 { n - n.floor() } else { n }),
        _ => unreachable!("a number"),
    };
    exact(a) <= exact(b)
}

proptest::proptest! {
    #[test]
    fn every_list_has_an_order(
        numbers in proptest::collection::vec(number(), 0..100),
        descending in proptest::bool::ANY,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let records: Vec<Value> = numbers.iter().map(|n| json!({"id": 1, "n": n})).collect();
        let mut query = query(Vec::new());
        query.sort = vec![Sort { field: "n".into(), descending }];
        query.limit = 100;
        let found = runtime.block_on(ask(&records, &query)).expect("found");
        let mut sorted: Vec<Value> =
            found.records.iter().map(|record| serde_json::from_str::<Value>(record).expect("JSON")["n"].clone()).collect();
        if descending {
            sorted.reverse();
        }
        proptest::prop_assert_eq!(sorted.len(), records.len());
        for pair in sorted.windows(2) {
            proptest::prop_assert!(in_order(&pair[0], &pair[1]), "{} before {}", pair[0], pair[1]);
        }
    }
}

#[tokio::test]
async fn a_large_collection_is_sorted_as_a_small_one_and_others_come_between() {
    let records: Vec<Value> =
        (0..30_000_u64).map(|n| json!({"id": n, "town": format!("Town {}", n * 7_919 % 100)})).collect();
    let mut query = query(Vec::new());
    query.sort = vec![Sort { field: "town".into(), descending: true }];
    (query.limit, query.offset) = (100, 290);
    let mut expected: Vec<&Value> = records.iter().collect();
    expected.sort_by_key(|record| Reverse(record["town"].as_str().expect("text").to_lowercase()));
    let expected: Vec<String> = expected[290..390].iter().map(|record| record.to_string()).collect();
    let ticks = std::cell::Cell::new(0_u32);
    let beside = async {
        loop {
            ticks.set(ticks.get() + 1);
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::select! {
        biased;
        found = ask(&records, &query) => found.expect("found"),
        () = beside => unreachable!("it never ends"),
    };
    assert_eq!((found.records, found.total), (expected, 30_000));
    assert!(ticks.get() >= 3, "others came {} times", ticks.get());
}
