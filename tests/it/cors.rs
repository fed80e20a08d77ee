//! Pages of other origins: those that are named use the API and read its errors; nobody else's do, and
//! webhooks are no page's.

use reqwest::{Method, StatusCode};
use switchboard_tests::gateway::{Gateway, Setup};

const PAGE: &str = "https://crm.example.com";
const OTHER: &str = "https://crm.example.com.evil.example";

fn setup() -> Setup {
    Setup::new()
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .package("echo")
        .sender("name = 'main'\nprovider = 'waha'\naccount = 'default'\nbase_url = 'http://127.0.0.1:9'\nauth = 'none'")
}

async fn ask(gateway: &Gateway, method: Method, path: &str, origin: &str, key: bool) -> reqwest::Response {
    let mut request = gateway.client().request(method, gateway.url(path)).header("origin", origin);
    request = request.header("sec-fetch-site", "cross-site").header("content-type", "application/json");
    if key {
        request = request.bearer_auth(gateway.token());
    }
    request.body("{}").send().await.unwrap()
}

fn allowed(answer: &reqwest::Response) -> Option<&str> {
    answer.headers().get("access-control-allow-origin").map(|origin| origin.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_named_origins_use_the_api() {
    let gateway = setup().config(&format!("[http]\ncors_origins = ['{PAGE}']")).start().await;
    for (method, path, key, status) in [
        (Method::GET, "/api/gateway/stats", true, 200),
        (Method::GET, "/api/gateway/stats", false, 401),
        (Method::POST, "/api/outbox/retry", true, 200),
        (Method::PUT, "/api/tenants/1", true, 400),
        (Method::PUT, "/api/tenants/1", false, 401),
        (Method::DELETE, "/api/gateway/user/971501234567/mapping", true, 404),
        (Method::PATCH, "/api/tenants/1", true, 405),
        (Method::GET, "/api/nothing", true, 404),
        (Method::POST, "/api/gateway/simulator", false, 401),
        (Method::GET, "/health", false, 200),
    ] {
        let answer = ask(&gateway, method.clone(), path, PAGE, key).await;
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        assert_eq!(allowed(&answer), Some(PAGE), "{method} {path}");
        let vary: Vec<_> = answer.headers().get_all("vary").iter().map(|it| it.to_str().unwrap()).collect();
        assert!(vary.join(",").contains("origin"), "{method} {path}: {vary:?}");
        assert!(answer.headers().get("access-control-allow-credentials").is_none());
        let refused = ask(&gateway, method.clone(), path, OTHER, key).await;
        assert_eq!(allowed(&refused), None, "{method} {path}");
        // What is not there at all, or not so, changes nothing.
        if !method.is_safe() && status != 405 {
            assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{method} {path}");
        }
    }
    // Webhooks take nothing of any page.
    for path in ["/api/gateway/waha", "/api/webhook/waha", "/api/gateway/meta/x"] {
        let answer = ask(&gateway, Method::POST, path, PAGE, true).await;
        assert_eq!((answer.status(), allowed(&answer)), (StatusCode::FORBIDDEN, None), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflights_are_answered_for_them_alone() {
    let gateway =
        setup().config(&format!("[http]\ncors_origins = ['{PAGE}', 'http://localhost:5173']")).start().await;
    let preflight = async |path: &str, origin: &str| {
        let request = gateway.client().request(Method::OPTIONS, gateway.url(path)).header("origin", origin);
        let request = request.header("access-control-request-method", "PUT");
        request.header("access-control-request-headers", "authorization,content-type").send().await.unwrap()
    };
    for origin in [PAGE, "http://localhost:5173"] {
        let answer = preflight("/api/tenants/1", origin).await;
        assert_eq!((answer.status(), allowed(&answer)), (StatusCode::OK, Some(origin)));
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_ascii_lowercase();
        let methods = header("access-control-allow-methods");
        assert!(["get", "post", "put", "delete"].iter().all(|method| methods.contains(method)), "{methods}");
        let headers = header("access-control-allow-headers");
        assert!(headers.contains("authorization") && headers.contains("content-type"), "{headers}");
        assert_eq!(header("access-control-max-age"), "600");
    }
    for origin in [OTHER, "null", "http://localhost:5174", "http://crm.example.com"] {
        assert_eq!(allowed(&preflight("/api/tenants/1", origin).await), None, "{origin}");
    }
    assert_eq!(allowed(&preflight("/api/gateway/waha", PAGE).await), None);
    // Without a configuration there is nothing of all this.
    let plain = setup().start().await;
    let answer = ask(&plain, Method::GET, "/api/gateway/stats", PAGE, true).await;
    assert_eq!((answer.status(), allowed(&answer)), (StatusCode::OK, None));
    assert_eq!(ask(&plain, Method::PUT, "/api/tenants/1", PAGE, true).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn origins_are_checked_at_the_start() {
    for (origin, says) in [
        ("*", "name each origin"),
        ("https://*.example.com", "name each origin"),
        ("https://crm.example.com/", "write \"https://crm.example.com\""),
        ("https://CRM.example.com:443", "write \"https://crm.example.com\""),
        ("crm.example.com", "is no origin"),
        ("null", "is no origin"),
        ("file:///x", "is no origin"),
    ] {
        let mut gateway = setup().config(&format!("[http]\ncors_origins = ['{origin}']")).write();
        let told = format!("{:#}", gateway.try_start().await.unwrap_err());
        assert!(told.contains("http.cors_origins[0]") && told.contains(says), "{origin}: {told}");
    }
}
