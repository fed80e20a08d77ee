//! Who may be written to, when, and with what: a row a case.

use super::*;
use crate::message::{
    Buttons, Choice, Location, MediaKind, OutboundMedia, Provider, Reaction, TemplateParameter,
};
use crate::tenant::policy::{FallbackTemplate, QuietHours};

const HOUR: i64 = 3_600_000;

/// 2026-03-01, noon in UTC, and `ms` after it.
fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(1_772_366_400_000 + ms)
}

fn text(text: &str) -> OutboundContent {
    OutboundContent::Text { text: text.into() }
}

fn template(parameter: Option<&str>, value: &str) -> Template {
    let parameters = parameter
        .map(|name| TemplateParameter { name: name.into(), value: value.into() })
        .into_iter()
        .collect();
    Template { name: "news".into(), language: "en".into(), parameters }
}

fn fallback(parameter: Option<&str>) -> Option<FallbackTemplate> {
    let parameter = parameter.map(str::to_owned);
    Some(FallbackTemplate { name: "news".into(), language: "en".into(), parameter })
}

/// Shortened to its begin, for comparing.
fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Send => "send".into(),
        Verdict::Instead(template) => {
            let values: Vec<&str> = template.parameters.iter().map(|it| it.value.as_str()).collect();
            format!("{}({})", template.name, values.join(","))
        }
        Verdict::Later { at: until, .. } => format!("in {} h", (until.as_ms() - at(0).as_ms()) / HOUR),
        Verdict::Never { why } => format!("never: {why}"),
    }
}

/// An answer in a conversation that was last heard from `heard` ago; decided now.
fn window(
    provider: Provider,
    heard: Option<i64>,
    fallback: Option<FallbackTemplate>,
    content: &OutboundContent,
) -> String {
    let policy = Policy { fallback_template: fallback, ..Policy::default() };
    let rules = Rules { window_ms: provider.window_ms(), policy: &policy, zone: &TimeZone::UTC };
    let heard_at = heard.map_or(Timestamp::ZERO, |ago| at(-ago));
    let reply = Reply { content, author: Author::Brain, occasion: Occasion::Answer };
    said(&decide(&reply, &Contact { opted_out: None, heard_at }, &rules, at(0)))
}

#[test]
fn the_window_is_open_for_a_day_where_there_is_one() {
    const CLOSED: &str = "never: the contact last wrote more than 24 hours ago";
    for (provider, heard, expected) in [
        (Provider::Meta, Some(0), "send"),
        (Provider::Meta, Some(24 * HOUR - 1), "send"),
        (Provider::Meta, Some(24 * HOUR), CLOSED),
        (Provider::Meta, Some(24 * HOUR + 1), CLOSED),
        (Provider::Meta, Some(-5_000), "send"),
        (Provider::Meta, None, CLOSED),
        (Provider::Infobip, Some(24 * HOUR - 1), "send"),
        (Provider::Infobip, Some(24 * HOUR), CLOSED),
        (Provider::Gupshup, Some(24 * HOUR - 1), "send"),
        (Provider::Gupshup, Some(24 * HOUR), CLOSED),
        (Provider::Waha, Some(365 * 24 * HOUR), "send"),
        (Provider::Waha, None, "send"),
        (Provider::Simulator, Some(365 * 24 * HOUR), "send"),
    ] {
        let verdict = window(provider, heard, None, &text("hello"));
        assert!(verdict.starts_with(expected), "{provider} {heard:?}: {verdict}");
    }
}

#[test]
fn in_a_closed_window_words_become_the_fallback_template() {
    let media = |caption: Option<&str>| {
        OutboundContent::Media(OutboundMedia {
            kind: MediaKind::Image,
            source: "https://example.com/a.png".into(),
            caption: caption.map(str::to_owned),
            filename: None,
        })
    };
    let buttons = OutboundContent::Buttons(Buttons {
        body: "Buy or rent?".into(),
        footer: None,
        buttons: vec![Choice { id: "b".into(), title: "Buy".into() }],
    });
    let place = OutboundContent::Location(Location {
        latitude: 25.0,
        longitude: 55.0,
        name: Some("Marina".into()),
        address: None,
    });
    let reaction = OutboundContent::Reaction(Reaction { message_id: "m".into(), emoji: "👍".into() });
    let own = OutboundContent::Template(template(None, ""));
    let (with, without) = (fallback(Some("1")), fallback(None));
    for (case, content, fallback, expected) in [
        ("text", text("Hello"), &with, "news(Hello)"),
        ("lines become one", text(" Two\n\nnew\tflats    today "), &with, "news(Two new flats today)"),
        ("without a parameter", text("Hello"), &without, "news()"),
        ("a caption", media(Some("A view")), &with, "news(A view)"),
        ("no caption", media(None), &with, "never: "),
        ("no caption needed", media(None), &without, "news()"),
        ("buttons", buttons, &with, "news(Buy or rent?)"),
        ("a place", place, &with, "news(Marina)"),
        ("a reaction", reaction, &without, "never: "),
        ("a template of the brain's", own, &None, "send"),
        ("no fallback", text("Hello"), &None, "never: "),
    ] {
        let verdict = window(Provider::Meta, Some(25 * HOUR), fallback.clone(), &content);
        if expected == "never: " {
            assert!(
                verdict.starts_with("never: the contact last wrote more than 24 hours"),
                "{case}: {verdict}"
            );
        } else {
            assert_eq!(verdict, expected, "{case}");
        }
    }
    let long = window(Provider::Meta, Some(25 * HOUR), with, &text(&"word ".repeat(400)));
    assert_eq!(long.chars().count(), 1024 + "news()".len());
    assert!(long.ends_with("…)"), "{long}");
    let refused = window(Provider::Meta, Some(25 * HOUR), None, &text("Hello"));
    assert!(refused.contains("[tenant.policy.fallback_template]"), "it says what to do: {refused}");
}

