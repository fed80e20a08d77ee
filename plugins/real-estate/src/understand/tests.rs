//! Tables: a sentence and what it says.

use super::command::{Command, command};
use super::*;
use crate::criteria::Rooms;
use crate::language::Language;

fn areas() -> Vec<Area> {
    let area = |name: &str, ar: &str, fa: &str, also: &[&str]| Area {
        name: name.into(),
        en: None,
        ar: Some(ar.into()),
        fa: Some(fa.into()),
        also: also.iter().map(|&name| name.into()).collect(),
    };
    vec![
        area("Dubai Marina", "دبي مارينا", "دبی مارینا", &["marina", "مارينا", "مارینا"]),
        area("Downtown Dubai", "وسط مدينة دبي", "داون‌تاون", &["downtown", "داون تاون"]),
        area("Palm Jumeirah", "نخلة جميرا", "پالم جمیرا", &["palm", "النخلة"]),
        area("Jumeirah Village Circle", "قرية جميرا الدائرية", "جی وی سی", &["jvc"]),
    ]
}

/// `buy apartment 2-2 Dubai Marina ..2000000`
fn told(text: &str, step: Step, known: Option<Purpose>) -> String {
    let found = understand(&Words::of(text), &areas(), step, known);
    let mut parts: Vec<String> = Vec::new();
    parts.extend(found.purpose.map(|purpose| purpose.name().to_owned()));
    parts.extend(found.kind.map(|kind| kind.name().to_owned()));
    parts.extend(found.rooms.map(|rooms| match rooms.max {
        Rooms::MOST => format!("{}+", rooms.min),
        max => format!("{}-{max}", rooms.min),
    }));
    parts.extend(found.area);
    let end = |amount: Option<u64>| amount.map_or(String::new(), |amount| amount.to_string());
    parts.extend(found.budget.map(|budget| format!("{}..{}", end(budget.min), end(budget.max))));
    parts.join(" ")
}

fn check(step: Step, known: Option<Purpose>, table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(told(text, step, known), *expected, "{text}");
    }
}

#[test]
fn english() {
    check(
        Step::Purpose,
        None,
        &[
            (
                "I want a 2-bedroom apartment in Dubai Marina under 2M",
                "buy apartment 2-2 Dubai Marina ..2000000",
            ),
            ("I want to rent a 2 bed flat", "rent apartment 2-2"),
            ("looking to buy a villa on the Palm, 5+ bedrooms", "buy villa 5+ Palm Jumeirah"),
            ("3br townhouse for sale between 2 and 3 million", "buy townhouse 3-3 2000000..3000000"),
            ("studio in jvc 50k/year", "rent apartment 0-0 Jumeirah Village Circle ..50000"),
            ("flat for rent, 8k per month", "rent apartment ..96000"),
            ("two bedrooms, 120k to 150k yearly", "rent 2-2 120000..150000"),
            ("1-2m downtown", "buy Downtown Dubai 1000000..2000000"),
            ("2-3 bedroom penthouse over 5 million", "buy penthouse 2-3 5000000.."),
            ("at least 3 bedrooms, max AED 1,800,000", "buy 3+ ..1800000"),
            ("half a million, one bed", "1-1 ..500000"),
            ("one and a half million dirhams", "buy ..1500000"),
            ("no more than 1.5m", "buy ..1500000"),
            ("from 90k", "90000.."),
            ("2 million or more", "buy 2000000.."),
            ("around 1 million", "buy 850000..1150000"),
            ("a house to let", "rent villa"),
            ("let me see", ""),
            ("townhouse", "townhouse"),
            ("1200 sqft apartment", "apartment"),
            ("20000 sqft", ""),
            ("call me on 0501234567 or +971501234567", ""),
            ("is it 90 m2?", ""),
            ("rent or buy?", ""),
            ("hello there", ""),
            ("2", ""),
        ],
    );
}

