//! One turn of the conversation: what it is about, and the contact's language in every word of it.

use std::cell::OnceCell;
use std::collections::HashSet;

use switchboard_sdk::{Choice, Date, Fault, ListMenu, Local, Phrase, Reply, Turn, Zone};

use crate::criteria::{Budget, Criteria, Kind, Purpose, Rooms, Wish};
use crate::language::Language;
use crate::memory::Memory;
use crate::texts::Text;
use crate::understand::Area;

/// WhatsApp's own limits; see the contract's `buttons` and `list-menu`.
const BUTTONS: usize = 3;
const BUTTON_TITLE: usize = 20;
const ROWS: usize = 10;
const ROW_TITLE: usize = 24;
const ROW_DESCRIPTION: usize = 72;
const ROW_ID: usize = 200;
const BODY: usize = 1024;

pub struct Talk<'t> {
    pub turn: &'t Turn,
    pub reply: &'t mut Reply,
    pub memory: Memory,
    /// Is said before the next question, in the same message where that is possible.
    lead_in: String,
    areas: OnceCell<Vec<Area>>,
    digits: OnceCell<Option<Vec<char>>>,
    zone: OnceCell<Zone>,
}

/// A row of a list, or a button.
#[derive(Clone, Debug)]
pub struct Offer {
    pub id: String,
    pub title: String,
    pub description: Option<String>,
}

impl Offer {
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Offer { id: id.into(), title: title.into(), description: None }
    }

    pub fn described(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }
}

impl<'t> Talk<'t> {
    pub fn new(turn: &'t Turn, reply: &'t mut Reply, memory: Memory) -> Self {
        let (areas, digits, zone) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Talk { turn, reply, memory, lead_in: String::new(), areas, digits, zone }
    }

    /// The chosen one; before that the contact's or the tenant's, where it is one of ours.
    pub fn language(&self) -> Language {
        let spoken = || Language::parse(self.turn.language());
        let tenants = || Language::parse(&self.turn.context().language);
        self.memory.language.or_else(spoken).or_else(tenants).unwrap_or(Language::English)
    }

    pub fn text(&self, text: Text) -> Phrase {
        self.turn.phrase(text.path()).language(self.language().code())
    }

    /// Says this before whatever comes next.
    pub fn lead_in(&mut self, text: impl Into<String>) {
        if !self.lead_in.is_empty() {
            self.lead_in.push_str("\n\n");
        }
        self.lead_in.push_str(&text.into());
    }

    /// Says it now, as a message of its own.
    pub fn flush_lead_in(&mut self) {
        if !self.lead_in.is_empty() {
            let text = std::mem::take(&mut self.lead_in);
            self.reply.text(text);
        }
    }

    pub fn say(&mut self, text: impl Into<String>) {
        let body = self.after_lead_in(text.into());
        self.reply.text(body);
    }

    fn after_lead_in(&mut self, body: String) -> String {
        if self.lead_in.is_empty() {
            return body;
        }
        let mut text = std::mem::take(&mut self.lead_in);
        text.push_str("\n\n");
        text.push_str(&body);
        text
    }

    /// Asks, with buttons where three short ones are enough, with a list otherwise. A number that
    /// the contact types next means the row.
    pub fn ask(&mut self, body: impl Into<String>, open: Text, mut offers: Vec<Offer>) {
        let body = clip(&self.after_lead_in(body.into()), BODY);
        // A record without a title, or an area listed twice, must not cost the question.
        let mut ids = HashSet::new();
        offers.retain(|offer| {
            let fits = offer.id.chars().count() <= ROW_ID && !offer.title.trim().is_empty();
            fits && ids.insert(offer.id.clone())
        });
        offers.truncate(ROWS);
        let short =
            |offer: &Offer| offer.description.is_none() && offer.title.chars().count() <= BUTTON_TITLE;
        let buttons = offers.len() <= BUTTONS && offers.iter().all(short);
        for offer in &mut offers {
            offer.title = clip(&offer.title, if buttons { BUTTON_TITLE } else { ROW_TITLE });
        }
        self.memory.offered = offers.iter().map(|offer| Choice::new(&offer.id, &offer.title)).collect();
        if buttons {
            self.reply.buttons(body, offers.into_iter().map(|offer| (offer.id, offer.title)));
            return;
        }
        let open = clip(&String::from(self.text(open)), BUTTON_TITLE);
        let list =
            offers.into_iter().fold(ListMenu::new(body, open), |list, offer| match offer.description {
                Some(description) => {
                    list.row_with(offer.id, offer.title, clip(&description, ROW_DESCRIPTION))
                }
                None => list.row(offer.id, offer.title),
            });
        self.reply.list(list);
    }

