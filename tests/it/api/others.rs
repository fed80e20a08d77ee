//! Every route of the API, tried by a tenant with what is another tenant's: in the address, in the query and
//! in the body, by every name that it has. The requests are made from the router's own table, so that a new
//! route is tried as soon as it is there. Two things hold for all: no answer tells anything of the other
//! tenant that the caller did not write itself, and what is another's is answered like what nobody has.

use reqwest::header::HeaderMap;
use switchboard::api::routes::{self, Body, Names, Route, Who};
use switchboard::event::{SameBecause, SamePerson};
use switchboard::message::{Content, Inbound, Provider, SenderName};
use switchboard::store::contacts::OptOut;
use switchboard::store::{Arrival, Filter};

use super::*;

/// Tenant 55's, and of the same shape what nobody has.
const CONTACTS: [(&str, &str); 6] = [
    ("971509990001", "971508880001"),
    ("971509990001@c.us", "971508880001@c.us"),
    ("+971 50 999 0001", "+971 50 888 0001"),
    ("245800000000182@lid", "245700000000171@lid"),
    ("US.Secret77", "US.Nobody77"),
    // Known to no shared number: it wrote to the tenant's own.
    ("245800000000999@lid", "245700000000888@lid"),
];

/// Words that stand for everything else of tenant 55's.
const SECRETS: [&str; 13] = [
    "971509990001",
    "245800000000182",
    "US.Secret77",
    "245800000000999",
    "Secret Name",
    "secret-text",
    "secret-file",
    "secret-homes",
    "secret-record",
    "secret_template",
    "secret-sender",
    "secret-reason",
    "Fifty-five",
];

const OWN_SENDER: &str = r#"
[[sender]]
name = "secret-sender"
provider = "meta"
account = "100200300"
business_account = "100200"
tenant = 55
base_url = "http://127.0.0.1:1"
api_key = "x"
hmac_key = "y"
verify_token = "z"
"#;

/// What tenant 55 has, by what names it.
struct Planted {
    handle: String,
    turns: Vec<(String, String)>,
    messages: Vec<(String, String)>,
    key: String,
}

fn said(
    contact: &str,
    aliases: &[&str],
    sender: (&str, Provider, &str),
    (id, text): (&str, &str),
) -> Arrival {
    let (sender, provider, account) = sender;
    Arrival {
        inbound: Inbound {
            provider,
            account: account.into(),
            id: id.into(),
            contact: ContactKey::from_stored(contact),
            aliases: aliases.iter().map(|alias| ContactKey::from_stored(*alias)).collect(),
            from_raw: contact.into(),
            display_name: Some("Secret Name".into()),
            sent_at: clock::now(),
            content: Content::Text { text: text.into() },
            quoted: None,
            referral: None,
        },
        sender: SenderName::new(sender),
        tenant: None,
        received_at: clock::now(),
    }
}

