//! Agreeing on a viewing: day, time, confirmation, reminders.

use serde::{Deserialize, Serialize};
use switchboard_sdk::{Date, Fault, Template, TemplateParameter, Timestamp, hours};

use crate::ask::ask;
use crate::memory::Viewing;
use crate::opening::{Settings, Slot};
use crate::search;
use crate::step::Step;
use crate::talk::{Offer, Talk};
use crate::texts::Text;
use crate::when::When;

/// Rows of a list, one kept for what comes later.
const PAGE: usize = 9;

/// What comes back with a reminder's timer.
#[derive(Debug, Serialize, Deserialize)]
struct Reminder {
    home: String,
    at: Timestamp,
}

fn settings(talk: &Talk<'_>) -> Settings {
    // Hours that do not read must not end the conversation; the usual ones stand in.
    match talk.turn.setting("viewing") {
        Ok(settings) => settings.unwrap_or_default(),
        Err(fault) => {
            log::error!("{fault}");
            Settings::default()
        }
    }
}

pub fn ask_day(talk: &mut Talk<'_>) -> Result<(), Fault> {
    talk.memory.step = Step::Day;
    talk.memory.day = None;
    talk.memory.slot = None;
    let (settings, zone, now) = (settings(talk), talk.zone()?, talk.turn.now());
    let days = settings.days(&zone, now);
    if days.is_empty() {
        let offers = vec![talk.offer("agent", Text::TalkToAgent), talk.offer("results", Text::BackToList)];
        let text = talk.text(Text::NoDays);
        talk.ask(text, Text::Choose, offers);
        return Ok(());
    }
    let offers = days
        .iter()
        .take(PAGE)
        .map(|(day, slots)| {
            let label = |slot: Option<&Slot>| slot.map(|slot| time(talk, slot)).unwrap_or_default();
            let span = format!("{} – {}", label(slots.first()), label(slots.last()));
            Offer::new(format!("day:{day}"), talk.day_label(*day)).described(span)
        })
        .collect();
    let title = home_title(talk)?;
    let question = talk.text(Text::AskDay).with("title", title);
    talk.ask(question, Text::Days, offers);
    Ok(())
}

fn time(talk: &Talk<'_>, slot: &Slot) -> String {
    talk.digits(format!("{:02}:{:02}", slot.hour, slot.minute))
}

fn home_title(talk: &Talk<'_>) -> Result<String, Fault> {
    let id = talk.memory.home.as_deref().unwrap_or_default();
    Ok(search::home(id)?.map(|home| home.title).unwrap_or_default())
}

/// Goes on with a home: the contact wants to see it.
pub fn begin(talk: &mut Talk<'_>, id: &str) -> Result<(), Fault> {
    talk.memory.home = Some(id.to_owned());
    if search::home(id)?.is_none() {
        // Says that it is gone, and shows the others.
        return search::show_home(talk);
    }
    ask_day(talk)
}

pub fn choose_day(talk: &mut Talk<'_>, day: Date) -> Result<(), Fault> {
    if settings(talk).slots(&talk.zone()?, talk.turn.now(), day).is_empty() {
        let closed = talk.text(Text::DayClosed).with("day", talk.day_label(day));
        talk.lead_in(closed);
        return ask_day(talk);
    }
    talk.memory.day = Some(day);
    ask_slot(talk, 0)
}

/// The times of the chosen day, from this page on.
pub fn ask_slot(talk: &mut Talk<'_>, page: usize) -> Result<(), Fault> {
    talk.memory.step = Step::Slot;
    talk.memory.slot = None;
    let Some(day) = talk.memory.day else { return ask_day(talk) };
    let slots = settings(talk).slots(&talk.zone()?, talk.turn.now(), day);
    if slots.is_empty() {
        return choose_day(talk, day);
    }
    let start = if page * PAGE < slots.len() { page * PAGE } else { 0 };
    let mut offers: Vec<Offer> = slots[start..]
        .iter()
        .take(PAGE)
        .map(|slot| Offer::new(format!("slot:{}", slot.at.as_ms()), time(talk, slot)))
        .collect();
    if slots.len() > start + PAGE {
        offers.push(talk.offer(&format!("slots:{}", page + 1), Text::LaterTimes));
    }
    let question = talk.text(Text::AskSlot).with("day", talk.day_label(day));
    talk.ask(question, Text::Times, offers);
    Ok(())
}