    /// A button whose title is one of the texts.
    pub fn offer(&self, id: &str, title: Text) -> Offer {
        Offer::new(id, self.text(title))
    }

    /// As the personality lists them.
    pub fn areas(&self) -> &[Area] {
        self.areas.get_or_init(|| match self.turn.setting("areas") {
            Ok(areas) => areas.unwrap_or_default(),
            Err(fault) => {
                log::warn!("{fault}");
                Vec::new()
            }
        })
    }

    /// The tenant's clock.
    pub fn zone(&self) -> Result<Zone, Fault> {
        match self.zone.get() {
            Some(zone) => Ok(zone.clone()),
            None => {
                let zone = self.turn.zone()?;
                Ok(self.zone.get_or_init(|| zone).clone())
            }
        }
    }

    // Things in the contact's language.

    /// With the digits that the personality gives for the language.
    pub fn digits(&self, text: impl Into<String>) -> String {
        let text = text.into();
        let digits = self.digits.get_or_init(|| {
            let path = format!("digits.{}", self.language().code());
            let digits: Option<String> = self.turn.setting(&path).ok().flatten();
            digits.map(|digits| digits.chars().collect::<Vec<char>>()).filter(|digits| digits.len() == 10)
        });
        let Some(digits) = digits else { return text };
        let local = |c: char| match c {
            '.' => '٫',
            ',' => '٬',
            c => c.to_digit(10).map_or(c, |digit| digits[digit as usize]),
        };
        text.chars().map(local).collect()
    }

    pub fn number(&self, n: impl ToString) -> String {
        self.digits(n.to_string())
    }

    /// `1.5M`, `120K`.
    pub fn amount(&self, amount: u64) -> String {
        let short = |unit: f64| {
            let text = format!("{:.2}", amount as f64 / unit);
            self.digits(text.trim_end_matches('0').trim_end_matches('.'))
        };
        match amount {
            1_000_000.. => self.text(Text::Million).with("n", short(1e6)).into(),
            1_000.. => self.text(Text::Thousand).with("n", short(1e3)).into(),
            _ => self.number(amount),
        }
    }

    pub fn price(&self, amount: u64, purpose: Option<Purpose>) -> String {
        let text = if purpose == Some(Purpose::Rent) { Text::PricePerYear } else { Text::Price };
        self.text(text).with("amount", self.amount(amount)).into()
    }

