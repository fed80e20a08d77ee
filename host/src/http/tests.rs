//! Peers that behave badly, over real sockets, with short patience.

use std::time::{Duration, Instant};

use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::body;
use crate::repeats::Kind;

const HEADER_TIMEOUT: Duration = Duration::from_millis(300);
const BODY_TIMEOUT: Duration = Duration::from_millis(400);
const WRITE_TIMEOUT: Duration = Duration::from_millis(300);
const BODY_BYTES: usize = 128 << 10;
const BODY_MEMORY: usize = 160 << 10;

/// Far beyond every timeout here; a test that waits this long has failed.
const DEADLINE: Duration = Duration::from_secs(20);

struct Running {
    address: std::net::SocketAddr,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

async fn running(max_connections: usize, drain: Duration) -> Running {
    let connections = limits(max_connections, max_connections);
    start(Settings { connections, header_timeout: HEADER_TIMEOUT, write_timeout: WRITE_TIMEOUT, drain }).await
}

/// Nobody is trusted: every peer here is this machine.
fn limits(all: usize, of_peer: usize) -> Limits {
    Limits { all, of_peer, trusted: Vec::new() }
}

async fn start(settings: Settings) -> Running {
    let memory = body::Memory::new(BODY_MEMORY, "http.unproven_memory_bytes");
    let bounds = body::Bounds { bytes: BODY_BYTES, timeout: BODY_TIMEOUT, memory };
    let patient = body::Bounds { timeout: 10 * BODY_TIMEOUT, ..bounds.clone() };
    let router = Router::new()
        .route("/take", post(move |request| take(request, bounds.clone())))
        .route("/hold", post(move |request| take(request, patient.clone())))
        .route("/large", get(|| async { "x".repeat(64 << 20) }))
        .route("/slow", get(|| async { tokio::time::sleep(Duration::from_millis(500)).await }))
        .route("/never", get(std::future::pending::<()>))
        .route("/panic", get(|| async { panic!("a test's panic") as () }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
    let address = listener.local_addr().expect("it is bound");
    let metrics = Arc::new(Metrics::new());
    let stop = CancellationToken::new();
    let task =
        tokio::spawn(serve(listener, dress(with_errors(router)), settings, metrics.clone(), stop.clone()));
    Running { address, metrics, stop, task }
}

async fn take(request: Request, bounds: body::Bounds) -> Response {
    match body::read(request.into_body(), &bounds).await {
        Ok(bytes) => format!("took {}", bytes.len()).into_response(),
        Err(error) => api::error::Error::from(error).into_response(),
    }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    async fn serves(&self) {
        let answer = self
            .ask("POST /take HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
            .await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("took 2"), "{answer}");
    }

    async fn ask(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        // One that is refused may be closed before it could write.
        stream.write_all(request.as_bytes()).await.ok();
        until_closed(&mut stream).await
    }
}

/// Everything the other side says until it closes.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let ended = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut said)).await;
    // A reset is an end too: what was not read makes the system send one.
    ended.expect("the connection was left open").ok();
    String::from_utf8_lossy(&said).into_owned()
}

/// Sends a piece every few milliseconds until the other side has had enough.
async fn trickle(stream: TcpStream, piece: Vec<u8>, pause: Duration) -> (String, Duration) {
    let began = Instant::now();
    let (mut reader, mut writer) = stream.into_split();
    let writing = tokio::spawn(async move {
        while writer.write_all(&piece).await.is_ok() {
            tokio::time::sleep(pause).await;
        }
    });
    let mut said = Vec::new();
    tokio::time::timeout(DEADLINE, reader.read_to_end(&mut said)).await.expect("it was let go on").ok();
    let took = began.elapsed();
    writing.abort();
    (String::from_utf8_lossy(&said).into_owned(), took)
}

#[tokio::test]
async fn slow_headers_are_cut_off() {
    let server = running(10, Duration::ZERO).await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST /take HTTP/1.1\r\n").await.expect("it reads");
    let (said, took) = trickle(stream, b"X-A: b\r\n".to_vec(), Duration::from_millis(30)).await;
    assert!(!said.contains("200"), "{said}");
    assert!(took >= HEADER_TIMEOUT / 2 && took < DEADLINE / 4, "{took:?}");
    server.serves().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let server = running(10, Duration::ZERO).await;
    let mut stream = server.connect().await;
    assert_eq!(until_closed(&mut stream).await, "");
    // And so is one that was of use before.
    let mut stream = server.connect().await;
    stream
        .write_all(b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
        .await
        .expect("it reads");
    assert!(until_closed(&mut stream).await.ends_with("took 2"));
}

#[tokio::test]
async fn endless_headers_are_refused() {
    let server = running(10, Duration::ZERO).await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST /take HTTP/1.1\r\n").await.expect("it reads");
    let line = format!("X-A: {}\r\n", "b".repeat(4000)).into_bytes();
    let (said, _) = trickle(stream, line, Duration::ZERO).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
    server.serves().await;
}

#[tokio::test]
async fn a_slow_body_is_given_up() {
    let server = running(10, Duration::ZERO).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n")
        .await
        .expect("it reads");
    let (said, took) = trickle(stream, b"a".to_vec(), Duration::from_millis(20)).await;
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    assert!(said.contains(r#""code":"too_slow""#), "{said}");
    assert!(took >= BODY_TIMEOUT && took < DEADLINE / 4, "{took:?}");
}

#[tokio::test]
async fn an_endless_body_is_given_up_at_the_limit() {
    let server = running(10, Duration::ZERO).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"POST /take HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await
        .expect("it reads");
    let chunk = format!("1000\r\n{}\r\n", "a".repeat(0x1000)).into_bytes();
    let (said, _) = trickle(stream, chunk, Duration::from_millis(2)).await;
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
}

#[tokio::test]
async fn a_huge_body_is_refused_by_its_length() {
    let server = running(10, Duration::ZERO).await;
    let answer = server
        .ask("POST /take HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 99999999999\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("the body is larger than 131072 bytes"), "{answer}");
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_request_says_that_it_is_the_last() {
    let server = running(10, Duration::ZERO).await;
    let mut stream = server.connect().await;
    let (whole, unread) = ("Content-Length: 2\r\n\r\nhi", "Content-Length: 99999999999\r\n\r\n");
    for (rest, is_last) in [(whole, false), (unread, true)] {
        let request = format!("POST /take HTTP/1.1\r\nHost: x\r\n{rest}");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut said = vec![0; 4096];
        let read = tokio::time::timeout(DEADLINE, stream.read(&mut said)).await.expect("an answer");
        let said = String::from_utf8_lossy(&said[..read.expect("read")]).to_lowercase();
        assert_eq!(said.contains("connection: close"), is_last, "{said}");
    }
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn large_bodies_share_their_memory_and_small_ones_pass() {
    let server = running(20, Duration::ZERO).await;
    let large = 120 << 10;
    let head = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {large}\r\n\r\n")
    };
    // The first holds all but a byte of its body; what it holds beyond the uncounted part leaves too
    // little for a second.
    let mut holding = server.connect().await;
    holding.write_all(head("/hold").as_bytes()).await.expect("it reads");
    holding.write_all(&vec![b'a'; large - 1]).await.expect("it reads");
    let second = format!("{}{}", head("/take"), "b".repeat(large));
    let began = Instant::now();
    let mut answer = String::new();
    while !answer.starts_with("HTTP/1.1 503") && began.elapsed() < 5 * BODY_TIMEOUT {
        answer = server.ask(&second).await;
    }
    assert!(answer.contains("http.unproven_memory_bytes"), "{answer}");
    server.serves().await;
    // Given up, it makes room.
    assert!(until_closed(&mut holding).await.starts_with("HTTP/1.1 408"));
    assert!(server.ask(&second).await.ends_with(&format!("took {large}")));
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_cut_off() {
    let server = running(1, Duration::ZERO).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it reads");
    // The only place is taken until the peer has been found to read nothing.
    let began = Instant::now();
    loop {
        let answer = server
            .ask("POST /take HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            .await;
        if answer.ends_with("took 0") {
            break;
        }
        assert!(began.elapsed() < DEADLINE, "the place was never given free");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(stream);
}

/// One that closes nothing by a timeout.
async fn patient(connections: Limits) -> Running {
    let (header_timeout, write_timeout) = (10 * DEADLINE, 10 * DEADLINE);
    start(Settings { connections, header_timeout, write_timeout, drain: Duration::ZERO }).await
}

/// A connection on which a request is being answered.
async fn at_work(server: &Running) -> TcpStream {
    let mut stream = server.connect().await;
    let head = "POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("it reads");
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.expect("it wants the body");
    assert!(answer[..read].starts_with(b"HTTP/1.1 100"), "{:?}", String::from_utf8_lossy(&answer[..read]));
    stream
}

fn turned_away(server: &Running, kind: Kind) -> u64 {
    let labels = crate::repeats::ReasonLabels { reason: kind.name() };
    server.metrics.repeats.counted.get_or_create(&labels).get()
}

#[tokio::test]
async fn too_many_connections_are_closed_at_once_and_counted() {
    let server = patient(limits(2, 2)).await;
    let held = [at_work(&server).await, at_work(&server).await];
    let mut refused = server.connect().await;
    assert_eq!(until_closed(&mut refused).await, "");
    assert_eq!(turned_away(&server, Kind::ConnectionsOfPeer), 1);
    drop(held);
    let began = Instant::now();
    while !server.ask("GET /take HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.contains(" 405 ") {
        assert!(began.elapsed() < DEADLINE, "the places were never given free");
    }
}

#[tokio::test]
async fn who_only_holds_connections_holds_nobody_out() {
    let server = patient(limits(3, 100)).await;
    let worker = at_work(&server).await;
    let mut silent = [server.connect().await, server.connect().await];
    // Half a head is nothing asked.
    silent[1].write_all(b"POST /take HTTP/1.1\r\nHost:").await.expect("it reads");
    for _ in 0..5 {
        server.serves().await;
    }
    assert_eq!(until_closed(&mut silent[0]).await, "", "the oldest gave its place");
    let mut workers = [worker, at_work(&server).await, at_work(&server).await];
    let mut refused = server.connect().await;
    assert_eq!(until_closed(&mut refused).await, "", "all that are there are at work");
    assert_eq!(turned_away(&server, Kind::ConnectionsAll), 1);
    // Answered, it keeps its place no longer.
    workers[0].write_all(b"hi").await.expect("it reads");
    let mut answer = vec![0; 4096];
    let read = workers[0].read(&mut answer).await.expect("it answers");
    assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(&answer[..read]));
    let began = Instant::now();
    while !server.ask("GET /take HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.contains(" 405 ") {
        assert!(began.elapsed() < DEADLINE, "it does not give its place");
    }
    assert_eq!(until_closed(&mut workers[0]).await, "", "it gave its place");
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_rest_goes_on() {
    let server = running(10, Duration::ZERO).await;
    let answer = server.ask("GET /panic HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert!(answer.contains(r#"{"error":{"code":"internal""#), "{answer}");
    assert!(!answer.contains("a test's panic"), "{answer}");
    server.serves().await;
}

#[tokio::test]
async fn answers_are_dressed_and_strangers_get_json() {
    let server = running(10, Duration::ZERO).await;
    for (line, status, code) in
        [("GET /nowhere HTTP/1.1", "404", "not_found"), ("GET /take HTTP/1.1", "405", "wrong_method")]
    {
        let answer = server.ask(&format!("{line}\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.contains(&format!(r#""code":"{code}""#)), "{answer}");
        for header in ["x-content-type-options: nosniff", "cache-control: no-store", "x-frame-options: DENY"]
        {
            assert!(answer.contains(header), "{header} is missing in {answer}");
        }
    }
}

#[tokio::test]
async fn a_stop_lets_requests_end_and_waits_no_longer_than_it_may() {
    let server = running(10, DEADLINE).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it reads");
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.stop.cancel();
    assert!(until_closed(&mut stream).await.starts_with("HTTP/1.1 200"), "the request was cut off");
    tokio::time::timeout(DEADLINE, server.task).await.expect("it ends").expect("it does not panic");

    let server = running(10, Duration::from_millis(200)).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it reads");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    server.stop.cancel();
    tokio::time::timeout(DEADLINE, server.task).await.expect("it ends").expect("it does not panic");
    assert!(began.elapsed() < DEADLINE / 4, "{:?}", began.elapsed());
    assert_eq!(until_closed(&mut stream).await, "");
}
