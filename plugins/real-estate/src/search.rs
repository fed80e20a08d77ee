//! The homes that match, one home in detail, and what to do when nothing matches.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use switchboard_sdk::{Fault, Found, Query, record, records};

use crate::ask::ask;
use crate::criteria::{Budget, Criteria, Kind, Purpose, Rooms, Wish};
use crate::step::Step;
use crate::talk::{Offer, Talk, clip};
use crate::texts::Text;

const COLLECTION: &str = "properties";
/// Rows of one page; two more rows are for what else one can do.
const PAGE: u32 = 8;
const CAPTION: usize = 1_000;

/// A record of the tenant's collection `properties`.
#[derive(Clone, Debug, Deserialize)]
pub struct Home {
    #[serde(deserialize_with = "text_or_number")]
    pub id: String,
    pub title: String,
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub purpose: Option<Purpose>,
    /// 0 for a studio.
    #[serde(default)]
    pub bedrooms: u8,
    #[serde(default)]
    pub area_name: String,
    /// The price, or the rent of a year.
    #[serde(default)]
    pub price: f64,
    #[serde(default)]
    pub size_sqft: Option<f64>,
    #[serde(default)]
    pub photo: Option<String>,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub features: Vec<String>,
}

impl Home {
    /// Where WhatsApp can fetch it from.
    fn photo(&self) -> Option<&str> {
        let photo = self.photo.as_deref()?.trim();
        (photo.starts_with("https://") && !photo.contains(char::is_whitespace)).then_some(photo)
    }

    fn price(&self) -> u64 {
        // Negative and absurd prices saturate.
        self.price.round() as u64
    }
}

fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(serde::de::Error::custom(format!("an id is text or a number, not {other}"))),
    }
}

fn query(criteria: &Criteria) -> Query {
    let mut query = records(COLLECTION).ascending("price");
    if let Some(purpose) = criteria.purpose {
        query = query.equal("purpose", purpose.name());
    }
    if let Wish::Is(kind) = criteria.kind {
        query = query.equal("type", kind.name());
    }
    if let Wish::Is(rooms) = criteria.rooms {
        query = query.at_least("bedrooms", rooms.min);
        if rooms.max < Rooms::MOST {
            query = query.at_most("bedrooms", rooms.max);
        }
    }
    if let Wish::Is(area) = &criteria.area {
        query = query.equal("area_name", area.as_str());
    }
    if let Wish::Is(budget) = criteria.budget {
        if let Some(min) = budget.min {
            query = query.at_least("price", min);
        }
        if let Some(max) = budget.max {
            query = query.at_most("price", max);
        }
    }
    query
}

/// A tenant without the collection has no homes yet; a record that does not read is left out. Both
/// are told in the log.
fn find(query: &Query) -> Result<Found<Home>, Fault> {
    match query.find::<Value>() {
        Ok(found) => {
            let read = |record| match serde_json::from_value::<Home>(record) {
                Ok(home) => Some(home),
                Err(error) => {
                    log::warn!("a record of `{COLLECTION}` does not read: {error}");
                    None
                }
            };
            Ok(Found { records: found.records.into_iter().filter_map(read).collect(), total: found.total })
        }
        // A retry helps the rest; a collection that is missing or badly filled helps nobody.
        Err(fault) if fault.retryable => Err(fault),
        Err(fault) => {
            log::error!("{fault}");
            Ok(Found { records: Vec::new(), total: 0 })
        }
    }
}

/// An area of the collection that the text names, where the personality does not list it.
pub fn area_like(text: &str) -> Result<Option<String>, Fault> {
    let text = text.trim();
    if text.chars().count() < 3 || text.chars().count() > 60 {
        return Ok(None);
    }
    let found = find(&records(COLLECTION).contains("area_name", text).limit(1))?;
    Ok(found.records.into_iter().next().map(|home| home.area_name))
}

