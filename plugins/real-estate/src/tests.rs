//! The brain as a contact meets it; whole conversations are in `tests/*.chat`.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use switchboard_sdk::{
    Action, Bot, Brain, Content, Fault, MediaKind, OutgoingContent, Package, Packaged, Trigger, hours, script,
};

use super::RealEstate;
use crate::language::Language;
use crate::texts::Text;

/// A bot that speaks English and waits for the first answer.
fn english() -> Bot<RealEstate> {
    let mut bot = Bot::new();
    bot.starts().expect_choices(["English", "العربية", "فارسی"]);
    bot.chooses("English").expect("buy or to rent");
    bot
}

#[test]
fn scripts() {
    script::assert_all::<RealEstate>();
}

/// The way to a booked viewing, answer by answer.
const WAY: [&str; 10] = [
    "English",
    "Buy",
    "Apartment",
    "2 bedrooms",
    "Dubai Marina",
    "Up to AED 2M",
    "Marina Quay 2BR",
    "Book a viewing",
    "Tuesday 3 March",
    "10:00",
];

#[test]
fn nothing_that_strangers_send_breaks_any_step() {
    let mut bot = Bot::<RealEstate>::new();
    bot.survives_anything();
    bot.starts().expect("Noor");
    for answer in WAY {
        bot.survives_anything();
        bot.chooses(answer).ignore();
    }
    bot.survives_anything();
    bot.chooses("Yes, book it").expect("booked").expect_lead_stage("viewing");
    bot.survives_anything();
}

#[test]
fn back_leads_from_the_end_to_the_beginning() {
    let mut bot = Bot::<RealEstate>::new();
    bot.starts().ignore();
    for answer in WAY {
        bot.chooses(answer).ignore();
    }
    for question in [
        "At what time",
        "On which day",
        "1,850,000",
        "I found 2 homes",
        "your budget",
        "Which area",
        "How many bedrooms",
        "What kind",
        "buy or to rent",
        "choose your language",
        "choose your language",
    ] {
        bot.says("back").expect(question);
    }
}

#[test]
fn every_step_hands_over_starts_over_and_helps() {
    let mut bot = Bot::<RealEstate>::new();
    bot.starts().ignore();
    for answer in WAY {
        bot.clone().says("agent").expect_hand_off().expect_lead_stage("agent");
        bot.clone().says("help").expect("“start over” begins anew");
        bot.clone().says("start over").expect("start over").expect_lead("area", Value::Null).ignore();
        bot.chooses(answer).ignore();
    }
}

#[test]
fn a_button_of_an_old_message_still_works() {
    let mut bot = english();
    bot.says("buy a 2 bed apartment in the marina under 2m").expect("I found 2 homes");
    let old = bot.conversation().offered()[1].clone();
    bot.says("start over").expect("buy or to rent");
    bot.sends(Content::Choice(old)).expect("Harbour Point 2BR").expect_choice("Book a viewing");
}

#[test]
fn a_slot_that_passed_is_offered_anew() {
    let mut bot = Bot::<RealEstate>::new();
    bot.starts().ignore();
    for answer in &WAY[..WAY.len() - 1] {
        bot.chooses(answer).ignore();
    }
    let old = bot.conversation().offered()[0].clone();
    bot.after(hours(48)).expect_silence();
    bot.sends(Content::Choice(old)).expect("This time is not available").expect_choice("Wednesday 4 March");
}

#[test]
fn the_tenants_clock_decides_across_its_changes() {
    // Noon in Berlin is 11:00 UTC in winter and, from 29 March 2026 on, 10:00.
    let mut bot = Bot::<RealEstate>::new();
    bot.conversation_mut().time_zone = "Europe/Berlin".into();
    bot.conversation_mut().now = switchboard_sdk::Timestamp::from_ms(1_774_602_000_000);
    bot.starts().ignore();
    for answer in &WAY[..WAY.len() - 2] {
        bot.chooses(answer).ignore();
    }
    let mut winter = bot.clone();
    winter.says("saturday 12:00").expect("Saturday 28 March, 12:00");
    winter.chooses("confirm").expect_lead("viewing_at", "2026-03-28T11:00:00Z").ignore();
    bot.says("monday 12:00").expect("Monday 30 March, 12:00");
    bot.chooses("confirm").expect_lead("viewing_at", "2026-03-30T10:00:00Z").ignore();
}

#[test]
fn a_reminder_outside_the_window_is_a_template_where_there_is_one() {
    let mut bot = Bot::<RealEstate>::new().personality("viewing.reminder_template", "viewing_reminder");
    bot.starts().ignore();
    for answer in WAY {
        bot.chooses(answer).ignore();
    }
    bot.chooses("confirm").ignore();
    bot.clone().after(hours(1)).expect("A reminder of your viewing");
    bot.conversation_mut().window_open_until = Some(bot.conversation().now);
    bot.after(hours(1)).expect_template("viewing_reminder");
}

