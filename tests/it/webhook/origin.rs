//! Who may knock: the signature, the key, both, and none from this machine only.

use super::*;

const HMAC: &str = "the signing key";
const KEY: &str = "the header key";

/// What a webhook carries to prove itself.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Proof {
    Missing,
    Wrong,
    Right,
}

async fn post(hook: &Hook, id: &str, signed: Proof, keyed: Proof) -> Answer {
    let message = text("971501234567", id, "start_realty_1");
    let message = match signed {
        Proof::Missing => message,
        Proof::Wrong => message.signed("another key"),
        Proof::Right => message.signed(HMAC),
    };
    let message = match keyed {
        Proof::Missing => message,
        Proof::Wrong => message.keyed("another key"),
        Proof::Right => message.keyed(KEY),
    };
    hook.post(&message).await
}

/// Every key that is set must match; keys that are not set prove nothing.
#[tokio::test]
async fn every_key_that_is_set_must_match() {
    use Proof::{Missing, Right, Wrong};
    let senders = [
        (format!("hmac_key = '{HMAC}'"), true, false),
        (format!("webhook_key = '{KEY}'"), false, true),
        (format!("hmac_key = '{HMAC}'\nwebhook_key = '{KEY}'"), true, true),
    ];
    for (keys, needs_signature, needs_key) in senders {
        let sender = open_sender().replace("auth = 'none'", &keys);
        let gateway = two_tenants().sender(&sender).start().await;
        let hook = Hook::to(&gateway);
        let mut taken = 0.0;
        for (number, signed) in [Missing, Wrong, Right].into_iter().enumerate() {
            for (place, keyed) in [Missing, Wrong, Right].into_iter().enumerate() {
                let answer = post(&hook, &format!("G{number}{place}"), signed, keyed).await;
                let good = (!needs_signature || signed == Right) && (!needs_key || keyed == Right);
                let expected = if good { 200 } else { 401 };
                assert_eq!(answer.status, expected, "{keys}: {signed:?} {keyed:?}: {}", answer.text);
                assert_eq!(answer.json()["status"] == "error", !good, "{}", answer.text);
                taken += f64::from(u8::from(good));
            }
        }
        assert_eq!(accepted(&gateway).await, taken, "{keys}");
    }
}

#[tokio::test]
async fn a_signature_of_another_body_proves_nothing() {
    let sender = open_sender().replace("auth = 'none'", &format!("hmac_key = '{HMAC}'"));
    let gateway = two_tenants().sender(&sender).start().await;
    let hook = Hook::to(&gateway);
    let mut message = text("971501234567", "H1", "hello").signed(HMAC);
    message.envelope["payload"]["body"] = json!("start_realty_1");
    let answer = hook.post(&message).await;
    assert_eq!(answer.status, 401, "{}", answer.text);
    // An unknown session proves itself by nobody's key either.
    let stranger = text("971501234567", "H2", "start_realty_1").on_session("other");
    assert_eq!(hook.post(&stranger).await.status, 401);
    assert_eq!(accepted(&gateway).await, 0.0);
}

#[tokio::test]
async fn a_refusal_says_nothing_of_the_keys() {
    let sender =
        open_sender().replace("auth = 'none'", &format!("hmac_key = '{HMAC}'\nwebhook_key = '{KEY}'"));
    let gateway = two_tenants().sender(&sender).start().await;
    let hook = Hook::to(&gateway);
    let half = post(&hook, "I1", Proof::Right, Proof::Wrong).await;
    let other_half = post(&hook, "I1", Proof::Wrong, Proof::Right).await;
    assert_eq!((half.status, half.text), (other_half.status, other_half.text));
    let log = gateway.log();
    for secret in [HMAC, KEY, "start_realty_1", "971501234567"] {
        assert!(!log.contains(secret), "the log holds {secret:?}:\n{log}");
    }
}

/// An open door to the world is a mistake that is refused before anything listens.
#[tokio::test]
async fn an_unproven_sender_is_refused_beyond_loopback() {
    let listen = "0.0.0.0:28765".parse().expect("an address");
    let mut gateway = two_tenants().sender(&open_sender()).listen(listen).write();
    let error = gateway.try_start().await.expect_err("it must not start").to_string();
    assert!(error.contains("auth") && error.contains("loopback"), "{error}");
    let checked = gateway.cli(&["check"]).await;
    assert!(!checked.status.success(), "{checked:?}");
    assert!(checked.stderr.contains("senders.toml:"), "the place is named: {checked:?}");
}

