//! Knocking without a key costs next to nothing: neither memory, nor time of others, nor the log.

use std::io;

use switchboard_tests::infobip::webhook::Webhook as Infobips;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

const LARGE: usize = 8 << 20;

/// A sender of every provider, each with a key that a stranger has not.
fn keyed() -> Setup {
    let sender = |provider: &str, account: &str, keys: &str| {
        format!(
            "name = '{provider}'\nprovider = '{provider}'\naccount = '{account}'\nbase_url = '{NOBODY}'\napi_key = 'k'\n{keys}"
        )
    };
    two_tenants()
        .sender(&sender("waha", "default", "hmac_key = 'secret'"))
        .sender(&sender("meta", "1122334455667", "hmac_key = 'secret'\nverify_token = 'token'"))
        .sender(&sender("infobip", "41793026731", "hmac_header = 'X-Sign'\nhmac_key = 'secret'"))
        .sender(&sender(
            "gupshup",
            "DemoApp",
            "number = '971500000000'\nwebhook_path = 'secret-end-of-an-address'",
        ))
}

/// Heads whose signature can only be found wrong by hashing the body.
const HEADS: [(&str, &str); 4] = [
    ("/api/gateway/waha", "x-webhook-hmac"),
    ("/api/webhook/waha", "x-webhook-hmac"),
    ("/api/gateway/meta", "x-hub-signature-256"),
    ("/api/gateway/infobip", "x-sign"),
];

fn signature(header: &str) -> String {
    match header {
        "x-webhook-hmac" => "0".repeat(128),
        "x-hub-signature-256" => format!("sha256={}", "0".repeat(64)),
        _ => "0".repeat(64),
    }
}

/// As many values as fit.
fn broad(before: &str, piece: &str, after: &str) -> String {
    let mut body = before.to_owned();
    body.push_str(&piece.repeat((LARGE - before.len() - after.len()) / piece.len()));
    body.truncate(body.len() - 1);
    body + after
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broad_bodies_take_little_more_than_their_bytes() {
    let gateway = keyed().start().await;
    let before = gateway.most_memory();
    let bodies = [
        broad(r#"{"results":["#, r#"{"":0},"#, "]}"),
        broad(r#"{"entry":["#, "[0],", "]}"),
        broad(r#"{"session":["#, "[0],", "]}"),
        broad(r#"{"payload":{"#, r#""":0,"#, "}}"),
        broad(r#"{"results":["#, r#"{"message":0,"to":"1"},"#, "]}"),
        broad(r#"{"results":["#, r#""\ud800","#, "]}"),
    ];
    let posts = bodies.iter().flat_map(|body| HEADS.map(|(path, header)| (path, header, body)));
    for (path, header, body) in posts {
        let request = gateway.client().post(gateway.url(path)).header(header, signature(header));
        let answer = Answer::of(request.body(body.clone())).await.expect("it answers");
        assert!(matches!(answer.status, 400 | 401), "{path}: {} {}", answer.status, answer.text);
    }
    // Made into trees, each would take hundreds of megabytes.
    let more = gateway.most_memory() - before;
    assert!(more < 120 << 20, "{} MiB more", more >> 20);
    assert_eq!(accepted(&gateway).await, 0.0);
}

/// A wrong address is known before the body has come, and so is a signature that is none.
#[tokio::test]
async fn what_the_head_cannot_prove_is_refused_before_the_body() {
    let gateway = keyed().start().await;
    for (path, header) in [
        ("/api/gateway/gupshup", "X-A: b"),
        ("/api/gateway/gupshup/secret-end-of-an-addresS", "X-A: b"),
        ("/api/gateway/waha", "X-A: b"),
        ("/api/gateway/waha", "X-Webhook-Hmac: 00"),
        ("/api/gateway/meta", "X-Hub-Signature-256: sha256=zz"),
        ("/api/gateway/infobip", "X-Sign: AAAA"),
    ] {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\n{header}\r\nContent-Length: 8000000\r\n\r\n{{");
        let told = talk(&gateway, &head).await.expect("it answers");
        assert!(told.starts_with("HTTP/1.1 401"), "{path} {header}: {told}");
    }
    let said = Infobips::of([]).signed("X-Sign", "secret");
    let answer = said.post(gateway.client(), &gateway.url("/api/gateway/infobip")).await.expect("it answers");
    assert_eq!(answer.status(), 200, "whoever has the key is let in");
}

/// Strangers who hold all the memory that unproven bodies have keep out no webhook of a usual size, and
/// nobody at all once they are given up.
#[tokio::test]
async fn unproven_bodies_share_a_memory_of_their_own() {
    let config =
        "[http]\nwebhook_body_bytes = 1048576\nunproven_memory_bytes = 1048576\nbody_timeout_ms = 3000\n";
    let gateway = keyed().config(config).start().await;
    let head = format!(
        "POST /api/gateway/waha HTTP/1.1\r\nHost: x\r\nX-Webhook-Hmac: {}\r\nContent-Length: 1048576\r\n\r\n",
        "0".repeat(128)
    );
    let mut holding = TcpStream::connect(gateway.address()).await.expect("it listens");
    let said = format!("{head}{}", "x".repeat((1 << 20) - 1));
    holding.write_all(said.as_bytes()).await.expect("it reads");
    let hook = Hook::to(&gateway).signed("secret");
    let large = text("971501234567", "S1", &format!("start_realty_1 {}", "x".repeat(500_000)));
    until("the memory is taken", Duration::from_secs(20), async || {
        // Refused before its end: whoever still sends may find the connection closed.
        let answer = hook.try_post(&large).await.ok()?;
        (answer.status == 503 && answer.text.contains("http.unproven_memory_bytes")).then_some(())
    })
    .await;
    assert_eq!(hook.say(&text("971501234568", "S2", "start_realty_1")).await["status"], "routed");
    let mut told = String::new();
    let ended = holding.read_to_string(&mut told).await;
    // What was refused before it was read is reset, and the answer may be lost with it.
    let was_reset = ended.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset);
    let refused = told.starts_with("HTTP/1.1 408") || told.starts_with("HTTP/1.1 503");
    assert!(refused || told.is_empty() && was_reset, "{ended:?} {told}");
    let routed = until("there is room again", Duration::from_secs(20), async || {
        hook.try_post(&large).await.ok().filter(|answer| answer.status == 200)
    });
    assert_eq!(routed.await.json()["tenant_id"], 1);
}

async fn talk(gateway: &Gateway, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(gateway.address()).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut said = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut said)).await;
    let read = read.map_err(|_| io::ErrorKind::TimedOut)??;
    Ok(String::from_utf8_lossy(&said[..read]).into_owned())
}
