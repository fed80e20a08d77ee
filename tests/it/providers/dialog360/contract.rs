//! The fake 360dialog is as strict as 360dialog, and the adapter keeps to it.

use switchboard::channel::media::Fetch;
use switchboard::channel::{Adapter, Outcome, Outgoing, Request, Signal, adapter};
use switchboard::message::{Buttons, Choice, Fate, Outbound, OutboundContent, Provider};
use switchboard::tenant::{Secret, Sender};
use switchboard_tests::client::client;

use super::*;

fn of_360dialog() -> &'static dyn Adapter {
    adapter(Provider::Dialog360)
}

fn sender(url: &str) -> Sender {
    serde_json::from_value(json!({
        "name": "main", "provider": "360dialog", "account": NUMBER, "base_url": url, "api_key": KEY,
        "webhook_key": HOOK_KEY,
    }))
    .expect("a sender")
}

async fn make(request: Request) -> (u16, reqwest::header::HeaderMap, Vec<u8>) {
    let mut call = client().request(request.method, request.url).body(request.body);
    for (name, value) in request.headers {
        call = call.header(name, value);
    }
    let response = call.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.bytes().await.expect("a body").to_vec())
}

async fn send(sender: &Sender, content: OutboundContent) -> Outcome {
    let outbound = Outbound { content, reply_to: Some("wamid.QUOTED".into()) };
    let (to, reference) = ("+971 50 123 4567", "r-0123456789abcdef");
    let outgoing = Outgoing {
        sender,
        to,
        outbound: &outbound,
        reference,
        template: None,
        template_id: None,
        media: None,
    };
    let (status, headers, body) =
        make(of_360dialog().encode(&outgoing).expect("sound").expect("a call")).await;
    of_360dialog().outcome(status, &headers, &body, to)
}

#[tokio::test]
async fn takes_what_the_adapter_sends() {
    let peer = dialog360::start().await;
    let sender = sender(peer.url());
    let choice = |n: usize| Choice { id: format!("id {n}"), title: format!("Title {n}") };
    let buttons = |n| Buttons { body: "Which?".into(), footer: None, buttons: (0..n).map(choice).collect() };
    for content in [
        OutboundContent::Text { text: "hello https://example.com".into() },
        OutboundContent::Buttons(buttons(3)),
        OutboundContent::Buttons(buttons(4)),
    ] {
        let outcome = send(&sender, content).await;
        assert!(
            matches!(outcome, Outcome::Sent { provider_id: Some(_), .. }),
            "{outcome:?} {:?}",
            peer.refused()
        );
    }
    for signal in [Signal::Read, Signal::Typing] {
        let request = of_360dialog().signal(&sender, SARA, "wamid.A", signal).expect("a call");
        let (status, headers, body) = make(request).await;
        assert_eq!(of_360dialog().outcome(status, &headers, &body, SARA), Outcome::sent(None));
    }
    assert_eq!(peer.with(|peer| peer.meta.reads()), [("wamid.A".into(), false), ("wamid.A".into(), true)]);
    assert_eq!(peer.refused(), []);
    let sent = peer.sent();
    assert!(sent.iter().all(|sent| sent.reference() == Some("r-0123456789abcdef")), "{sent:?}");
}

#[tokio::test]
async fn refuses_what_360dialog_refuses() {
    let peer = dialog360::start().await;
    let keyed = sender(peer.url());
    let hello = || OutboundContent::Text { text: "hello".into() };
    let wrong = Sender { api_key: Secret::new("another"), ..keyed.clone() };
    let outcome = send(&wrong, hello()).await;
    assert!(matches!(outcome, Outcome::Failed { fate: Fate::KeyRefused, .. }), "{outcome:?}");
    // Meta's own addresses are not its.
    let meta = Sender { base_url: Some(format!("{}/v23.0/{NUMBER}", peer.url())), ..keyed.clone() };
    let outcome = send(&meta, hello()).await;
    assert!(matches!(outcome, Outcome::Failed { fate: Fate::Permanent, .. }), "{outcome:?}");
    let bearer = client().post(format!("{}/messages", peer.url())).bearer_auth(TOKEN).body("{}");
    assert_eq!(bearer.send().await.expect("an answer").status(), 401);
    assert_eq!((peer.sent().len(), peer.refused().len()), (0, 3));
}

