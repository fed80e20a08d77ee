//! Changes that are not messages: what became of a template, what a contact wishes, what the provider
//! did to the account. What is not known here is left alone under its name.

use serde_json::Value;

use crate::channel::cloud::value::{person, time_of};
use crate::channel::cloud::{Item, Surroundings, list, object, short, word};
use crate::channel::json::{self, Object};
use crate::event::{Consent, Event, TemplateChange};
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
        at: time_of(value, &["timestamp"]).or(around.at).unwrap_or(Timestamp::ZERO),
    })
}

/// `stop` and `resume`, of messages that advertise; whoever says stop is left in peace altogether.
fn wishes(value: &Object, around: &Surroundings<'_>, place: &str) -> Vec<Event> {
    let place = format!("{place}.user_preferences");
    let items = match list(value, "user_preferences", &place) {
        Ok(items) => items.map(Vec::as_slice).unwrap_or_default(),
        Err(error) => return vec![around.unreadable(&error, Item::default())],
    };
    let wish = |(at, item): (usize, &Value)| {
        let item = match object(item, &format!("{place}[{at}]")) {
            Ok(item) => item,
            Err(error) => return around.unreadable(&error, Item::default()),
        };
        let from = word(item, "wa_id").or_else(|| word(item, "user_id"));
        let left = |reason| around.ignored(reason, Item { from: from.clone(), ..Item::of(item) });
        let Some((from, contact)) = from.as_ref().and_then(|from| Some((from, person(from).ok()?))) else {
            return left("unreadable sender address");
        };
        let opted_in = match json::text(item, "value").map(str::to_ascii_lowercase).as_deref() {
            Some("stop") => false,
            Some("resume") => true,
            _ => return left("unknown wish"),
        };
        let Some(account) = around.account.clone().or_else(|| around.business.clone()) else {
            return left("nobody's wish");
        };
        Event::Consent(Consent {
            provider: around.dialect.provider,
            account,
            contact,
            from_raw: from.clone(),
            opted_in,
            at: time_of(item, &["timestamp"]).or(around.at).unwrap_or(Timestamp::ZERO),
        })
    };
    items.iter().enumerate().map(wish).collect()
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
