//! Files that contacts send: fetched with the sender's key from its provider alone, kept whole or not
//! at all, shown to the tenant's own brain and to nobody else's.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use reqwest::Method;
use serde_json::{Value, json};
use switchboard_tests::gateway::{Answer, Gateway, Setup};
use switchboard_tests::hook::Hook;
use switchboard_tests::peer::{Call, Contract, Fault, Peer, Reply};
use switchboard_tests::waha::webhook::Webhook;
use switchboard_tests::wait::until;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

mod elsewhere;
mod hostile;
mod old;
mod provided;
mod silent;
mod source;

const PHONE: &str = "971501234567";
const KEY: &str = "waha-api-key";
const PATH: &str = "/api/files/default/villa.txt";
const WORDS: &str = "three rooms, a garden, and a view of the sea";

/// For one file to come, whatever the back-off.
const SOON: Duration = Duration::from_secs(20);

/// As much of WAHA as a file needs: it gives files to those with the key, and takes messages.
struct FileServer {
    files: BTreeMap<String, Reply>,
}

impl FileServer {
    async fn start() -> Peer<Self> {
        let file = Reply::bytes(200, "text/plain", WORDS.into());
        Peer::start(FileServer { files: [(PATH.to_owned(), file)].into_iter().collect() }).await
    }
}

impl Contract for FileServer {
    type Sent = Value;

    fn call(&mut self, call: &Call) -> Result<(Option<Value>, Reply), Reply> {
        if call.header("x-api-key") != Some(KEY) {
            return Err(self.failure(401, call));
        }
        if call.method == Method::POST {
            let sent = call.path.starts_with("/api/send").then(|| call.json());
            let id = format!("true_{PHONE}@c.us_{:016X}", rand::random::<u64>());
            return Ok((sent, Reply::json(201, &json!({ "id": id }))));
        }
        match self.files.get(&call.path) {
            Some(file) => Ok((None, file.clone())),
            None => Err(self.failure(404, call)),
        }
    }

    fn failure(&self, status: u16, _call: &Call) -> Reply {
        Reply::json(status, &json!({ "statusCode": status, "message": "no" }))
    }

    fn spared(&self, call: &Call) -> bool {
        call.method == Method::POST
    }
}

/// A sender of tenant 1's own, at this address; the brain of both tenants does what it is told.
fn setup(url: &str) -> Setup {
    let sender = |name: &str, account: &str, tenant: u32| {
        format!(
            "name = '{name}'\nprovider = 'waha'\naccount = '{account}'\nbase_url = '{url}'\napi_key = '{KEY}'\n\
             auth = 'none'\ntenant = {tenant}"
        )
    };
    Setup::new()
        .package("hostile")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'hostile'\nlabels = { user_id = '7' }")
        .tenant("id = 2\nname = 'Second'\norganization = 1\nbrain = 'hostile'")
        .sender(&sender("main", "default", 1))
        .sender(&sender("other", "other", 2))
        .config("[media]\nbackoff_ms = 20\nbackoff_max_ms = 60\n")
}

/// A file of the contact's, with a command to the brain below it.
fn file(id: &str, url: &str, caption: &str) -> Webhook {
    let mut webhook =
        Webhook::text(&format!("{PHONE}@c.us"), caption).with_id(&format!("false_{PHONE}@c.us_{id}"));
    let payload = &mut webhook.envelope["payload"];
    payload["hasMedia"] = true.into();
    payload["media"] = json!({ "url": url, "mimetype": "text/plain", "filename": "villa.txt" });
    payload["_data"] = json!({ "type": "document" });
    webhook
}

async fn files(gateway: &Gateway, tenant: u32) -> Vec<Value> {
    let told = gateway.get(&format!("/api/tenants/{tenant}/media")).await.ok();
    told["files"].as_array().expect("a list of files").clone()
}

/// Waits until the only file of tenant 1 is in this state, and shows it.
async fn in_state(gateway: &Gateway, state: &str) -> Value {
    until(&format!("a file is {state}"), SOON, async || {
        files(gateway, 1).await.into_iter().find(|file| file["state"] == state)
    })
    .await
}

/// The texts that the peer was given.
fn texts<C: Contract<Sent = Value>>(peer: &Peer<C>) -> Vec<String> {
    peer.sent().iter().filter_map(|sent| sent["text"].as_str().map(str::to_owned)).collect()
}

/// What the brain answers to this.
async fn answered(peer: &Peer<FileServer>, hook: &Hook, webhook: &Webhook) -> String {
    let before = texts(peer).len();
    hook.say(webhook).await;
    until("the brain answers", SOON, async || texts(peer).get(before).cloned()).await
}

