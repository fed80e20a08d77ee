//! Listings and histories, and who may see what.

use std::time::Duration;

use switchboard::conversation::HistoryEntry;
use switchboard::message::ConversationKey;
use switchboard::store::pages::{Before, Span};
use switchboard::store::{Filter, Settlement, TurnFate};

use super::lab::{Factory, Lab, all, arrival, at, contact, key, says, tenant_id, text_of, turn};

pub async fn history_pages_both_ways(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    lab.meets("971502", 2, 0).await;
    for n in 1..10 {
        for who in ["971501", "971502"] {
            lab.hears(who, &format!("q{n}"), n).await;
            let claim = lab.claim_one(n).await;
            lab.commit(&claim, says(&["a"]), n).await;
        }
    }
    let conversation = key(2, "971501");
    let all = lab.store().history(&conversation, None, 100).await.expect("history");
    assert_eq!(all.len(), 19);
    assert!(all.is_sorted_by_key(|(seq, _)| *seq));
    let newest = lab.store().history(&conversation, None, 5).await.expect("history");
    assert_eq!(newest, all[14..]);
    let last = all[18].0;
    for after in [None, Some(0), Some(all[6].0), Some(last)] {
        let expected = &all[all.partition_point(|(seq, _)| after.is_some_and(|after| *seq <= after))..];
        assert_eq!(
            paged(&lab, &conversation, after, 4).await,
            expected,
            "page by page from the end: {after:?}"
        );
    }
    // Wherever somebody begins, and whether there is a line of this conversation or not.
    for before in 0..last + 3 {
        let span = Span { before: Some(Before { seq: before, chains: Vec::new() }), ..Span::newest(3) };
        let page = lab.store().history_span(&conversation, &span).await.expect("history");
        let end = all.partition_point(|(seq, _)| *seq < before);
        let begin = end.saturating_sub(3);
        assert_eq!(page.entries, all[begin..end], "{before}");
        assert_eq!(page.earlier.is_some(), begin > 0, "{before}");
    }
    assert_eq!(lab.store().history(&conversation, Some(last), 4).await.expect("history").len(), 0);
}

/// Everything after `after`, read in pages of `limit`.
pub async fn paged(
    lab: &Lab<'_>,
    key: &ConversationKey,
    after: Option<u64>,
    limit: usize,
) -> Vec<(u64, HistoryEntry)> {
    let (mut whole, mut before) = (Vec::new(), None);
    loop {
        let span = Span { after, before, ..Span::newest(limit) };
        let page = lab.store().history_span(key, &span).await.expect("history");
        assert!(page.entries.len() <= limit, "{page:?}");
        whole.splice(0..0, page.entries);
        // As a caller would give it back.
        let Some(earlier) = page.earlier else { return whole };
        before = Some(earlier.to_string().parse().expect("a place"));
    }
}

