//! What a text says about the search: purpose, kind, bedrooms, area and budget, in English, Arabic
//! and Persian. Pure; words that it does not know are passed over.

pub mod command;
mod money;
mod rooms;

use serde::Deserialize;

use crate::criteria::{Budget, Found, Kind, Purpose};
use crate::step::Step;
use crate::words::{Words, is};

/// An area as the personality names it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Area {
    /// As the collection's `area_name` has it.
    pub name: String,
    #[serde(default)]
    pub en: Option<String>,
    #[serde(default)]
    pub ar: Option<String>,
    #[serde(default)]
    pub fa: Option<String>,
    /// What else people call it.
    #[serde(default)]
    pub also: Vec<String>,
}

impl Area {
    fn names(&self) -> impl Iterator<Item = &str> {
        let translated = [&self.en, &self.ar, &self.fa].into_iter().flatten();
        std::iter::once(&self.name).chain(translated).chain(&self.also).map(String::as_str)
    }
}

/// What the words mean beside what was asked last: at the question of the budget, `90` is a budget.
pub fn understand(words: &Words, areas: &[Area], step: Step, known: Option<Purpose>) -> Found {
    let mut found = Found {
        purpose: purpose(words),
        kind: kind(words),
        rooms: rooms::rooms(words, step == Step::Rooms),
        area: area(words, areas),
        budget: None,
    };
    let monthly = money::is_monthly(words);
    // `2 bedrooms` is no answer to the question of the budget.
    let asked = step == Step::Budget && found.rooms.is_none();
    if let Some(budget) = money::budget(words, asked, found.purpose.or(known)) {
        found.purpose = found.purpose.or_else(|| {
            // A year's rent of a million is not what anyone means.
            let large = budget.max.or(budget.min).is_some_and(|amount| amount >= 1_000_000);
            (known.is_none() && large).then_some(Purpose::Buy)
        });
        found.budget = Some(if monthly { yearly(budget) } else { budget });
    }
    if found.purpose.is_none() && known.is_none() && (monthly || money::is_yearly(words)) {
        found.purpose = Some(Purpose::Rent);
    }
    if found.rooms.is_some_and(|rooms| rooms.max == 0) {
        found.kind = Some(Kind::Apartment);
    }
    found
}

fn yearly(budget: Budget) -> Budget {
    let year = |amount: u64| amount.saturating_mul(12);
    Budget { min: budget.min.map(year), max: budget.max.map(year) }
}

const RENT: &[&str] = &[
    "rent",
    "rental",
    "renting",
    "rentals",
    "lease",
    "leasing",
    "tenancy",
    "اجاره",
    "اجارهای",
    "رهن",
    "کرایه",
    "مستاجر",
    "ایجار",
    "استیجار",
    "استاجر",
    "استاجار",
    "تاجیر",
    "للایجار",
    "مستاجره",
    "ایجارها",
    "اجار",
    "کرایهای",
    "rented",
    "let",
];

const BUY: &[&str] = &[
    "buy",
    "buying",
    "purchase",
    "purchasing",
    "own",
    "owning",
    "ownership",
    "invest",
    "investing",
    "investment",
    "sale",
    "خرید",
    "بخرم",
    "بخریم",
    "خرم",
    "خریدن",
    "خریدار",
    "فروش",
    "فروشی",
    "میخرم",
    "شرا",
    "اشتری",
    "نشتری",
    "بیع",
    "تملک",
    "تملیک",
    "استثمار",
];

fn purpose(words: &Words) -> Option<Purpose> {
    // `let` alone is a verb of its own ("let me see"); "to let" is not.
    let rents = words.as_slice().iter().enumerate().any(|(at, word)| {
        is(word, RENT) && (word != "let" || at.checked_sub(1).and_then(|at| words.get(at)) == Some("to"))
    });
    match (rents, words.any_of(BUY)) {
        (true, false) => Some(Purpose::Rent),
        (false, true) => Some(Purpose::Buy),
        _ => None,
    }
}

const APARTMENT: &[&str] = &[
    "apartment",
    "apartments",
    "flat",
    "flats",
    "apt",
    "apts",
    "condo",
    "condos",
    "appartment",
    "اپارتمان",
    "اپارتمانی",
    "اپارتمانها",
    "شقه",
    "شقق",
    "شقتین",
    "اپارتمانهای",
];
const VILLA: &[&str] =
    &["villa", "villas", "house", "houses", "ویلا", "ویلایی", "ویلاهای", "فیلا", "فلل", "فیلات"];
const TOWNHOUSE: &[&str] =
    &["townhouse", "townhouses", "town house", "town houses", "تاون هاوس", "تاونهاوس", "تاونهوس", "تاون هوس"];
const PENTHOUSE: &[&str] =
    &["penthouse", "penthouses", "pent house", "پنت هاوس", "پنتهاوس", "بنتهاوس", "بنت هاوس", "پنتهوس"];

fn kind(words: &Words) -> Option<Kind> {
    // The longer names first: a town house is no house.
    if words.has_phrase(TOWNHOUSE) || words.any_of(TOWNHOUSE) {
        Some(Kind::Townhouse)
    } else if words.has_phrase(PENTHOUSE) || words.any_of(PENTHOUSE) {
        Some(Kind::Penthouse)
    } else if words.any_of(VILLA) {
        Some(Kind::Villa)
    } else if words.any_of(APARTMENT) {
        Some(Kind::Apartment)
    } else {
        None
    }
}

/// The area with the longest name in the text.
fn area(words: &Words, areas: &[Area]) -> Option<String> {
    let mut best: Option<(usize, &str)> = None;
    for area in areas {
        for name in area.names().filter(|name| words.may_have(name)) {
            let name = Words::of(name);
            let found = (0..words.len()).any(|at| words.has_at(at, &name));
            if found && best.is_none_or(|(length, _)| name.len() > length) {
                best = Some((name.len(), &area.name));
            }
        }
    }
    best.map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests;