#[test]
fn nothing_passes_an_opt_out_but_its_confirmation() {
    let own = OutboundContent::Template(template(None, ""));
    for (case, author, content, occasion, confirmed_by_this, expected) in [
        ("the brain's answer", Author::Brain, text("but"), Occasion::Answer, false, "never"),
        ("a template", Author::Brain, own, Occasion::Timer, false, "never"),
        ("a reminder", Author::Brain, text("still there?"), Occasion::Timer, false, "never"),
        ("a human's word", Author::Human, text("sorry"), Occasion::Answer, false, "never"),
        ("another notice", Author::Gateway, text("Sorry, ..."), Occasion::Answer, false, "never"),
        ("the confirmation", Author::Gateway, text("No more."), Occasion::Answer, true, "send"),
    ] {
        let policy = Policy::default();
        let rules = Rules { window_ms: None, policy: &policy, zone: &TimeZone::UTC };
        let opted_out = OptedOut { since: at(-HOUR), reason: "operator", confirmed_by_this };
        let contact = Contact { opted_out: Some(opted_out), heard_at: at(0) };
        let verdict = said(&decide(&Reply { content: &content, author, occasion }, &contact, &rules, at(0)));
        assert!(verdict.starts_with(expected), "{case}: {verdict}");
        assert!(expected == "send" || verdict.contains("(operator)"), "it says why: {verdict}");
    }
}

#[test]
fn at_night_only_answers_go_out() {
    let quiet = Some(QuietHours { from: "22:00".into(), until: "08:00".into() });
    let nine_to_three = Some(QuietHours { from: "09:00".into(), until: "15:00".into() });
    for (case, hours, author, occasion, content, expected) in [
        ("by day", &quiet, Author::Brain, Occasion::Timer, text("a"), "send"),
        ("a timer", &nine_to_three, Author::Brain, Occasion::Timer, text("a"), "in 3 h"),
        ("word of a receipt", &nine_to_three, Author::Brain, Occasion::Receipt, text("a"), "in 3 h"),
        (
            "a template too",
            &nine_to_three,
            Author::Brain,
            Occasion::Timer,
            OutboundContent::Template(template(None, "")),
            "in 3 h",
        ),
        ("an answer", &nine_to_three, Author::Brain, Occasion::Answer, text("a"), "send"),
        ("a human", &nine_to_three, Author::Human, Occasion::Timer, text("a"), "send"),
        ("no quiet hours", &None, Author::Brain, Occasion::Timer, text("a"), "send"),
    ] {
        let policy = Policy { quiet_hours: hours.clone(), ..Policy::default() };
        let rules = Rules { window_ms: None, policy: &policy, zone: &TimeZone::UTC };
        let contact = Contact { opted_out: None, heard_at: at(0) };
        let reply = Reply { content: &content, author, occasion };
        assert_eq!(said(&decide(&reply, &contact, &rules, at(0))), expected, "{case}");
    }
}

/// Postponed to a morning on which the window is closed, it is decided anew then.
#[test]
fn the_night_comes_before_the_window() {
    let quiet = Some(QuietHours { from: "09:00".into(), until: "15:00".into() });
    let policy = Policy { quiet_hours: quiet, fallback_template: fallback(Some("1")), ..Policy::default() };
    let rules = Rules { window_ms: Provider::Meta.window_ms(), policy: &policy, zone: &TimeZone::UTC };
    let contact = Contact { opted_out: None, heard_at: at(-25 * HOUR) };
    let content = text("Still looking?");
    let reply = Reply { content: &content, author: Author::Brain, occasion: Occasion::Timer };
    assert_eq!(said(&decide(&reply, &contact, &rules, at(0))), "in 3 h");
    assert_eq!(said(&decide(&reply, &contact, &rules, at(3 * HOUR))), "news(Still looking?)");
}