#[test]
fn arabic() {
    check(
        Step::Purpose,
        None,
        &[
            ("أريد شقة غرفتين في دبي مارينا بأقل من مليونين", "buy apartment 2-2 Dubai Marina ..2000000"),
            ("شقة للإيجار ٣ غرف نوم بـ ١٢٠ ألف درهم سنوياً", "rent apartment 3-3 ..120000"),
            ("فيلا للبيع في نخلة جميرا فوق ٥ مليون", "buy villa Palm Jumeirah 5000000.."),
            ("ابحث عن استوديو للايجار في المارينا", "rent apartment 0-0 Dubai Marina"),
            ("بين مليون ومليونين", "buy 1000000..2000000"),
            ("مليون ونصف كحد أقصى", "buy ..1500000"),
            ("شقة غرفة نوم واحدة", "apartment 1-1"),
            ("شقة من غرفتين", "apartment 2-2"),
            ("تاون هاوس ثلاث غرف", "townhouse 3-3"),
            ("أريد شراء بنتهاوس", "buy penthouse"),
            ("٨ آلاف شهرياً", "rent ..96000"),
            ("من ٨٠ ألف إلى ١٠٠ ألف في السنة", "rent 80000..100000"),
            ("نص مليون", "..500000"),
        ],
    );
}

#[test]
fn persian() {
    check(
        Step::Purpose,
        None,
        &[
            (
                "یک آپارتمان دو خوابه در دبی مارینا زیر ۲ میلیون می‌خواهم",
                "buy apartment 2-2 Dubai Marina ..2000000",
            ),
            ("می‌خوام یه آپارتمان ۲ خوابه اجاره کنم تا سالی ۱۲۰ هزار درهم", "rent apartment 2-2 ..120000"),
            ("خرید ویلا در پالم جمیرا بالای ۵ میلیون", "buy villa Palm Jumeirah 5000000.."),
            ("استودیو برای اجاره", "rent apartment 0-0"),
            ("از ۱ تا ۲ میلیون", "buy 1000000..2000000"),
            ("۱٫۵ میلیون درهم", "buy ..1500000"),
            ("یک و نیم میلیون", "buy ..1500000"),
            ("نیم میلیون", "..500000"),
            ("حداقل ۳ خواب", "3+"),
            ("پنت‌هاوس چهار خوابه", "penthouse 4-4"),
            ("تاون‌هاوس", "townhouse"),
            ("ماهی ۸ هزار", "rent ..96000"),
            ("۹۰۰٬۰۰۰ درهم", "..900000"),
            ("کمتر از یک میلیون", "buy ..1000000"),
            ("سه تا پنج خوابه", "3-5"),
        ],
    );
}

#[test]
fn a_bare_answer_means_what_was_asked() {
    let (buy, rent) = (Some(Purpose::Buy), Some(Purpose::Rent));
    check(
        Step::Rooms,
        buy,
        &[("3", "3-3"), ("three please", "3-3"), ("سه", "3-3"), ("٤", "4-4"), ("4+", "4+")],
    );
    check(Step::Budget, buy, &[("1.5", "..1500000"), ("2 to 3m", "2000000..3000000"), ("900", "..900000")]);
    check(Step::Budget, rent, &[("90", "..90000"), ("۱۲۰", "..120000"), ("8500 monthly", "..102000")]);
    check(Step::Budget, buy, &[("2 bedrooms", "2-2")]);
    check(Step::Area, buy, &[("marina", "Dubai Marina"), ("بالمارينا", "Dubai Marina"), ("3", "")]);
}

#[test]
fn commands_in_three_languages() {
    for (text, expected) in [
        ("Back", Some(Command::Back)),
        ("رجوع", Some(Command::Back)),
        ("بازگشت", Some(Command::Back)),
        ("start over!", Some(Command::StartOver)),
        ("ابدأ من جديد", Some(Command::StartOver)),
        ("از اول", Some(Command::StartOver)),
        ("agent", Some(Command::Agent)),
        ("can I talk to a human please?", Some(Command::Agent)),
        ("أريد التحدث مع موظف", Some(Command::Agent)),
        ("می‌خواهم با مشاور صحبت کنم", Some(Command::Agent)),
        ("العربية", Some(Command::Language(Some(Language::Arabic)))),
        ("language", Some(Command::Language(None))),
        ("doesn't matter", Some(Command::Any)),
        ("لا يهم", Some(Command::Any)),
        ("فرقی نداره", Some(Command::Any)),
        ("yes", Some(Command::Yes)),
        ("تأیید", Some(Command::Yes)),
        ("السلام عليكم", Some(Command::Greeting)),
        ("a villa in the marina", None),
        ("", None),
    ] {
        assert_eq!(command(&Words::of(text)), expected, "{text}");
    }
}

#[test]
fn phrases_are_written_as_words_are() {
    let lists = [RENT, BUY, APARTMENT, VILLA, TOWNHOUSE, PENTHOUSE];
    for phrase in lists.into_iter().chain(command::LISTS).flatten() {
        assert_eq!(Words::of(phrase).as_str(), *phrase);
    }
}