/// Tenant 55 has one of everything.
async fn plant(gateway: &Running) -> Planted {
    let (phone, lid, user, own) = (CONTACTS[0].0, CONTACTS[3].0, CONTACTS[4].0, CONTACTS[5].0);
    let store = &gateway.store;
    let shared = ("main", Provider::Waha, "default");
    let dedicated = ("secret-sender", Provider::Meta, "100200300");
    for (contact, aliases, sender, id, text) in [
        (phone, vec![lid], shared, "m1", "start_realty_55"),
        (phone, vec![], shared, "m2", "secret-text"),
        // Confirmed by a reply, which waits: its provider is not there.
        (phone, vec![], shared, "m3", "stop"),
        (own, vec![], dedicated, "m4", "secret-text"),
    ] {
        store.accept(said(contact, &aliases, sender, (id, text))).await.expect("accepted");
    }
    let same = SamePerson {
        provider: Provider::Waha,
        account: "default".into(),
        known: ContactKey::from_stored(phone),
        also: ContactKey::from_stored(user),
        message_id: None,
        at: clock::now(),
        because: SameBecause::LookedUp,
    };
    assert!(store.learn(same, clock::now()).await.expect("learnt"));
    let tenant = TenantId::new(55).expect("not 0");
    let key = switchboard::message::ConversationKey { tenant, contact: ContactKey::from_stored(own) };
    let wish = OptOut::by_operator(clock::now(), "secret-reason");
    store.set_opt_out(&key, Some(wish), "test", clock::now()).await.expect("kept");
    let records = json!([{"id": 1, "note": "secret-record"}]);
    gateway.operator(Method::PUT, "/api/tenants/55/collections/secret-homes", records).await;
    let file = gateway
        .operator(Method::POST, "/api/tenants/55/media?filename=secret-file.pdf", json!("secret-file"))
        .await;
    let template = json!({
        "name": "secret_template", "language": "en", "category": "utility", "body": "secret-text",
    });
    gateway.operator(Method::POST, "/api/tenants/55/templates?sender=secret-sender", template).await;
    let all = Filter { tenant: Some(tenant), limit: 100, ..Filter::default() };
    let mut turns: Vec<String> =
        store.turns(&all).await.expect("listed").into_iter().map(|turn| turn.id).collect();
    let replies = store.outbox(&all).await.expect("listed");
    assert!(turns.len() >= 2 && !replies.is_empty(), "{turns:?} {replies:?}");
    turns.extend(replies.into_iter().map(|reply| reply.id));
    // As they are, and claimed for one's own.
    let nobodys = |id: &str| id.replace(phone, CONTACTS[0].1).replace(own, CONTACTS[5].1);
    let claimed: Vec<String> = turns.iter().map(|id| id.replacen("55-", "2-", 1)).collect();
    let turns: Vec<(String, String)> =
        turns.into_iter().chain(claimed).map(|id| (nobodys(&id), id)).map(|(no, id)| (id, no)).collect();
    // By our number, the provider's id and the ids of turns and replies.
    let mut messages = turns.clone();
    for (id, _) in &turns {
        let number = id.rsplit('-').next().expect("an id");
        assert!(
            id.starts_with("2-") || store.way(number, Some(tenant)).await.expect("read").is_some(),
            "{id}"
        );
        messages.push((format!("{number:0>9}"), "999999999".to_owned()));
    }
    messages.extend(["m1", "m2", "m4"].map(|id| (id.to_owned(), id.replace('m', "n"))));
    Planted {
        handle: file["handle"].as_str().expect("a handle").to_owned(),
        turns,
        messages,
        key: gateway.tenant_key(55).await,
    }
}

impl Planted {
    /// Every pair of tenant 55's and of what nobody has.
    fn pairs(&self, names: Names) -> Vec<(String, String)> {
        let one = |theirs: &str, nobodys: &str| vec![(theirs.to_owned(), nobodys.to_owned())];
        match names {
            Names::Tenant => one("55", "99"),
            Names::Contact => CONTACTS.iter().flat_map(|(theirs, nobodys)| one(theirs, nobodys)).collect(),
            Names::File => {
                one(&self.handle, &format!("{}{}", &self.handle[..self.handle.len() - 8], "00000000"))
            }
            Names::Turn | Names::Reply => self.turns.clone(),
            Names::Message => self.messages.clone(),
            Names::Collection => one("secret-homes", "nobody-homes"),
            Names::Sender => one("secret-sender", "nobody-sender"),
            Names::Package => one("tenant-55", "tenant-99"),
            Names::Template => one("secret_template", "nobody_template"),
            Names::Language => one("en", "en"),
            Names::Organization => one("1", "9"),
            Names::Digest | Names::Key | Names::Token => one(&"a".repeat(12), &"b".repeat(12)),
            Names::Value => one("5", "5"),
        }
    }
}

/// One request; what it says in all of its parts.
#[derive(Clone, Debug)]
struct Asked {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Option<String>,
    values: Vec<String>,
}

/// Percent-encoded, as a part of an address.
fn part(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Plain values for what names nothing of anybody's.
fn plain(name: &str) -> &'static str {
    match name {
        "dry_run" => "true",
        "format" => "text",
        "provider" => "simulator",
        "filename" => "a.pdf",
        "category" => "utility",
        "body" => "Thank you.",
        _ => "5",
    }
}

