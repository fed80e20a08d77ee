//! Contact cards on their whole way: a contact sends one, the brain is told of it and sends it back, and
//! the history shows both.

use std::time::Duration;

use serde_json::{Value, json};
use switchboard_tests::gateway::Setup;
use switchboard_tests::hook::Hook;
use switchboard_tests::waha::FakeWaha;
use switchboard_tests::waha::webhook::Webhook;

const PHONE: &str = "971501234567";
const SOON: Duration = Duration::from_secs(20);
const CARD: &str = "BEGIN:VCARD\nVERSION:3.0\nN:;Jane Doe;;;\nFN:Jane Doe\nORG:Homes\\, Ltd.;\n\
    TEL;type=CELL;type=VOICE;waid=911111111111:+91 11111 11111\nEMAIL:jane@example.com\nEND:VCARD";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_comes_in_and_goes_out() {
    let waha = FakeWaha::start().await;
    let gateway = Setup::new()
        .package("hostile")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'hostile'")
        .sender(&format!(
            "name = 'main'\nprovider = 'waha'\naccount = 'default'\nbase_url = '{}'\napi_key = '{}'\n\
             auth = 'none'\ntenant = 1",
            waha.url(),
            waha.api_key(),
        ))
        .start()
        .await;
    let mut webhook = Webhook::text(&format!("{PHONE}@c.us"), "");
    webhook.envelope["payload"]["body"] = Value::Null;
    webhook.envelope["payload"]["vCards"] = json!([CARD]);
    webhook.envelope["payload"]["_data"] = Value::Null;
    Hook::to(&gateway).say(&webhook).await;
    let sent = waha.wait_for(1, SOON).await.remove(0);
    assert_eq!(sent.path, "/api/sendContactVcard");
    assert_eq!(sent.body["contacts"], json!([{ "vcard": CARD }]));
    let told = gateway.get(&format!("/api/tenants/1/conversations/{PHONE}/messages")).await.ok();
    let card = json!({ "type": "contacts", "contacts": [{ "name": "Jane Doe", "phones": ["+91 11111 11111"],
        "emails": ["jane@example.com"], "organization": "Homes, Ltd." }] });
    assert_eq!(told["messages"][0]["line"]["heard"]["content"], card, "{told}");
    assert_eq!(told["messages"][1]["line"]["said"]["content"], card, "{told}");
    assert_eq!(waha.refused(), []);
}