pub async fn large_entries_are_read_page_by_page(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    for n in 1..10 {
        lab.hears("971501", &"x".repeat(1000), n).await;
        let claim = lab.claim_one(n).await;
        let mut commit = turn(&claim, says(&["a"]), at(n));
        commit.journal.outcome = serde_json::json!({ "n": n, "long": "x".repeat(1000) });
        lab.store().commit_turn(commit).await.expect("committed");
    }
    let conversation = key(2, "971501");
    let whole = lab.store().journal(&conversation, 100).await.expect("journal");
    for (bytes, most) in [(1, 1), (2_000, 2), (10_000, 9)] {
        let (mut read, mut before) = (Vec::new(), None);
        loop {
            let span = Span { before, bytes, ..Span::newest(100) };
            let page = lab.store().journal_span(&conversation, &span).await.expect("journal");
            assert!(page.entries.is_sorted_by_key(|(seq, _)| *seq));
            assert!((1..=most).contains(&page.entries.len()), "{bytes}: {}", page.entries.len());
            read.splice(0..0, page.entries.into_iter().map(|(_, entry)| entry));
            before = page.earlier;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(read, whole, "{bytes}");
    }
    for n in 10..20 {
        lab.hears("971501", &"x".repeat(1000), n).await;
    }
    let page = lab.store().turns_page(&all(), 5_000).await.expect("turns");
    assert!(page.more && (2..10).contains(&page.entries.len()), "{}", page.entries.len());
    assert!(!lab.store().turns_page(&all(), 50_000).await.expect("turns").more);
    let page = lab.store().audit_page(100, 1).await.expect("audit");
    assert!(page.more && page.entries.len() == 1);
    let filter = Filter { limit: 4, ..all() };
    let page = lab.store().outbox_page(&filter, usize::MAX).await.expect("outbox");
    assert!(page.more && page.entries.len() == 4);
}

pub async fn one_is_found_by_its_id(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["x", "y", "z"], 0).await;
    let first = lab.sends(1, 5).await.remove(0);
    lab.settle(&first, Settlement::Dead { error: "no".into() }, 6).await;
    lab.hears("971501", "to die", 10).await;
    let claim = lab.claim_one(10).await;
    lab.fail(&claim, TurnFate::Dead { fallback: None }, 10).await;
    lab.hears("971501", "waiting", 11).await;
    let (turns, sends) =
        (lab.store().turns(&all()).await.expect("turns"), lab.store().outbox(&all()).await.expect("outbox"));
    assert_eq!((turns.len(), sends.len()), (2, 3));
    for turn in &turns {
        let found = lab.store().turn(&turn.id).await.expect("read").expect("there");
        assert_eq!(serde_json::json!(found), serde_json::json!(turn));
    }
    for send in &sends {
        let found = lab.store().send(&send.id).await.expect("read").expect("there");
        assert_eq!(serde_json::json!(found), serde_json::json!(send));
    }
    for id in turns.iter().map(|turn| &turn.id).chain(sends.iter().map(|send| &send.id)) {
        let (rest, seq) = id.rsplit_once('-').expect("an id");
        assert_eq!(rest, "2-971501");
        for wrong in
            [format!("1-971501-{seq}"), format!("2-971509-{seq}"), format!("2-971501-9{seq}"), "2".into()]
        {
            assert!(lab.store().turn(&wrong).await.expect("read").is_none(), "{wrong}");
            assert!(lab.store().send(&wrong).await.expect("read").is_none(), "{wrong}");
        }
    }
}

pub async fn settled_is_what_has_nothing_to_do(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let (busy, other) = (key(2, "971501"), key(2, "971502"));
    let settled = async |key| lab.store().is_settled(key, at(100)).await.expect("read");
    lab.meets("971501", 2, 0).await;
    lab.meets("971502", 2, 0).await;
    assert!(settled(&busy).await && settled(&other).await);
    lab.hears("971501", "hello", 1).await;
    assert!(!settled(&busy).await && settled(&other).await);
    let claim = lab.claim_one(1).await;
    assert!(!settled(&busy).await, "it is being worked on");
    lab.fail(&claim, TurnFate::Retry { at: at(5_000) }, 1).await;
    assert!(!settled(&busy).await, "it is tried again");
    let claim = lab.claim_one(5_000).await;
    lab.fail(&claim, TurnFate::Dead { fallback: None }, 5_000).await;
    assert!(settled(&busy).await, "nothing more will come of it");
}

pub async fn listings_narrow_and_stop(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for (who, tenant) in [("971501", 1), ("971502", 2), ("971503", 2), ("9715", 2), ("971504", 3)] {
        lab.owes(who, tenant, &["x", "y"], 0).await;
        lab.hears(who, "waiting", 50).await;
    }
    let filter = |tenant: Option<u32>, who: Option<&str>, limit| Filter {
        tenant: tenant.map(tenant_id),
        contact: who.map(contact),
        limit,
        ..Filter::default()
    };
    for (filter, turns, sends) in [
        (all(), 5, 10),
        (filter(Some(2), None, 100), 3, 6),
        (filter(Some(2), Some("9715"), 100), 1, 2),
        (filter(None, Some("971504"), 100), 1, 2),
        (filter(Some(3), Some("971503"), 100), 0, 0),
        (filter(Some(2), None, 1), 1, 1),
        (filter(Some(9), None, 100), 0, 0),
        (Filter { ended: true, ..all() }, 0, 0),
    ] {
        assert_eq!(lab.store().turns(&filter).await.expect("turns").len(), turns, "{filter:?}");
        assert_eq!(lab.store().outbox(&filter).await.expect("outbox").len(), sends, "{filter:?}");
    }
    let ids: Vec<_> = lab
        .store()
        .turns(&filter(Some(2), None, 100))
        .await
        .expect("turns")
        .into_iter()
        .map(|turn| turn.id)
        .collect();
    for id in &ids {
        lab.store().retry_turn(id, "operator", at(60)).await.expect("what is listed can be named");
    }
    // The same places under another tenant or contact name nothing.
    let (_, seq) = ids[0].rsplit_once('-').expect("an id");
    for wrong in [format!("1-971502-{seq}"), format!("2-971509-{seq}")] {
        assert!(lab.store().retry_turn(&wrong, "operator", at(61)).await.is_err(), "{wrong}");
    }
}

