//! Webhooks that name what must not be fetched, and providers that answer what must not be kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Says these bytes to every request, the last of them again and again if `endless`.
struct Raw {
    url: String,
    asked: Arc<AtomicUsize>,
    server: tokio::task::JoinHandle<()>,
}

impl Raw {
    async fn start(says: &'static [u8], endless: bool) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound address"));
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let server = tokio::spawn(async move {
            while let Ok((mut wire, _)) = listener.accept().await {
                let counted = counted.clone();
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let read = wire.read(&mut request).await.unwrap_or(0);
                    if request[..read].starts_with(b"GET ") {
                        counted.fetch_add(1, Ordering::SeqCst);
                    }
                    let mut more = wire.write_all(says).await;
                    while endless && more.is_ok() {
                        more = wire.write_all(&[b'x'; 1024]).await;
                    }
                });
            }
        });
        Raw { url, asked, server }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Each is given up at once, and nobody is asked for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_are_not_the_providers() {
    let peer = FileServer::start().await;
    let elsewhere = Raw::start(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret", false).await;
    let gateway = setup(peer.url()).start().await;
    let hook = Hook::to(&gateway);
    let host = elsewhere.url.trim_start_matches("http://").to_owned();
    let base = peer.url().trim_start_matches("http://").to_owned();
    let handles = [
        "file:///etc/passwd".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        format!("http://{host}/secret"),
        format!("http://{base}@{host}/secret"),
        format!("http://{base}#@{host}/secret"),
        format!("http://{base}\\@{host}/secret"),
        format!("//{host}/secret"),
        format!("gopher://{host}/secret"),
        format!("http://{base}/api/sessions"),
        format!("http://{base}/api/files/../sessions"),
        format!("http://{base}/api/files/%2e%2e/sessions"),
        "data:text/plain,secret".to_owned(),
        "not an address".to_owned(),
        "file-0123456789abcdef0123456789abcdef".to_owned(),
    ];
    for (number, handle) in handles.iter().enumerate() {
        hook.say(&file(&format!("H{number}"), handle, "handle")).await;
    }
    let failed = until("all are given up", SOON, async || {
        let files = files(&gateway, 1).await;
        let failed: Vec<Value> = files.into_iter().filter(|file| file["state"] == "failed").collect();
        (failed.len() == handles.len()).then_some(failed)
    })
    .await;
    assert_eq!(elsewhere.asked(), 0);
    let asked: Vec<String> =
        peer.calls().into_iter().filter(|call| call.method == Method::GET).map(|call| call.path).collect();
    assert_eq!(asked, Vec::<String>::new());
    for file in &failed {
        assert!(!file["error"].as_str().expect("a reason").contains("secret"), "{file}");
    }
}

/// A row a provider that misbehaves: what it says, and what becomes of the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_not_the_file() {
    const CASES: &[(&str, &[u8], bool, &str, &str)] = &[
        (
            "announced too large",
            b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\nx",
            true,
            "failed",
            "it has 999999999999 bytes: limit 65536 (media.max_bytes)",
        ),
        (
            "endless, in chunks that are not",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
            true,
            "failed",
            "it is larger than 65536 bytes (media.max_bytes)",
        ),
        (
            "shorter than announced",
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nshort",
            false,
            "waiting",
            "it broke off before its end",
        ),
        ("never whole", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsh", false, "waiting", ""),
        (
            "elsewhere",
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
            false,
            "failed",
            "nothing is fetched from where the file is said to be: 127.0.0.1 is not the sender's own provider, and not reached over https",
        ),
        (
            "elsewhere without end",
            b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n",
            false,
            "failed",
            "the provider led on more than 3 times",
        ),
        (
            "elsewhere, within its own network",
            b"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n",
            false,
            "failed",
            "nothing is fetched from where the file is said to be: 169.254.169.254 is a bare address and neither the sender's own provider nor in its media_hosts",
        ),
        (
            "elsewhere, and not said where",
            b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
            false,
            "failed",
            "the provider answered 302 and no other place to look at",
        ),
        (
            "nothing of the kind",
            b"HTTP/1.1 204 No Content\r\n\r\n",
            false,
            "failed",
            "the provider answered 204",
        ),
        ("no HTTP", b"220 smtp.example.com ESMTP\r\n", true, "waiting", ""),
        (
            "gone",
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            false,
            "failed",
            "the provider answered 404: it does not have the file, or not any more",
        ),
    ];
    let mut raws = Vec::new();
    let mut setup = Setup::new()
        .package("hostile")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'hostile'")
        .config("[media]\nbackoff_ms = 20\nbackoff_max_ms = 60\nmax_bytes = 65536\ntimeout_ms = 2_000\n");
    for (number, (_, says, endless, ..)) in CASES.iter().enumerate() {
        let raw = Raw::start(says, *endless).await;
        setup = setup.sender(&format!(
            "name = 's{number}'\nprovider = 'waha'\naccount = 's{number}'\nbase_url = '{}'\napi_key = '{KEY}'\n\
             auth = 'none'\ntenant = 1",
            raw.url
        ));
        raws.push(raw);
    }
    let gateway = setup.start().await;
    let hook = Hook::to(&gateway);
    for (number, raw) in raws.iter().enumerate() {
        let url = format!("{}/api/files/s{number}/villa.txt", raw.url);
        hook.say(&file(&format!("R{number}"), &url, "handle").on_session(&format!("s{number}"))).await;
    }
    for (number, (case, _, _, state, error)) in CASES.iter().enumerate() {
        let found = until(&format!("{case}: {state}"), SOON, async || {
            let mut files = files(&gateway, 1).await.into_iter();
            let found = files.find(|file| file["sender"] == format!("s{number}"))?;
            (found["state"] == *state && !found["error"].is_null()).then_some(found)
        })
        .await;
        assert!(found["error"].as_str().expect("a reason").contains(error), "{case}: {found}");
    }
    assert_eq!(gateway.get("/api/tenants/1/media").await.ok()["stored_bytes"], 0);
    assert!(!gateway.dir().join("data/media/1").exists(), "nothing is kept");
}

/// A drip ends at the time that a file may take, and holds nobody else up meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drip_holds_nobody_up() {
    let peer = FileServer::start().await;
    let gateway = setup(peer.url()).config("[media]\ntimeout_ms = 600\nper_sender = 2\n").start().await;
    peer.fail_next(Fault::Drip { pause: Duration::from_millis(100) });
    let hook = Hook::to(&gateway);
    let url = format!("{}{PATH}", peer.url());
    hook.say(&file("S1", &url, "handle")).await;
    until("the drip has begun", SOON, async || {
        peer.calls().iter().any(|call| call.method == Method::GET).then_some(())
    })
    .await;
    hook.say(&file("S2", &url, "handle")).await;
    until("both have come", SOON, async || {
        let files = files(&gateway, 1).await;
        (files.iter().filter(|file| file["state"] == "stored").count() == 2).then_some(())
    })
    .await;
    gateway.wait_for_line("it did not come whole within 600 ms (media.timeout_ms)").await;
}