pub fn choose_slot(talk: &mut Talk<'_>, at: Timestamp) -> Result<(), Fault> {
    let zone = talk.zone()?;
    let day = zone.local(at).date;
    talk.memory.day = Some(day);
    // An old list may still be on the screen.
    if !settings(talk).slots(&zone, talk.turn.now(), day).iter().any(|slot| slot.at == at) {
        let gone = talk.text(Text::SlotGone);
        talk.lead_in(gone);
        return choose_day(talk, day);
    }
    talk.memory.slot = Some(at);
    ask_confirm(talk)
}

/// A day, a time or both in words. `false`: it was neither.
pub fn hear(talk: &mut Talk<'_>, when: When) -> Result<bool, Fault> {
    let Some(day) = when.date.or(talk.memory.day.filter(|_| when.time.is_some())) else {
        return Ok(false);
    };
    let Some(said) = when.time else {
        choose_day(talk, day)?;
        return Ok(true);
    };
    let slots = settings(talk).slots(&talk.zone()?, talk.turn.now(), day);
    let meant = said
        .readings()
        .find_map(|(hour, minute)| slots.iter().find(|slot| (slot.hour, slot.minute) == (hour, minute)));
    match meant {
        Some(slot) => choose_slot(talk, slot.at)?,
        None => {
            if !slots.is_empty() {
                let gone = talk.text(Text::SlotGone);
                talk.lead_in(gone);
            }
            choose_day(talk, day)?;
        }
    }
    Ok(true)
}

pub fn ask_confirm(talk: &mut Talk<'_>) -> Result<(), Fault> {
    talk.memory.step = Step::Confirm;
    let Some(at) = talk.memory.slot else { return ask_day(talk) };
    let title = home_title(talk)?;
    let question = described(talk, Text::AskConfirm, &title, at)?;
    let offers = vec![
        talk.offer("confirm", Text::Confirm),
        talk.offer("othertime", Text::OtherTime),
        talk.offer("notnow", Text::NotNow),
    ];
    talk.ask(question, Text::Choose, offers);
    Ok(())
}

/// A text with a home's title, the day and the time filled in.
fn described(talk: &Talk<'_>, text: Text, title: &str, at: Timestamp) -> Result<String, Fault> {
    let local = talk.zone()?.local(at);
    Ok(talk
        .text(text)
        .with("title", title)
        .with("day", talk.day_label(local.date))
        .with("time", talk.time_label(local))
        .into())
}

/// The contact said yes.
pub fn confirm(talk: &mut Talk<'_>) -> Result<(), Fault> {
    let Some(at) = talk.memory.slot else { return ask_day(talk) };
    let id = talk.memory.home.clone().unwrap_or_default();
    let Some(home) = search::home(&id)? else { return search::show_home(talk) };
    let settings = settings(talk);
    let (zone, now) = (talk.zone()?, talk.turn.now());
    if !settings.slots(&zone, now, zone.local(at).date).iter().any(|slot| slot.at == at) {
        return choose_slot(talk, at);
    }
    cancel_reminders(talk, &settings);
    for before in &settings.reminder_hours {
        let due = Timestamp::from_ms(at.as_ms() - hours(i64::from(*before)).as_ms());
        if due > now {
            let reminder = Reminder { home: home.id.clone(), at };
            talk.reply.schedule(reminder_key(*before), due, &reminder)?;
        }
    }
    talk.memory.viewing = Some(Viewing { home: home.id, title: home.title.clone(), at });
    talk.memory.step = Step::Booked;
    talk.memory.slot = None;
    talk.memory.offered.clear();
    let booked = described(talk, Text::Booked, &home.title, at)?;
    talk.say(booked);
    Ok(())
}