/// The key goes to 360dialog alone.
#[tokio::test]
async fn files_are_asked_for_where_they_may_be() {
    let peer = dialog360::start().await;
    let sender = sender(peer.url());
    let files = of_360dialog().media().expect("it has files");
    let id = peer.with(|peer| peer.meta.received("image/jpeg", b"bytes"));
    let Fetch::Locate(request) = files.fetch(&sender, &id).expect("an id") else {
        panic!("an id is located")
    };
    let (status, _, body) = make(request).await;
    let request = files.located(&sender, status, &body).expect("where it is");
    assert!(
        request.url.starts_with(&format!("{}/whatsapp_business/attachments/?mid=", peer.url())),
        "{request:?}"
    );
    let (status, _, body) = make(request).await;
    assert_eq!((status, body.as_slice()), (200, b"bytes".as_slice()));
    let real = Sender { base_url: None, media_hosts: vec!["files.example.com".into()], ..sender };
    let keyed = |request: &Request| request.headers.iter().any(|(name, _)| name == "D360-API-KEY");
    for (address, expected) in [
        (
            "https://lookaside.fbsbx.com/a/?mid=1&ext=2",
            Some(("https://waba-v2.360dialog.io/a/?mid=1&ext=2", true)),
        ),
        ("https://waba-v2.360dialog.io/a", Some(("https://waba-v2.360dialog.io/a", true))),
        ("https://files.example.com/a", Some(("https://files.example.com/a", false))),
        ("https://lookaside.fbsbx.com.example.com/a", None),
        ("http://lookaside.fbsbx.com/a", None),
        ("https://lookaside.fbsbx.com:444/a", None),
        ("https://me@lookaside.fbsbx.com/a", None),
        ("https://graph.facebook.com/a", None),
        ("file:///etc/passwd", None),
    ] {
        let found = match files.fetch(&real, address) {
            Ok(Fetch::File(request)) => Some((request.url.clone(), keyed(&request))),
            Ok(other) => panic!("{address}: {other:?}"),
            Err(_) => None,
        };
        let expected = expected.map(|(url, keyed): (&str, bool)| (url.to_owned(), keyed));
        assert_eq!(found, expected, "{address}");
    }
}

/// Pages follow each other until all are seen.
#[tokio::test]
async fn every_page_of_the_list_is_read() {
    let templates = of_360dialog().templates().expect("it has templates");
    let page = |offset: usize, total: usize, shown: usize| {
        let shown: Vec<Value> = (0..shown)
            .map(|n| json!({ "id": n.to_string(), "name": "a", "language": "en", "status": "approved" }))
            .collect();
        let body = json!({ "count": shown.len(), "offset": offset, "total": total, "waba_templates": shown });
        templates
            .listed(200, &reqwest::header::HeaderMap::new(), body.to_string().as_bytes())
            .expect("a page")
    };
    for (offset, total, shown, next) in
        [(0, 3, 3, None), (0, 5, 3, Some("3")), (3, 5, 2, None), (3, 5, 0, None), (0, 0, 0, None)]
    {
        let page = page(offset, total, shown);
        assert_eq!((page.templates.len(), page.next.as_deref()), (shown, next), "{offset} of {total}");
    }
    let sender = sender("https://x.example.com");
    let request = templates.list(&sender, Some("500")).expect("a call");
    assert_eq!(request.url, "https://x.example.com/v1/configs/templates?limit=500&offset=500&sort=id");
    assert!(templates.list(&sender, Some("../1")).is_err());
    let bare = templates.listed(200, &reqwest::header::HeaderMap::new(), br#"{"data":[]}"#);
    assert!(
        matches!(bare, Err(Outcome::Failed { fate: Fate::Unknown, .. })),
        "another's list is none of its"
    );
}
