//! Bodies that are broken, too large or too slow, connections that are too many, and a store that
//! can take no more: each is cut off, and nothing of it is half-kept.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

#[tokio::test]
async fn a_body_that_cannot_be_read_says_so() {
    let gateway = gateway().await;
    let hook = Hook::to(&gateway);
    let good = text("971501234567", "J1", "start_realty_1");
    let whole = good.envelope.to_string();
    let cases = [
        "".to_owned(),
        "{".to_owned(),
        "[]".to_owned(),
        "\"text\"".to_owned(),
        "null".to_owned(),
        whole.replace("start_realty_1", "start_realty_1\u{0}"),
        whole[..200].to_owned(),
        "[".repeat(100_000),
    ];
    for body in cases {
        let shown: String = body.chars().take(40).collect();
        let answer = hook.try_post_bytes(&good, body.into_bytes()).await.expect("it answers");
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text);
        let told = answer.json();
        assert_eq!(told["status"], "error", "{shown}: {told}");
        assert!(told["reason"].is_string() && told["action"].is_string(), "{shown}: {told}");
    }
    let not_utf8 = hook
        .try_post_bytes(&good, b"{\"session\":\"default\",\"event\":\"\xff\"}".to_vec())
        .await
        .expect("it answers");
    assert_eq!(not_utf8.status, 400, "{}", not_utf8.text);
    assert_eq!(accepted(&gateway).await, 0.0);
    assert_eq!(hook.say(&good).await["status"], "routed");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_its_end() {
    let gateway =
        two_tenants().sender(&open_sender()).config("[http]\nwebhook_body_bytes = 65536\n").start().await;
    let hook = Hook::to(&gateway);
    let fits = text("971501234567", "K1", &format!("start_realty_1 {}", "x".repeat(60_000)));
    assert_eq!(hook.say(&fits).await["status"], "routed");
    let larger = text("971501234568", "K2", &format!("start_realty_1 {}", "x".repeat(70_000)));
    let answer = hook.post(&larger).await;
    assert_eq!(answer.status, 413, "{}", answer.text);
    assert!(
        answer.text.contains("65536") && answer.text.contains("http.webhook_body_bytes"),
        "{}",
        answer.text
    );
    assert_eq!(tenant_of(&gateway, "971501234568").await.status, 404);

    // One that says how much is coming is refused without waiting for it; one that never ends, at
    // the limit.
    let head = "POST /api/gateway/waha HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";
    let told = talk(&gateway, &format!("{head}Content-Length: 9000000\r\n\r\n{{")).await;
    assert!(told.starts_with("HTTP/1.1 413"), "{told}");
    let chunk = format!("4000\r\n{}\r\n", "y".repeat(0x4000));
    let told = talk(&gateway, &format!("{head}Transfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(6))).await;
    assert!(told.starts_with("HTTP/1.1 413"), "{told}");
}

#[tokio::test]
async fn slow_headers_and_slow_bodies_are_cut_off() {
    let gateway = two_tenants()
        .sender(&open_sender())
        .config("[http]\nheader_timeout_ms = 300\nbody_timeout_ms = 300\n")
        .start()
        .await;
    let told = talk(&gateway, "POST /api/gateway/waha HTTP/1.1\r\nHost: 127.0.0.1\r\n").await;
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 408"), "{told}");
    let told = talk(
        &gateway,
        "POST /api/gateway/waha HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"event\":",
    )
    .await;
    assert!(told.starts_with("HTTP/1.1 408"), "{told}");
    assert!(told.contains("\"status\":\"error\""), "{told}");
    // Nobody else was kept waiting.
    let answer = Hook::to(&gateway).say(&text("971501234567", "L1", "start_realty_1")).await;
    assert_eq!(answer["status"], "routed");
}

/// Whoever opens connections and says nothing holds nobody out; where all are at work, one more is closed.
#[tokio::test]
async fn connections_beyond_the_limit_are_closed() {
    let gateway = two_tenants()
        .sender(&open_sender())
        .config("[http]\nmax_connections = 8\nheader_timeout_ms = 60000\nbody_timeout_ms = 60000\n")
        .start()
        .await;
    let healthy = async || {
        let one = reqwest::Client::builder().no_proxy().build().expect("a client");
        Answer::of(one.get(gateway.url("/health"))).await.is_ok_and(|answer| answer.status == 200)
    };
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(connect(&gateway).await);
        assert!(healthy().await, "beside {} that say nothing", silent.len());
    }
    // Each has said what it wants, and is about to send it.
    let head = "POST /api/gateway/waha HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";
    let mut working = Vec::new();
    for _ in 0..8 {
        let mut stream = connect(&gateway).await;
        let length = "Content-Length: 100\r\nExpect: 100-continue\r\n\r\n";
        stream.write_all(format!("{head}{length}").as_bytes()).await.expect("it reads");
        let mut wanted = [0; 12];
        let read = stream.read_exact(&mut wanted).await;
        read.unwrap_or_else(|error| panic!("it wants the body of {}: {error}", working.len()));
        assert_eq!(&wanted, b"HTTP/1.1 100");
        working.push(stream);
    }
    until("one more connection is closed at once", Duration::from_secs(20), async || {
        (!healthy().await).then_some(())
    })
    .await;
    drop(working);
    until("a place is free again", Duration::from_secs(20), async || healthy().await.then_some(())).await;
}

/// Guarantee 1, the other half: what the queue does not take is answered 503 and not kept; sent
/// again, it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_answers_503_and_keeps_nothing() {
    let gateway = two_tenants().sender(&open_sender()).config("[store]\nqueue = 1\n").start().await;
    let hook = Hook::to(&gateway);
    let (mut refused, mut round) = (Vec::new(), 0);
    until("the queue is full once", Duration::from_secs(30), async || {
        round += 1;
        let phones: Vec<String> = (0..64).map(|number| format!("97155{round:03}{number:04}")).collect();
        let links: Vec<Webhook> =
            phones.iter().map(|phone| text(phone, &format!("M{phone}"), "start_realty_1")).collect();
        let answers = futures::future::join_all(links.iter().map(|link| hook.post(link))).await;
        for ((phone, link), answer) in phones.into_iter().zip(links).zip(answers) {
            match answer.status {
                200 => assert_eq!(answer.json()["is_new_session"], true),
                503 => {
                    assert!(answer.headers.contains_key("retry-after"), "{}", answer.text);
                    assert_eq!(answer.json()["status"], "error");
                    refused.push((phone, link));
                }
                status => panic!("{status}: {}", answer.text),
            }
        }
        (!refused.is_empty()).then_some(())
    })
    .await;
    for (phone, link) in refused {
        let lock = until("the store takes a look", Duration::from_secs(10), async || {
            Some(tenant_of(&gateway, &phone).await.status).filter(|status| *status != 503)
        });
        assert_eq!(lock.await, 404, "{phone} was refused and is kept");
        let answer = until("the queue has room again", Duration::from_secs(10), async || {
            Some(hook.post(&link).await).filter(|answer| answer.status == 200)
        });
        assert_eq!(answer.await.json()["is_new_session"], true);
    }
}

