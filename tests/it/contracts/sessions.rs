//! The calls of WAHA's session API.

use serde_json::{Value, json};
use switchboard::channel::waha::session::{self, Order, Webhook};
use switchboard::message::ContactKey;
use switchboard::tenant::Sender;

use super::schema::Made;

/// As WAHA shows a session, with what is not set as null.
fn shown() -> Value {
    json!({
        "metadata": { "owner": "crm" }, "proxy": null, "debug": false, "client": null,
        "ignore": { "status": true, "groups": null }, "noweb": { "markOnline": true, "store": null },
        "webhooks": [{ "url": "https://elsewhere.example.com/hook", "events": ["message"], "hmac": null,
            "retries": null, "customHeaders": null }],
    })
}

pub fn all(sender: &Sender) -> Vec<Made> {
    let config = shown().as_object().cloned().expect("an object");
    let webhook = Webhook {
        gateway: "https://gateway.example.com",
        path: "/api/webhook/waha?tenant_id=2",
        hmac_key: "signing",
        shared_key: "shared",
    };
    let new = session::with_webhook(&serde_json::Map::new(), &webhook).expect("it is added");
    let config = session::with_webhook(&config, &webhook).expect("it is added");
    let apps = [json!({ "id": "app_1", "session": "default", "app": "calls", "config": { "dm": null } })];
    let lid = ContactKey::from_stored("245800000000182@lid");
    let mut made = vec![
        session::create(sender, &new),
        session::look(sender),
        session::look_with_apps(sender),
        session::replace(sender, &config, None),
        session::replace(sender, &config, Some(&apps)),
        session::qr_picture(sender),
        session::qr_text(sender),
        session::pairing_code(sender, "971501234567"),
        session::phone_of(sender, &lid),
        session::exists(sender, "971501234567"),
        session::chats(sender),
    ];
    let orders = [Order::Start, Order::Stop, Order::Restart, Order::LogOut];
    made.extend(orders.map(|order| session::order(sender, order)));
    made.into_iter().map(|request| Made::of(&request.expect("a request"))).collect()
}
