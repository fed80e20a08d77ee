//! What was said, and what only looks as if it was.

use serde_json::json;

use super::{Cell, Dialect, PHONE};

pub fn edit(dialect: Dialect) -> Cell {
    const LEFT: &str = "left: edit";
    let none = json!({});
    Some(match dialect {
        Dialect::Webjs => {
            (dialect.event("message.edited", json!({"id": "A", "editedMessageId": "B", "body": "new"})), LEFT)
        }
        Dialect::Noweb => {
            let held = json!({"secretEncryptedMessage": {"secretEncType": "MESSAGE_EDIT"}, "messageContextInfo": {}});
            (dialect.message(held, none), LEFT)
        }
        // It shows the new text as if it were a message.
        Dialect::Gows => {
            let mut body = dialect.text("new");
            body["payload"]["_data"]["Info"]["Edit"] = json!("1");
            (body, LEFT)
        }
        Dialect::Infobip | Dialect::InfobipMessages => return None,
        Dialect::Gupshup2 => (dialect.message(json!({"type": "edit", "payload": {}}), none), LEFT),
        Dialect::Gupshup3 | Dialect::Meta => {
            let edit =
                json!({"original_message_id": "B", "message": {"type": "text", "text": {"body": "new"}}});
            (dialect.message(json!({"type": "edit", "edit": edit}), none), LEFT)
        }
    })
}

pub fn order(dialect: Dialect) -> Cell {
    const ARTICLES: &str = "order 3xP=30.5BRL \"today?\" of 5521977770040";
    const CART: &str = "order 1x77=45.9BRL \"today?\" of 5521977770040";
    let cart =
        json!({"orderId": "77", "message": "today?", "totalAmount1000": 45_900, "totalCurrencyCode": "BRL"});
    let snake = json!({"catalog_id": "c", "text": "today?", "product_items": [
        {"product_retailer_id": "P", "quantity": 3, "item_price": 30.5, "currency": "BRL"}]});
    let camel = json!({"type": "ORDER", "catalogId": "c", "text": "today?", "productItems": [
        {"productRetailerId": "P", "quantity": 3, "itemPrice": 30.5, "currency": "BRL"}]});
    let none = json!({});
    Some(match dialect {
        // Its text is a picture.
        Dialect::Webjs => {
            let mut held = cart;
            held["type"] = json!("order");
            held["body"] = json!("/9j/4AAQSkZJRgABAQAAAQABAAD");
            (dialect.message(held, none), CART)
        }
        Dialect::Noweb | Dialect::Gows => (dialect.message(json!({"orderMessage": cart}), none), CART),
        Dialect::Infobip | Dialect::InfobipMessages => (dialect.message(camel, none), ARTICLES),
        // What it is is said outside alone.
        Dialect::Gupshup2 => {
            let payload = json!({"id": "A", "source": PHONE, "type": "text", "payload": snake});
            (dialect.event("order", payload), ARTICLES)
        }
        Dialect::Gupshup3 | Dialect::Meta => {
            (dialect.message(json!({"type": "order", "order": snake}), none), ARTICLES)
        }
    })
}