fn reminder_key(hours_before: u16) -> String {
    format!("viewing-reminder-{hours_before}")
}

fn cancel_reminders(talk: &mut Talk<'_>, settings: &Settings) {
    if talk.memory.viewing.is_some() {
        for before in &settings.reminder_hours {
            talk.reply.cancel(reminder_key(*before));
        }
    }
}

/// What is agreed, and what can be done about it.
pub fn show_booked(talk: &mut Talk<'_>) -> Result<(), Fault> {
    let past = |viewing: &Viewing| viewing.at <= talk.turn.now();
    let Some(viewing) = talk.memory.viewing.clone().filter(|viewing| !past(viewing)) else {
        talk.memory.viewing = None;
        let step = talk.memory.next_step();
        return ask(talk, step);
    };
    talk.memory.step = Step::Booked;
    let text = described(talk, Text::BookedAlready, &viewing.title, viewing.at)?;
    let offers = vec![
        talk.offer("viewing:move", Text::ChangeTime),
        talk.offer("viewing:cancel", Text::CancelViewing),
        talk.offer("restart", Text::NewSearch),
    ];
    talk.ask(text, Text::Choose, offers);
    Ok(())
}

/// `keep`, `move` or `cancel`, from a reminder or from [`show_booked`].
pub fn change(talk: &mut Talk<'_>, what: &str) -> Result<(), Fault> {
    let Some(viewing) = talk.memory.viewing.clone() else {
        let none = talk.text(Text::NoViewing);
        talk.lead_in(none);
        let step = talk.memory.next_step();
        return ask(talk, step);
    };
    match what {
        "move" => begin(talk, &viewing.home),
        "cancel" => {
            let settings = settings(talk);
            cancel_reminders(talk, &settings);
            talk.memory.viewing = None;
            let cancelled = talk.text(Text::ViewingCancelled).with("title", &viewing.title);
            talk.lead_in(cancelled);
            let step = talk.memory.next_step();
            ask(talk, step)
        }
        _ => {
            let local = talk.zone()?.local(viewing.at);
            let see_you = talk.text(Text::SeeYou).with("time", talk.time_label(local));
            talk.say(see_you);
            Ok(())
        }
    }
}

/// A reminder is due. One for a viewing that was moved or cancelled says nothing.
pub fn remind(talk: &mut Talk<'_>, payload: &str) -> Result<(), Fault> {
    let reminder: Reminder = serde_json::from_str(payload)?;
    let agreed = |viewing: &Viewing| viewing.home == reminder.home && viewing.at == reminder.at;
    let Some(viewing) = talk.memory.viewing.clone().filter(agreed) else { return Ok(()) };
    let open = talk.turn.context().window_open_until.is_none_or(|until| talk.turn.now() < until);
    if let (false, Some(name)) = (open, settings(talk).reminder_template) {
        let local = talk.zone()?.local(viewing.at);
        let values = [viewing.title.clone(), talk.day_label(local.date), talk.time_label(local)];
        let parameters = values
            .into_iter()
            .enumerate()
            .map(|(n, value)| TemplateParameter { name: (n + 1).to_string(), value })
            .collect();
        let language = talk.language().code().to_owned();
        talk.reply.template(Template { name, language, parameters });
        return Ok(());
    }
    let text = described(talk, Text::Reminder, &viewing.title, viewing.at)?;
    let offers = vec![
        talk.offer("viewing:keep", Text::IWillBeThere),
        talk.offer("viewing:move", Text::ChangeTime),
        talk.offer("viewing:cancel", Text::CancelViewing),
    ];
    talk.ask(text, Text::Choose, offers);
    Ok(())
}
