//! Run before a version goes live: the texts are all there, and the plainest sentences are understood.

use switchboard_sdk::{Fault, Phrase};

use crate::criteria::{Found, Kind, Purpose, Rooms};
use crate::language::Language;
use crate::step::Step;
use crate::texts::Text;
use crate::understand::understand;
use crate::words::Words;

pub fn run() -> Result<(), Fault> {
    let missing: Vec<&str> = Text::ALL
        .iter()
        .map(|text| text.path())
        .filter(|path| Phrase::new(*path, Language::English.code(), "").find().is_none())
        .collect();
    // Without any text there is no personality to check: the component is looked at alone.
    if !missing.is_empty() && missing.len() < Text::ALL.len() {
        let message = format!("the personality lacks the texts {}", missing.join(", "));
        return Err(Fault::new("personality", message));
    }
    for sentence in ["rent a 2 bedroom villa", "فيلا غرفتين للإيجار", "اجاره ویلا دو خوابه"]
    {
        let found = understand(&Words::of(sentence), &[], Step::Purpose, None);
        let expected = Found {
            purpose: Some(Purpose::Rent),
            kind: Some(Kind::Villa),
            rooms: Some(Rooms::exactly(2)),
            ..Found::default()
        };
        if found != expected {
            return Err(Fault::new("understanding", format!("`{sentence}` was understood as {found:?}")));
        }
    }
    Ok(())
}
