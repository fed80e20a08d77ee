//! What is long is answered a page at a time, however much is asked for, and can be read to its end.

use switchboard::api::routes;
use switchboard::conversation::{Cost, JournalEntry, Trigger};
use switchboard::message::{Content, ConversationKey, Inbound, Outbound, Provider, SenderName, Timestamp};
use switchboard::store::{Arrival, Filter, InboxId, TurnCommit};

use super::*;

const CONTACT: &str = "971501234567";
const TURNS: usize = 12;
const LONG: usize = 200 << 10;

/// An answer is no longer: the budget, and what names the things in it.
const MOST: usize = (1 << 20) + (64 << 10);

fn said(id: usize, text: &str, now: Timestamp) -> Arrival {
    let inbound = Inbound {
        provider: Provider::Waha,
        account: "default".into(),
        id: id.to_string(),
        contact: ContactKey::from_stored(CONTACT),
        aliases: Vec::new(),
        from_raw: CONTACT.into(),
        display_name: None,
        sent_at: now,
        content: Content::Text { text: text.into() },
        quoted: None,
        referral: None,
    };
    Arrival { inbound, sender: SenderName::new("main"), tenant: None, received_at: now }
}

/// Tenant 2's brain has written this much into its journal, and said as much, with every turn.
async fn talkative(store: &dyn Store) {
    let key = ConversationKey {
        tenant: TenantId::new(2).expect("not 0"),
        contact: ContactKey::from_stored(CONTACT),
    };
    for n in 0..TURNS {
        let now = clock::now();
        store.accept(said(n, "start_realty_2", now)).await.expect("accepted");
        let waiting = store.turns(&Filter { limit: 10, ..Filter::default() }).await.expect("listed");
        let (_, seq) = waiting[0].id.rsplit_once('-').expect("an id");
        let journal = JournalEntry {
            turn: n as u64,
            at: now,
            brain_version: "v1".into(),
            seed: 1,
            trigger: Trigger::Messages { messages: Vec::new() },
            memory_before: None,
            host_calls: Vec::new(),
            outcome: json!({ "n": n, "long": "x".repeat(LONG) }),
            cost: Cost::default(),
        };
        let turn = TurnCommit {
            key: key.clone(),
            entries: vec![InboxId { at: now, seq: seq.parse().expect("a place") }],
            memory: None,
            brain_version: "v1".into(),
            sends: vec![Outbound::text("y".repeat(LONG))],
            timers: Vec::new(),
            leads: Vec::new(),
            mode: None,
            wants_receipts: false,
            journal,
            now,
        };
        store.commit_turn(turn).await.expect("committed");
    }
}

impl Running {
    async fn page(&self, path: &str, key: &str) -> Value {
        let request = self.client.get(format!("{}{path}", self.base)).bearer_auth(key);
        let bytes = request.send().await.expect("it answers").bytes().await.expect("the whole answer");
        assert!(bytes.len() < MOST, "{path}: {} bytes", bytes.len());
        serde_json::from_slice(&bytes).expect("JSON")
    }
}

fn places(answer: &Value, list: &str) -> Vec<u64> {
    let entries = answer[list].as_array().unwrap_or_else(|| panic!("{answer}"));
    entries.iter().map(|entry| entry["seq"].as_u64().expect("its place")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn large_entries_are_read_to_their_end() {
    let gateway = running().await;
    talkative(&*gateway.store).await;
    let own = gateway.tenant_key(2).await;
    // With every turn a line is heard and one is said.
    for (list, entries) in [("journal", TURNS), ("messages", 2 * TURNS)] {
        let path = format!("/api/tenants/2/conversations/{CONTACT}/{list}?limit=1000");
        let (mut all, mut next) = (Vec::new(), String::new());
        loop {
            let answer = gateway.page(&format!("{path}{next}"), &own).await;
            let found = places(&answer, list);
            assert!((1..TURNS).contains(&found.len()), "{list}: {found:?}");
            let more = answer["next"].as_str().map(str::to_owned);
            assert_eq!(answer["more"], more.is_some());
            all.splice(0..0, found.iter().copied());
            let Some(before) = more else { break };
            next = format!("&before={before}");
            // An entry's own place is as good.
            assert_eq!(before, found[0].to_string());
        }
        assert!(all.len() == entries && all.is_sorted_by(|one, other| one < other), "{list}: {all:?}");
        // The newest after a place, and then those between.
        let after = format!("{path}&after={}", all[entries - 4]);
        let after = after.replace("limit=1000", "limit=1");
        let answer = gateway.page(&after, &own).await;
        assert_eq!((places(&answer, list), &answer["more"]), (vec![all[entries - 1]], &json!(true)));
        let answer = gateway.page(&format!("{after}&before={}", all[entries - 2]), &own).await;
        assert_eq!((places(&answer, list), &answer["more"]), (vec![all[entries - 3]], &json!(false)));
    }
    let outbox = gateway.page("/api/outbox?limit=10000", &own).await;
    let listed = outbox["outbox"].as_array().expect("a list").len();
    assert!((1..TURNS).contains(&listed) && outbox["more"] == true, "{listed}");
    let narrow = gateway.page("/api/outbox?limit=1", &own).await;
    assert_eq!((narrow["outbox"].as_array().map(Vec::len), &narrow["more"]), (Some(1), &json!(true)));
    let id = narrow["outbox"][0]["id"].as_str().expect("an id");
    assert_eq!(gateway.page(&format!("/api/outbox/{id}"), &own).await["id"], id);
    let turns = gateway.page("/api/turns?limit=10000", &own).await;
    assert_eq!(turns["more"], false);
    let audit = gateway.operator(Method::GET, "/api/audit?limit=1", Value::Null).await;
    assert_eq!((audit["audit"].as_array().map(Vec::len), &audit["more"]), (Some(1), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_is_empty_because_it_was_asked_to_be() {
    let gateway = running().await;
    let mut tried = 0;
    for route in routes::table() {
        if !route.query.iter().any(|(name, _)| *name == "limit") {
            continue;
        }
        tried += 1;
        let path = route.path.replace("{tenant}", "2").replace("{contact}", CONTACT);
        for (limit, what) in [("0", "limit: is 0"), ("x", "limit: invalid digit")] {
            let path = format!("{path}?limit={limit}");
            let (status, answer) =
                gateway.ask(Method::GET, &path, Some(&gateway.operator), Value::Null).await;
            assert_eq!((status, &answer["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("malformed")));
            let message = answer["error"]["message"].as_str().expect("a message");
            assert!(message.contains(what), "{path}: {message}");
        }
    }
    assert!(tried >= 8, "only {tried} routes have pages");
    let path = format!("/api/tenants/2/conversations/{CONTACT}/messages?before=yesterday");
    let (status, answer) = gateway.ask(Method::GET, &path, Some(&gateway.operator), Value::Null).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        answer["error"]["message"].as_str().is_some_and(|it| it.contains("before: is no place")),
        "{answer}"
    );
}
