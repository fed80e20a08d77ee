//! `POST /api/webhook/waha`: the tenant by the address, by the session, by the contact; together they
//! must agree.

use serde_json::{Value, json};
use switchboard_tests::client::client;
use switchboard_tests::gateway::{Answer, Gateway, Setup};
use switchboard_tests::hook::{Hook, text};
use switchboard_tests::waha::webhook::Webhook;

const UNKNOWN: &str = r#"{"status":"error","message":"Tenant not found"}"#;
const DISPUTED: &str = r#"{"status":"error","message":"The address, the session and the contact do not name the same tenant","reason":"The address, the session and the contact do not name the same tenant","action":"check tenant_id in the webhook's address at WAHA"}"#;

fn received(tenant: u32) -> String {
    format!(r#"{{"status":"received","tenant_id":{tenant}}}"#)
}

fn setup() -> Setup {
    let sender = |name: &str, account: &str, more: &str| {
        format!(
            "name = '{name}'\nprovider = 'waha'\naccount = '{account}'\nbase_url = 'http://127.0.0.1:9'\n{more}"
        )
    };
    Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .tenant("id = 2\nname = 'Second'\norganization = 1\nbrain = 'echo'")
        .tenant("id = 3\nname = 'Asleep'\norganization = 1\nbrain = 'echo'\nactive = false")
        .sender(&sender("main", "default", "auth = 'none'"))
        .sender(&sender("second", "tenant_2", "auth = 'none'\ntenant = 2"))
        .sender(&sender("office", "036322", "auth = 'none'\ntenant = 1"))
        .sender(&sender("named", "tenant_1", "auth = 'none'"))
        .sender(&sender("sealed", "sealed", "hmac_key = 'k'\ntenant = 1"))
}

async fn post(gateway: &Gateway, query: &str, webhook: &Webhook) -> Answer {
    let url = gateway.url(&format!("/api/webhook/waha{query}"));
    let request = client().post(url).body(webhook.body());
    let headers = webhook.headers().into_iter();
    Answer::of(headers.fold(request, |request, (name, value)| request.header(name, value))).await.unwrap()
}

/// Contacts 971501000001 and 971501000002 are locked to the tenants 1 and 2, 971501000009 to none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_ways_to_the_tenant_must_agree() {
    let gateway = setup().start().await;
    let hook = Hook::to(&gateway);
    for tenant in [1, 2] {
        let link =
            text(&format!("97150100000{tenant}"), &format!("L{tenant}"), &format!("start_realty_{tenant}"));
        assert_eq!(hook.say(&link).await["tenant_id"], tenant);
    }
    let (received_1, received_2, received_3) = (received(1), received(2), received(3));
    for (number, (query, session, contact, expected)) in [
        // The address alone; and with a lock.
        ("?tenant_id=1", "default", 9, received_1.as_str()),
        ("?tenant_id=2", "default", 9, &received_2),
        ("?tenant_id=1", "default", 1, &received_1),
        ("?tenant_id=2", "default", 1, DISPUTED),
        ("?tenant_id=1", "default", 2, DISPUTED),
        // It is not active, and what is written to it waits.
        ("?tenant_id=3", "default", 9, &received_3),
        // The session alone, by its sender or its name; and with the address.
        ("", "tenant_2", 9, &received_2),
        ("", "036322", 9, &received_1),
        ("", "tenant_1", 9, &received_1),
        ("?tenant_id=2", "tenant_2", 9, &received_2),
        ("?tenant_id=1", "tenant_2", 9, DISPUTED),
        ("?tenant_id=2", "036322", 9, DISPUTED),
        ("?tenant_id=2", "tenant_1", 9, DISPUTED),
        // A shared number that is called after a tenant, and a contact of another.
        ("", "tenant_1", 1, &received_1),
        ("", "tenant_1", 2, DISPUTED),
        ("?tenant_id=1", "tenant_1", 2, DISPUTED),
        // A number of one's own decides, whomever the contact belongs to on the shared one.
        ("", "tenant_2", 1, &received_2),
        ("?tenant_id=2", "tenant_2", 1, &received_2),
        // The contact alone.
        ("", "default", 1, &received_1),
        ("", "default", 2, &received_2),
        ("", "default", 9, UNKNOWN),
        // Nobody is there.
        ("?tenant_id=7", "default", 9, UNKNOWN),
        ("?tenant_id=two", "default", 1, UNKNOWN),
        ("?tenant_id=1&tenant_id=2", "default", 9, UNKNOWN),
        ("", "nobodys", 1, UNKNOWN),
        ("", "tenant_7", 9, UNKNOWN),
    ]
    .into_iter()
    .enumerate()
    {
        let message =
            text(&format!("97150100000{contact}"), &format!("D{number}"), "hello").on_session(session);
        let answer = post(&gateway, query, &message).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, expected), "{query} {session} {contact}");
        // The same again gets the same.
        assert_eq!(post(&gateway, query, &message).await.text, expected, "{query} {session} {contact}");
    }
    let metrics =
        gateway.client().get(gateway.url("/metrics")).bearer_auth(gateway.token()).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for (outcome, times) in [("tenant_disputed", 14), ("tenant_unknown", 12)] {
        let line =
            format!(r#"switchboard_webhook_events_total{{provider="waha",outcome="{outcome}"}} {times}"#);
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
    gateway.wait_for_line("names more than one tenant").await;
}

/// What is refused is kept nowhere: it can be sent to the right address later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_leaves_no_trace() {
    let gateway = setup().start().await;
    let message = text("971501000009", "E1", "hello").on_session("tenant_2");
    assert_eq!(post(&gateway, "?tenant_id=1", &message).await.text, DISPUTED);
    let told = gateway.get("/api/tenants/2/conversations/971501000009").await;
    assert_eq!(told.status, 404);
    assert_eq!(post(&gateway, "?tenant_id=2", &message).await.text, received(2));
    let told = gateway.get("/api/tenants/2/conversations/971501000009").await;
    assert_eq!(told.status, 200, "{}", told.text);
    // The address routed this one message; it made no lock on the shared number.
    let named = text("971501000008", "E2", "hello");
    assert_eq!(post(&gateway, "?tenant_id=2", &named).await.text, received(2));
    assert_eq!(gateway.get("/api/gateway/user/971501000008/tenant").await.status, 404);
}

