//! The conversation: what happened, and what to ask next. Whatever is said, something helpful follows.

use switchboard_sdk::{Choice, Content, Date, Fault, MediaKind, Timestamp, Trigger, hours};

use crate::ask::ask;
use crate::criteria::{Budget, Kind, Purpose, Rooms, Wish};
use crate::language::Language;
use crate::lead;
use crate::search;
use crate::step::Step;
use crate::talk::Talk;
use crate::texts::Text;
use crate::understand::command::{Command, command, mentions_viewing};
use crate::understand::understand;
use crate::viewing;
use crate::when::when;
use crate::words::Words;

pub fn run(talk: &mut Talk<'_>) -> Result<(), Fault> {
    match talk.turn.trigger().clone() {
        Trigger::Started { first, attribution, .. } => started(talk, first, attribution)?,
        Trigger::Messages { .. } => heard(talk)?,
        // The contact said nothing: how long ago they did stays as it is.
        Trigger::Timer { payload, .. } => return viewing::remind(talk, &payload),
        Trigger::Handback { .. } => {
            let back = talk.text(Text::AgentAfter);
            talk.lead_in(back);
            resume(talk)?;
        }
        Trigger::Receipt { .. } => return Ok(()),
    }
    talk.memory.last_at = talk.turn.now();
    Ok(())
}

fn started(talk: &mut Talk<'_>, first: bool, attribution: Option<String>) -> Result<(), Fault> {
    if talk.memory.source.is_none() {
        talk.memory.source = attribution;
    }
    if first || talk.memory.language.is_none() {
        welcome(talk)?;
    } else {
        welcome_back(talk);
    }
    match talk.turn.said() {
        Some(text) => heard_text(talk, &text),
        None => resume(talk),
    }
}

/// In the personality's name.
fn welcome(talk: &mut Talk<'_>) -> Result<(), Fault> {
    let name = talk.turn.contact().display_name.clone().filter(|name| !name.trim().is_empty());
    let text = if name.is_some() { Text::WelcomeNamed } else { Text::Welcome };
    let assistant = talk.turn.phrase("name").language(talk.language().code());
    let agency =
        talk.turn.setting::<String>("agency")?.unwrap_or_else(|| talk.turn.context().tenant_name.clone());
    let welcome = talk
        .text(text)
        .with("name", crate::talk::clip(&name.unwrap_or_default(), 40))
        .with("assistant", assistant)
        .with("agency", agency);
    talk.lead_in(welcome);
    Ok(())
}

fn welcome_back(talk: &mut Talk<'_>) {
    let criteria = talk.memory.criteria.clone();
    let text = if criteria.is_empty() {
        talk.text(Text::WelcomeBack)
    } else {
        talk.text(Text::WelcomeBackSearch).with("search", talk.summary(&criteria))
    };
    talk.lead_in(text);
}

/// Goes on where the conversation stood.
fn resume(talk: &mut Talk<'_>) -> Result<(), Fault> {
    let step = talk.memory.step;
    let step = match step {
        // Beyond the questions the step stands for itself; before, an answer may have come meanwhile.
        Step::Home | Step::Day | Step::Slot | Step::Confirm | Step::Booked => step,
        _ => talk.memory.next_step(),
    };
    ask(talk, step)
}

/// After an answer: the next open question, or the homes that match.
fn advance(talk: &mut Talk<'_>) -> Result<(), Fault> {
    talk.memory.home = None;
    talk.memory.offset = 0;
    let step = talk.memory.next_step();
    ask(talk, step)
}

fn heard(talk: &mut Talk<'_>) -> Result<(), Fault> {
    let now = talk.turn.now();
    let silence = hours(talk.turn.setting("silence_hours")?.unwrap_or(24));
    if talk.memory.last_at == Timestamp::default() {
        welcome(talk)?;
    } else if now.since(talk.memory.last_at) >= silence {
        welcome_back(talk);
    }
    if let Some(choice) = talk.turn.choice() {
        let choice = choice.clone();
        return chosen(talk, &choice);
    }
    match talk.turn.said() {
        Some(text) => heard_text(talk, &text),
        None => heard_other(talk),
    }
}

/// A file, a place, a card, or something without a name.
fn heard_other(talk: &mut Talk<'_>) -> Result<(), Fault> {
    let text = match talk.turn.messages().last().map(|message| &message.content) {
        Some(Content::Media(media)) if matches!(media.kind, MediaKind::Voice | MediaKind::Audio) => {
            Text::GotVoice
        }
        Some(Content::Media(_)) => Text::GotMedia,
        Some(Content::Location(_)) => Text::GotLocation,
        Some(Content::Contacts { .. }) => Text::GotContacts,
        // Nothing to say to a heart.
        Some(Content::Reaction(_)) => return Ok(()),
        _ => Text::GotUnknown,
    };
    let text = talk.text(text);
    talk.lead_in(text);
    resume(talk)
}

