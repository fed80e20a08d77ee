//! Changes that are not messages: what became of a template, what a contact wishes, what the provider
//! did to the account. What is not known here is left alone under its name.

use serde_json::Value;

use crate::channel::cloud::{Item, Surroundings, person, wish};
use crate::channel::json::{self, Object, as_object, list, short, word};
use crate::channel::time;
use crate::event::{Event, SameBecause, SamePerson, TemplateChange, Topic};
use crate::message::Timestamp;

pub(super) fn read(field: &str, value: &Object, around: &Surroundings<'_>, place: &str) -> Vec<Event> {
    // The word that tells what happened, where there is one.
    let told = |name: &str| match json::text(value, "event").or_else(|| json::text(value, "alert_type")) {
        Some(event) => format!("{name}: {}", short(event)),
        None => name.to_owned(),
    };
    let event = |name: &str| around.ignored(&told(name), Item::default());
    let alert = |name: &str| around.alert(&told(name));
    vec![match field {
        "message_template_status_update" => template(value, around, json::text(value, "event"), None),
        "template_category_update" => {
            let category =
                json::text(value, "new_category").or_else(|| json::text(value, "correct_category"));
            template(value, around, None, category)
        }
        "message_template_quality_update" => match json::text(value, "new_quality_score") {
            Some("RED") => alert("template quality"),
            _ => event("template quality"),
        },
        "message_template_components_update" => event("template components"),
        "user_preferences" => return wishes(value, around, place),
        "user_id_update" => return renamed(value, around, place),
        "calls" => return each(value, "calls", "call", around),
        "history" => event("history"),
        "smb_app_state_sync" => event("contact list"),
        "flows" => event("flow change"),
        "account_update" | "account_review_update" | "business_status_update" | "security" => {
            alert("account change")
        }
        "account_alerts" => alert("account alert"),
        "account_settings_update" => event("account change"),
        "phone_number_quality_update" => alert("number quality"),
        "phone_number_name_update" => event("number name"),
        "business_capability_update" => event("account limits"),
        "partner_solutions" | "tracking_events" | "payment_configuration_update" => event("account change"),
        unknown => around.ignored(&format!("unknown event {}", short(unknown)), Item::default()),
    }]
}

fn template(
    value: &Object,
    around: &Surroundings<'_>,
    status: Option<&str>,
    category: Option<&str>,
) -> Event {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let reason = json::text(value, "reason").filter(|reason| !reason.eq_ignore_ascii_case("none"));
    let more = json::object(value, &["other_info"]);
    let described =
        more.and_then(|more| json::text(more, "description").or_else(|| json::text(more, "title")));
    Event::Template(TemplateChange {
        provider: around.dialect.provider,
        account: around.dialect.account.map(str::to_owned).or_else(|| around.business.clone()),
        template_id: word(value, "message_template_id"),
        name: owned(json::text(value, "message_template_name")),
        language: owned(json::text(value, "message_template_language")),
        status: owned(status),
        category: owned(category.or_else(|| json::text(value, "message_template_category"))),
        reason: owned(reason.or(described)),
        at: time::of(value, &["timestamp"]).or(around.at).unwrap_or(Timestamp::ZERO),
    })
}

/// Of messages that advertise; whoever says stop is left in peace altogether.
fn wishes(value: &Object, around: &Surroundings<'_>, place: &str) -> Vec<Event> {
    let account = around.account.clone().or_else(|| around.business.clone());
    each_read(value, "user_preferences", Topic::Consent, around, place, |item| {
        let wish = wish::read(item)?;
        let account = account.clone().ok_or("nobody's wish")?;
        let at = around.at.unwrap_or(Timestamp::ZERO);
        Ok(vec![Event::Consent(wish.consent(around.dialect.provider, account, at))])
    })
}

/// A person's business-scoped id became another one.
fn renamed(value: &Object, around: &Surroundings<'_>, place: &str) -> Vec<Event> {
    let account = around.account.clone().or_else(|| around.business.clone());
    each_read(value, "user_id_update", Topic::Person, around, place, |item| {
        let account = account.clone().ok_or("nobody's person")?;
        let key = |raw: Option<String>| raw.and_then(|raw| person(&raw).ok());
        let id = |name: &str, which: &str| {
            let nested = json::object(item, &[name]).and_then(|ids| word(ids, which));
            let flat =
                if which == "current" { word(item, name) } else { word(item, &format!("{which}_{name}")) };
            key(nested.or(flat))
        };
        let phone = key(word(item, "wa_id"));
        let pairs = [
            (id("user_id", "previous"), id("user_id", "current")),
            (id("parent_user_id", "previous"), id("parent_user_id", "current")),
            (phone, id("user_id", "current")),
        ];
        let same = pairs.into_iter().filter_map(|(known, also)| {
            let (known, also) = (known?, also?);
            (known != also).then(|| {
                Event::SamePerson(SamePerson {
                    provider: around.dialect.provider,
                    account: account.clone(),
                    known,
                    also,
                    message_id: None,
                    at: time::of(item, &["timestamp"]).or(around.at).unwrap_or(Timestamp::ZERO),
                    because: SameBecause::NumberChanged,
                })
            })
        });
        let same: Vec<Event> = same.collect();
        if same.is_empty() { Err("nobody is named") } else { Ok(same) }
    })
}

/// What the items of a list tell; one that cannot be read says why.
fn each_read(
    value: &Object,
    name: &str,
    topic: Topic,
    around: &Surroundings<'_>,
    place: &str,
    read: impl Fn(&Object) -> Result<Vec<Event>, &'static str>,
) -> Vec<Event> {
    let place = format!("{place}.{name}");
    let items = match list(value, name, &place) {
        Ok(items) => items.map(Vec::as_slice).unwrap_or_default(),
        Err(error) => return vec![around.unreadable(topic, &error, Item::default())],
    };
    let mut events = Vec::new();
    for (at, item) in items.iter().enumerate() {
        match as_object(item, &format!("{place}[{at}]")) {
            Ok(item) => events.extend(read(item).unwrap_or_else(|why| {
                let from = wish::names(item).into_iter().next();
                vec![around.unread(topic, why, Item { from, ..Item::of(item) })]
            })),
            Err(error) => events.push(around.unreadable(topic, &error, Item::default())),
        }
    }
    events
}

/// Each item of a list is left alone for the same reason.
fn each(value: &Object, name: &str, reason: &str, around: &Surroundings<'_>) -> Vec<Event> {
    let items = json::field(value, name).and_then(Value::as_array);
    let mut events: Vec<Event> = items
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .map(|item| around.ignored(reason, Item::of(item)))
        .collect();
    if events.is_empty() {
        events.push(around.ignored(reason, Item::default()));
    }
    events
}