/// The requests of a route in pairs, for a caller of tenant 2: with tenant 55's names and with nobody's, one
/// part at a time and all at once.
fn pairs(route: &Route, planted: &Planted) -> Vec<(Asked, Asked)> {
    let mut slots: Vec<(&str, Names, &str)> = Vec::new();
    slots.extend(route.path_names().into_iter().map(|(name, names)| (name, names, "path")));
    slots.extend(route.query.iter().map(|(name, names)| (*name, *names, "query")));
    if let Body::Json(keys) = route.body {
        slots.extend(keys.iter().map(|(name, names)| (*name, *names, "body")));
    }
    let most = slots.iter().map(|(_, names, _)| planted.pairs(*names).len()).max().unwrap_or(1);
    let mut found = Vec::new();
    for own_tenant in [true, false] {
        for with_query in [true, false] {
            for at in 0..most {
                let make = |nobodys: bool| {
                    let mut asked = Asked {
                        method: route.method.clone(),
                        path: route.path.to_owned(),
                        query: Vec::new(),
                        body: None,
                        values: Vec::new(),
                    };
                    let mut body = serde_json::Map::new();
                    for (name, names, place) in &slots {
                        let pairs = planted.pairs(*names);
                        let pair = &pairs[at % pairs.len()];
                        let value = if nobodys { &pair.1 } else { &pair.0 };
                        let value = match names {
                            Names::Value => plain(name).to_owned(),
                            Names::Tenant if own_tenant => "2".to_owned(),
                            _ => value.clone(),
                        };
                        asked.values.push(value.clone());
                        match *place {
                            "path" => {
                                asked.path = asked.path.replace(&format!("{{{name}}}"), &part(&value));
                            }
                            "query" if with_query => asked.query.push(((*name).to_owned(), value)),
                            "query" => {}
                            _ => {
                                let number = value.parse::<u64>().ok().filter(|_| *names == Names::Tenant);
                                body.insert((*name).to_owned(), number.map_or(json!(value), |id| json!(id)));
                            }
                        }
                    }
                    asked.body = match route.body {
                        Body::None => None,
                        Body::Json(_) => Some(Value::Object(body).to_string()),
                        Body::Mapping => Some(json!({ CONTACTS[at % CONTACTS.len()].0: 2 }).to_string()),
                        Body::Bytes => Some("[]".to_owned()),
                    };
                    asked
                };
                found.push((make(false), make(true)));
            }
        }
    }
    found
}

async fn send(gateway: &Running, asked: &Asked, key: Option<&str>) -> (u16, HeaderMap, String) {
    let query: Vec<String> =
        asked.query.iter().map(|(name, value)| format!("{name}={}", part(value))).collect();
    let url = format!("{}{}?{}", gateway.base, asked.path, query.join("&"));
    let mut request = gateway.client.request(asked.method.clone(), url);
    if let Some(body) = &asked.body {
        request = request.header("content-type", "application/json").body(body.clone());
    }
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let response = request.send().await.expect("it answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.text().await.expect("the whole answer"))
}

/// The secrets in an answer that the caller did not write.
fn leaks(asked: &Asked, headers: &HeaderMap, text: &str) -> Vec<&'static str> {
    let digits = |value: &String| value.chars().filter(char::is_ascii_digit).collect::<String>();
    let wrote = |secret: &str| {
        let body = asked.body.as_deref().unwrap_or_default();
        body.contains(secret)
            || asked.values.iter().any(|value| value.contains(secret) || digits(value) == secret)
    };
    let answer = format!("{headers:?} {text}");
    SECRETS.into_iter().filter(|secret| answer.contains(secret) && !wrote(secret)).collect()
}