async fn download(gateway: &Gateway, tenant: u32, handle: &str) -> Answer {
    gateway.get(&format!("/api/tenants/{tenant}/media/{handle}")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_fetched_and_shown() {
    let peer = FileServer::start().await;
    let gateway = setup(peer.url()).start().await;
    let hook = Hook::to(&gateway);
    // WAHA's own idea of its address; only the path is believed.
    let url = format!("http://localhost:3000{PATH}");
    assert_eq!(answered(&peer, &hook, &file("A1", &url, "read")).await, WORDS);
    let stored = in_state(&gateway, "stored").await;
    let handle = stored["handle"].as_str().expect("a handle");
    assert_eq!(stored["size"], WORDS.len());
    let described = Webhook::text(&format!("{PHONE}@c.us"), &format!("describe {handle}"));
    assert_eq!(answered(&peer, &hook, &described).await, format!("text/plain of {} bytes", WORDS.len()));
    let labels = Webhook::text(&format!("{PHONE}@c.us"), "labels");
    assert_eq!(answered(&peer, &hook, &labels).await, "user_id=7");
    // Sent on, it goes into the request: WAHA takes files so.
    hook.say(&Webhook::text(&format!("{PHONE}@c.us"), &format!("forward {handle}"))).await;
    let sent =
        peer.wait_until("a picture", SOON, |sent| sent.iter().any(|sent| !sent["file"].is_null())).await;
    let picture = &sent.last().expect("it was sent")["file"];
    let data = base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().expect("bytes"));
    assert_eq!(data.expect("base64"), WORDS.as_bytes());
    assert_eq!((&picture["mimetype"], &picture["filename"]), (&json!("text/plain"), &json!("villa.txt")));
    // For those who may see it, as a stranger's file is handed out.
    let answer = download(&gateway, 1, handle).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, WORDS));
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-disposition", "attachment; filename*=UTF-8''villa%2Etxt"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.headers[name], value, "{name}");
    }
    let said = gateway.get(&format!("/api/tenants/1/conversations/{PHONE}/messages")).await.text;
    assert!(said.contains(handle) && !said.contains("villa.txt\"}") && !said.contains("localhost"), "{said}");
    let journal = gateway.get(&format!("/api/tenants/1/conversations/{PHONE}/journal")).await.text;
    assert!(journal.contains("media.read") && journal.contains("details.labels"), "{journal}");
    assert!(!journal.contains("localhost"), "the provider's address stays here: {journal}");
}

/// The brain asks for the file in the very turn that tells of it, and the provider is not quick.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brain_waits_for_a_file_a_little() {
    let peer = FileServer::start().await;
    peer.fail_next_times(3, Fault::Unavailable { retry_after: None });
    let gateway = setup(peer.url())
        .config("[media]\nwait_ms = 20_000\n[limits]\nwall_time_ms = 40_000\n")
        .start()
        .await;
    let hook = Hook::to(&gateway);
    let url = format!("{}{PATH}", peer.url());
    assert_eq!(answered(&peer, &hook, &file("B1", &url, "read")).await, WORDS);
    let stored = in_state(&gateway, "stored").await;
    assert_eq!(stored["mime_type"], "text/plain");
}

