//! Listings and histories, and who may see what.

use std::time::Duration;

use switchboard::store::Filter;

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
    let all = lab.store().history(&conversation, None, 100).expect("history");
    assert_eq!(all.len(), 19);
    assert!(all.is_sorted_by_key(|(seq, _)| *seq));
    let newest = lab.store().history(&conversation, None, 5).expect("history");
    assert_eq!(newest, all[14..]);
    let (mut paged, mut after) = (Vec::new(), 0);
    loop {
        let page = lab.store().history(&conversation, Some(after), 4).expect("history");
        let Some((last, _)) = page.last() else { break };
        assert!(page.len() <= 4);
        after = *last;
        paged.extend(page);
    }
    assert_eq!(paged, all, "page by page from the beginning");
    assert_eq!(lab.store().history(&conversation, Some(after), 4).expect("history").len(), 0);
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
        assert_eq!(lab.store().turns(&filter).expect("turns").len(), turns, "{filter:?}");
        assert_eq!(lab.store().outbox(&filter).expect("outbox").len(), sends, "{filter:?}");
    }
    let ids: Vec<_> = lab
        .store()
        .turns(&filter(Some(2), None, 100))
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
        assert_eq!(lab.store().conversation(&conversation).expect("read"), None);
        assert_eq!(lab.store().history(&conversation, None, 10).expect("read"), []);
        assert_eq!(lab.store().history(&conversation, Some(0), 10).expect("read"), []);
        assert_eq!(lab.store().journal(&conversation, 10).expect("read"), []);
    }
    // A contact whose key begins like another's is another.
    for similar in ["97150", "9715011", "971501@lid"] {
        assert_eq!(lab.store().conversation(&key(2, similar)).expect("read"), None);
        assert_eq!(lab.store().history(&key(2, similar), None, 10).expect("read"), []);
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
        let conversation = lab.store().conversation(&key(2, "971501")).expect("read").expect("there");
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
    let journal = lab.store().journal(&key(2, "971501"), 3).expect("journal");
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
    let watcher = wakes.history.notified();
    tokio::pin!(watcher);
    watcher.as_mut().enable();
    lab.commit(&claim, says(&["hi"]), 2).await;
    assert!(soon(wakes.sends.notified()).await, "a reply wakes the delivery loop");
    assert!(
        tokio::time::timeout(Duration::from_secs(10), watcher).await.is_ok(),
        "a line wakes whoever watches"
    );
}
