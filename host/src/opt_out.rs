//! The words by which a contact says that it wants no more messages, or wants them again, in English,
//! Arabic and Persian. Only a message that is nothing but such a word counts: "stop by at five" is no
//! opt-out. Pure.
//!
//! | written | meant |
//! |---|---|
//! | `STOP`, `  Stop. `, `unsubscribe` | no more |
//! | `إلغاء`, `الغاء`, `إِلْغَاء`, `توقّف`, `لغو اشتراک`, `لغـــو` | no more |
//! | `START`, `unstop`, `ابدأ`, `اشتراك`, `شروع` | messages again |
//! | `stop calling me names`, `start_realty_2`, `cancel my visit` | nothing of the kind |

use crate::glyph::{is_invisible, to_ascii};

/// What a contact wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    NoMore,
    Again,
}

/// Longer texts are sentences. In bytes; no word below comes near it.
const LONGEST: usize = 96;

/// As [`plain`] leaves them.
const NO_MORE: &[&str] = &[
    // What WhatsApp, SMS and mail have taught people to write.
    "stop",
    "stopall",
    "stop all",
    "unsubscribe",
    "unsubscribe me",
    "optout",
    "opt out",
    "stop messages",
    "stop messaging me",
    "stop promotions",
    "stop sending messages",
    // Arabic.
    "الغاء",
    "الغاء الاشتراک",
    "الغاء اشتراک",
    "الغ الاشتراک",
    "توقف",
    "توقفوا",
    "اوقف",
    "اوقفوا",
    "ایقاف",
    "ایقاف الرسایل",
    "اوقف الرسایل",
    "قف",
    "لا ترسل",
    "لا ترسلوا",
    // Persian.
    "لغو",
    "لغو اشتراک",
    "لغو عضویت",
    "انصراف",
    "توقف پیام",
    "توقف ارسال",
    "پیام ندهید",
    "پیام نده",
    "دیگر پیام ندهید",
];

const AGAIN: &[&str] = &[
    "start",
    "unstop",
    "subscribe",
    "resubscribe",
    "optin",
    "opt in",
    // Arabic.
    "ابدا",
    "ابدء",
    "بدء",
    "اشتراک",
    "اشترک",
    "الاشتراک",
    "استیناف",
    // Persian.
    "شروع",
    "شروع دوباره",
    "عضویت",
    "عضویت دوباره",
];

/// What the whole of `text` says, if it says that and nothing else.
pub fn read(text: &str) -> Option<Wish> {
    if text.len() > LONGEST {
        return None;
    }
    let text = plain(text);
    if NO_MORE.contains(&text.as_str()) {
        Some(Wish::NoMore)
    } else if AGAIN.contains(&text.as_str()) {
        Some(Wish::Again)
    } else {
        None
    }
}

/// What a provider's word says for which way a contact has turned its switch. How they spell it is
/// hardly written anywhere, so that any spelling with one of these words in it is read.
pub fn of_switch(word: &str) -> Option<Wish> {
    const OFF: &[&str] = &["stop", "optout", "optedout", "unsubscribe"];
    const ON: &[&str] = &["resume", "optin", "optedin", "signup", "signedup", "subscribe", "start"];
    let letters = word.chars().filter(char::is_ascii_alphanumeric).take(LONGEST);
    let word: String = letters.map(|c| c.to_ascii_lowercase()).collect();
    let has = |words: &[&str], text: &str| words.iter().any(|known| text.contains(known));
    match (has(OFF, &word), has(ON, &word.replace("unsubscribe", ""))) {
        (true, false) => Some(Wish::NoMore),
        (false, true) => Some(Wish::Again),
        _ => None,
    }
}

