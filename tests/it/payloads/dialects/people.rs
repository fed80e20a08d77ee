//! Who somebody is: by an id that only this business sees, by two ids at once, ourselves, and under a new id.

use serde_json::json;

use super::{Cell, Dialect, HIDDEN, PHONE, SCOPED, US};

/// The longest that there are.
fn longest(prefix: &str) -> String {
    format!("{prefix}{}", "7".repeat(128))
}

pub fn scoped_id(dialect: Dialect) -> Cell {
    const OF_BR: &str = "text hi of BR.1000000000000040";
    for id in [longest("BR."), longest("BR.ENT.")] {
        assert!(
            switchboard::identity::contact(&id).is_ok_and(|key| key.as_str() == id),
            "{} characters",
            id.len()
        );
    }
    let mut body = dialect.text("hi");
    match dialect {
        // The network's own hidden ids stand in their place.
        Dialect::Webjs | Dialect::Noweb | Dialect::Gows => return None,
        // It has no field for them.
        Dialect::InfobipMessages => return None,
        Dialect::Infobip => {
            body["results"][0]["from"] = json!(SCOPED);
            body["results"][0]["contact"] = json!({"userId": SCOPED});
        }
        Dialect::Gupshup2 => {
            body["payload"]["source"] = json!("");
            body["payload"]["sender"] = json!({"phone": "", "userId": SCOPED});
        }
        Dialect::Gupshup3 | Dialect::Meta => {
            let message = &mut body["entry"][0]["changes"][0]["value"]["messages"][0];
            message["from"] = json!(null);
            message["from_user_id"] = json!(SCOPED);
        }
    }
    Some((body, OF_BR))
}

pub fn alias(dialect: Dialect) -> Cell {
    const HIDDEN_TOO: &str = "text hi of 5521977770040=99900011122255@lid";
    const SCOPED_TOO: &str = "text hi of 5521977770040=BR.1000000000000040";
    let mut body = dialect.text("hi");
    Some(match dialect {
        // It tells of nobody by two names; WAHA is asked for the other.
        Dialect::Webjs => return None,
        Dialect::Noweb => {
            body["payload"]["_data"]["key"]["remoteJidAlt"] = json!(HIDDEN);
            (body, HIDDEN_TOO)
        }
        Dialect::Gows => {
            body["payload"]["_data"]["Info"]["SenderAlt"] = json!(HIDDEN);
            (body, HIDDEN_TOO)
        }
        Dialect::InfobipMessages => return None,
        Dialect::Infobip => {
            body["results"][0]["contact"] = json!({"phoneNumber": PHONE, "userId": SCOPED});
            (body, SCOPED_TOO)
        }
        Dialect::Gupshup2 => {
            body["payload"]["sender"] = json!({"phone": PHONE, "userId": SCOPED});
            (body, SCOPED_TOO)
        }
        Dialect::Gupshup3 | Dialect::Meta => {
            body["entry"][0]["changes"][0]["value"]["messages"][0]["from_user_id"] = json!(SCOPED);
            (body, SCOPED_TOO)
        }
    })
}

pub fn own(dialect: Dialect) -> Cell {
    const TO_THEM: &str = "own to 5521977770040";
    let mut body = dialect.text("hi");
    Some(match dialect {
        Dialect::Webjs => {
            body["payload"]["fromMe"] = json!(true);
            body["payload"]["from"] = json!(format!("{US}@c.us"));
            body["payload"]["to"] = json!(format!("{PHONE}@c.us"));
            (body, TO_THEM)
        }
        Dialect::Noweb => {
            body["payload"]["_data"]["key"]["fromMe"] = json!(true);
            (body, TO_THEM)
        }
        Dialect::Gows => {
            body["payload"]["_data"]["Info"]["IsFromMe"] = json!(true);
            (body, TO_THEM)
        }
        // Never passed on; if it were, it would be from our own number.
        Dialect::Infobip => {
            body["results"][0]["from"] = json!(US);
            (body, "left: own message")
        }
        Dialect::InfobipMessages => {
            body["results"][0]["sender"] = json!(US);
            (body, "left: own message")
        }
        Dialect::Gupshup2 => {
            body["phone"] = json!(US);
            body["payload"]["source"] = json!(US);
            body["payload"]["destination"] = json!(PHONE);
            (body, TO_THEM)
        }
        Dialect::Gupshup3 | Dialect::Meta => {
            let echo = json!({"from": US, "to": PHONE, "id": "A", "type": "text", "text": {"body": "hi"}});
            (dialect.event("smb_message_echoes", json!({"message_echoes": [echo]})), TO_THEM)
        }
    })
}

pub fn renamed(dialect: Dialect) -> Cell {
    match dialect {
        Dialect::Webjs | Dialect::Noweb | Dialect::Gows | Dialect::Infobip | Dialect::InfobipMessages => None,
        // The same line under another form of its number.
        Dialect::Gupshup2 => {
            let payload = json!({"type": "mismatch", "destination": "553587654321",
                "payload": {"phone": "553587654321", "wa_id": "5593587654321"}});
            Some((dialect.event("message-event", payload), "5535987654321 is 5593587654321"))
        }
        Dialect::Gupshup3 | Dialect::Meta => {
            let item = json!({"wa_id": PHONE, "user_id": {"previous": SCOPED, "current": "BR.2"}});
            let body = dialect.event("user_id_update", json!({"user_id_update": [item]}));
            Some((body, "BR.1000000000000040 is BR.2 + 5521977770040 is BR.2"))
        }
    }
}
