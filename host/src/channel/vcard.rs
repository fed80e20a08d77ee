//! Contact cards as text (vCard 2.1 to 4.0): name, organization, telephone numbers and e-mail addresses,
//! as written.

use crate::channel::card::{CARDS, EMAILS, PHONES, whatsapp_id};
use crate::message::ContactCard;

/// The card as WhatsApp writes its own.
pub fn write(card: &ContactCard) -> String {
    let name = escape(&card.name);
    let mut lines = vec!["BEGIN:VCARD".to_owned(), "VERSION:3.0".into()];
    lines.extend([format!("N:;{name};;;"), format!("FN:{name}")]);
    lines.extend(card.organization.as_deref().map(|organization| format!("ORG:{};", escape(organization))));
    lines.extend(card.phones.iter().map(|phone| {
        let known = whatsapp_id(phone).map(|id| format!(";waid={id}")).unwrap_or_default();
        format!("TEL;type=CELL;type=VOICE{known}:{}", in_line(phone))
    }));
    lines.extend(card.emails.iter().map(|email| format!("EMAIL:{}", escape(email))));
    lines.push("END:VCARD".into());
    lines.join("\n")
}

/// A line break would begin another property.
fn in_line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in in_line(text).chars() {
        if matches!(c, '\\' | ';' | ',') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Every card in the text, up to [`CARDS`]. A card that is cut off in the middle gives what it has; text that is no
/// card gives none.
pub fn read(text: &str) -> Vec<ContactCard> {
    let mut cards = Vec::new();
    let mut open: Option<Card> = None;
    for line in unfold(text) {
        if cards.len() == CARDS {
            return cards;
        }
        let Some(property) = Property::read(&line) else { continue };
        match property.name.as_str() {
            "BEGIN" if property.value.eq_ignore_ascii_case("VCARD") => {
                cards.extend(open.replace(Card::default()).map(Card::close));
            }
            "END" => cards.extend(open.take().map(Card::close)),
            _ => {
                if let Some(card) = &mut open {
                    card.take(&property);
                }
            }
        }
    }
    cards.extend(open.map(Card::close));
    cards
}

#[derive(Default)]
struct Card {
    full_name: String,
    name: String,
    organization: String,
    phones: Vec<String>,
    emails: Vec<String>,
}

impl Card {
    fn take(&mut self, property: &Property<'_>) {
        match property.name.as_str() {
            "FN" => self.full_name = unescape(property.value),
            // Family; given; additional; prefixes; suffixes.
            "N" => {
                let parts: Vec<String> =
                    split(property.value).into_iter().map(|part| unescape(&part)).collect();
                let spoken = [3, 1, 2, 0, 4].map(|place| parts.get(place).map_or("", |part| part.trim()));
                self.name = spoken.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
            }
            "ORG" => {
                self.organization = split(property.value).first().map(|org| unescape(org)).unwrap_or_default()
            }
            "TEL" => {
                let written = property.value.trim();
                let written = written.strip_prefix("tel:").unwrap_or(written);
                // WhatsApp's own parameter; the only number on cards of businesses.
                let number =
                    if written.is_empty() { property.parameter("waid").unwrap_or("") } else { written };
                let room = self.phones.len() < PHONES;
                if room && !number.is_empty() && !self.phones.iter().any(|phone| phone == number) {
                    self.phones.push(number.to_owned());
                }
            }
            "EMAIL" => {
                let written = unescape(property.value.trim());
                let written = written.strip_prefix("mailto:").unwrap_or(&written);
                let room = self.emails.len() < EMAILS;
                if room && !written.is_empty() && !self.emails.iter().any(|email| email == written) {
                    self.emails.push(written.to_owned());
                }
            }
            _ => {}
        }
    }

    fn close(self) -> ContactCard {
        let said = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let organization = said(&self.organization);
        let name = said(&self.full_name).or_else(|| said(&self.name)).or_else(|| organization.clone());
        ContactCard { name: name.unwrap_or_default(), phones: self.phones, emails: self.emails, organization }
    }
}

/// `item1.TEL;type=CELL;waid=971501234567:+971 50 123 4567`
struct Property<'a> {
    /// In capitals, without its group.
    name: String,
    parameters: Vec<&'a str>,
    value: &'a str,
}

impl<'a> Property<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let colon = outside_quotes(line, ':').next()?;
        let (head, value) = (&line[..colon], &line[colon + 1..]);
        let mut start = 0;
        let mut parts = Vec::new();
        for end in outside_quotes(head, ';').chain([head.len()]) {
            parts.push(&head[start..end]);
            start = end + 1;
        }
        let name = parts[0].rsplit('.').next().unwrap_or(parts[0]).trim().to_ascii_uppercase();
        Some(Property { name, parameters: parts.split_off(1), value })
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then_some(value.trim().trim_matches('"'))
        })
    }
}

