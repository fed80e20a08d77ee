//! The grammar of deep links: `start_realty_2`, `start_realty_2-instagram`.
//!
//! ```text
//! text        = *( white space | punctuation ) token [ after ]
//! token       = prefix tenant [ "-" attribution ]
//! tenant      = 1*DIGIT                 ; 1 to 4294967295, leading zeros mean nothing
//! attribution = 1*64( ALPHA | DIGIT | "_" | "." | "-" )      ; dots at its end end a sentence
//! after       = white space ... | punctuation and not a digit ...
//! ```
//!
//! Before this is applied, percent-encoding is undone, invisible marks are dropped and digits of
//! other scripts and fullwidth forms become ASCII; the prefix is compared without case. A token in
//! mid-sentence is none: somebody who writes *about* a link does not follow it. Work is bounded by
//! [`HEAD_BYTES`], whatever the length of the text.

use percent_encoding::percent_decode_str;

use crate::glyph;
use crate::message::TenantId;

/// Only this much of a text is looked at. A token that is not over by then is none, so that a cut
/// never makes tenant 2 of tenant 25.
const HEAD_BYTES: usize = 2048;

const ATTRIBUTION_CHARS: usize = 64;

/// A deep link found at the start of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub tenant: TenantId,
    /// What followed the tenant after a dash.
    pub attribution: Option<String>,
}

/// The link that `text` begins with, if it begins with one of `prefixes`. Where several prefixes
/// fit, the longest wins; an empty prefix fits nothing.
pub fn parse(text: &str, prefixes: &[String]) -> Option<Link> {
    let cut = text.len() > HEAD_BYTES;
    let head = plain(if cut { &text[..text.floor_char_boundary(HEAD_BYTES)] } else { text });
    let mut rest = head.as_slice();
    loop {
        if let Some(link) = longest(rest, prefixes, cut) {
            return Some(link);
        }
        let (first, after) = rest.split_first()?;
        if !(first.is_whitespace() || is_punctuation(*first)) {
            return None;
        }
        rest = after;
    }
}

/// The characters that count, in ASCII where there is an ASCII form.
fn plain(text: &str) -> Vec<char> {
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    glyph::plain(&decoded).chars().collect()
}

fn longest(rest: &[char], prefixes: &[String], cut: bool) -> Option<Link> {
    let mut best: Option<(usize, Link)> = None;
    for prefix in prefixes {
        let prefix = plain(prefix);
        let longer = best.as_ref().is_none_or(|(length, _)| prefix.len() > *length);
        if longer
            && !prefix.is_empty()
            && let Some(after) = strip_prefix(rest, &prefix)
            && let Some(link) = token(after, cut)
        {
            best = Some((prefix.len(), link));
        }
    }
    best.map(|(_, link)| link)
}

fn strip_prefix<'a>(rest: &'a [char], prefix: &[char]) -> Option<&'a [char]> {
    let (start, after) = rest.split_at_checked(prefix.len())?;
    let same = start.iter().zip(prefix).all(|(a, b)| a.to_lowercase().eq(b.to_lowercase()));
    same.then_some(after)
}

/// What follows the prefix: the tenant and perhaps an attribution, and then an end.
fn token(rest: &[char], cut: bool) -> Option<Link> {
    let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
    let (number, mut after) = rest.split_at(digits);
    // The empty number is refused here too.
    let tenant = TenantId::new(number.iter().collect::<String>().parse().ok()?)?;
    let mut attribution = None;
    if let Some(('-', named)) = after.split_first() {
        let length = named.iter().take_while(|c| is_attribution(**c)).count();
        let dots = named[..length].iter().rev().take_while(|c| **c == '.').count();
        let name = &named[..length - dots];
        if name.len() > ATTRIBUTION_CHARS {
            return None;
        }
        if !name.is_empty() {
            attribution = Some(name.iter().collect());
            after = &named[length - dots..];
        }
    }
    // Where the head was cut, what is not seen to be over is not over.
    let over = if cut && after.len() < 2 { false } else { after.is_empty() || is_end(after) };
    over.then_some(Link { tenant, attribution })
}

fn is_attribution(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

/// May a token be over where `after` begins? White space always ends it. So does punctuation, but
/// not if a number or path goes on behind it: `2.5`, `2:30` and `2/x` are no tenant 2. The marks of
/// bold and italic, and a dash, must themselves be followed by no letter.
fn is_end(after: &[char]) -> bool {
    let next = after.get(1);
    match after[0] {
        c if c.is_whitespace() => true,
        c if c.is_alphanumeric() => false,
        // Bytes that are no text, such as half a character in percent-encoding.
        char::REPLACEMENT_CHARACTER => false,
        '/' | '\\' | '@' | '#' | '%' | '&' | '=' | '+' | '$' | '^' => false,
        '_' | '*' | '~' | '`' | '-' => !next.is_some_and(|c| c.is_alphanumeric() || *c == '_'),
        _ => !next.is_some_and(char::is_ascii_digit),
    }
}

/// What may stand in front of a token. Unicode's punctuation where people use it: ASCII, Latin
/// quotes and inverted marks, general punctuation, Arabic, and CJK brackets.
fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(c,
            '¡' | '¿' | '«' | '»' | '·' | '،' | '؛' | '؟' | '۔' | '٪' | '।'
            | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205E}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}')
}