/// A sender that requires proof and has nothing to check it with lets nobody in.
#[tokio::test]
async fn a_sender_without_any_key_is_refused() {
    let sender = open_sender().replace("auth = 'none'", "");
    let mut gateway = two_tenants().sender(&sender).write();
    let error = gateway.try_start().await.expect_err("it must not start").to_string();
    assert!(error.contains("hmac_key") && error.contains("senders.toml:"), "{error}");
}

/// With a public address it is not this machine alone that reaches the gateway.
#[tokio::test]
async fn an_unproven_sender_is_refused_behind_a_public_address() {
    let public = "[http]\npublic_url = 'https://gateway.example.com'";
    let mut gateway = two_tenants().sender(&open_sender()).config(public).write();
    let error = gateway.try_start().await.expect_err("it must not start").to_string();
    assert!(error.contains("auth") && error.contains("http.public_url"), "{error}");
}

/// A proxy that nobody wrote down, another name that leads here, a page in a browser, a form: none of
/// them is a program on this machine.
#[tokio::test]
async fn an_unproven_webhook_must_come_from_this_machine() {
    let gateway = gateway().await;
    let post = async |id: &str, headers: &[(&str, &str)]| {
        let message = text("971501234567", id, "start_realty_1");
        let mut all = reqwest::header::HeaderMap::new();
        for (name, value) in message.headers() {
            all.insert(reqwest::header::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        for (name, value) in headers {
            let name = reqwest::header::HeaderName::try_from(*name).unwrap();
            if value.is_empty() {
                all.remove(name)
            } else {
                all.insert(name, value.parse().unwrap())
            };
        }
        let request = gateway.client().post(gateway.url("/api/gateway/waha")).body(message.body());
        Answer::of(request.headers(all)).await.expect("an answer")
    };
    for (number, (header, status)) in [
        (("X-Forwarded-For", "192.0.2.7"), 401),
        (("X-Forwarded-Proto", "https"), 401),
        (("Forwarded", "for=192.0.2.7"), 401),
        (("X-Real-IP", "192.0.2.7"), 401),
        (("Via", "1.1 caddy"), 401),
        (("Host", "gateway.example.com"), 401),
        (("Host", "127.0.0.1.nip.io"), 401),
        (("Content-Type", "text/plain"), 401),
        (("Content-Type", "application/x-www-form-urlencoded"), 401),
        (("Content-Type", ""), 401),
        (("Origin", "https://evil.example"), 403),
        (("Origin", "null"), 403),
        (("Sec-Fetch-Site", "cross-site"), 403),
        (("Sec-Fetch-Site", "same-site"), 403),
        (("Sec-Fetch-Site", "same-origin"), 401),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = post(&format!("L{number}"), &[header]).await;
        assert_eq!(answer.status, status, "{header:?}: {}", answer.text);
    }
    assert_eq!(accepted(&gateway).await, 0.0);
    assert!(gateway.log().contains("programs on this machine"), "the log says why");
    assert_eq!(post("L99", &[]).await.status, 200);
    assert_eq!(post("L98", &[("Host", "localhost:8000")]).await.status, 200);
    // Whatever proves itself may come by any road but a browser's.
    let key = format!("hmac_key = '{HMAC}'");
    let gateway = two_tenants().sender(&open_sender().replace("auth = 'none'", &key)).start().await;
    let signed = text("971501234567", "M1", "start_realty_1").signed(HMAC);
    let send = async |header: (&str, &str)| {
        let request = gateway.client().post(gateway.url("/api/gateway/waha")).body(signed.body());
        let headers = signed.headers().into_iter();
        let request = headers.fold(request, |request, (name, value)| request.header(name, value));
        Answer::of(request.header(header.0, header.1)).await.expect("an answer").status
    };
    assert_eq!(send(("Origin", "https://evil.example")).await, 403);
    assert_eq!(send(("X-Forwarded-For", "192.0.2.7")).await, 200);
}

/// What counts the gateway's affairs is open to this machine alone as well.
#[tokio::test]
async fn metrics_are_not_shown_through_a_proxy() {
    let gateway = gateway().await;
    let get = async |header: (&str, &str)| {
        let request = gateway.client().get(gateway.url("/metrics")).header(header.0, header.1);
        Answer::of(request).await.expect("an answer").status
    };
    assert_eq!(get(("Accept", "text/plain")).await, 200);
    assert_eq!(get(("X-Forwarded-For", "192.0.2.7")).await, 401);
    assert_eq!(get(("Host", "gateway.example.com")).await, 401);
    let token = format!("Bearer {}", gateway.token());
    let request = gateway.client().get(gateway.url("/metrics")).header("X-Forwarded-For", "192.0.2.7");
    assert_eq!(Answer::of(request.header("Authorization", token)).await.expect("an answer").status, 200);
}