/// One that does not come is refused, and does not end the turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brain_does_not_wait_for_ever() {
    let peer = FileServer::start().await;
    peer.fail_next(Fault::Hang);
    let gateway = setup(peer.url()).config("[media]\nwait_ms = 50\n").start().await;
    let hook = Hook::to(&gateway);
    let url = format!("{}{PATH}", peer.url());
    assert_eq!(answered(&peer, &hook, &file("C1", &url, "read")).await, "not-ready");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_tenant_sees_anothers_file() {
    let peer = FileServer::start().await;
    let gateway = setup(peer.url()).start().await;
    let hook = Hook::to(&gateway);
    let url = format!("{}{PATH}", peer.url());
    answered(&peer, &hook, &file("D1", &url, "handle")).await;
    let stored = in_state(&gateway, "stored").await;
    let handle = stored["handle"].as_str().expect("a handle");
    for command in ["read", "describe", "read-much"] {
        let asked = Webhook::text("971507654321@c.us", &format!("{command} {handle}")).on_session("other");
        assert_eq!(answered(&peer, &hook, &asked).await, "unknown-file", "{command}");
    }
    let path = format!("/api/tenants/1/media/{handle}");
    assert_eq!(download(&gateway, 2, handle).await.status, 404);
    assert_eq!(files(&gateway, 2).await.len(), 0);
    let key = gateway.cli(&["key", "add", "--tenant", "2", "--name", "second"]).await;
    let token = key.ok().split_whitespace().find(|word| word.starts_with("sbt_")).expect("a key").to_owned();
    assert_eq!(gateway.api_as(&token, Method::GET, &path).await.status, 404);
    assert_eq!(gateway.api_as("sbt_wrong", Method::GET, &path).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_keeps_files_of_its_own() {
    let peer = FileServer::start().await;
    let gateway =
        setup(peer.url()).config("[media]\nmax_bytes = 2048\n[quotas]\nfile_bytes = 3000\n").start().await;
    let put = async |bytes: Vec<u8>, query: &str| {
        let url = gateway.url(&format!("/api/tenants/1/media{query}"));
        let request = gateway.client().post(url).bearer_auth(gateway.token());
        Answer::of(request.header("content-type", "application/pdf").body(bytes)).await.expect("an answer")
    };
    let kept = put(vec![b'p'; 2048], "?filename=brochure%20%D9%81.pdf").await.ok();
    let handle = kept["handle"].as_str().expect("a handle");
    let answer = download(&gateway, 1, handle).await;
    assert_eq!((answer.status, answer.text.len()), (200, 2048));
    assert_eq!(answer.headers["content-type"], "application/pdf");
    assert_eq!(answer.headers["content-disposition"], "attachment; filename*=UTF-8''brochure%20%D9%81%2Epdf");
    let hook = Hook::to(&gateway);
    let asked = Webhook::text(&format!("{PHONE}@c.us"), &format!("read-much {handle}"));
    assert_eq!(answered(&peer, &hook, &asked).await, "2047");
    for (case, bytes, query, status) in [
        ("empty", 0, "", 400),
        ("too large", 2049, "", 413),
        ("no room", 1000, "", 422),
        ("a path", 10, "?filename=..%2Fpasswd", 422),
        ("a name of lines", 10, "?filename=a%0Ab", 422),
    ] {
        assert_eq!(put(vec![0; bytes], query).await.status, status, "{case}");
    }
    assert_eq!(gateway.get("/api/tenants/1/media").await.ok()["stored_bytes"], 2048);
    assert_eq!(gateway.get("/media/AAAA").await.status, 404, "there is no public address");
}

/// Who announces more than there is room for is told so before a byte of it is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_has_no_room_is_not_read() {
    let peer = FileServer::start().await;
    let gateway = setup(peer.url()).config("[quotas]\nfile_bytes = 3000\n").start().await;
    let mut stream = TcpStream::connect(gateway.address()).await.expect("it listens");
    let head = format!(
        "POST /api/tenants/1/media HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
         content-type: application/pdf\r\ncontent-length: 4000\r\n\r\n",
        gateway.token()
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = [0; 2048];
    let came =
        tokio::time::timeout(SOON, stream.read(&mut answer)).await.expect("it does not wait for the body");
    let answer = String::from_utf8_lossy(&answer[..came.expect("an answer")]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 422") && answer.contains("file_bytes"), "{answer}");
}

/// Killed in the middle of a download: nothing half is left, and the file comes after all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_survives_a_kill() {
    let peer = FileServer::start().await;
    peer.fail_next(Fault::Drip { pause: Duration::from_millis(200) });
    let mut gateway = setup(peer.url()).start().await;
    let url = format!("{}{PATH}", peer.url());
    Hook::to(&gateway).say(&file("E1", &url, "handle")).await;
    let directory = gateway.dir().join("data/media");
    let unfinished = || std::fs::read_dir(directory.join("unfinished")).map_or(0, Iterator::count);
    until("the download has begun", SOON, async || (unfinished() > 0).then_some(())).await;
    gateway.kill().await;
    assert_eq!(unfinished(), 1);
    // One that nothing refers to, as a kill between file and row leaves it.
    let orphan = directory.join("1/file-00000000000000000000000000000000");
    std::fs::create_dir_all(directory.join("1")).expect("a directory");
    std::fs::write(&orphan, "orphan").expect("written");
    let old = std::fs::File::options().write(true).open(&orphan);
    old.and_then(|file| file.set_modified(std::time::SystemTime::UNIX_EPOCH)).expect("an old file");
    gateway.start().await;
    let stored = in_state(&gateway, "stored").await;
    let handle = stored["handle"].as_str().expect("a handle");
    assert_eq!(download(&gateway, 1, handle).await.text, WORDS);
    assert_eq!(unfinished(), 0);
    assert!(!orphan.exists());
    // Taken away from under the gateway: it says so, and counts no longer.
    std::fs::remove_file(directory.join("1").join(handle)).expect("removed");
    assert_eq!(download(&gateway, 1, handle).await.status, 404);
    assert_eq!(gateway.get("/api/tenants/1/media").await.ok()["stored_bytes"], 0);
}
