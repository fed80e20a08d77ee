//! Webhooks that could not be read: what is kept of them, and what is given up.

use futures::future::join_all;
use switchboard::event::Topic;
use switchboard::message::{Provider, Timestamp};
use switchboard::store::Retention;
use switchboard::store::unread::{COUNT, UnreadBody};

use super::lab::{Factory, Lab, at};

fn body(provider: Provider, at: Timestamp, body: String) -> UnreadBody {
    UnreadBody {
        provider,
        received_at: at,
        topics: vec![Topic::Message],
        reason: "no id".into(),
        body,
        proven: Vec::new(),
        at_its_address: None,
        tenant: None,
    }
}

/// Of each provider the latest, by number and by bytes.
pub async fn what_cannot_be_read_is_kept_within_bounds(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let store = lab.store();
    store.keep_unread(body(Provider::Meta, at(1), "another's".into())).await.expect("kept");
    let kept = (0..COUNT + 5).map(|n| store.keep_unread(body(Provider::Waha, at(2), format!("{n}"))));
    for kept in join_all(kept).await {
        kept.expect("kept");
    }
    let counts = store.unread_counts().await.expect("counted");
    assert_eq!(counts.get(&Provider::Waha).copied(), Some(COUNT as u64));
    assert_eq!(counts.get(&Provider::Meta).copied(), Some(1));
    let all = store.unread(None, usize::MAX).await.expect("read");
    let of_waha = all.iter().find(|(_, kept)| kept.provider == Provider::Waha).expect("some");
    assert_eq!(of_waha.1.body, "5", "the oldest were given up");

    let large = |n: u8| body(Provider::Waha, at(3), n.to_string().repeat(7 << 20));
    for n in 1..=3 {
        store.keep_unread(large(n)).await.expect("kept");
    }
    // One that is too large by itself is not kept, and is no error.
    store.keep_unread(body(Provider::Gupshup, at(3), "x".repeat(17 << 20))).await.expect("acknowledged");
    let all = store.unread(None, usize::MAX).await.expect("read");
    let of_waha: Vec<&str> = all
        .iter()
        .filter(|(_, kept)| kept.provider == Provider::Waha)
        .map(|(_, kept)| &kept.body[..1])
        .collect();
    assert_eq!(of_waha, ["2", "3"]);
    assert_eq!(all.len(), 3);
    let mut one_by_one = Vec::new();
    while let Some(next) = store.unread(one_by_one.last().map(|(id, _)| id), 1).await.expect("read").pop() {
        one_by_one.push(next);
    }
    assert_eq!(one_by_one, all, "as a replay reads them");

    store.forget_unread(all[0].0.clone()).await.expect("forgotten");
    let rest = store.unread(None, usize::MAX).await.expect("read");
    assert_eq!(rest, all[1..]);
    assert_eq!(store.unread(Some(&rest[0].0), 10).await.expect("read"), rest[1..]);

    // Where the ids of that time are forgotten, it could be taken in twice.
    const KEEP: i64 = 1_000_000;
    let retention = Retention {
        dedup_ms: 5,
        history_ms: KEEP,
        ended_ms: KEEP,
        journal_ms: KEEP,
        audit_ms: KEEP,
        template_log_ms: KEEP,
    };
    store.prune(retention, at(8), 100).await.expect("pruned");
    assert_eq!(store.unread(None, 10).await.expect("read"), rest);
    store.prune(retention, at(9), 100).await.expect("pruned");
    assert_eq!(store.unread(None, 10).await.expect("read"), []);
}

/// They are many, and push nothing else out.
pub async fn reports_that_cannot_be_read_are_given_up_first(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let store = lab.store();
    let report = |n: usize| {
        let body = body(Provider::Infobip, at(2), format!("report {n}"));
        store.keep_unread(UnreadBody { topics: vec![Topic::Receipt], ..body })
    };
    store.keep_unread(body(Provider::Infobip, at(1), "a message".into())).await.expect("kept");
    for kept in join_all((0..COUNT).map(report)).await {
        kept.expect("kept");
    }
    let all = store.unread(None, usize::MAX).await.expect("read");
    let of_infobip: Vec<&str> = all
        .iter()
        .filter(|(_, kept)| kept.provider == Provider::Infobip)
        .map(|(_, kept)| kept.body.as_str())
        .collect();
    assert_eq!((of_infobip.len(), &of_infobip[..2]), (COUNT, &["a message", "report 1"][..]));
}