fn outside_quotes(text: &str, wanted: char) -> impl Iterator<Item = usize> {
    let mut quoted = false;
    text.char_indices().filter_map(move |(at, c)| {
        quoted ^= c == '"';
        (c == wanted && !quoted).then_some(at)
    })
}

/// Lines, with those that begin with white space joined to the one before.
fn unfold(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split(['\n', '\r']) {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some(last)) => last.push_str(more),
            _ if line.trim().is_empty() => {}
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

/// At semicolons that are not escaped.
fn split(value: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in value.chars() {
        if c == ';' && !escaped {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    parts
}

fn unescape(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => plain.push(' '),
                Some(other) => plain.push(other),
                None => {}
            },
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[(&str, &[&str])]) {
        let cards: Vec<_> = read(text).into_iter().map(|card| (card.name, card.phones)).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, phones)| {
                ((*name).to_owned(), phones.iter().map(|phone| (*phone).to_owned()).collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(cards, expected, "{text:?}");
    }

    #[test]
    fn cards() {
        check(
            "BEGIN:VCARD\nVERSION:3.0\nFN:Jane Doe\nORG:Company Name;\nTEL;type=CELL;type=VOICE;waid=911111111111:+91 11111 11111\nEND:VCARD",
            &[("Jane Doe", &["+91 11111 11111"])],
        );
        check(
            "BEGIN:VCARD\r\nitem1.TEL;waid=971501234567:+971 50 123 4567\r\nitem1.X-ABLabel:Mobile\r\nN:Doe;Jane;;Dr.;\r\nEND:VCARD",
            &[("Dr. Jane Doe", &["+971 50 123 4567"])],
        );
        check(
            "begin:vcard\nfn:One\\, Two\\; Three\ntel:1\nTEL;VALUE=uri:tel:+2\ntel:1\nend:vcard\nBEGIN:VCARD\nORG:Shop\nEND:VCARD",
            &[("One, Two; Three", &["1", "+2"]), ("Shop", &[])],
        );
        check(
            "BEGIN:VCARD\nFN:Long\n  Name\nTEL;TYPE=\"a:b;c\";waid=7:\nEND:VCARD",
            &[("Long Name", &["7"])],
        );
        check("BEGIN:VCARD\nFN:Cut off\nTEL:1234567", &[("Cut off", &["1234567"])]);
        check("BEGIN:VCARD\nEND:VCARD", &[("", &[])]);
        check("hello: TEL:1", &[]);
        check("", &[]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let jane = ContactCard {
            name: "Doe; Jane, \\Dr.".into(),
            phones: vec!["+91 11111 11111".into(), "0113 496".into()],
            emails: vec!["jane@example.com".into(), "j,d@example.com".into()],
            organization: Some("Homes, Ltd.; Dubai".into()),
        };
        let written = write(&jane);
        assert!(
            written.contains("\nTEL;type=CELL;type=VOICE;waid=911111111111:+91 11111 11111\n"),
            "{written}"
        );
        assert!(written.contains("\nTEL;type=CELL;type=VOICE:0113 496\n"), "{written}");
        assert_eq!(read(&written), [jane]);
        // Nobody's text begins a property of its own.
        let sly = ContactCard {
            name: "A\nTEL:1".into(),
            phones: vec!["+2\r\nEND:VCARD".into()],
            ..ContactCard::default()
        };
        let found = read(&write(&sly));
        assert_eq!((found.len(), found[0].name.as_str(), found[0].phones.len()), (1, "A TEL:1", 1));
    }

    #[test]
    fn no_more_is_read_than_anybody_sends() {
        let numbers: String = (0..200_000).map(|n| format!("TEL:{n}\n")).collect();
        let cards = read(&format!("BEGIN:VCARD\nFN:Many\n{numbers}END:VCARD\n"));
        assert_eq!((cards.len(), cards[0].phones.len()), (1, PHONES));
        assert_eq!((cards[0].name.as_str(), cards[0].phones[PHONES - 1].as_str()), ("Many", "49"));
        let many = read(&"BEGIN:VCARD\nFN:One\nTEL:1\nEND:VCARD\n".repeat(100_000));
        assert_eq!(many.len(), CARDS);
        let unclosed = read(&"BEGIN:VCARD\nTEL:1\n".repeat(CARDS + 7));
        assert_eq!(unclosed.len(), CARDS);
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>(), lines in "(BEGIN:VCARD|TEL|;|:|\"|\\\\|\n|FN|N| |é)*") {
            let _ = read(&text);
            let _ = read(&lines);
        }
    }
}
