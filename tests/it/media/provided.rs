//! Files through providers that do not take the bytes: Meta is handed them and gives them an id,
//! Gupshup is given an address of ours.

use switchboard_tests::gateway::free_address;
use switchboard_tests::meta::webhook::Webhook as FromMeta;
use switchboard_tests::meta::{self, FakeMeta, NUMBER, SECRET, TOKEN, VERSION};

use super::*;

const PATH_KEY: &str = "fM3kQ9wZ7tR2xV8bN4cL6pD1sH5jG0aE";

fn one_tenant(sender: &str) -> Setup {
    Setup::new()
        .package("hostile")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'hostile'")
        .sender(sender)
        .config("[media]\nbackoff_ms = 20\nbackoff_max_ms = 60\nwait_ms = 20_000\n[limits]\nwall_time_ms = 40_000\n")
}

async fn with_meta(meta: &FakeMeta) -> Gateway {
    let sender = format!(
        "name = 'main'\nprovider = 'meta'\naccount = '{NUMBER}'\nbase_url = '{}'\napi_key = '{TOKEN}'\n\
         hmac_key = '{SECRET}'\napi_version = '{VERSION}'\ntenant = 1\nread_receipts = false\ntyping = false\n\
         business_account = '{}'",
        meta.url(),
        meta::BUSINESS,
    );
    one_tenant(&sender).start().await
}

/// What the brain answers to this.
async fn from_meta(meta: &FakeMeta, gateway: &Gateway, part: Value) -> meta::Sent {
    let before = meta.sent().len();
    let webhook = FromMeta::message(NUMBER, PHONE, part);
    let answer = webhook.post(gateway.client(), &gateway.url("/api/gateway/meta"), SECRET).await;
    assert_eq!(answer.expect("an answer").status(), 200);
    meta.wait_for(before + 1, SOON).await.remove(before)
}