#[test]
fn a_reminder_of_a_moved_viewing_says_nothing() {
    let mut bot = Bot::<RealEstate>::new();
    bot.starts().ignore();
    for answer in WAY {
        bot.chooses(answer).ignore();
    }
    bot.chooses("confirm").ignore();
    let payload = json!({"home": "hh-101", "at": 1}).to_string();
    bot.triggers(Trigger::Timer { key: "viewing-reminder-24".into(), payload }).expect_silence();
}

#[test]
fn pages_of_homes_follow_each_other() {
    let home = |n: usize| {
        json!({"id": n, "title": format!("A home with quite a long name {n}"), "type": "villa", "purpose": "buy",
            "bedrooms": 3, "area_name": "JVC", "price": 1_000_000 + n, "currency": "AED"})
    };
    let mut bot = english();
    bot = bot.collection("properties", (1..=20).map(home).collect());
    bot.says("buy a 3 bedroom villa in jvc").ignore();
    let rows = |bot: &Bot<RealEstate>| bot.conversation().offered().len();
    bot.says("any").expect("I found 20 homes").expect_choice("home:8").expect_choice("more");
    assert_eq!(rows(&bot), 10);
    bot.chooses("more").expect_choice("home:9").expect_choice("home:16");
    bot.says("more").expect_choice("home:20");
    assert_eq!(rows(&bot), 5);
    bot.says("more").expect_choice("home:1");
}

#[test]
fn photos_come_with_the_first_homes() {
    let mut bot = english();
    bot.says("rent").ignore();
    for _ in 0..3 {
        bot.says("any").ignore();
    }
    let mut replies = bot.says("any").expect_media(MediaKind::Image).expect("9 homes");
    let photos = replies.actions().iter().filter(|action| {
        matches!(action, Action::Send(outgoing) if matches!(outgoing.content, OutgoingContent::Media(_)))
    });
    assert_eq!(photos.count(), 3);
}

#[test]
fn a_tenant_without_homes_still_answers() {
    let mut bot = english().collection("properties", Vec::new());
    bot.says("buy a villa in jvc with 3 bedrooms under 2m").expect("nothing to offer").expect_choice("agent");
    let mut bot = english();
    std::sync::Arc::make_mut(&mut bot.conversation_mut().collections).clear();
    bot.says("buy a villa in jvc with 3 bedrooms under 2m").expect("nothing to offer");
    assert!(bot.log().iter().any(|(_, line)| line.contains("unknown-collection")));
}

#[test]
fn records_that_do_not_read_are_left_out() {
    let homes = vec![
        json!({"id": 7, "title": "Good", "type": "villa", "purpose": "buy", "bedrooms": 3, "area_name": "JVC", "price": 1}),
        json!({"id": "bad", "title": 12, "type": "villa", "purpose": "buy", "bedrooms": 3, "area_name": "JVC", "price": 2}),
    ];
    let mut bot = english().collection("properties", homes);
    bot.says("buy a 3 bedroom villa in jvc under 2m").expect_choices(["Good", "Talk to an agent"]);
    bot.chooses("Good").expect_choice("book:7");
}

#[test]
fn homes_that_whatsapp_would_not_take_are_shown_without_harm() {
    let home = |id: &str, title: &str, photo: &str| {
        json!({"id": id, "title": title, "type": "villa", "purpose": "buy", "bedrooms": 3, "area_name": "JVC",
            "price": 1, "photo": photo})
    };
    let homes = vec![
        home("a", "Good", "http://images.example.com/a.jpg"),
        home("a", "Twice", "https://images.example.com/with space.jpg"),
        home("b", " ", ""),
        home(&"c".repeat(300), "Long", ""),
    ];
    let mut bot = english().collection("properties", homes);
    bot.says("buy a 3 bedroom villa in jvc under 2m").expect_choices(["Good", "Talk to an agent"]);
    bot.chooses("Good").expect_choice("book:a");
    let mut bot =
        english().collection("properties", vec![json!({"id": "a", "title": "A", "bedrooms": "three"})]);
    bot.says("buy a 3 bedroom villa in jvc under 2m").expect("nothing to offer");
}

#[test]
fn a_broken_memory_costs_the_search_only() {
    let mut bot = Bot::<RealEstate>::new().memory("{\"step\":\"nowhere\"}");
    bot.says("hello").expect("choose your language");
    assert!(bot.log().iter().any(|(_, line)| line.contains("starting anew")));
}

