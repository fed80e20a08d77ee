//! What the contact is looking for.

use serde::{Deserialize, Serialize};

use crate::step::Step;

/// A question and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wish<T> {
    /// Not asked yet.
    #[default]
    Open,
    /// It does not matter.
    Any,
    Is(T),
}

impl<T> Wish<T> {
    pub fn is_open(&self) -> bool {
        matches!(self, Wish::Open)
    }

    pub fn value(&self) -> Option<&T> {
        match self {
            Wish::Is(value) => Some(value),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Criteria {
    pub purpose: Option<Purpose>,
    pub kind: Wish<Kind>,
    pub rooms: Wish<Rooms>,
    /// As the collection's `area_name` has it.
    pub area: Wish<String>,
    pub budget: Wish<Budget>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    Buy,
    Rent,
}

impl Purpose {
    pub const ALL: [Purpose; 2] = [Purpose::Buy, Purpose::Rent];

    pub fn name(self) -> &'static str {
        match self {
            Purpose::Buy => "buy",
            Purpose::Rent => "rent",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Purpose::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Apartment,
    Villa,
    Townhouse,
    Penthouse,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Apartment, Kind::Villa, Kind::Townhouse, Kind::Penthouse];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Apartment => "apartment",
            Kind::Villa => "villa",
            Kind::Townhouse => "townhouse",
            Kind::Penthouse => "penthouse",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Bedrooms, both ends included; a studio has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rooms {
    pub min: u8,
    pub max: u8,
}

impl Rooms {
    /// More than any home has.
    pub const MOST: u8 = 50;

    pub fn exactly(n: u8) -> Self {
        Rooms { min: n, max: n }
    }

    pub fn at_least(n: u8) -> Self {
        Rooms { min: n, max: Rooms::MOST }
    }
}

/// In the collection's currency: the price, or the rent of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    pub min: Option<u64>,
    pub max: Option<u64>,
}

impl Criteria {
    /// The first question without an answer.
    pub fn first_open(&self) -> Option<Step> {
        let open = [
            (self.purpose.is_none(), Step::Purpose),
            (self.kind.is_open(), Step::Kind),
            (self.rooms.is_open(), Step::Rooms),
            (self.area.is_open(), Step::Area),
            (self.budget.is_open(), Step::Budget),
        ];
        open.into_iter().find(|(open, _)| *open).map(|(_, step)| step)
    }

    /// Takes an answer back.
    pub fn reopen(&mut self, step: Step) {
        match step {
            Step::Purpose => self.purpose = None,
            Step::Kind => self.kind = Wish::Open,
            Step::Rooms => self.rooms = Wish::Open,
            Step::Area => self.area = Wish::Open,
            Step::Budget => self.budget = Wish::Open,
            _ => {}
        }
    }

    /// The answer to this question does not matter.
    pub fn any(&mut self, step: Step) {
        match step {
            Step::Kind => self.kind = Wish::Any,
            Step::Rooms => self.rooms = Wish::Any,
            Step::Area => self.area = Wish::Any,
            Step::Budget => self.budget = Wish::Any,
            _ => {}
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Criteria::default()
    }

    /// Lays what was understood over what was known. Another purpose makes an old budget
    /// meaningless: it is asked again.
    pub fn merge(&mut self, found: Found) {
        if let Some(purpose) = found.purpose {
            if self.purpose.is_some_and(|known| known != purpose) {
                self.budget = Wish::Open;
            }
            self.purpose = Some(purpose);
        }
        if let Some(kind) = found.kind {
            self.kind = Wish::Is(kind);
        }
        if let Some(rooms) = found.rooms {
            self.rooms = Wish::Is(rooms);
            // Only apartments come without a bedroom.
            if rooms.max == 0 {
                self.kind = Wish::Is(Kind::Apartment);
            }
        }
        if let Some(area) = found.area {
            self.area = Wish::Is(area);
        }
        if let Some(budget) = found.budget {
            self.budget = Wish::Is(budget);
        }
    }
}

/// What one message told about the search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub purpose: Option<Purpose>,
    pub kind: Option<Kind>,
    pub rooms: Option<Rooms>,
    pub area: Option<String>,
    pub budget: Option<Budget>,
}

impl Found {
    pub fn is_empty(&self) -> bool {
        *self == Found::default()
    }
}
