//! The questions, each with its answers to choose from.

use serde::Deserialize;
use switchboard_sdk::Fault;

use crate::criteria::{Budget, Kind, Purpose, Rooms};
use crate::language::Language;
use crate::step::Step;
use crate::talk::{Offer, Talk};
use crate::texts::Text;
use crate::{search, viewing};

/// Asks this, and remembers that it was asked.
pub fn ask(talk: &mut Talk<'_>, step: Step) -> Result<(), Fault> {
    talk.memory.step = step;
    match step {
        Step::Language => language(talk),
        Step::Purpose => purpose(talk),
        Step::Kind => kind(talk),
        Step::Rooms => rooms(talk),
        Step::Area => area(talk),
        Step::Budget => budget(talk)?,
        Step::Results => search::show(talk)?,
        Step::Home => search::show_home(talk)?,
        Step::Day => viewing::ask_day(talk)?,
        Step::Slot => viewing::ask_slot(talk, 0)?,
        Step::Confirm => viewing::ask_confirm(talk)?,
        Step::Booked => viewing::show_booked(talk)?,
    }
    Ok(())
}

fn language(talk: &mut Talk<'_>) {
    let offers = Language::ALL
        .map(|language| Offer::new(format!("lang:{}", language.code()), language.name()))
        .to_vec();
    let question = talk.text(Text::AskLanguage);
    talk.ask(question, Text::Choose, offers);
}

fn purpose(talk: &mut Talk<'_>) {
    let mut offers: Vec<Offer> = Purpose::ALL
        .map(|purpose| Offer::new(format!("purpose:{}", purpose.name()), talk.purpose_label(purpose)))
        .to_vec();
    offers.push(talk.offer("agent", Text::TalkToAgent));
    let question = talk.text(Text::AskPurpose);
    talk.ask(question, Text::Choose, offers);
}

fn kind(talk: &mut Talk<'_>) {
    let mut offers: Vec<Offer> =
        Kind::ALL.map(|kind| Offer::new(format!("kind:{}", kind.name()), talk.kind_label(kind))).to_vec();
    offers.push(talk.offer("kind:any", Text::AnyKind));
    let question = talk.text(Text::AskKind);
    talk.ask(question, Text::Choose, offers);
}

/// Row 2 is two bedrooms, so that `2` means the same as a number and as a row.
fn rooms(talk: &mut Talk<'_>) {
    let mut offers: Vec<Offer> =
        (1..=4).map(|n| Offer::new(format!("rooms:{n}"), talk.rooms_label(Rooms::exactly(n)))).collect();
    offers.push(Offer::new("rooms:5+", talk.rooms_label(Rooms::at_least(5))));
    offers.push(talk.offer("rooms:0", Text::Studio));
    offers.push(talk.offer("rooms:any", Text::AnyRooms));
    let question = talk.text(Text::AskRooms);
    talk.ask(question, Text::Choose, offers);
}

fn area(talk: &mut Talk<'_>) {
    let mut offers: Vec<Offer> = talk
        .areas()
        .iter()
        .take(9)
        .map(|area| Offer::new(format!("area:{}", area.name), talk.area_label(&area.name)))
        .collect();
    offers.push(talk.offer("area:any", Text::AnyArea));
    let question = talk.text(Text::AskArea);
    talk.ask(question, Text::Choose, offers);
}

/// The steps of the budget that the personality offers.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Steps {
    buy: Vec<u64>,
    rent: Vec<u64>,
}

fn budget(talk: &mut Talk<'_>) -> Result<(), Fault> {
    let steps: Steps = talk.turn.setting("budget")?.unwrap_or_default();
    let purpose = talk.memory.criteria.purpose;
    let steps = if purpose == Some(Purpose::Rent) { steps.rent } else { steps.buy };
    let mut offers: Vec<Offer> = steps
        .into_iter()
        .take(9)
        .map(|max| {
            let budget = Budget { min: None, max: Some(max) };
            Offer::new(format!("budget:{max}"), talk.budget_label(budget, purpose))
        })
        .collect();
    offers.push(talk.offer("budget:any", Text::AnyBudget));
    let question = talk.text(Text::AskBudget);
    talk.ask(question, Text::Choose, offers);
    Ok(())
}
