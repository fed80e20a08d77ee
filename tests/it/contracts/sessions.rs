//! The calls of WAHA's session API.

use serde_json::{Value, json};
use switchboard::channel::waha::session::{self, Order};
use switchboard::channel::waha::settings::Wanted;
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
    let told =
        json!({ "name": "default", "status": "WORKING", "engine": { "engine": "NOWEB" }, "config": shown() });
    let session = session::read(200, told.to_string().as_bytes()).expect("a session");
    let wanted = Wanted::of(sender, "https://gateway.example.com");
    let new = wanted.anew();
    let config = wanted.put_right(&session).expect("it lacks our webhook");
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
