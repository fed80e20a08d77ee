//! What a template must keep before it is submitted: WhatsApp's lengths and forms, and that what its
//! texts name and what its parameters declare are the same. All mistakes are told at once.

use std::collections::BTreeSet;

use super::placeholders::{Piece, is_name, is_number, names, pieces};
use super::{Button, Category, Header, Kind, Mistake, Parameter, Template, kinds, mistake};
use crate::whatsapp_limits::template as limits;

/// Everything wrong with a template; empty if it can be submitted.
pub fn check(template: &Template) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    mistakes.extend(name(&template.name));
    mistakes.extend(language(&template.language));
    if let Some(header) = &template.header {
        mistakes.extend(self::header(header));
    }
    mistakes.extend(body(&template.body, template.category));
    if let Some(footer) = &template.footer {
        mistakes.extend(length("footer", footer, limits::FOOTER));
        if !names(footer).is_empty() {
            mistakes.push(mistake("footer", "has a placeholder", "a footer is the same for everyone"));
        }
    }
    mistakes.extend(buttons(&template.buttons));
    mistakes.extend(parameters(template));
    if template.category == Category::Authentication && template.header.is_some() {
        mistakes.push(mistake("header", "stands in an authentication template", "leave it out"));
    }
    mistakes
}

/// Of a template's name.
pub fn name(name: &str) -> Option<Mistake> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let good = !name.is_empty() && name.len() <= limits::NAME && name.bytes().all(plain);
    (!good).then(|| {
        mistake("name", format!("{name:?} is not a name"), "use a-z, 0-9 and _, such as viewing_reminder")
    })
}

/// `en`, `fil`, `en_US`, `es_419`.
pub fn language(language: &str) -> Option<Mistake> {
    let (tongue, region) = match language.split_once('_') {
        Some((tongue, region)) => (tongue, Some(region)),
        None => (language, None),
    };
    let tongue = matches!(tongue.len(), 2..=3) && tongue.bytes().all(|byte| byte.is_ascii_lowercase());
    let region = region.is_none_or(|region| {
        matches!(region.len(), 2..=4) && region.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    (!(tongue && region)).then(|| {
        let what = format!("{language:?} is not a language of WhatsApp's");
        mistake("language", what, "write it such as en, fa or en_US")
    })
}

fn length(place: &str, text: &str, most: usize) -> Option<Mistake> {
    let long = text.chars().count();
    if text.trim().is_empty() {
        return Some(mistake(place, "is empty", "write something"));
    }
    (long > most).then(|| mistake(place, format!("has {long} characters; {most} at most"), "shorten it"))
}

fn header(header: &Header) -> Vec<Mistake> {
    let Header::Text { text } = header else { return Vec::new() };
    let mut mistakes: Vec<Mistake> = length("header", text, limits::HEADER).into_iter().collect();
    if text.contains(['\n', '\r', '*']) {
        mistakes.push(mistake("header", "has line breaks or asterisks", "WhatsApp takes plain text there"));
    }
    if names(text).len() > 1 {
        mistakes.push(mistake("header", "has more than one placeholder", "leave one"));
    }
    mistakes
}

fn body(body: &str, category: Category) -> Vec<Mistake> {
    let mut mistakes: Vec<Mistake> = length("body", body, limits::BODY).into_iter().collect();
    let pieces = pieces(body.trim());
    let at_an_end = |piece: Option<&Piece<'_>>| matches!(piece, Some(Piece::Placeholder(_)));
    // An authentication template's words are WhatsApp's own, and the code comes first in them.
    let fixed = category == Category::Authentication;
    if !fixed && (at_an_end(pieces.first()) || at_an_end(pieces.last())) {
        mistakes.push(mistake(
            "body",
            "begins or ends with a placeholder",
            "WhatsApp refuses that; put words around it",
        ));
    }
    let side_by_side =
        pieces.windows(2).any(|pair| matches!(pair, [Piece::Placeholder(_), Piece::Placeholder(_)]));
    if side_by_side {
        mistakes.push(mistake("body", "has placeholders side by side", "put words between them"));
    }
    let found = names(body);
    let numbers: BTreeSet<usize> = found.iter().filter_map(|name| name.parse().ok()).collect();
    let numbered = found.iter().filter(|name| is_number(name)).count();
    if numbered > 0 && numbered < found.len() {
        mistakes.push(mistake("body", "mixes numbers and names", "number all placeholders, or name all"));
    } else if numbered > 0 && numbers.last() != Some(&numbers.len()) {
        let action = "number them from {{1}} on, none left out";
        mistakes.push(mistake("body", "leaves numbers of placeholders out", action));
    }
    mistakes
}

fn buttons(buttons: &[Button]) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    if buttons.len() > limits::BUTTONS {
        let what = format!("are {}; {} at most", buttons.len(), limits::BUTTONS);
        mistakes.push(mistake("buttons", what, "take some away"));
    }
    for (at, button) in buttons.iter().enumerate() {
        mistakes.extend(self::button(&format!("buttons[{at}]"), button));
    }
    let count = |kind: fn(&Button) -> bool| buttons.iter().filter(|button| kind(button)).count();
    for (what, found, most) in [
        ("addresses", count(|button| matches!(button, Button::Url { .. })), limits::URL_BUTTONS),
        ("phone numbers", count(|button| matches!(button, Button::Phone { .. })), 1),
        ("codes", count(|button| matches!(button, Button::CopyCode { .. })), 1),
    ] {
        if found > most {
            let what = format!("have {found} {what}; {most} at most");
            mistakes.push(mistake("buttons", what, "take some away"));
        }
    }
    // Quick replies stand together, before the others or after them.
    let changes = buttons
        .windows(2)
        .filter(|pair| {
            matches!(pair[0], Button::QuickReply { .. }) != matches!(pair[1], Button::QuickReply { .. })
        })
        .count();
    if changes > 1 {
        mistakes.push(mistake("buttons", "mix quick replies with others", "put the quick replies together"));
    }
    mistakes
}

fn button(place: &str, button: &Button) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let text = match button {
        Button::QuickReply { text } | Button::Url { text, .. } | Button::Phone { text, .. } => Some(text),
        Button::CopyCode { .. } => None,
    };
    if let Some(text) = text {
        mistakes.extend(length(place, text, limits::BUTTON_TITLE));
        if !names(text).is_empty() {
            mistakes.push(mistake(place, "has a placeholder in its text", "write the same for everyone"));
        }
    }
    match button {
        Button::QuickReply { .. } => {}
        Button::Url { url, .. } => mistakes.extend(address(place, url)),
        Button::Phone { number, .. } => {
            let digits = number.strip_prefix('+').unwrap_or(number);
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            if !plain || number.len() > limits::PHONE {
                let what = format!("{number:?} is no phone number");
                mistakes.push(mistake(place, what, "write it with its country code, such as +971501234567"));
            }
        }
        Button::CopyCode { example } => {
            let plain = !example.is_empty() && example.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !plain || example.len() > limits::CODE {
                let what = format!("the example is no code of 1 to {} letters and digits", limits::CODE);
                mistakes.push(mistake(place, what, "write one such as SPRING25"));
            }
        }
    }
    mistakes
}