/// An answer without what is another thing each time, and with one name for what was asked for.
fn alike(asked: &Asked, text: &str) -> String {
    let mut text = text.to_owned();
    let mut values = asked.values.clone();
    for (theirs, nobodys) in CONTACTS {
        // However it was written it is answered in one form.
        for form in [theirs, nobodys] {
            if asked.values.iter().any(|value| value == form) {
                values.push(form.split('@').next().unwrap_or_default().replace(['+', ' '], ""));
            }
        }
    }
    values.retain(|value| value.len() > 1);
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in values {
        text = text.replace(&value, "[asked]");
    }
    let mut steady = String::new();
    let mut run = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_hexdigit() || matches!(c, '-' | ':' | '.' | 'T' | 'Z') {
            run.push(c);
        } else {
            steady.push_str(if run.len() >= 12 { "[some]" } else { &run });
            run.clear();
            steady.push(c);
        }
    }
    steady
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_anothers_is_like_what_nobody_has() {
    let gateway = running_with(|root| write(&root.join("more/senders.toml"), OWN_SENDER)).await;
    let sender: toml::Table = OWN_SENDER.parse().expect("toml");
    let mut sender = json!(sender["sender"][0]);
    sender.as_object_mut().expect("an object").remove("name");
    gateway.operator(Method::PUT, "/api/senders/secret-sender", sender).await;
    let planted = plant(&gateway).await;
    let own = gateway.tenant_key(2).await;
    let wrong = format!("sbt_{}", "0".repeat(64));
    let mut problems = Vec::new();
    let mut tried = 0;
    for route in routes::table() {
        for (theirs, nobodys) in pairs(&route, &planted) {
            tried += 1;
            for key in [None, Some(wrong.as_str())] {
                let (status, headers, text) = send(&gateway, &theirs, key).await;
                let expected = if route.who == Who::Anyone { status } else { 401 };
                if status != expected || !leaks(&theirs, &headers, &text).is_empty() {
                    problems.push(format!("nobody {theirs:?}: {status} {text}"));
                }
            }
            let (status, headers, text) = send(&gateway, &theirs, Some(&own)).await;
            let (other_status, other_headers, other) = send(&gateway, &nobodys, Some(&own)).await;
            for (asked, headers, text) in [(&theirs, &headers, &text), (&nobodys, &other_headers, &other)] {
                let leaks = leaks(asked, headers, text);
                if !leaks.is_empty() {
                    problems.push(format!("{asked:?} tells {leaks:?}: {text}"));
                }
            }
            if route.who == Who::Operator && status != 403 {
                problems.push(format!("{theirs:?}: {status}, and it is the operator's"));
            }
            if route.who != Who::Anyone
                && (status != other_status || alike(&theirs, &text) != alike(&nobodys, &other))
            {
                problems.push(format!("{theirs:?}: {status} {text}\n  {nobodys:?}: {other_status} {other}"));
            }
        }
    }
    problems.dedup();
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    assert!(tried > 200, "only {tried} requests were tried");
    // What was planted is there, and its tenant sees it all.
    let mut seen = String::new();
    for path in [
        "/api/tenants",
        "/api/turns",
        "/api/outbox",
        "/api/tenants/55/media",
        "/api/tenants/55/opt-outs",
        "/api/tenants/55/templates",
        "/api/tenants/55/collections/secret-homes",
        "/api/tenants/55/conversations/245800000000182@lid",
        "/api/tenants/55/conversations/US.Secret77/messages",
    ] {
        let (status, answer) = gateway.ask(Method::GET, path, Some(&planted.key), Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        seen.push_str(&answer.to_string());
    }
    let hidden = ["US.Secret77", "245800000000182"];
    let missing: Vec<_> =
        SECRETS.iter().filter(|secret| !seen.contains(**secret) && !hidden.contains(secret)).collect();
    assert!(missing.is_empty(), "{missing:?} is nowhere");
}

/// No route is made beside the table, and no contact is made of a caller's words beside the one place.
#[test]
fn there_is_one_table_and_one_place() {
    let api = Path::new("../host/src/api");
    let files = std::fs::read_dir(api).expect("the API").map(|entry| entry.expect("a file").path());
    let mut looked = 0;
    for path in files.chain([Path::new("../host/src/api.rs").to_owned()]) {
        let text = std::fs::read_to_string(&path).expect("it reads");
        let is = |name: &str| path.ends_with(name);
        assert!(
            is("routes.rs") || !text.contains(".route("),
            "{}: routes stand in api/routes.rs",
            path.display()
        );
        for maker in ["identity::contact(", "identity::contact)", "ContactKey::from_stored"] {
            assert!(
                is("scoped.rs") || !text.contains(maker),
                "{}: contacts are made of what callers write in api/scoped.rs",
                path.display()
            );
        }
        looked += 1;
    }
    assert!(looked > 15, "{looked}");
}
