//! Who may knock: the signature, the key, both, and none on loopback only.

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