/// The page of matches that `memory.offset` is at.
pub fn show(talk: &mut Talk<'_>) -> Result<(), Fault> {
    talk.memory.step = Step::Results;
    talk.memory.home = None;
    let criteria = talk.memory.criteria.clone();
    let mut found = find(&query(&criteria).limit(PAGE).offset(talk.memory.offset))?;
    if found.records.is_empty() && talk.memory.offset > 0 {
        talk.memory.offset = 0;
        found = find(&query(&criteria).limit(PAGE))?;
    }
    if found.total == 0 {
        return show_none(talk, &criteria);
    }
    let first = talk.memory.offset == 0;
    if first {
        show_photos(talk, &found.records)?;
    }
    let mut offers: Vec<Offer> = found
        .records
        .iter()
        .map(|home| Offer::new(format!("home:{}", home.id), &home.title).described(line(talk, home)))
        .collect();
    if found.total > talk.memory.offset + PAGE {
        offers.push(talk.offer("more", Text::MoreHomes));
    }
    offers.push(talk.offer("agent", Text::TalkToAgent));
    let text = if found.total == 1 { Text::FoundOne } else { Text::Found };
    let body =
        talk.text(text).with("count", talk.number(found.total)).with("search", talk.summary(&criteria));
    talk.ask(body, Text::SeeHomes, offers);
    Ok(())
}

fn show_photos(talk: &mut Talk<'_>, homes: &[Home]) -> Result<(), Fault> {
    let photos: usize = talk.turn.setting("photos")?.unwrap_or(3);
    for (n, home) in homes.iter().enumerate().take(photos) {
        if let Some(photo) = home.photo() {
            talk.flush_lead_in();
            let caption = talk
                .text(Text::PhotoCaption)
                .with("n", talk.number(n + 1))
                .with("title", &home.title)
                .with("line", line(talk, home));
            talk.reply.image(photo, clip(&String::from(caption), CAPTION));
        }
    }
    Ok(())
}

/// `AED 1.9M · 2 bedrooms · Dubai Marina`
fn line(talk: &Talk<'_>, home: &Home) -> String {
    let price = talk.price(home.price(), home.purpose);
    let rooms = talk.rooms_label(Rooms::exactly(home.bedrooms));
    format!("{price} · {rooms} · {}", talk.area_label(&home.area_name))
}

/// A home by the id that was offered. `None`: it is not on the market any more.
pub fn home(id: &str) -> Result<Option<Home>, Fault> {
    match record::<Value>(COLLECTION, id) {
        Ok(Some(found)) => Ok(serde_json::from_value(found).ok()),
        Ok(None) => Ok(None),
        Err(fault) if fault.retryable => Err(fault),
        Err(fault) => {
            log::error!("{fault}");
            Ok(None)
        }
    }
}

/// The home that `memory.home` names.
pub fn show_home(talk: &mut Talk<'_>) -> Result<(), Fault> {
    talk.memory.step = Step::Home;
    let id = talk.memory.home.clone().unwrap_or_default();
    let Some(home) = home(&id)? else {
        let gone = talk.text(Text::HomeGone);
        talk.lead_in(gone);
        let step = talk.memory.next_step();
        return ask(talk, step);
    };
    if let Some(photo) = home.photo() {
        talk.flush_lead_in();
        talk.reply.image(photo, clip(&home.title, CAPTION));
    }
    let kind = Kind::parse(&home.kind).map_or_else(|| home.kind.clone(), |kind| talk.kind_label(kind));
    let size = home.size_sqft.filter(|size| *size >= 1.0).map(|size| {
        talk.text(Text::HomeSize).with("size", talk.full_amount(size.round() as u64)).to_string()
    });
    let price_text = if home.purpose == Some(Purpose::Rent) { Text::PricePerYear } else { Text::Price };
    let facts: Vec<String> = [
        Some(talk.text(price_text).with("amount", talk.full_amount(home.price())).to_string()),
        Some(kind),
        Some(talk.rooms_label(Rooms::exactly(home.bedrooms))),
        size,
        Some(talk.area_label(&home.area_name)),
    ]
    .into_iter()
    .flatten()
    .filter(|fact| !fact.is_empty())
    .collect();
    let mut description = home.description.clone();
    if !home.features.is_empty() {
        if !description.is_empty() {
            description.push('\n');
        }
        description.push_str(&home.features.join(" · "));
    }
    let body = talk
        .text(Text::Home)
        .with("title", &home.title)
        .with("facts", facts.join("\n"))
        .with("description", description);
    let offers = vec![
        talk.offer(&format!("book:{}", home.id), Text::Book),
        talk.offer("results", Text::BackToList),
        talk.offer("agent", Text::TalkToAgent),
    ];
    let body = clip(String::from(body).trim_end(), CAPTION);
    talk.ask(body, Text::Choose, offers);
    Ok(())
}

