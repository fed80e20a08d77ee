//! What the gateway would refuse of a turn's actions: things that WhatsApp does not take at all. A
//! refused action costs the turn, so the native harness refuses it too.

use std::collections::HashSet;

use crate::action::{Action, ListMenu, OutgoingContent};
use crate::limits::{BUTTON_ID, CARD_LINES, CARD_TEXT, CARDS, ROW_ID, TIMER_KEY};
use crate::message::ContactCard;

/// The first thing the gateway would refuse.
pub(crate) fn refused(actions: &[Action]) -> Option<String> {
    actions.iter().enumerate().find_map(|(n, action)| {
        let why = match action {
            Action::Send(outgoing) => content(&outgoing.content),
            Action::Schedule(schedule) => key(&schedule.key),
            Action::Cancel { key: name } => key(name),
            Action::UpdateLead(update) => update.stage.as_deref().and_then(|stage| blank("a stage", stage)),
            Action::HandOff { .. } | Action::EndConversation => None,
        };
        why.map(|why| format!("action {}: {why}", n + 1))
    })
}

fn content(content: &OutgoingContent) -> Option<String> {
    match content {
        OutgoingContent::Text { text } => blank("a text", text),
        OutgoingContent::Media(media) => address(&media.source),
        OutgoingContent::Buttons(buttons) => {
            let choices = buttons.buttons.iter().map(|button| (button.id.as_str(), button.title.as_str()));
            blank("the text above buttons", &buttons.body).or_else(|| offered("button", choices, BUTTON_ID))
        }
        OutgoingContent::List(list) => menu(list),
        OutgoingContent::Location(location) => {
            let inside = |degrees: f64, bound: f64| degrees.is_finite() && degrees.abs() <= bound;
            let on_earth = inside(location.latitude, 90.0) && inside(location.longitude, 180.0);
            (!on_earth).then(|| format!("{}, {} is not on earth", location.latitude, location.longitude))
        }
        OutgoingContent::Contacts { contacts } => cards(contacts),
        OutgoingContent::Template(template) => blank("a template's name", &template.name)
            .or_else(|| blank("a template's language", &template.language)),
        OutgoingContent::Reaction(reaction) => blank("a reaction's message id", &reaction.message_id),
    }
}

fn cards(cards: &[ContactCard]) -> Option<String> {
    if !(1..=CARDS).contains(&cards.len()) {
        return Some(format!("{} contact cards; 1 to {CARDS} go into a message", cards.len()));
    }
    cards.iter().find_map(|card| {
        let lines = card.phones.iter().chain(&card.emails);
        let texts = lines.clone().chain([&card.name]).chain(&card.organization);
        let long = texts.into_iter().find(|text| text.chars().count() > CARD_TEXT);
        blank("a contact card's name", &card.name)
            .or_else(|| lines.into_iter().find_map(|line| blank("a contact card's number or address", line)))
            .or_else(|| {
                long.map(|_| format!("a contact card has a text of more than {CARD_TEXT} characters"))
            })
            .or_else(|| {
                let most = card.phones.len().max(card.emails.len());
                (most > CARD_LINES)
                    .then(|| format!("a contact card has {most} numbers or addresses; at most {CARD_LINES}"))
            })
    })
}

fn menu(list: &ListMenu) -> Option<String> {
    let rows = list.sections.iter().flat_map(|section| &section.rows);
    let untitled = list.sections.len() > 1
        && list.sections.iter().any(|section| section.title.as_deref().unwrap_or_default().is_empty());
    blank("the text above a list", &list.body)
        .or_else(|| blank("the button that opens a list", &list.button))
        .or_else(|| offered("row", rows.map(|row| (row.id.as_str(), row.title.as_str())), ROW_ID))
        .or_else(|| untitled.then(|| "of several sections each needs a title".to_owned()))
}

