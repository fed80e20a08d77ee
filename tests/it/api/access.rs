//! Who may is asked before a body is read: of those who may not, nothing is waited for and nothing kept.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

/// Every route that takes a body, and what tenant 55 is told there.
const ROUTES: [(&str, &str, u16); 19] = [
    ("POST", "/api/mapping/import", 403),
    ("POST", "/api/contacts/971501234567/merge", 403),
    ("PUT", "/api/organizations/1", 403),
    ("PUT", "/api/tenants/2", 403),
    ("PUT", "/api/tenants/55", 403),
    ("PUT", "/api/tenants/2/collections/properties", 404),
    ("POST", "/api/tenants/2/media", 404),
    ("PUT", "/api/tenants/2/brain", 404),
    ("POST", "/api/tenants/2/brain/rollback", 404),
    ("PUT", "/api/tenants/2/personality", 404),
    ("POST", "/api/tenants/2/whatsapp/connect", 404),
    ("POST", "/api/tenants/2/templates", 404),
    ("PUT", "/api/tenants/2/opt-outs/971501234567", 404),
    ("PUT", "/api/senders/main", 403),
    ("POST", "/api/brains/quiet/rollback", 403),
    ("POST", "/api/keys", 403),
    ("POST", "/api/backup", 403),
    ("POST", "/api/webhook/explain?provider=waha", 403),
    ("POST", "/api/gateway/simulator", 403),
];

impl Running {
    /// Says that a body of this size follows, sends none of it, and reads the answer's first line.
    async fn announce(&self, method: &str, path: &str, key: Option<&str>, bytes: usize) -> String {
        let address = self.base.trim_start_matches("http://");
        let key = key.map_or(String::new(), |key| format!("Authorization: Bearer {key}\r\n"));
        let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{key}Content-Length: {bytes}\r\n\r\n");
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(head.as_bytes()).await.expect("it reads");
        let mut said = vec![0; 1024];
        let read = tokio::time::timeout(std::time::Duration::from_secs(10), stream.read(&mut said)).await;
        let read = read.unwrap_or_else(|_| panic!("{method} {path} waits for the body")).expect("an answer");
        String::from_utf8_lossy(&said[..read]).lines().next().unwrap_or_default().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_before_the_body() {
    let gateway = running().await;
    let tenant = gateway.tenant_key(55).await;
    for (method, path, expected) in ROUTES {
        let told = gateway.announce(method, path, None, 24 << 20).await;
        assert!(told.contains(" 401 "), "{method} {path}: {told}");
        let told = gateway.announce(method, path, Some(&tenant), 24 << 20).await;
        assert!(told.contains(&format!(" {expected} ")), "{method} {path}: {told}");
    }
}

/// A body is as large as its route needs, and no larger.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_bounds_by_their_route() {
    let gateway = running().await;
    let tenant = gateway.tenant_key(55).await;
    for (method, path, key, most) in [
        ("POST", "/api/keys", &gateway.operator, 64 << 10),
        ("PUT", "/api/senders/main", &gateway.operator, 64 << 10),
        ("PUT", "/api/tenants/2", &gateway.operator, 1 << 20),
        ("POST", "/api/mapping/import", &gateway.operator, 8 << 20),
        ("POST", "/api/tenants/55/templates", &tenant, 64 << 10),
        ("PUT", "/api/tenants/55/personality", &tenant, 512 << 10),
        ("PUT", "/api/tenants/55/collections/properties", &tenant, 16 << 20),
        ("PUT", "/api/tenants/55/brain", &tenant, 8 << 20),
        ("PUT", "/api/tenants/55/brain", &gateway.operator, 64 << 20),
        ("POST", "/api/tenants/55/media", &tenant, 64 << 20),
    ] {
        let told = gateway.announce(method, path, Some(key), most + 1).await;
        assert!(told.contains(" 413 "), "{method} {path}: {told}");
    }
}

/// Short records of many values take many times their own length: they are counted before they are made.
#[tokio::test(flavor = "multi_thread")]
async fn a_collection_is_weighed_before_it_is_read() {
    let gateway = running().await;
    let tenant = gateway.tenant_key(55).await;
    let path = format!("{}/api/tenants/55/collections/properties", gateway.base);
    let put = |body: String| gateway.client.put(&path).bearer_auth(&tenant).body(body).send();
    let broad = format!("[{}0]", r#"{"":0},"#.repeat(2_000_000));
    let answer = put(broad).await.expect("it answers");
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let told = answer.text().await.expect("a body");
    assert!(told.contains("more than 500000 values"), "{told}");
    let answer = put(r#"[{"id": "a"}]"#.into()).await.expect("it answers");
    assert_eq!(answer.status(), StatusCode::OK);
}