/// Guarantee 1 on a disk that is full: nothing is acknowledged that is not kept, and what was
/// acknowledged before is there afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_answers_503_and_loses_nothing() {
    let mut gateway = gateway().await;
    let status = gateway.stop().await;
    assert!(status.success(), "{status}");
    let size = std::fs::metadata(gateway.store_file()).expect("the store is there").len();
    gateway.limit_file_size(Some(size + (256 << 10)));
    gateway.start().await;
    let hook = Hook::to(&gateway);
    let long = "x".repeat(20_000);
    let mut kept = Vec::new();
    let mut number = 0;
    until("the disk is full", Duration::from_secs(60), async || {
        number += 1;
        let phone = format!("97156{number:07}");
        let link = text(&phone, &format!("N{number}"), &format!("start_realty_1 {long}"));
        let answer = hook.post(&link).await;
        match answer.status {
            200 => {
                kept.push((phone, link));
                None
            }
            503 => Some(()),
            status => panic!("{status}: {}", answer.text),
        }
    })
    .await;
    until("it says that it is not ready", Duration::from_secs(10), async || {
        let ready = Answer::of(gateway.client().get(gateway.url("/ready"))).await.ok()?;
        (ready.status == 503).then_some(())
    })
    .await;
    gateway.kill().await;
    gateway.limit_file_size(None);
    gateway.start().await;
    for (phone, link) in kept {
        let answer = hook.say(&link).await;
        assert_eq!(answer["is_new_session"], true, "{phone}: the duplicate gets the first answer");
        assert_eq!(tenant_of(&gateway, &phone).await.status, 200, "{phone}");
    }
    let fresh = text("971569999999", "N0", "start_realty_1");
    assert_eq!(hook.say(&fresh).await["is_new_session"], true);
}

async fn connect(gateway: &Gateway) -> TcpStream {
    TcpStream::connect(gateway.address()).await.expect("the gateway listens")
}

/// Writes this and reads until the other side is done with us.
async fn talk(gateway: &Gateway, text: &str) -> String {
    let mut stream = connect(gateway).await;
    // The other side may hang up while we still write; what it said before is there to be read.
    let _ = stream.write_all(text.as_bytes()).await;
    let mut told = Vec::new();
    let read = async {
        let mut piece = [0; 4096];
        loop {
            match stream.read(&mut piece).await {
                Ok(0) => return Ok(()),
                Ok(n) => told.extend_from_slice(&piece[..n]),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    };
    let ended: io::Result<()> =
        tokio::time::timeout(Duration::from_secs(10), read).await.expect("the gateway hangs up in time");
    ended.expect("the connection is read");
    String::from_utf8_lossy(&told).into_owned()
}