pub fn button(dialect: Dialect) -> Cell {
    let held = match dialect {
        Dialect::Webjs => json!({"type": "buttons_response", "selectedButtonId": "buy", "body": "Buy"}),
        Dialect::Noweb => {
            json!({"buttonsResponseMessage": {"selectedButtonId": "buy", "selectedDisplayText": "Buy"}})
        }
        Dialect::Gows => {
            json!({"buttonsResponseMessage": {"selectedButtonID": "buy", "Response": {"SelectedDisplayText": "Buy"}}})
        }
        Dialect::Infobip => json!({"type": "INTERACTIVE_BUTTON_REPLY", "id": "buy", "title": "Buy"}),
        Dialect::InfobipMessages => json!({"type": "BUTTON_REPLY", "postbackData": "buy", "text": "Buy"}),
        Dialect::Gupshup2 => {
            json!({"type": "button_reply", "payload": {"title": "Buy", "id": "m", "reply": "Buy 1", "postbackText": "buy"}})
        }
        Dialect::Gupshup3 | Dialect::Meta => {
            json!({"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "buy", "title": "Buy"}}})
        }
    };
    Some((dialect.message(held, json!({})), "choice buy Buy of 5521977770040"))
}

pub fn row(dialect: Dialect) -> Cell {
    let held = match dialect {
        Dialect::Webjs => {
            json!({"type": "list_response", "listResponse": {"title": "Buy", "singleSelectReply": {"selectedRowId": "buy"}}})
        }
        Dialect::Noweb => {
            json!({"listResponseMessage": {"title": "Buy", "singleSelectReply": {"selectedRowId": "buy"}}})
        }
        Dialect::Gows => {
            json!({"listResponseMessage": {"title": "Buy", "singleSelectReply": {"selectedRowID": "buy"}}})
        }
        Dialect::Infobip => json!({"type": "INTERACTIVE_LIST_REPLY", "id": "buy", "title": "Buy"}),
        Dialect::InfobipMessages => json!({"type": "LIST_REPLY", "id": "buy", "title": "Buy"}),
        Dialect::Gupshup2 => {
            json!({"type": "list_reply", "payload": {"title": "Buy", "id": "m", "reply": "Buy 1", "postbackText": "buy"}})
        }
        Dialect::Gupshup3 | Dialect::Meta => {
            json!({"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"id": "buy", "title": "Buy"}}})
        }
    };
    Some((dialect.message(held, json!({})), "choice buy Buy of 5521977770040"))
}

pub fn form(dialect: Dialect) -> Cell {
    const FLOW: &str =
        r#"flow reply {"name":"flow","body":"Sent","response":{"slot":"10"}} of 5521977770040"#;
    const NAMELESS: &str =
        r#"flow reply {"name":null,"body":"Sent","response":{"slot":"10"}} of 5521977770040"#;
    let (answers, none) = (json!({"slot": "10"}), json!({}));
    let waha = |name: &str, inner: &str| {
        let flow = json!({"name": "flow", "paramsJson": answers.to_string()});
        json!({"interactiveResponseMessage": {"body": {"text": "Sent"}, name: if inner.is_empty() { flow.clone() } else { json!({inner: flow}) }}})
    };
    Some(match dialect {
        // WhatsApp Web shows no forms.
        Dialect::Webjs => return None,
        Dialect::Noweb => (dialect.message(waha("nativeFlowResponseMessage", ""), none), FLOW),
        Dialect::Gows => {
            let held = waha("InteractiveResponseMessage", "NativeFlowResponseMessage");
            (dialect.message(held, none), FLOW)
        }
        Dialect::Infobip => {
            let held = json!({"type": "INTERACTIVE_FLOW_REPLY", "text": "Sent", "response": answers});
            (dialect.message(held, none), NAMELESS)
        }
        Dialect::InfobipMessages => {
            let held = json!({"type": "FLOW_RESPONSE", "text": "Sent", "response": answers});
            (dialect.message(held, none), NAMELESS)
        }
        Dialect::Gupshup2 => {
            let held = json!({"type": "nfm_reply", "payload": {"name": "flow", "body": "Sent", "response_json": answers}});
            (dialect.message(held, none), FLOW)
        }
        Dialect::Gupshup3 | Dialect::Meta => {
            let reply = json!({"name": "flow", "body": "Sent", "response_json": answers});
            let held =
                json!({"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": reply}});
            (dialect.message(held, none), FLOW)
        }
    })
}

pub fn payment(dialect: Dialect) -> Cell {
    const LEFT: &str = "left: payment report";
    let none = json!({});
    Some(match dialect {
        Dialect::Webjs => (dialect.message(json!({"type": "payment", "body": "10"}), none), LEFT),
        Dialect::Noweb | Dialect::Gows => {
            (dialect.message(json!({"sendPaymentMessage": {"noteMessage": {}}}), none), LEFT)
        }
        Dialect::Infobip => {
            let held =
                json!({"type": "INTERACTIVE_PAYMENT_CONFIRMATION", "referenceId": "1", "status": "SUCCESS"});
            (dialect.message(held, none), LEFT)
        }
        Dialect::InfobipMessages => (dialect.message(json!({"type": "PAYMENT_CONFIRMATION"}), none), LEFT),
        Dialect::Gupshup2 => (
            dialect.event("message-event", json!({"type": "payment", "id": "A", "destination": PHONE})),
            LEFT,
        ),
        Dialect::Gupshup3 | Dialect::Meta => {
            let status = json!({"id": "A", "type": "payment", "status": "captured", "recipient_id": PHONE});
            (dialect.event("messages", json!({"statuses": [status]})), LEFT)
        }
    })
}

pub fn call(dialect: Dialect) -> Cell {
    let none = json!({});
    let body = match dialect {
        Dialect::Webjs => dialect.message(json!({"type": "call_log"}), none),
        Dialect::Noweb => {
            dialect.message(json!({"call": {"callKey": "c2V"}, "messageContextInfo": {}}), none)
        }
        Dialect::Gows => dialect.message(json!({"callLogMesssage": {"callOutcome": 1}}), none),
        Dialect::Infobip => dialect.message(json!({"type": "INTERACTIVE_CALL_PERMISSION_REPLY"}), none),
        Dialect::InfobipMessages | Dialect::Gupshup2 => return None,
        Dialect::Gupshup3 | Dialect::Meta => {
            dialect.event("calls", json!({"calls": [{"id": "A", "from": PHONE}]}))
        }
    };
    Some((body, "left: call"))
}

pub fn not_yet(dialect: Dialect) -> Cell {
    let body = match dialect {
        Dialect::Webjs => dialect.message(json!({"type": "ciphertext"}), json!({})),
        Dialect::Noweb => {
            let raw = json!({"messageStubType": 2, "messageStubParameters": ["Message absent from node"]});
            dialect.message(json!(null), json!({"_data": raw}))
        }
        Dialect::Gows => dialect.event("message.waiting", json!({"id": "A"})),
        // These hold a message back until they can read it.
        Dialect::Infobip
        | Dialect::InfobipMessages
        | Dialect::Gupshup2
        | Dialect::Gupshup3
        | Dialect::Meta => {
            return None;
        }
    };
    Some((body, "left: message not readable yet"))
}

/// Of the many things that engines show as messages.
pub fn nothing(dialect: Dialect) -> Cell {
    let none = json!({});
    Some(match dialect {
        Dialect::Webjs => (dialect.message(json!({"type": "album", "body": ""}), none), "left: album header"),
        Dialect::Noweb => {
            let mention = json!({"statusMentionMessage": {"message": {"protocolMessage": {"type": "STATUS_MENTION_MESSAGE"}}}});
            (dialect.message(mention, none), "left: story")
        }
        Dialect::Gows => (
            dialect.message(json!({"messageContextInfo": {"messageSecret": "AAEC"}}), none),
            "left: nothing was said",
        ),
        Dialect::Infobip => {
            (dialect.message(json!({"type": "REACTION", "emoji": "👍"}), none), "left: reaction")
        }
        Dialect::InfobipMessages => (dialect.message(json!({"type": "REACTION"}), none), "left: reaction"),
        Dialect::Gupshup2 => {
            (dialect.message(json!({"type": "reaction", "payload": {}}), none), "left: reaction")
        }
        Dialect::Gupshup3 | Dialect::Meta => (
            dialect.message(json!({"type": "unsupported", "unsupported": {"type": "edit"}}), none),
            "left: edit",
        ),
    })
}