fn offered<'a>(
    what: &str,
    choices: impl Iterator<Item = (&'a str, &'a str)>,
    id_limit: usize,
) -> Option<String> {
    let mut ids = HashSet::new();
    for (id, title) in choices {
        if id.chars().count() > id_limit {
            return Some(format!("a {what}'s id has more than {id_limit} characters"));
        }
        if let Some(why) =
            blank(&format!("a {what}'s id"), id).or_else(|| blank(&format!("a {what}'s title"), title))
        {
            return Some(why);
        }
        if !ids.insert(id) {
            return Some(format!("the {what} `{id}` is there twice"));
        }
    }
    ids.is_empty().then(|| format!("there is no {what}"))
}

/// An `https` address; a handle of a received file is anything without a scheme.
fn address(source: &str) -> Option<String> {
    if let Some(why) = blank("a file's source", source) {
        return Some(why);
    }
    match source.split_once("://") {
        Some(("https", rest)) if !rest.is_empty() && !rest.contains(char::is_whitespace) => None,
        Some(_) => Some(format!("`{source}` is not an https address")),
        None => None,
    }
}

fn key(key: &str) -> Option<String> {
    blank("a timer's key", key)
        .or_else(|| (key.len() > TIMER_KEY).then(|| format!("a timer's key has more than {TIMER_KEY} bytes")))
}

fn blank(what: &str, text: &str) -> Option<String> {
    text.trim().is_empty().then(|| format!("{what} is empty"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Reply;

    #[test]
    fn what_whatsapp_does_not_take_is_named() {
        let check = |build: &dyn Fn(&mut Reply), expected: Option<&str>| {
            let mut reply = Reply::new();
            build(&mut reply);
            let found = refused(reply.actions());
            assert_eq!(found.as_deref(), expected);
        };
        check(
            &|reply| {
                reply.text("hello").buttons("?", [("a", "A")]);
            },
            None,
        );
        check(
            &|reply| {
                reply.buttons(" ", [("a", "A")]);
            },
            Some("action 1: the text above buttons is empty"),
        );
        check(
            &|reply| {
                reply.buttons("?", [("a", "A"), ("a", "B")]);
            },
            Some("action 1: the button `a` is there twice"),
        );
        check(
            &|reply| {
                reply.buttons("?", [("", "A")]);
            },
            Some("action 1: a button's id is empty"),
        );
        check(
            &|reply| {
                reply.list(ListMenu::new("?", "open"));
            },
            Some("action 1: there is no row"),
        );
        check(
            &|reply| {
                reply.list(ListMenu::new("?", "open").row("a", "A").section("two").row("b", "B"));
            },
            Some("action 1: of several sections each needs a title"),
        );
        check(
            &|reply| {
                reply.image("http://a.b/c.jpg", "");
            },
            Some("action 1: `http://a.b/c.jpg` is not an https address"),
        );
        check(
            &|reply| {
                reply.text("x").location(f64::NAN, 0.0, "");
            },
            Some("action 2: NaN, 0 is not on earth"),
        );
        check(
            &|reply| {
                reply.cancel("");
            },
            Some("action 1: a timer's key is empty"),
        );
    }

    #[test]
    fn contact_cards_are_few_and_have_names() {
        for (cards, expected) in [
            (vec![ContactCard::new("Sara").phone("+971 50 123 4567")], None),
            (vec![], Some("action 1: 0 contact cards; 1 to 5 go into a message")),
            (vec![ContactCard::new("Sara"); 6], Some("action 1: 6 contact cards; 1 to 5 go into a message")),
            (vec![ContactCard::new(" ")], Some("action 1: a contact card's name is empty")),
            (
                vec![ContactCard::new("Sara").email("")],
                Some("action 1: a contact card's number or address is empty"),
            ),
        ] {
            let mut reply = Reply::new();
            reply.contacts(cards);
            assert_eq!(refused(reply.actions()).as_deref(), expected);
        }
    }
}