/// Offers what would bring matches, and how many.
fn show_none(talk: &mut Talk<'_>, criteria: &Criteria) -> Result<(), Fault> {
    let mut offers = Vec::new();
    for (step, id, title) in [
        (Step::Area, "relax:area", Text::RelaxArea),
        (Step::Rooms, "relax:rooms", Text::RelaxRooms),
        (Step::Kind, "relax:kind", Text::RelaxKind),
    ] {
        let mut wider = criteria.clone();
        wider.any(step);
        if wider == *criteria {
            continue;
        }
        let total = find(&query(&wider).limit(1))?.total;
        if total > 0 {
            let count = talk.text(Text::RelaxCount).with("count", talk.number(total));
            offers.push(talk.offer(id, title).described(count));
        }
    }
    if let Some(price) = cheapest_beyond(criteria)? {
        let from = talk.text(Text::RelaxFrom).with("price", talk.price(price, criteria.purpose));
        offers.push(talk.offer("relax:budget", Text::RelaxBudget).described(from));
    }
    if offers.is_empty() {
        let all = Criteria { purpose: criteria.purpose, ..Criteria::default() };
        let total = find(&query(&all).limit(1))?.total;
        if total > 0 {
            let count = talk.text(Text::RelaxCount).with("count", talk.number(total));
            offers.push(talk.offer("relax:all", Text::RelaxAll).described(count));
        }
    }
    let text = if offers.is_empty() { Text::NoHomes } else { Text::NoMatch };
    offers.push(talk.offer("restart", Text::NewSearch));
    offers.push(talk.offer("agent", Text::TalkToAgent));
    let body = talk.text(text).with("search", talk.summary(criteria));
    talk.ask(body, Text::Choose, offers);
    Ok(())
}

/// The lowest price outside the budget, of what matches otherwise.
fn cheapest_beyond(criteria: &Criteria) -> Result<Option<u64>, Fault> {
    if criteria.budget.value().is_none() {
        return Ok(None);
    }
    let mut wider = criteria.clone();
    wider.any(Step::Budget);
    let found = find(&query(&wider).limit(1))?;
    Ok(found.records.first().map(Home::price))
}

/// Widens the search as the contact chose.
pub fn relax(talk: &mut Talk<'_>, what: &str) -> Result<(), Fault> {
    let criteria = &mut talk.memory.criteria;
    match what {
        "area" => criteria.any(Step::Area),
        "rooms" => criteria.any(Step::Rooms),
        "kind" => criteria.any(Step::Kind),
        "budget" => {
            let beyond = cheapest_beyond(criteria)?;
            criteria.budget = match (criteria.budget.value(), beyond) {
                // A home below the lower end is let in by taking that end away.
                (Some(Budget { max: Some(max), .. }), Some(price)) if price <= *max => {
                    Wish::Is(Budget { min: None, max: Some(*max) })
                }
                (_, Some(price)) => Wish::Is(Budget { min: None, max: Some(rounded_up(price)) }),
                (_, None) => Wish::Any,
            };
        }
        _ => {
            for step in [Step::Kind, Step::Rooms, Step::Area, Step::Budget] {
                criteria.any(step);
            }
        }
    }
    talk.memory.offset = 0;
    let step = talk.memory.next_step();
    ask(talk, step)
}

/// A round figure that lets in what is near: 2,310,000 becomes 2,400,000.
fn rounded_up(price: u64) -> u64 {
    let step = if price >= 1_000_000 { 100_000 } else { 10_000 };
    price.div_ceil(step) * step
}