/// What the contact reads once its wish is kept, in the tenant's language (BCP 47).
pub fn confirmation(wish: Wish, language: &str) -> &'static str {
    let language = language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    match (wish, language.as_str()) {
        (Wish::NoMore, "ar") => "تم إلغاء اشتراكك، ولن تصلك رسائل منا بعد الآن. لاستئناف الرسائل أرسل: ابدأ",
        (Wish::NoMore, "fa") => {
            "اشتراک شما لغو شد و دیگر پیامی از ما دریافت نمی‌کنید. برای دریافت دوباره بنویسید: شروع"
        }
        (Wish::NoMore, _) => {
            "You are unsubscribed and will get no more messages from us. To hear from us again, send START."
        }
        (Wish::Again, "ar") => "أهلًا بعودتك! ستصلك رسائلنا من جديد. لإيقافها أرسل: إلغاء",
        (Wish::Again, "fa") => {
            "خوش آمدید! از این پس دوباره پیام‌های ما را دریافت می‌کنید. برای توقف بنویسید: لغو"
        }
        (Wish::Again, _) => "Welcome back! You will hear from us again. To stop, send STOP.",
    }
}

/// One way to write a word: small letters, one form for each letter of the Arabic script, no vowel
/// marks, no tatweel, single spaces, and no punctuation around it. A punctuation mark inside, such as
/// the underscore of a deep link, stays.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars().map(to_ascii).flat_map(char::to_lowercase) {
        // The joiner that Persian writes between parts of a word is invisible and parts them.
        if c.is_whitespace() || c == '\u{200C}' {
            gap = true;
            continue;
        }
        if is_invisible(c) || is_vowel_mark(c) {
            continue;
        }
        if gap && !plain.is_empty() {
            plain.push(' ');
        }
        gap = false;
        plain.push(letter(c));
    }
    plain.trim_matches(|c: char| !c.is_alphanumeric()).to_owned()
}

/// Tanwin, harakat, shadda, sukun, the small alef, Quranic marks, and the tatweel, which only makes a
/// word wider.
fn is_vowel_mark(c: char) -> bool {
    matches!(c, '\u{0640}' | '\u{0610}'..='\u{061A}' | '\u{064B}'..='\u{065F}' | '\u{0670}' | '\u{06D6}'..='\u{06ED}')
}