/// Links work as everywhere, and events that are no messages are taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_receipts_and_session_events() {
    let gateway = setup().start().await;
    let link = text("971501000003", "F1", "start_realty_2");
    assert_eq!(post(&gateway, "", &link).await.text, received(2));
    let chat = "971501000003@c.us";
    let ack = Webhook::ack(&format!("true_{chat}_X"), chat, 3);
    assert_eq!(post(&gateway, "", &ack).await.text, received(2));
    let group = Webhook::text("120363041234567890@g.us", "hello").on_session("tenant_2");
    assert_eq!(post(&gateway, "", &group).await.text, received(2));
    let working = Webhook::session("WORKING");
    assert_eq!(
        post(&gateway, "?tenant_id=2", &working.clone().on_session("tenant_2")).await.text,
        received(2)
    );
    assert_eq!(post(&gateway, "", &working).await.text, r#"{"status":"received","tenant_id":null}"#);
    let senders = gateway.get("/api/senders/main").await.ok();
    assert_eq!(senders["session"]["status"], "WORKING", "{senders}");
}

/// A stranger learns nothing, not even which tenants there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_webhook_proves_itself_first() {
    let gateway = setup().start().await;
    let message = |id: &str| text("971501000009", id, "hello").on_session("sealed");
    let unproven: Vec<Value> = {
        let mut answers = Vec::new();
        for query in ["", "?tenant_id=1", "?tenant_id=2", "?tenant_id=7"] {
            let answer = post(&gateway, query, &message("G1")).await;
            assert_eq!(answer.status, 401, "{query}: {}", answer.text);
            answers.push(answer.json());
        }
        answers
    };
    assert!(unproven.iter().all(|answer| *answer == unproven[0]), "{unproven:?}");
    assert_eq!(post(&gateway, "?tenant_id=1", &message("G2").signed("wrong")).await.status, 401);
    assert_eq!(post(&gateway, "?tenant_id=1", &message("G3").signed("k")).await.text, received(1));
    assert_eq!(post(&gateway, "?tenant_id=2", &message("G4").signed("k")).await.text, DISPUTED);
    let mut broken = message("G5");
    broken.envelope = json!({"session": "sealed"});
    assert_eq!(post(&gateway, "", &broken.signed("wrong")).await.status, 401);
    assert_eq!(post(&gateway, "", &broken.signed("k")).await.status, 200, "or it comes again fifteen times");
    assert_eq!(gateway.get("/api/webhook/unread").await.ok()["kept"], json!({"waha": 1}));
}
