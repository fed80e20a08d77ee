//! A contact wants no messages, or wants them again: by a switch of the provider's where there is one, else
//! by a word.

use serde_json::{Value, json};

use super::{Cell, Dialect, PHONE, SCOPED};

pub fn opt_out(dialect: Dialect) -> Cell {
    switch(
        dialect,
        "stop",
        "opted-out",
        "wants none: 5521977770040",
        "wants none: 5521977770040=BR.1000000000000040",
    )
    .or_else(|| Some((dialect.text("STOP"), "the wish for none of 5521977770040")))
}

pub fn again(dialect: Dialect) -> Cell {
    let word = if dialect == Dialect::Meta { "signup" } else { "resume" };
    let both = "wants messages: 5521977770040=BR.1000000000000040";
    switch(dialect, word, "opted-in", "wants messages: 5521977770040", both)
        .or_else(|| Some((dialect.text("START"), "the wish for messages of 5521977770040")))
}

fn switch(dialect: Dialect, word: &str, event: &str, alone: &'static str, both: &'static str) -> Cell {
    let item = |scoped: &str| {
        let mut item = json!({"wa_id": PHONE, "category": "marketing_messages", "value": word, "timestamp": 1_785_600_000});
        item[scoped] = json!(SCOPED);
        json!({"user_preferences": [item]})
    };
    Some(match dialect {
        Dialect::Webjs | Dialect::Noweb | Dialect::Gows | Dialect::InfobipMessages => return None,
        Dialect::Infobip => {
            let status = word.to_uppercase();
            let content =
                json!({"notificationMessagesStatus": status, "sender": "5511900000001", "from": PHONE});
            (
                json!({"from": "5511900000001", "createdAt": "2026-08-01T16:00:00.000+0000", "content": content}),
                alone,
            )
        }
        // It has a second one, for the consent that its own sign-up pages ask for.
        Dialect::Gupshup2 => {
            let user = dialect.event("user-event", json!({"phone": PHONE, "type": event}));
            assert_eq!(super::became(dialect.provider(), &user), alone);
            let payload: Value = json!({"type": "user_preferences", "payload": item("userid")});
            (dialect.event("preference-event", payload), both)
        }
        Dialect::Gupshup3 | Dialect::Meta => (dialect.event("user_preferences", item("user_id")), both),
    })
}