    /// `1,850,000`.
    pub fn full_amount(&self, amount: u64) -> String {
        let plain = amount.to_string();
        let mut grouped = String::with_capacity(plain.len() + plain.len() / 3);
        for (i, digit) in plain.chars().enumerate() {
            if i > 0 && (plain.len() - i).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        self.digits(grouped)
    }

    pub fn purpose_label(&self, purpose: Purpose) -> String {
        self.text(match purpose {
            Purpose::Buy => Text::Buy,
            Purpose::Rent => Text::Rent,
        })
        .into()
    }

    pub fn kind_label(&self, kind: Kind) -> String {
        self.text(match kind {
            Kind::Apartment => Text::Apartment,
            Kind::Villa => Text::Villa,
            Kind::Townhouse => Text::Townhouse,
            Kind::Penthouse => Text::Penthouse,
        })
        .into()
    }

    pub fn rooms_label(&self, rooms: Rooms) -> String {
        let n = |text: Text, n: u8| self.text(text).with("n", self.number(n)).to_string();
        match (rooms.min, rooms.max) {
            (0, 0) => self.text(Text::Studio).into(),
            (1, 1) => self.text(Text::OneRoom).into(),
            (2, 2) => self.text(Text::TwoRooms).into(),
            (min, max) if min == max => n(Text::ManyRooms, min),
            (min, Rooms::MOST) => n(Text::MoreRooms, min),
            (0, max) => n(Text::UpToRooms, max),
            (min, max) => {
                self.text(Text::RangeRooms).with("from", self.number(min)).with("to", self.number(max)).into()
            }
        }
    }

    pub fn area_label(&self, name: &str) -> String {
        let area = self.areas().iter().find(|area| area.name == name);
        let local = area.and_then(|area| match self.language() {
            Language::English => area.en.as_deref(),
            Language::Arabic => area.ar.as_deref(),
            Language::Persian => area.fa.as_deref(),
        });
        local.unwrap_or(name).to_owned()
    }

    pub fn budget_label(&self, budget: Budget, purpose: Option<Purpose>) -> String {
        let price = |amount| self.price(amount, purpose);
        match (budget.min, budget.max) {
            (Some(min), Some(max)) => {
                self.text(Text::Between).with("from", self.amount(min)).with("to", price(max)).into()
            }
            (None, Some(max)) => self.text(Text::UpTo).with("price", price(max)).into(),
            (Some(min), None) => self.text(Text::From).with("price", price(min)).into(),
            (None, None) => self.text(Text::AnyBudget).into(),
        }
    }

    /// `Buy · Villa · 3 bedrooms`: what is known so far.
    pub fn summary(&self, criteria: &Criteria) -> String {
        let mut parts: Vec<String> = Vec::new();
        parts.extend(criteria.purpose.map(|purpose| self.purpose_label(purpose)));
        let part = |any: Text, wish: Wish<String>| match wish {
            Wish::Open => None,
            Wish::Any => Some(self.text(any).to_string()),
            Wish::Is(label) => Some(label),
        };
        parts.extend(part(Text::AnyKind, map(&criteria.kind, |kind| self.kind_label(*kind))));
        parts.extend(part(Text::AnyRooms, map(&criteria.rooms, |rooms| self.rooms_label(*rooms))));
        parts.extend(part(Text::AnyArea, map(&criteria.area, |area| self.area_label(area))));
        let budget = map(&criteria.budget, |budget| self.budget_label(*budget, criteria.purpose));
        parts.extend(part(Text::AnyBudget, budget));
        parts.join(" · ")
    }

    /// `Tuesday 3 March`.
    pub fn day_label(&self, date: Date) -> String {
        let name = |list: &str, at: u8| {
            let path = format!("{list}.{}", self.language().code());
            let names: Vec<String> = self.turn.setting(&path).ok().flatten().unwrap_or_default();
            names.get(usize::from(at)).cloned().unwrap_or_else(|| date.to_string())
        };
        self.text(Text::Day)
            .with("weekday", name("calendar.weekdays", date.weekday()))
            .with("day", self.number(date.day()))
            .with("month", name("calendar.months", date.month() - 1))
            .into()
    }

    pub fn time_label(&self, local: Local) -> String {
        self.digits(format!("{:02}:{:02}", local.hour, local.minute))
    }
}

fn map<T>(wish: &Wish<T>, label: impl Fn(&T) -> String) -> Wish<String> {
    match wish {
        Wish::Open => Wish::Open,
        Wish::Any => Wish::Any,
        Wish::Is(value) => Wish::Is(label(value)),
    }
}

/// At most this many characters, the cut marked.
pub fn clip(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let cut: String = text.chars().take(limit - 1).collect();
    format!("{}…", cut.trim_end())
}
