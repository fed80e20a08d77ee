//! Where the token may go, and what files' answers mean.

use serde_json::json;

use super::*;

fn sender(changes: serde_json::Value) -> Sender {
    let mut sender =
        json!({ "name": "main", "provider": "meta", "account": "1122334455667", "api_key": "token" });
    for (name, value) in changes.as_object().expect("an object") {
        sender[name] = value.clone();
    }
    serde_json::from_value(sender).expect("a sender")
}

const LOOKASIDE: &str = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1";

#[test]
fn a_file_is_asked_for_by_its_id() {
    let sender = sender(json!({}));
    let Ok(Fetch::Locate(request)) = Files.fetch(&sender, "65463453") else { panic!("an id is located") };
    assert_eq!(request.url, "https://graph.facebook.com/v23.0/65463453?phone_number_id=1122334455667");
    assert_eq!(request.headers, [("Authorization".to_owned(), "Bearer token".to_owned())]);
    let located = |status, body: &str| Files.located(&sender, status, body.as_bytes());
    let found =
        located(200, &json!({ "url": LOOKASIDE, "mime_type": "image/jpeg", "id": "65463453" }).to_string());
    let found = found.expect("a request");
    assert_eq!((found.method, found.url.as_str()), (Method::GET, LOOKASIDE));
    assert_eq!(found.headers, [("Authorization".to_owned(), "Bearer token".to_owned())]);
    for (status, body, fate) in [
        (200, r#"{"url":"https://evil.example/"}"#, Fate::Permanent),
        (200, "{}", Fate::Permanent),
        (404, r#"{"error":{"code":100}}"#, Fate::Permanent),
        (401, r#"{"error":{"code":190}}"#, Fate::KeyRefused),
        (429, r#"{"error":{"code":4}}"#, Fate::Retry),
        (500, "", Fate::Unknown),
    ] {
        let failed = located(status, body);
        assert!(
            matches!(&failed, Err(Outcome::Failed { fate: it, .. }) if *it == fate),
            "{body}: {failed:?}"
        );
    }
}

#[test]
fn the_token_goes_to_meta_alone() {
    let own = sender(json!({ "base_url": "http://127.0.0.1:4000", "media_hosts": ["files.homes.example"] }));
    for (address, trusted) in [
        (LOOKASIDE, true),
        ("https://scontent.xx.fbcdn.net/a.jpg", true),
        ("https://mmg.whatsapp.net/a", true),
        ("https://graph.facebook.com/v23.0/1", true),
        ("https://files.homes.example/a", true),
        ("http://127.0.0.1:4000/file/1", true),
        ("http://127.0.0.1:4001/file/1", false),
        ("https://127.0.0.1:4000/file/1", false),
        ("http://lookaside.fbsbx.com/a", false),
        ("https://lookaside.fbsbx.com:8443/a", false),
        ("https://user@lookaside.fbsbx.com/a", false),
        ("https://u:p@lookaside.fbsbx.com/a", false),
        ("https://lookaside.fbsbx.com@evil.example/a", false),
        ("https://lookaside.fbsbx.com.evil.example/a", false),
        ("https://evilfbsbx.com/a", false),
        ("https://l.facebook.com/l.php?u=https://evil.example", false),
        ("https://sub.files.homes.example/a", false),
        ("https://169.254.169.254/latest", false),
        ("https://[::1]/", false),
        ("https://evil.example\\@lookaside.fbsbx.com/", false),
        ("file:///etc/passwd", false),
        ("data:text/plain,hi", false),
        ("//lookaside.fbsbx.com/a", false),
        ("", false),
        ("../messages", false),
        ("1?x=https://lookaside.fbsbx.com", false),
    ] {
        let fetched = Files.fetch(&own, address);
        assert_eq!(matches!(fetched, Ok(Fetch::File(_))), trusted, "{address}: {fetched:?}");
        assert!(!matches!(fetched, Ok(Fetch::Locate(_))), "{address} is no id");
        if let Ok(Fetch::File(request)) = fetched {
            let listed = address.starts_with("https://files.homes.example/");
            assert_eq!(request.headers.is_empty(), listed, "{address}: the token goes to Meta alone");
        }
    }
}

#[test]
fn files_of_ours_are_handed_over() {
    let upload = Files.upload(&sender(json!({})), "image/jpeg").expect("an upload");
    assert_eq!(upload.url, "https://graph.facebook.com/v23.0/1122334455667/media");
    let fields: Vec<_> = upload.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(fields, [("messaging_product", "whatsapp"), ("type", "image/jpeg")]);
    assert_eq!((upload.file_field, Files.takes()), ("file", Takes::Uploads));
    let uploaded = |status, body: &str| Files.uploaded(status, &HeaderMap::new(), body.as_bytes());
    assert_eq!(uploaded(200, r#"{"id":"1166846181421424"}"#), Ok("1166846181421424".into()));
    for (status, body) in [(200, "{}"), (400, r#"{"error":{"code":131053}}"#), (500, "")] {
        assert!(uploaded(status, body).is_err(), "{body}");
    }
}