pub async fn no_tenant_reads_anothers(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["for two"], 0).await;
    for other in [0, 1, 3] {
        let conversation = key(other, "971501");
        assert_eq!(lab.store().conversation(&conversation).await.expect("read"), None);
        assert_eq!(lab.store().history(&conversation, None, 10).await.expect("read"), []);
        assert_eq!(lab.store().history(&conversation, Some(0), 10).await.expect("read"), []);
        assert_eq!(lab.store().journal(&conversation, 10).await.expect("read"), []);
    }
    // A contact whose key begins like another's is another.
    for similar in ["97150", "9715011", "971501@lid"] {
        assert_eq!(lab.store().conversation(&key(2, similar)).await.expect("read"), None);
        assert_eq!(lab.store().history(&key(2, similar), None, 10).await.expect("read"), []);
    }
}

pub async fn a_conversation_shows_what_waits(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    let mut moved = arrival("971501", "m2", "from elsewhere", at(100));
    moved.sender = switchboard::message::SenderName::new("other");
    moved.inbound.from_raw = "111@lid".into();
    moved.inbound.display_name = Some("New Name".into());
    lab.accept(moved).await;
    for step in ["waiting", "restarted", "done"] {
        match step {
            "restarted" => lab.restart(),
            "done" => {
                let claim = lab.claim_one(101).await;
                assert_eq!(claim.conversation.reply_to, "111@lid");
                lab.commit(&claim, says(&["here"]), 102).await;
            }
            _ => {}
        }
        let conversation = lab.store().conversation(&key(2, "971501")).await.expect("read").expect("there");
        assert_eq!(conversation.last_inbound_at, at(100), "{step}");
        assert_eq!(conversation.reply_to, "111@lid", "{step}");
        assert_eq!(conversation.display_name.as_deref(), Some("New Name"), "{step}");
        assert_eq!(conversation.sender.as_ref().map(|sender| sender.as_str()), Some("other"), "{step}");
        assert_eq!(conversation.created_at, at(0), "{step}");
    }
    let send = lab.sends(1, 103).await.remove(0);
    assert_eq!((send.entry.sender.as_str(), send.entry.to.as_str()), ("other", "111@lid"));
    assert_eq!(text_of(&send.entry.outbound), "here");
}

pub async fn the_journal_shows_what_a_turn_did(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    let mut expected = Vec::new();
    for n in 1..6 {
        lab.hears("971501", &format!("q{n}"), n).await;
        let claim = lab.claim_one(n).await;
        let mut commit = turn(&claim, says(&["a"]), at(n));
        commit.journal.outcome = serde_json::json!({ "n": n, "nested": [1.5, null, { "key": "value" }] });
        expected.push(commit.journal.clone());
        lab.store().commit_turn(commit).await.expect("committed");
    }
    let journal = lab.store().journal(&key(2, "971501"), 3).await.expect("journal");
    assert_eq!(journal, expected[2..], "the newest three, oldest first");
    assert_eq!(journal[2].turn, 6);
}

async fn soon(wake: impl Future<Output = ()>) -> bool {
    tokio::time::timeout(Duration::from_secs(10), wake).await.is_ok()
}

pub async fn watchers_are_woken(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let wakes = lab.store().wakes();
    lab.hears("971501", "start_realty_2", 0).await;
    assert!(soon(wakes.turns.notified()).await, "a message wakes the turn loop");
    let claim = lab.claim_one(1).await;
    let bell = wakes.history.of(&key(2, "971501"));
    // Some of very many share a bell.
    let others = (0..).map(|n| wakes.history.of(&key(2, &format!("97150{n}"))));
    let others = others.filter(|other| !std::ptr::eq(*other, bell)).take(10);
    let mut others: Vec<_> = others.map(|other| Box::pin(other.notified())).collect();
    for other in &mut others {
        other.as_mut().enable();
    }
    let watcher = bell.notified();
    tokio::pin!(watcher);
    watcher.as_mut().enable();
    lab.commit(&claim, says(&["hi"]), 2).await;
    assert!(soon(wakes.sends.notified()).await, "a reply wakes the delivery loop");
    assert!(
        tokio::time::timeout(Duration::from_secs(10), watcher).await.is_ok(),
        "a line wakes whoever watches"
    );
    for other in &mut others {
        assert!(!other.as_mut().enable(), "it wakes nobody else");
    }
}