#[test]
fn messages_that_come_together_are_one_wish() {
    let mut bot = english();
    bot.says_together(["I want to rent", "a 2 bedroom flat", "in the marina", "max 150k"])
        .expect("I found one home")
        .expect_choice("Harbour Gate 2BR");
}

#[test]
fn the_lead_is_told_what_changed_and_no_more() {
    let mut bot = english();
    bot.says("rent a villa").expect_lead("type", "villa").expect_lead_stage("searching").ignore();
    let mut replies = bot.says("what?");
    assert!(!replies.actions().iter().any(|action| matches!(action, Action::UpdateLead(_))));
}

#[test]
fn a_stage_of_the_sales_team_stays() {
    let mut bot = english();
    bot.says("rent a villa").ignore();
    if let Some(lead) = &mut bot.conversation_mut().lead {
        lead.stage = "won".into();
    }
    bot.says("in jvc").expect_lead_stage("won").expect_lead("area", "JVC").ignore();
}

#[test]
fn a_tenants_own_hours_hold() {
    let mut bot = Bot::<RealEstate>::new().personality("viewing.hours", json!({"sunday": ["08:00-09:00"]}));
    bot.starts().ignore();
    for answer in &WAY[..WAY.len() - 2] {
        bot.chooses(answer).ignore();
    }
    assert_eq!(bot.conversation().offered().len(), 1);
    bot.chooses("Sunday 8 March").expect_choices(["08:00"]);
    let mut closed = Bot::<RealEstate>::new().personality("viewing.hours", json!({}));
    closed.starts().ignore();
    for answer in &WAY[..WAY.len() - 3] {
        closed.chooses(answer).ignore();
    }
    closed.chooses("Book a viewing").expect("no free times").expect_choice("agent");
}

#[test]
fn the_personality_has_every_text_in_every_language_and_no_other() {
    let package = Package::open(RealEstate::DIRECTORY).expect("the package reads");
    let texts = package.personality["text"].as_object().expect("a table of texts");
    let used: BTreeSet<&str> = Text::ALL.iter().map(|text| text.path()).collect();
    let there: BTreeSet<String> = texts.keys().map(|name| format!("text.{name}")).collect();
    assert_eq!(there.iter().map(String::as_str).collect::<BTreeSet<_>>(), used);
    for (name, by_language) in texts {
        let placeholders = |language: Language| {
            let text =
                by_language[language.code()].as_str().unwrap_or_else(|| panic!("{name} in {language:?}"));
            text.split('{')
                .skip(1)
                .map(|rest| rest.split('}').next().unwrap_or_default())
                .collect::<BTreeSet<_>>()
        };
        for language in Language::ALL {
            assert_eq!(placeholders(language), placeholders(Language::English), "{name} in {language:?}");
        }
    }
}

#[test]
fn the_schema_names_what_the_personality_holds() {
    let package = Package::open(RealEstate::DIRECTORY).expect("the package reads");
    let path = format!("{}/personality.schema.json", RealEstate::DIRECTORY);
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("there")).expect("JSON");
    let known = |schema: &Value, value: &Value, what: &str| {
        for key in value.as_object().expect(what).keys() {
            assert!(schema["properties"].get(key).is_some(), "{what}.{key} is not in the schema");
        }
    };
    known(&schema, &package.personality, "personality");
    known(&schema["properties"]["viewing"], &package.personality["viewing"], "viewing");
    let names: BTreeSet<&str> = schema["properties"]["text"]["properties"]
        .as_object()
        .expect("texts")
        .keys()
        .map(String::as_str)
        .collect();
    let used: BTreeSet<&str> =
        Text::ALL.iter().filter_map(|text| text.path().strip_prefix("text.")).collect();
    assert_eq!(names, used);
}

#[test]
fn the_selftest_names_texts_that_are_missing() {
    /// The self-test run as a turn, so that the harness serves it a personality.
    struct Tested;
    impl Brain for Tested {
        fn handle(_: &switchboard_sdk::Turn, _: &mut switchboard_sdk::Reply) -> Result<(), Fault> {
            RealEstate::selftest()
        }
    }
    let package = Package::open(RealEstate::DIRECTORY).expect("the package reads");
    let mut bot = Bot::<Tested>::in_conversation(package.conversation());
    bot.says("test").expect_silence();
    let mut bot = bot.personality("text.sorry", json!({}));
    assert!(bot.says("test").expect_fault("personality").message.contains("text.sorry"));
}

#[test]
fn a_tenants_own_name_greets() {
    let mut bot = Bot::<RealEstate>::new().personality("name", "Layla").personality("agency", "Palm Homes");
    bot.starts().expect("I am Layla, the assistant of Palm Homes");
    let mut bot = Bot::<RealEstate>::new().language("fa");
    bot.starts().expect("من نور هستم");
}