fn heard_text(talk: &mut Talk<'_>, text: &str) -> Result<(), Fault> {
    let words = Words::of(text);
    if let Some(choice) = picked(&talk.memory.offered, &words) {
        return chosen(talk, &choice);
    }
    let command = command(&words);
    let spoken = Language::of(text, talk.memory.language);
    // `hi` is said in every language: who says no more is asked for theirs.
    if talk.memory.language.is_none() && command != Some(Command::Greeting) || talk.memory.language.is_some()
    {
        talk.memory.language = spoken;
    }
    if let Some(command) = command
        && obey(talk, command)?
    {
        talk.memory.puzzled = 0;
        return Ok(());
    }
    if matches!(talk.memory.step, Step::Day | Step::Slot | Step::Confirm) {
        let today = talk.zone()?.local(talk.turn.now()).date;
        if viewing::hear(talk, when(&words, today))? {
            talk.memory.puzzled = 0;
            return Ok(());
        }
    }
    let step = talk.memory.step;
    let found = understand(&words, talk.areas(), step, talk.memory.criteria.purpose);
    if !found.is_empty() {
        talk.memory.puzzled = 0;
        talk.memory.criteria.merge(found);
        return advance(talk);
    }
    if step == Step::Area
        && let Some(area) = search::area_like(text)?
    {
        talk.memory.puzzled = 0;
        talk.memory.criteria.area = Wish::Is(area);
        return advance(talk);
    }
    if mentions_viewing(&words) && obey(talk, Command::Book)? {
        return Ok(());
    }
    puzzled(talk)
}

/// What was not understood is asked again, kindly; from the second time on with a human's help.
fn puzzled(talk: &mut Talk<'_>) -> Result<(), Fault> {
    // A language that was just learnt from the letters is an answer to the first question.
    if talk.memory.step != Step::Language || talk.memory.language.is_none() {
        talk.memory.puzzled = talk.memory.puzzled.saturating_add(1);
        let text = if talk.memory.puzzled > 1 { Text::SorryAgain } else { Text::Sorry };
        let text = talk.text(text);
        talk.lead_in(text);
    }
    resume(talk)
}

/// A number, or the title of what was offered.
fn picked(offered: &[Choice], words: &Words) -> Option<Choice> {
    if words.is_empty() {
        return None;
    }
    let by_title =
        offered.iter().find(|choice| words.may_have(&choice.title) && Words::of(&choice.title) == *words);
    let by_number = || {
        let place =
            words.number(0).filter(|n| words.len() == 1 && n.fract() == 0.0 && (1.0..=10.0).contains(n))?;
        offered.get(place as usize - 1)
    };
    by_title.or_else(by_number).cloned()
}

/// `false`: here the command means nothing.
fn obey(talk: &mut Talk<'_>, command: Command) -> Result<bool, Fault> {
    let step = talk.memory.step;
    match command {
        Command::Back => back(talk)?,
        Command::StartOver => start_over(talk)?,
        Command::Agent => hand_off(talk),
        Command::Language(None) => ask(talk, Step::Language)?,
        Command::Language(Some(language)) => set_language(talk, language)?,
        Command::Help => {
            let help = talk.text(Text::Help);
            talk.lead_in(help);
            resume(talk)?;
        }
        Command::Greeting => {
            if talk.memory.last_at != Timestamp::default() {
                let hello = talk.text(Text::Hello);
                talk.lead_in(hello);
            }
            resume(talk)?;
        }
        Command::Thanks => {
            let thanks = talk.text(Text::Thanks);
            talk.say(thanks);
        }
        Command::More if step == Step::Results => more(talk)?,
        Command::Book if talk.memory.home.is_some() => {
            let home = talk.memory.home.clone().unwrap_or_default();
            viewing::begin(talk, &home)?;
        }
        Command::Book if step == Step::Booked => viewing::show_booked(talk)?,
        Command::Book => {
            let first = talk.text(Text::ChooseHomeFirst);
            talk.lead_in(first);
            resume(talk)?;
        }
        Command::Yes if step == Step::Confirm => viewing::confirm(talk)?,
        Command::Yes if step == Step::Home => return obey(talk, Command::Book),
        Command::No if step == Step::Confirm => ask(talk, Step::Home)?,
        Command::No if step == Step::Home => ask(talk, Step::Results)?,
        Command::Any if matches!(step, Step::Kind | Step::Rooms | Step::Area | Step::Budget) => {
            talk.memory.criteria.any(step);
            advance(talk)?;
        }
        Command::More | Command::Yes | Command::No | Command::Any => return Ok(false),
    }
    Ok(true)
}