/// At most one placeholder, behind everything else, and never in the host.
fn address(place: &str, url: &str) -> Option<Mistake> {
    let fixed = match pieces(url).as_slice() {
        [Piece::Text(fixed)] | [Piece::Text(fixed), Piece::Placeholder(_)] => *fixed,
        _ => {
            return Some(mistake(place, "has a placeholder elsewhere than at its end", "put one at the end"));
        }
    };
    let whole = url::Url::parse(fixed);
    let good = whole.is_ok_and(|whole| matches!(whole.scheme(), "https" | "http") && whole.host().is_some());
    if !good || url.len() > limits::URL {
        let what = format!("{url:?} is no address");
        return Some(mistake(place, what, "write it such as https://example.com/orders/{{1}}"));
    }
    // Without the slash the value would go on writing the host's name.
    let host_ends = fixed.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '#']));
    (fixed != url && !host_ends)
        .then(|| mistake(place, "has a placeholder in its host", "put a slash before it"))
}

/// What the texts name and what is declared are the same.
fn parameters(template: &Template) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let wanted = wanted(template);
    for (name, place) in &wanted {
        if !is_name(name) {
            let what = format!("{{{{{name}}}}} is no placeholder");
            mistakes.push(mistake(*place, what, "use numbers, or a-z, 0-9 and _ without spaces"));
        } else if !template.parameters.iter().any(|known| known.name == *name) {
            let what = format!("{{{{{name}}}}} is not declared");
            let action = format!("add a parameter {name:?} with an example");
            mistakes.push(mistake(*place, what, action));
        }
    }
    let mut seen = BTreeSet::new();
    for Parameter { name, kind, example } in &template.parameters {
        let place = format!("parameter {name}");
        if !seen.insert(name.as_str()) {
            mistakes.push(mistake(place.as_str(), "is declared twice", "take one away"));
        }
        if !wanted.iter().any(|(wanted, _)| wanted == name) {
            mistakes.push(mistake(place.as_str(), "stands in no text", "take it away, or use it"));
        }
        let media = name == "header" && template.header.as_ref().is_some_and(Header::is_file);
        if media != (*kind == Kind::Media) {
            let action = "kind \"media\" is for the parameter \"header\" of a picture, video or document";
            mistakes.push(mistake(place.as_str(), "is of the wrong kind", action));
        }
        // Providers have handles of their own for the samples of files.
        let shown = if *kind == Kind::Media { Kind::Text } else { *kind };
        if let Err((what, action)) = kinds::check(shown, example) {
            mistakes.push(mistake(format!("{place}, example"), what, action));
        }
    }
    mistakes
}

/// The names that need a parameter, each once, with where they stand.
fn wanted(template: &Template) -> Vec<(&str, &'static str)> {
    let mut wanted: Vec<(&str, &'static str)> = Vec::new();
    let mut want = |name, place| {
        if !wanted.iter().any(|(known, _)| *known == name) {
            wanted.push((name, place));
        }
    };
    match &template.header {
        Some(Header::Text { text }) => names(text).into_iter().for_each(|name| want(name, "header")),
        Some(Header::Image | Header::Video | Header::Document) => want("header", "header"),
        None => {}
    }
    names(&template.body).into_iter().for_each(|name| want(name, "body"));
    for button in &template.buttons {
        match button {
            Button::Url { url, .. } => names(url).into_iter().for_each(|name| want(name, "buttons")),
            Button::CopyCode { .. } => want("code", "buttons"),
            Button::QuickReply { .. } | Button::Phone { .. } => {}
        }
    }
    wanted
}

#[cfg(test)]
mod tests;