/// Keyboards write the same letter in several ways: with or without hamza, Arabic or Persian kaf and
/// yeh.
fn letter(c: char) -> char {
    match c {
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ي' | 'ى' | 'ئ' | 'ې' => 'ی',
        'ك' | 'ڪ' => 'ک',
        'ؤ' => 'و',
        'ة' | 'ۀ' | 'ە' => 'ه',
        '-' | '\u{2010}'..='\u{2015}' => ' ',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_way_to_write_no_more() {
        for text in [
            "STOP",
            "stop",
            "Stop.",
            "  stop!! ",
            "STOP\n",
            "«stop»",
            "*STOP*",
            "ＳＴＯＰ",
            "\u{200F}stop\u{200E}",
            "Unsubscribe",
            "UNSUBSCRIBE",
            "opt-out",
            "Opt out",
            "OPTOUT",
            "stop all",
            "stop  all",
            "Stop promotions",
            "إلغاء",
            "الغاء",
            "ألغاء",
            "إِلْغَاء",
            "إلغــاء",
            "إلغاء.",
            "الغاء!",
            "إلغاء الاشتراك",
            "الغاء الاشتراك",
            "إلغاء الإشتراك",
            "توقف",
            "توقّف",
            "تَوَقَّف",
            "أوقف",
            "اوقف",
            "إيقاف",
            "ايقاف",
            "إيقاف الرسائل",
            "قف",
            "لا ترسل",
            "لغو",
            "لغـو",
            "لغو اشتراک",
            "لغو اشتراك",
            "لغو عضویت",
            "لغو عضويت",
            "انصراف",
            "پیام ندهید",
            "پيام ندهيد",
            "دیگر پیام ندهید",
            "توقف پیام",
            "لغو\u{200C}اشتراک",
            "🛑 stop 🛑",
        ] {
            assert_eq!(read(text), Some(Wish::NoMore), "{text:?} reads as {:?}", plain(text));
        }
    }

    #[test]
    fn every_way_to_write_again() {
        for text in [
            "START",
            "start",
            "Start!",
            "unstop",
            "UNSTOP",
            "Subscribe",
            "opt in",
            "ابدأ",
            "إبدأ",
            "ابدا",
            "بدء",
            "اشتراك",
            "إشتراك",
            "اشترك",
            "استئناف",
            "شروع",
            "شُروع",
            "شروع.",
            "عضویت",
        ] {
            assert_eq!(read(text), Some(Wish::Again), "{text:?} reads as {:?}", plain(text));
        }
    }

    #[test]
    fn every_way_a_switch_is_told() {
        for (word, wish) in [
            ("stop", Some(Wish::NoMore)),
            ("STOPPED", Some(Wish::NoMore)),
            ("opted-out", Some(Wish::NoMore)),
            ("OPT_OUT", Some(Wish::NoMore)),
            ("unsubscribe", Some(Wish::NoMore)),
            ("resume", Some(Wish::Again)),
            ("RESUMED", Some(Wish::Again)),
            ("opted-in", Some(Wish::Again)),
            ("OptIn", Some(Wish::Again)),
            ("signup", Some(Wish::Again)),
            ("SUBSCRIBED", Some(Wish::Again)),
            ("pause", None),
            ("stop or start", None),
            ("", None),
        ] {
            assert_eq!(of_switch(word), wish, "{word}");
        }
    }

    #[test]
    fn what_is_no_wish() {
        for text in [
            "",
            " ",
            "...",
            "stop by at five",
            "please stop",
            "don't stop",
            "non-stop",
            "bus stop",
            "stopp",
            "end",
            "cancel",
            "cancel my visit",
            "no",
            "start_realty_2",
            "Start_Realty_2-instagram",
            "start 2",
            "restart",
            "start tomorrow",
            "quit smoking",
            "إلغاء الموعد",
            "الغاء الحجز",
            "لغو بازدید",
            "توقف السيارة",
            "لغوه",
            "شروع بازدید",
            "متى نبدأ",
            "1",
            "🛑",
        ] {
            assert_eq!(read(text), None, "{text:?} reads as {:?}", plain(text));
        }
        assert_eq!(read(&format!("{}stop", " ".repeat(LONGEST))), None, "a text this long is none");
    }

    #[test]
    fn each_word_is_written_as_it_is_compared() {
        for (words, wish) in [(NO_MORE, Wish::NoMore), (AGAIN, Wish::Again)] {
            for word in words {
                assert_eq!(plain(word), *word);
                assert_eq!(read(word), Some(wish));
            }
        }
    }

    /// Whoever does what the confirmation says is understood, and the confirmation itself, should it
    /// come back from another gateway, is no word.
    #[test]
    fn confirmations_name_words_that_are_read() {
        for (wish, language, word) in [
            (Wish::NoMore, "en", "START"),
            (Wish::NoMore, "ar", "ابدأ"),
            (Wish::NoMore, "fa-IR", "شروع"),
            (Wish::Again, "en-GB", "STOP"),
            (Wish::Again, "AR_ae", "إلغاء"),
            (Wish::Again, "fa", "لغو"),
            (Wish::NoMore, "de", "START"),
            (Wish::NoMore, "", "START"),
        ] {
            let text = confirmation(wish, language);
            assert!(text.trim_end_matches('.').ends_with(word), "{language}: {text}");
            let other = if wish == Wish::NoMore { Wish::Again } else { Wish::NoMore };
            assert_eq!(read(word), Some(other));
            assert_eq!(read(text), None);
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = read(&text);
        }

        #[test]
        fn a_deep_link_is_never_a_word(prefix in "[a-z]{1,8}_", tenant in 1_u32.., after in "(-[a-z]{1,8})?") {
            prop_assert_eq!(read(&format!("{prefix}{tenant}{after}")), None);
        }
    }
}