/// One question back; its answer is asked anew.
fn back(talk: &mut Talk<'_>) -> Result<(), Fault> {
    let before = match talk.memory.step {
        Step::Language | Step::Purpose => Step::Language,
        Step::Kind => Step::Purpose,
        Step::Rooms => Step::Kind,
        Step::Area => Step::Rooms,
        Step::Budget => Step::Area,
        Step::Results => Step::Budget,
        Step::Home => Step::Results,
        Step::Day => Step::Home,
        Step::Slot => Step::Day,
        Step::Confirm => Step::Slot,
        Step::Booked => talk.memory.next_step(),
    };
    talk.memory.criteria.reopen(before);
    if talk.memory.step == Step::Results {
        talk.memory.offset = 0;
    }
    ask(talk, before)
}

fn start_over(talk: &mut Talk<'_>) -> Result<(), Fault> {
    talk.memory.start_over();
    let again = talk.text(Text::StartedOver);
    talk.lead_in(again);
    let step = talk.memory.next_step();
    ask(talk, step)
}

fn hand_off(talk: &mut Talk<'_>) {
    let text = talk.text(Text::Agent);
    talk.say(text);
    lead::update(talk, true);
    let criteria = &talk.memory.criteria;
    let reason = match criteria.purpose {
        Some(purpose) => format!("the contact asked for an agent, looking to {}", purpose.name()),
        None => "the contact asked for an agent".to_owned(),
    };
    talk.reply.hand_off(reason);
}

fn set_language(talk: &mut Talk<'_>, language: Language) -> Result<(), Fault> {
    talk.memory.language = Some(language);
    resume(talk)
}

fn more(talk: &mut Talk<'_>) -> Result<(), Fault> {
    talk.memory.offset += 8;
    search::show(talk)
}

/// A button or a row, perhaps one of an old message: its id says all.
fn chosen(talk: &mut Talk<'_>, choice: &Choice) -> Result<(), Fault> {
    talk.memory.puzzled = 0;
    let (kind, value) = choice.id.split_once(':').unwrap_or((&choice.id, ""));
    match (kind, value) {
        ("lang", code) if Language::parse(code).is_some() => {
            talk.memory.language = Language::parse(code);
            resume_after_language(talk)
        }
        ("purpose" | "kind" | "rooms" | "area" | "budget", value) if answer(talk, kind, value) => {
            advance(talk)
        }
        ("home", id) => {
            talk.memory.home = Some(id.to_owned());
            ask(talk, Step::Home)
        }
        ("more", _) => more(talk),
        ("results", _) => ask(talk, Step::Results),
        ("book", id) => viewing::begin(talk, id),
        ("day", day) => match Date::parse(day) {
            Some(day) => viewing::choose_day(talk, day),
            None => ask(talk, Step::Day),
        },
        ("slots", page) => viewing::ask_slot(talk, page.parse().unwrap_or(0)),
        ("slot", at) => match at.parse() {
            Ok(ms) => viewing::choose_slot(talk, Timestamp::from_ms(ms)),
            Err(_) => ask(talk, Step::Slot),
        },
        ("confirm", _) => viewing::confirm(talk),
        ("othertime", _) => ask(talk, Step::Day),
        ("notnow", _) => ask(talk, Step::Home),
        ("viewing", what) => viewing::change(talk, what),
        ("relax", what) => search::relax(talk, what),
        ("restart", _) => start_over(talk),
        ("agent", _) => {
            hand_off(talk);
            Ok(())
        }
        // Nothing of ours: what it is called may still say something.
        _ if !choice.title.trim().is_empty() => heard_text(talk, &choice.title.clone()),
        _ => puzzled(talk),
    }
}

/// The language was asked for at the start, or in the middle of something.
fn resume_after_language(talk: &mut Talk<'_>) -> Result<(), Fault> {
    if talk.memory.home.is_some() && talk.memory.criteria.first_open().is_none() {
        return ask(talk, Step::Home);
    }
    resume(talk)
}

/// Takes an answer by its id. `false`: it is none.
fn answer(talk: &mut Talk<'_>, question: &str, value: &str) -> bool {
    let criteria = &mut talk.memory.criteria;
    let step = match question {
        "purpose" => Step::Purpose,
        "kind" => Step::Kind,
        "rooms" => Step::Rooms,
        "area" => Step::Area,
        _ => Step::Budget,
    };
    if value == "any" {
        criteria.any(step);
        return true;
    }
    let mut found = crate::criteria::Found::default();
    match step {
        Step::Purpose => found.purpose = Purpose::parse(value),
        Step::Kind => found.kind = Kind::parse(value),
        Step::Rooms => {
            found.rooms = match value.strip_suffix('+') {
                Some(least) => least.parse().ok().map(Rooms::at_least),
                None => value.parse().ok().map(Rooms::exactly),
            }
        }
        Step::Area => found.area = Some(value.to_owned()).filter(|area| !area.is_empty()),
        _ => found.budget = value.parse().ok().map(|max| Budget { min: None, max: Some(max) }),
    }
    let understood = !found.is_empty();
    criteria.merge(found);
    understood
}