/// A tenant whose room is full keeps what it has, and the file waits for room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_tenant_waits() {
    let peer = FileServer::start().await;
    let gateway = setup(peer.url()).config("[quotas]\nfile_bytes = 60\n").start().await;
    let hook = Hook::to(&gateway);
    let url = format!("{}{PATH}", peer.url());
    hook.say(&file("F1", &url, "handle")).await;
    in_state(&gateway, "stored").await;
    hook.say(&file("F2", &url, "handle")).await;
    let waiting = until("the second has been tried", SOON, async || {
        files(&gateway, 1)
            .await
            .into_iter()
            .find(|file| file["state"] == "waiting" && !file["error"].is_null())
    })
    .await;
    let error = waiting["error"].as_str().expect("a reason");
    assert!(error.contains("limit 60 bytes"), "{error}");
    assert_eq!(gateway.get("/api/tenants/1/media").await.ok()["stored_bytes"], WORDS.len());
    // What was fetched for the second goes when it is refused.
    until("one file is kept", SOON, async || {
        let kept = std::fs::read_dir(gateway.dir().join("data/media/1")).expect("a directory").count();
        (kept == 1).then_some(())
    })
    .await;
    // It is not tried again until there is room, and then at once.
    gateway.drained(SOON).await;
    let fetched = || peer.calls().iter().filter(|call| call.path == PATH).count();
    let before = fetched();
    for _ in 0..3 {
        let words = Webhook::text(&format!("{PHONE}@c.us"), "labels");
        assert_eq!(answered(&peer, &hook, &words).await, "user_id=7");
    }
    assert_eq!((before, fetched()), (2, 2));
    assert_eq!(gateway.log().matches("a file waits for another attempt").count(), 1);
    let stored = in_state(&gateway, "stored").await;
    let handle = stored["handle"].as_str().expect("a handle");
    std::fs::remove_file(gateway.dir().join("data/media/1").join(handle)).expect("removed");
    assert_eq!(download(&gateway, 1, handle).await.status, 404);
    let second = waiting["handle"].as_str().expect("a handle");
    until("the second is stored", SOON, async || {
        let files = files(&gateway, 1).await;
        files.into_iter().find(|file| file["state"] == "stored" && file["handle"] == second)
    })
    .await;
    assert_eq!(download(&gateway, 1, second).await.text, WORDS);
}