fn words(text: &str) -> Value {
    json!({ "type": "text", "text": { "body": text } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn meta_locates_files_and_takes_them_once() {
    let meta = meta::start().await;
    let gateway = with_meta(&meta).await;
    let received = meta.with(|meta| meta.received("text/plain", WORDS.as_bytes()));
    let document = json!({
        "type": "document",
        "document": { "id": received, "mime_type": "text/plain", "filename": "villa.txt", "caption": "read" },
    });
    assert_eq!(from_meta(&meta, &gateway, document).await.text(), Some(WORDS));
    let stored = in_state(&gateway, "stored").await;
    let handle = stored["handle"].as_str().expect("a handle");
    let mut ids = Vec::new();
    for _ in 0..2 {
        let sent = from_meta(&meta, &gateway, words(&format!("forward {handle}"))).await;
        ids.push(sent.body["image"]["id"].as_str().expect("by its id").to_owned());
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], received);
    let uploads = meta.calls().iter().filter(|call| call.path.ends_with("/media")).count();
    assert_eq!(uploads, 1, "one upload serves both");
    let (mime_type, bytes) = meta.with(|meta| meta.file(&ids[0])).expect("Meta has it");
    assert_eq!((mime_type.as_str(), bytes.as_slice()), ("text/plain", WORDS.as_bytes()));
    assert_eq!(meta.refused(), [], "the gateway keeps to the contract");
}

/// A received picture at the head of a template goes to Meta first, and stands there by its id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_has_a_received_file_at_its_head() {
    let meta = meta::start().await;
    let gateway = with_meta(&meta).await;
    let template = json!({
        "name": "villa", "language": "en", "category": "marketing", "header": { "type": "image" },
        "body": "This came onto the market today.",
        "parameters": [{ "name": "header", "kind": "media", "example": "https://example.com/villa.jpg" }],
    });
    for (path, body) in [("", &template), ("/villa/en/submit", &json!({})), ("/sync", &json!({}))] {
        let url = gateway.url(&format!("/api/tenants/1/templates{path}"));
        let request = gateway.client().post(url).bearer_auth(gateway.token()).json(body);
        Answer::of(request).await.expect("an answer").ok();
        meta.with(|meta| meta.judge("villa", "APPROVED"));
    }
    let received = meta.with(|meta| meta.received("image/jpeg", WORDS.as_bytes()));
    let image = json!({ "type": "image", "image": { "id": received, "mime_type": "image/jpeg", "caption": "template" } });
    let uploads = || meta.calls().iter().filter(|call| call.path.ends_with("/media")).count();
    let sent = from_meta(&meta, &gateway, image).await;
    let head = &sent.body["template"]["components"][0];
    assert_eq!((&sent.body["template"]["name"], &head["type"]), (&json!("villa"), &json!("header")));
    let id = head["parameters"][0]["image"]["id"].as_str().expect("by its id");
    let (mime_type, bytes) = meta.with(|meta| meta.file(id)).expect("Meta has it");
    assert_eq!((mime_type.as_str(), bytes.as_slice()), ("image/jpeg", WORDS.as_bytes()));
    assert_ne!(id, received);
    assert_eq!(meta.refused(), [], "the gateway keeps to the contract");

    // Refused with it, it goes to Meta anew the next time.
    let stored = in_state(&gateway, "stored").await;
    let handle = stored["handle"].as_str().expect("a handle");
    meta.fail_next(Fault::Say { status: 400, body: meta::error(131_009, "Parameter value is not valid") });
    let hook = gateway.url("/api/gateway/meta");
    let refused = FromMeta::message(NUMBER, PHONE, words(&format!("forward {handle}")));
    refused.post(gateway.client(), &hook, SECRET).await.expect("an answer");
    let sends = || meta.calls().iter().filter(|call| call.path.ends_with("/messages")).count();
    until("it was refused", SOON, async || (sends() == 2).then_some(())).await;
    assert_eq!(uploads(), 1);
    let sent = from_meta(&meta, &gateway, words(&format!("forward {handle}"))).await;
    assert_ne!(sent.body["image"]["id"], id);
    assert_eq!(uploads(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brain_is_told_which_advertisement_led_to_a_message() {
    let meta = meta::start().await;
    let gateway = with_meta(&meta).await;
    let mut led = words("referral");
    led["referral"] = json!({
        "source_url": "https://fb.me/1", "source_type": "ad", "source_id": "120", "headline": "Villas",
        "body": "By the sea", "ctwa_clid": "click-1",
    });
    assert_eq!(from_meta(&meta, &gateway, led).await.text(), Some("click-1"));
    assert_eq!(from_meta(&meta, &gateway, words("referral")).await.text(), Some("none"));
}

/// As much of Gupshup as a file needs.
struct Gupshup;

impl Contract for Gupshup {
    /// The message, out of the form.
    type Sent = Value;

    fn call(&mut self, call: &Call) -> Result<(Option<Value>, Reply), Reply> {
        match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/fm/villa.txt") => Ok((None, Reply::bytes(200, "text/plain", WORDS.into()))),
            ("POST", "/wa/api/v1/msg") if call.header("apikey") == Some(KEY) => {
                let form: BTreeMap<_, _> = url::form_urlencoded::parse(&call.body).into_owned().collect();
                let message = serde_json::from_str(&form["message"]).expect("a message of JSON");
                let id = format!("{:032x}", rand::random::<u128>());
                Ok((Some(message), Reply::json(202, &json!({ "status": "submitted", "messageId": id }))))
            }
            _ => Err(self.failure(404, call)),
        }
    }

    fn failure(&self, status: u16, _call: &Call) -> Reply {
        Reply::json(status, &json!({ "status": "error", "message": "no" }))
    }
}

async fn from_gupshup(gateway: &Gateway, id: &str, kind: &str, payload: Value) {
    let body = json!({
        "app": "DemoApp", "timestamp": 1_580_227_766_370_i64, "version": 2, "type": "message",
        "payload": {
            "id": id, "source": PHONE, "type": kind, "payload": payload,
            "sender": { "phone": PHONE, "name": "Sara", "country_code": "971", "dial_code": "501234567" },
        },
    });
    let url = gateway.url(&format!("/api/gateway/gupshup/{PATH_KEY}"));
    let answer = Answer::of(gateway.client().post(url).json(&body)).await.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text);
}

fn gupshup(peer: &Peer<Gupshup>) -> Setup {
    one_tenant(&format!(
        "name = 'main'\nprovider = 'gupshup'\naccount = 'DemoApp'\nnumber = '971500000001'\nbase_url = '{}'\n\
         api_key = '{KEY}'\nwebhook_path = '{PATH_KEY}'\ntenant = 1\nread_receipts = false",
        peer.url()
    ))
}

fn document(peer: &Peer<Gupshup>, caption: &str) -> Value {
    json!({
        "url": format!("{}/fm/villa.txt", peer.url()), "contentType": "text/plain", "name": "villa.txt",
        "caption": caption, "urlExpiry": 4_102_444_800_000_i64,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gupshup_is_given_an_address_that_ends() {
    let peer = Peer::start(Gupshup).await;
    let listen = free_address();
    let public = format!("[http]\npublic_url = 'http://{listen}/'\n");
    let gateway = gupshup(&peer).listen(listen).config(&public).start().await;
    from_gupshup(&gateway, "G1", "file", document(&peer, "read")).await;
    assert_eq!(peer.wait_for(1, SOON).await[0]["text"], WORDS);
    from_gupshup(&gateway, "G2", "file", document(&peer, "forward")).await;
    let sent = peer.wait_for(2, SOON).await.remove(1);
    assert_eq!(sent["type"], "image");
    let address = sent["originalUrl"].as_str().expect("an address");
    let token = address.strip_prefix(&format!("http://{listen}/media/")).expect("ours").to_owned();
    let open = async |token: &str| {
        let request = gateway.client().get(gateway.url(&format!("/media/{token}")));
        Answer::of(request).await.expect("an answer")
    };
    let answer = open(&token).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, WORDS));
    assert_eq!(answer.headers["content-type"], "text/plain");
    assert_eq!(answer.headers["content-length"], WORDS.len().to_string().as_str());
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert!(answer.headers["content-disposition"].to_str().expect("text").starts_with("attachment"));
    let stored = in_state(&gateway, "stored").await;
    let handle = stored["handle"].as_str().expect("a handle");
    let changed = format!("{}{}", if token.starts_with('A') { 'B' } else { 'A' }, &token[1..]);
    for wrong in [changed.as_str(), handle, "", "AAAA", &token[..40], "..%2F..%2Fswitchboard.redb"] {
        assert_eq!(open(wrong).await.status, 404, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_public_address_the_setting_is_named() {
    let peer = Peer::start(Gupshup).await;
    let gateway = gupshup(&peer).start().await;
    from_gupshup(&gateway, "G3", "file", document(&peer, "forward")).await;
    let dead = until("the reply is given up", SOON, async || {
        let told = gateway.get("/api/outbox").await.ok();
        told["outbox"].as_array()?.iter().find(|entry| entry["state"] == "dead").cloned()
    })
    .await;
    let error = dead["last_error"].as_str().expect("a reason");
    assert!(error.contains("[http] public_url"), "{error}");
    assert_eq!(peer.sent(), Vec::<Value>::new());
}
