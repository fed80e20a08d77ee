//! Real lines, as the numbering plans of their countries give them out, with every form that one line
//! is known under: all forms of a line give one key, and two lines never do.

use proptest::prelude::*;

use super::{contact, is_phone};

/// One telephone line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// Area code and the eight digits that it had before the ninth came: the first is 6 to 9.
    BrazilOldMobile(String, String),
    /// Given out with nine digits; behind the 9 anything may follow, and there is no shorter form.
    BrazilNewMobile(String, String),
    /// Eight digits, the first is 2 to 5; it never gets a ninth.
    BrazilLandline(String, String),
    /// Ten digits. Landlines and mobiles share one plan.
    Mexico(String),
    /// Ten digits, mobile or landline: a number is either, never both.
    Argentina(String),
    /// Everywhere else a line has one number.
    Elsewhere(String),
}

impl Line {
    /// Every number that it is written or registered under.
    fn forms(&self) -> Vec<String> {
        match self {
            Line::BrazilOldMobile(area, number) => {
                vec![format!("55{area}9{number}"), format!("55{area}{number}")]
            }
            Line::BrazilNewMobile(area, number) => vec![format!("55{area}9{number}")],
            Line::BrazilLandline(area, number) => vec![format!("55{area}{number}")],
            Line::Mexico(number) => vec![format!("52{number}"), format!("521{number}")],
            Line::Argentina(number) => vec![format!("54{number}"), format!("549{number}")],
            Line::Elsewhere(number) => vec![number.clone()],
        }
    }
}

fn line() -> impl Strategy<Value = Line> {
    prop_oneof![
        ("[1-9][1-9]", "[6-9][0-9]{7}").prop_map(|(area, number)| Line::BrazilOldMobile(area, number)),
        ("[1-9][1-9]", "[1-5][0-9]{7}").prop_map(|(area, number)| Line::BrazilNewMobile(area, number)),
        ("[1-9][1-9]", "[2-5][0-9]{7}").prop_map(|(area, number)| Line::BrazilLandline(area, number)),
        "[2-9][0-9]{9}".prop_map(Line::Mexico),
        "[1-3][0-9]{9}".prop_map(Line::Argentina),
        "(971|966|98|90|1|44|49|7|91|595|598|53|506|57|683)[2-9][0-9]{6,8}".prop_map(Line::Elsewhere),
    ]
}

/// Two lines that differ in one digit, in their country or in their kind alone: those that a careless
/// normaliser would merge.
fn neighbours() -> impl Strategy<Value = (Line, Line)> {
    let brazil = ("[1-9][1-9]", "[2-5][0-9]{7}").prop_map(|(area, number)| {
        (Line::BrazilLandline(area.clone(), number.clone()), Line::BrazilNewMobile(area, number))
    });
    let same_digits =
        "[2-3][0-9]{9}".prop_map(|number| (Line::Mexico(number.clone()), Line::Argentina(number)));
    let one_digit = (line(), 0_usize..10, 1_u8..10).prop_map(|(line, place, by)| {
        let other = match &line {
            Line::BrazilOldMobile(area, n) => {
                Line::BrazilOldMobile(area.clone(), turned(n, 1 + place % 7, by))
            }
            Line::BrazilNewMobile(area, n) => {
                Line::BrazilNewMobile(area.clone(), turned(n, 1 + place % 7, by))
            }
            Line::BrazilLandline(area, n) => Line::BrazilLandline(area.clone(), turned(n, 1 + place % 7, by)),
            Line::Mexico(n) => Line::Mexico(turned(n, 1 + place % 9, by)),
            Line::Argentina(n) => Line::Argentina(turned(n, 1 + place % 9, by)),
            Line::Elsewhere(n) => Line::Elsewhere(turned(n, n.len() - 1 - place % 6, by)),
        };
        (line, other)
    });
    prop_oneof![brazil, same_digits, one_digit, (line(), line())]
}

/// With one digit turned to another one.
fn turned(number: &str, place: usize, by: u8) -> String {
    let mut digits = number.as_bytes().to_vec();
    digits[place] = b'0' + (digits[place] - b'0' + by) % 10;
    String::from_utf8(digits).expect("digits are ASCII")
}

fn key(raw: &str) -> String {
    contact(raw).map_or_else(|error| format!("{raw}: {error}"), |key| key.as_str().to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn all_forms_of_a_line_are_one_person(line in line(), device in 0_u8..100) {
        let forms = line.forms();
        let person = key(&forms[0]);
        for form in forms {
            let eastern: String =
                form.bytes().filter_map(|b| char::from_u32(0x6F0 + u32::from(b - b'0'))).collect();
            for written in [
                form.clone(),
                format!("+{form}"),
                format!("00{form}"),
                format!("{form}@c.us"),
                format!("{form}:{device}@s.whatsapp.net"),
                format!("{form}.0:{device}@s.whatsapp.net"),
                format!("{form}@hosted"),
                format!("+{} {}-{}", &form[..3], &form[3..5], &form[5..]),
                eastern,
            ] {
                prop_assert_eq!(key(&written), person.clone(), "{}", written);
            }
        }
        prop_assert_eq!(key(&person), person.clone(), "idempotent");
    }

    #[test]
    fn two_lines_are_two_people((one, other) in neighbours()) {
        for left in one.forms() {
            for right in other.forms() {
                prop_assert_eq!(key(&left) == key(&right), one == other, "{} and {}", left, right);
            }
        }
    }

    /// Hidden and scoped ids are nobody's number, whatever digits they are made of.
    #[test]
    fn ids_are_no_numbers(line in line(), device in 0_u8..100) {
        for number in line.forms() {
            let hidden = key(&format!("{number}@lid"));
            prop_assert_eq!(&hidden, &format!("{number}@lid"));
            for written in [format!("{number}:{device}@lid"), format!("{number}@hosted.lid"), hidden.clone()] {
                prop_assert_eq!(&key(&written), &hidden, "{}", written);
            }
            let scoped = key(&format!("br.{number}"));
            prop_assert_eq!(&scoped, &format!("BR.{number}"));
            prop_assert_eq!(&key(&scoped), &scoped);
            for id in [hidden, scoped] {
                prop_assert!(contact(&id).is_ok_and(|key| !is_phone(&key)), "{}", id);
            }
        }
    }

    #[test]
    fn scoped_ids_keep_their_letters(country in "[a-zA-Z]{2}", id in "(ENT\\.)?[A-Za-z0-9]{1,40}") {
        let person = key(&format!("{country}.{id}"));
        prop_assert_eq!(&person, &format!("{}.{id}", country.to_ascii_uppercase()));
        prop_assert_eq!(&key(&person), &person);
    }
}