#[cfg(test)]
mod tests {

    use proptest::prelude::*;

    use super::*;

    fn prefixes() -> Vec<String> {
        vec!["start_realty_".into(), "Go-".into()]
    }

    /// `2`, `2-instagram`, or `none`.
    fn shown(text: &str) -> String {
        match parse(text, &prefixes()) {
            None => "none".into(),
            Some(Link { tenant, attribution: None }) => tenant.to_string(),
            Some(Link { tenant, attribution: Some(attribution) }) => format!("{tenant}-{attribution}"),
        }
    }

    #[test]
    fn links() {
        for (text, expected) in [
            ("start_realty_2", "2"),
            ("start_realty_55", "55"),
            ("start_realty_4294967295", "4294967295"),
            ("go-7", "7"),
            // Case, white space, punctuation.
            ("START_REALTY_2", "2"),
            ("Start_Realty_2", "2"),
            ("  start_realty_2\n", "2"),
            ("\u{00A0}\t\r\nstart_realty_2", "2"),
            ("\"start_realty_2\"", "2"),
            ("“start_realty_2”", "2"),
            ("«start_realty_2»", "2"),
            ("(start_realty_2)", "2"),
            ("[start_realty_2]", "2"),
            ("*start_realty_2*", "2"),
            ("_start_realty_2_", "2"),
            ("`start_realty_2`", "2"),
            ("!start_realty_2!", "2"),
            ("/start_realty_2", "2"),
            ("start_realty_2.", "2"),
            ("start_realty_2?", "2"),
            ("start_realty_2؟", "2"),
            ("start_realty_2…", "2"),
            // Invisible marks, before, inside and behind.
            ("\u{200F}start_realty_2", "2"),
            ("\u{FEFF}start_realty_2\u{200E}", "2"),
            ("start\u{200D}_realty\u{200C}_2", "2"),
            ("start_real\u{AD}ty_2", "2"),
            ("start_realty_\u{2066}2\u{2069}", "2"),
            ("start_realty_2\u{FE0F}", "2"),
            ("start_realty_2\u{FE0F}\u{20E3}", "2"),
            ("start_realty_2\u{200B}5", "25"),
            // Percent-encoding.
            ("start%5Frealty%5F2", "2"),
            ("start%5frealty%5f2%20hello", "2"),
            ("%E2%80%8Fstart_realty_2", "2"),
            ("%22start_realty_2%22", "2"),
            ("start_realty_%32", "2"),
            // Digits of other scripts.
            ("start_realty_٢", "2"),
            ("start_realty_۵۵", "55"),
            ("start_realty_２", "2"),
            ("start_realty_२", "2"),
            ("ｓｔａｒｔ＿ｒｅａｌｔｙ＿２", "2"),
            // Text after it.
            ("start_realty_2 hello", "2"),
            ("start_realty_2\nI want a flat", "2"),
            ("start_realty_2, hello", "2"),
            ("start_realty_2,hello", "2"),
            ("start_realty_2! hello", "2"),
            ("start_realty_2.Hello", "2"),
            ("start_realty_2 start_realty_3", "2"),
            ("start_realty_2 - hello", "2"),
            ("start_realty_2- hello", "2"),
            ("start_realty_2-", "2"),
            ("start_realty_2—hello", "2"),
            ("start_realty_2 سلام", "2"),
            ("start_realty_2👋", "2"),
            // Leading zeros mean nothing.
            ("start_realty_02", "2"),
            ("start_realty_0000000000002", "2"),
            // Attribution keeps its case.
            ("start_realty_2-instagram", "2-instagram"),
            ("start_realty_2-Insta.Gram_Ad-7", "2-Insta.Gram_Ad-7"),
            ("start_realty_2-instagram hello", "2-instagram"),
            ("start_realty_2-instagram. Hello", "2-instagram"),
            ("(start_realty_2-instagram)", "2-instagram"),
            ("start_realty_2-instagram,hello", "2-instagram"),
            ("START_REALTY_2-7", "2-7"),
            ("start_realty_2--x", "2--x"),
            ("go-7-ad", "7-ad"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn no_links() {
        for text in [
            "",
            " ",
            "\u{200F}",
            "hello",
            "2",
            "please start_realty_2",
            "Hi! start_realty_2",
            "is this start_realty_2?",
            "x start_realty_2",
            "xstart_realty_2",
            "https://example.com/start_realty_2",
            "👋 start_realty_2",
            "سلام start_realty_2",
            "start_realty_",
            "start_realty_ 2",
            "start_realty_x",
            "start_realty",
            "start_realty2",
            "start realty 2",
            "start_realty_0",
            "start_realty_000",
            "start_realty_٠",
            "start_realty_-2",
            "start_realty_+2",
            "start_realty_4294967296",
            "start_realty_99999999999999999999999999",
            "start_realty_2abc",
            "start_realty_2é",
            "start_realty_2ب",
            "start_realty_2²",
            "start_realty_2.5",
            "start_realty_2,5",
            "start_realty_2:30",
            "start_realty_2_3",
            "start_realty_2_abc",
            "start_realty_2*abc",
            "start_realty_2/abc",
            "start_realty_2@lid",
            "start_realty_2+3",
            "start_realty_2%",
            "start_realty_2%D9",
            "start_realty_2-اینستاگرام",
            "start_realty_2-instagram/7",
            "start_realty_2-instagramé",
            "start_realty_2x-instagram",
            "start_realty_start_realty_2",
        ] {
            assert_eq!(shown(text), "none", "{text:?}");
        }
    }

    #[test]
    fn attributions_have_a_length() {
        let longest = "a".repeat(64);
        assert_eq!(shown(&format!("start_realty_2-{longest}")), format!("2-{longest}"));
        assert_eq!(shown(&format!("start_realty_2-{longest}a")), "none");
    }

    #[test]
    fn the_longest_prefix_wins_and_an_empty_one_fits_nothing() {
        let prefixes: Vec<String> = ["", "s", "start_", "start_1"].map(String::from).into();
        let tenant = |text: &str| parse(text, &prefixes).map(|link| link.tenant.get());
        assert_eq!(tenant("start_12"), Some(2));
        assert_eq!(tenant("start_22"), Some(22));
        assert_eq!(tenant("s22"), Some(22));
        assert_eq!(tenant("22"), None);
        assert_eq!(tenant("start_1"), Some(1), "the shorter prefix where the longer leaves no number");
        assert_eq!(parse("start_realty_2", &[]), None);
    }

    #[test]
    fn a_prefix_may_be_anything() {
        let prefixes = vec!["!".to_owned(), "شروع_".to_owned(), "hello agent ".to_owned()];
        let tenant = |text: &str| parse(text, &prefixes).map(|link| link.tenant.get());
        assert_eq!(tenant("!2"), Some(2));
        assert_eq!(tenant("…!2"), Some(2));
        assert_eq!(tenant("شروع_۲"), Some(2));
        assert_eq!(tenant("Hello Agent 2"), Some(2));
    }

    #[test]
    fn work_is_bounded_and_a_cut_never_changes_a_tenant() {
        let mut text = String::from("start_realty_2 ");
        text.push_str(&"x".repeat(10 << 20));
        for hostile in [
            text,
            " ".repeat(10 << 20),
            "%20".repeat(3 << 20),
            "\u{200F}".repeat(3 << 20),
            "start_realty_".repeat(1 << 20),
            format!("start_realty_{}", "1".repeat(10 << 20)),
            format!("start_realty_{}2", "0".repeat(10 << 20)),
        ] {
            let found = parse(&hostile, &prefixes()).map(|link| link.tenant.get());
            assert!(found.is_none() || found == Some(2), "{found:?}");
        }
        for spaces in HEAD_BYTES - 30..HEAD_BYTES + 4 {
            for (end, tenant) in [("25", Some(25)), ("2%D9%A5", Some(25)), ("2.5", None), ("2,5 rooms", None)]
            {
                let text = format!("{}start_realty_{end}", " ".repeat(spaces));
                let found = parse(&text, &prefixes()).map(|link| link.tenant.get());
                assert!(found.is_none() || found == tenant, "{found:?} for {end} after {spaces} spaces");
            }
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>(), prefix in any::<String>()) {
            let _ = parse(&text, &[prefix]);
            let _ = parse(&format!("start_realty_{text}"), &prefixes());
        }

        #[test]
        fn every_tenant_is_found(tenant in 1_u32.., attribution in "[A-Za-z0-9_-]{1,64}", after in "( .*)?") {
            let text = format!("start_realty_{tenant}-{attribution}{after}");
            let link = parse(&text, &prefixes()).expect("a link");
            prop_assert_eq!(link.tenant.get(), tenant);
            prop_assert_eq!(link.attribution, Some(attribution));
        }

        #[test]
        fn words_in_front_make_it_no_link(words in "[a-z]{1,10} ", tenant in 1_u32..) {
            let text = format!("{words}start_realty_{tenant}");
            prop_assert_eq!(parse(&text, &prefixes()), None);
        }
    }
}
