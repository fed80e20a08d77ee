//! What the operator does.

use std::sync::Arc;

use serde_json::json;
use switchboard::conversation::LeadChange;
use switchboard::event::SessionChange;
use switchboard::event::session::Status;
use switchboard::message::{OrganizationId, Provider, SenderName};
use switchboard::store::{ApiKey, AuditEntry, Error, Retention, Settlement, TurnFate};

use super::lab::{
    Answer, Factory, Lab, arrival, at, contact, furnish, key, organization, says, sender, tenant, tenant_id,
};

pub async fn unlocking_separates_the_tenants(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    lab.hears("971501", "my secret", 1).await;
    let claim = lab.claim_one(2).await;
    lab.commit(&claim, Answer { memory: Some(r#"{"of":1}"#), says: vec!["noted"], ..Answer::default() }, 3)
        .await;
    // This one still waits when the lock goes.
    lab.hears("971501", "still yours", 4).await;
    let lock = lab.store().unlock(&contact("971501"), "operator", at(5)).await.expect("unlocked");
    assert_eq!((lock.tenant, lock.since), (tenant_id(1), at(0)));
    assert!(matches!(
        lab.store().unlock(&contact("971501"), "operator", at(6)).await,
        Err(Error::NotFound(_))
    ));
    lab.restart();
    assert_eq!(lab.store().lock_of(&contact("971501")).await.expect("read"), None);
    assert_eq!(lab.store().counters().users, 0);
    lab.hears("971501", "start_realty_3", 7).await;
    let claims = lab.claim(10, 10).await;
    let tenants: Vec<u32> = claims.iter().map(|claim| claim.key.tenant.get()).collect();
    assert_eq!(tenants, [1, 3], "the old tenant's pending turn still runs");
    let new = &claims[1];
    assert_eq!(
        (new.conversation.memory.as_deref(), new.conversation.turns),
        (None, 0),
        "the new one knows nothing"
    );
    assert_eq!(lab.lines(3, "971501").await, [""; 0]);
    lab.commit(&claims[0], says(&["goodbye"]), 11).await;
    lab.commit(new, says(&["welcome"]), 11).await;
    assert_eq!(lab.lines(3, "971501").await, ["Contact: start_realty_3", "Brain: welcome (Queued)"]);
    assert_eq!(lab.lines(1, "971501").await.len(), 5);
    let audit = lab.store().audit_log(1).await.expect("audit").remove(0);
    assert_eq!(
        (audit.action.as_str(), audit.actor.as_str(), audit.subject.as_str()),
        ("unlock", "operator", "971501")
    );
    assert_eq!(audit.detail["previous_tenant"], 1);
    lab.assert_counters_true().await;
}

pub async fn an_import_refuses_conflicts(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971500", 1, 0).await;
    lab.meets("971501", 2, 0).await;
    let locks = || {
        let mut locks: Vec<_> =
            (0..25_000).map(|n| (contact(&format!("98{n:06}")), tenant_id(1 + n % 3))).collect();
        locks.push((contact("971500"), tenant_id(1)));
        locks.push((contact("971501"), tenant_id(3)));
        locks.push((contact("98000007"), tenant_id(1)));
        locks.push((contact("98000009"), tenant_id(1)));
        locks.push((contact("971777"), tenant_id(77)));
        locks
    };
    let import = |dry_run| lab.store().import_locks(locks(), dry_run, "operator", at(5));
    for dry_run in [true, false] {
        let report = import(dry_run).await.expect("reported");
        assert_eq!((report.imported, report.unchanged), (25_000, 2), "dry run: {dry_run}");
        assert_eq!(
            report.conflicts,
            [
                "971501: locked to 2, the file says 3",
                "971777: there is no tenant 77",
                "98000007: the file says 2 first, 1 later"
            ]
        );
        assert_eq!(lab.store().counters().users, if dry_run { 2 } else { 25_002 });
    }
    let again = import(false).await.expect("reported");
    assert_eq!((again.imported, again.unchanged, again.conflicts.len()), (0, 25_002, 3));
    // Each commit names whoever made it.
    let audit = lab.store().audit_log(4).await.expect("audit");
    let told: Vec<_> = audit
        .iter()
        .map(|entry| {
            assert_eq!((entry.action.as_str(), entry.actor.as_str()), ("import locks", "operator"));
            ["imported", "unchanged", "conflicts"]
                .map(|count| entry.detail[count].as_u64().unwrap_or(u64::MAX))
        })
        .collect();
    assert_eq!(told, [[0, 25_002, 3], [5_000, 0, 0], [10_000, 0, 0], [10_000, 2, 3]]);
    assert_eq!(
        lab.store().lock_of(&contact("971501")).await.expect("read").expect("locked").tenant,
        tenant_id(2)
    );
    lab.assert_counters_true().await;
}

pub async fn locks_are_paged_in_key_order(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let locks = (0..95).map(|n| (contact(&format!("98{n:03}")), tenant_id(1))).collect();
    lab.store().import_locks(locks, false, "operator", at(0)).await.expect("imported");
    let mut link = arrival("98050-", "m1", "start_realty_2", at(1));
    link.inbound.aliases = vec![contact("98010@lid")];
    lab.accept(link).await;
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = lab.store().locks(after.as_ref(), 10).await.expect("a page");
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        all.extend(page.into_iter().map(|(contact, _)| contact));
    }
    assert_eq!(all.len(), 96, "the alias is none");
    assert!(all.is_sorted());
    assert!(all.contains(&contact("98050-")));
}

pub async fn leads_are_shared_inside_an_organization_only(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let change = |stage: Option<&str>, fields| LeadChange {
        stage: stage.map(str::to_owned),
        fields: serde_json::from_value(fields).expect("an object"),
    };
    lab.hears("971501", "start_realty_1-flyer", 0).await;
    let claim = lab.claim_one(0).await;
    let leads = vec![
        change(Some("new"), json!({ "budget": 1, "area": "marina" })),
        change(None, json!({ "budget": 2 })),
    ];
    lab.commit(&claim, Answer { leads, ..Answer::default() }, 1).await;
    lab.store().unlock(&contact("971501"), "operator", at(2)).await.expect("unlocked");
    lab.hears("971501", "start_realty_2", 3).await;
    let claim = lab.claim_one(3).await;
    let seen = claim.lead.clone().expect("tenant 2 is of the same organization");
    assert_eq!((seen.stage.as_str(), &seen.fields["budget"]), ("new", &json!(2)));
    let leads = vec![change(Some("viewing"), json!({ "area": null, "beds": 3 }))];
    lab.commit(&claim, Answer { leads, ..Answer::default() }, 4).await;
    let lead = lab.store().lead(OrganizationId(1), &contact("971501")).await.expect("read").expect("there");
    assert_eq!(json!(lead.fields), json!({ "budget": 2, "beds": 3 }));
    assert_eq!((lead.stage.as_str(), lead.updated_at), ("viewing", at(4)));
    assert_eq!((lead.threads[&1].since, lead.threads[&1].source.as_deref()), (at(1), Some("flyer")));
    assert_eq!((lead.threads[&2].since, lead.threads[&2].source.as_deref()), (at(4), None));

    lab.store().unlock(&contact("971501"), "operator", at(5)).await.expect("unlocked");
    lab.hears("971501", "start_realty_3", 6).await;
    assert_eq!(lab.claim_one(6).await.lead, None, "tenant 3 is of another organization");
    assert_eq!(lab.store().lead(OrganizationId(2), &contact("971501")).await.expect("read"), None);
}

pub async fn collections_are_replaced_whole(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let put =
        |tenant, records| lab.store().put_collection(tenant_id(tenant), "properties", records, "operator");
    put(1, vec![json!({ "id": "a", "price": 1 }), json!({ "id": 2 })]).await.expect("put");
    let first = lab.store().collection(tenant_id(1), "properties").await.expect("read").expect("there");
    assert_eq!((first.len(), &first[0]["price"]), (2, &json!(1)));
    let again = lab.store().collection(tenant_id(1), "properties").await.expect("read").expect("there");
    assert!(Arc::ptr_eq(&first, &again), "parsed once");
    put(1, vec![json!({ "id": "c" })]).await.expect("put");
    for (records, what) in [
        (vec![json!({ "name": "no id" })], "record 1"),
        (vec![json!({ "id": 1 }), json!("text")], "record 2"),
        (vec![json!({ "id": "x" }), json!({ "id": "x" })], "earlier"),
        (vec![json!({ "id": 1.5 })], "record 1"),
    ] {
        let refused = put(1, records).await;
        assert!(matches!(&refused, Err(Error::Conflict(text)) if text.contains(what)), "{refused:?}");
    }
    assert!(matches!(put(9, Vec::new()).await, Err(Error::NotFound(_))));
    for restarted in [false, true] {
        if restarted {
            lab.restart();
        }
        let now = lab.store().collection(tenant_id(1), "properties").await.expect("read").expect("there");
        assert_eq!(*now, vec![json!({ "id": "c" })]);
        assert_eq!(
            lab.store().collection(tenant_id(2), "properties").await.expect("read"),
            None,
            "another tenant's"
        );
        assert_eq!(lab.store().collection(tenant_id(1), "products").await.expect("read"), None);
    }
}

pub async fn what_is_put_is_there_after_a_start(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let mut changed = tenant(1, 2);
    changed.name = "New name".into();
    changed.labels.insert("user_id".into(), "42".into());
    changed.limits.coalesce_ms = Some(250);
    lab.store().put_tenant(changed.clone(), "operator").await.expect("put");
    let mut moved = sender("main", "renamed", None);
    moved.number = Some("971400".into());
    lab.store().put_sender(moved.clone(), "operator").await.expect("put");
    let api_key =
        ApiKey { hash: "ab12".into(), tenant: Some(tenant_id(1)), name: "ci".into(), created_at: at(0) };
    lab.store().put_api_key(api_key.clone(), "operator").await.expect("put");
    for restarted in [false, true] {
        if restarted {
            lab.restart();
        }
        let directory = lab.store().directory();
        assert_eq!(directory.tenant(tenant_id(1)).map(|tenant| tenant.as_ref()), Some(&changed));
        assert_eq!(directory.organization_of(tenant_id(1)), Some(OrganizationId(2)));
        assert_eq!(
            directory.sender_of(Provider::Waha, "renamed").map(|sender| sender.as_ref()),
            Some(&moved)
        );
        assert_eq!(directory.sender_of(Provider::Waha, "default"), None);
        assert_eq!((directory.tenants.len(), directory.organizations.len()), (4, 2));
        assert_eq!(lab.store().api_key("ab12").await.expect("read"), Some(api_key.clone()));
        assert_eq!(lab.store().api_key("ab13").await.expect("read"), None);
        assert_eq!(lab.store().api_keys().await.expect("read"), std::slice::from_ref(&api_key));
    }
    lab.store().probe().await.expect("it commits");
}

pub async fn what_contradicts_is_refused(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let audited = lab.store().audit_log(1000).await.expect("audit").len();
    let refused = [
        lab.store().put_tenant(tenant(0, 1), "operator").await,
        lab.store().put_tenant(tenant(7, 9), "operator").await,
        lab.store().put_sender(sender("fourth", "default", None), "operator").await,
        lab.store().put_sender(sender("fourth", "fourth", Some(9)), "operator").await,
    ];
    for word in refused {
        assert!(matches!(word, Err(Error::Conflict(_))), "{word:?}");
    }
    assert_eq!(lab.store().directory().senders.len(), 3);
    assert_eq!(lab.store().audit_log(1000).await.expect("audit").len(), audited);
}

pub async fn everything_is_audited_without_secrets(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    furnish(lab.store().as_ref()).await;
    lab.store().put_organization(organization(1), "tenant 2").await.expect("put");
    let own = AuditEntry {
        at: at(1),
        actor: "operator".into(),
        action: "put brain".into(),
        subject: "tenant-2".into(),
        detail: json!({ "digest": "ab" }),
    };
    lab.store().audit(own.clone()).await.expect("kept");
    let log = lab.store().audit_log(1000).await.expect("audit");
    assert_eq!(log.len(), 2 * 9 + 2);
    assert_eq!(log[0], own, "newest first");
    assert_eq!((log[1].actor.as_str(), log[1].action.as_str()), ("tenant 2", "put organization"));
    let senders: Vec<_> = log.iter().filter(|entry| entry.action == "put sender").collect();
    assert_eq!(senders.len(), 6);
    assert!(senders.iter().all(|entry| !entry.detail.to_string().contains("hush")), "secrets stay out");
    assert_eq!(lab.store().audit_log(3).await.expect("audit").len(), 3);
}

pub async fn sessions_go_forward(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let change = |status: &str, ms| SessionChange {
        provider: Provider::Waha,
        account: "default".into(),
        status: Status::read(status),
        number: Some(contact("971400")),
        at: at(ms),
    };
    let name = SenderName::new("main");
    for (status, ms) in [("STARTING", 1), ("WORKING", 5), ("SCAN_QR_CODE", 3)] {
        lab.store().record_session(name.clone(), change(status, ms)).await.expect("recorded");
    }
    lab.restart();
    assert_eq!(lab.store().session(&name).await.expect("read"), Some(change("WORKING", 5)));
    assert_eq!(lab.store().session(&SenderName::new("own")).await.expect("read"), None);
}

pub async fn what_is_past_its_time_is_removed(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    const DAY: i64 = 86_400_000;
    lab.owes("971501", 2, &["old"], 0).await;
    let old = lab.sends(1, 5).await.remove(0);
    lab.settle(&old, Settlement::Sent { provider_id: Some("p-old".into()) }, 6).await;
    lab.hears("971501", "recent", 20 * DAY).await;
    let claim = lab.claim_one(20 * DAY).await;
    lab.commit(&claim, Answer { says: vec!["new"], memory: Some("{}"), ..Answer::default() }, 20 * DAY).await;
    let retention = Retention {
        dedup_ms: 8 * DAY,
        history_ms: 15 * DAY,
        ended_ms: 15 * DAY,
        journal_ms: 25 * DAY,
        audit_ms: 10_000 * DAY,
        template_log_ms: 10_000 * DAY,
    };
    let mut removed = Vec::new();
    loop {
        let n = lab.store().prune(retention, at(21 * DAY), 2).await.expect("pruned");
        if n == 0 {
            break;
        }
        assert!(n <= 2, "in slices");
        removed.push(n);
    }
    assert_eq!(removed.iter().sum::<usize>(), 2 + 3, "two dedup records, three lines");
    lab.restart();
    assert_eq!(lab.lines(2, "971501").await, ["Contact: recent", "Brain: new (Queued)"]);
    assert_eq!(lab.store().journal(&key(2, "971501"), 10).await.expect("journal").len(), 3);
    assert!(
        lab.accept(arrival("971501", &format!("971501/recent/{}", 20 * DAY), "recent", at(21 * DAY)))
            .await
            .duplicate
    );
    assert!(!lab.hears("971501", "hello", 1).await.duplicate, "forgotten after eight days");
    let late = switchboard::event::Receipt {
        provider: Provider::Waha,
        account: Some("default".into()),
        message_id: "p-old".into(),
        contact: None,
        from_raw: None,
        state: switchboard::message::DeliveryState::Read,
        at: at(21 * DAY),
        reason: None,
        fate: None,
        other_ids: Vec::new(),
        reference: None,
    };
    lab.store().record_receipt(late).await.expect("a receipt of what is gone is ignored");
    let conversation =
        lab.store().conversation(&key(2, "971501")).await.expect("read").expect("memory stays");
    assert_eq!(conversation.memory.as_deref(), Some("{}"));
    let journal = Retention { journal_ms: 0, history_ms: 0, ..retention };
    while lab.store().prune(journal, at(22 * DAY), 100).await.expect("pruned") > 0 {}
    assert_eq!(lab.store().journal(&key(2, "971501"), 10).await.expect("journal").len(), 0);
    assert_eq!(
        lab.lines(2, "971501").await,
        ["Brain: new (Queued)"],
        "what has not gone out is not history yet"
    );
    lab.assert_counters_true().await;
}

/// Nothing that grows stays for ever: what was given up goes with the lines of its time.
pub async fn what_was_given_up_goes_in_its_time(factory: &dyn Factory) {
    const DAY: i64 = 86_400_000;
    let lab = Lab::new(factory).await;
    for (n, day) in [(1, 0), (2, 0), (3, 20)] {
        let who = format!("97150{n}");
        lab.owes(&who, 1, &["one", "two"], day * DAY).await;
        for settlement in
            [Settlement::Dead { error: "no".into() }, Settlement::Unknown { error: "perhaps".into() }]
        {
            let send = lab.sends(1, day * DAY + 5).await.remove(0);
            lab.settle(&send, settlement, day * DAY + 5).await;
        }
        lab.hears(&who, "dies", day * DAY + 6).await;
        let claim = lab.claim_one(day * DAY + 6).await;
        lab.fail(&claim, TurnFate::Dead { fallback: None }, day * DAY + 6).await;
    }
    let counters = lab.store().counters();
    assert_eq!((counters.dead_turns, counters.outbox_dead, counters.outbox_unknown), (3, 3, 3));
    let years = 10_000 * DAY;
    let retention = Retention {
        dedup_ms: years,
        history_ms: 15 * DAY,
        ended_ms: 15 * DAY,
        journal_ms: years,
        audit_ms: years,
        template_log_ms: years,
    };
    for _ in 0..100 {
        lab.store().prune(retention, at(21 * DAY), 3).await.expect("pruned");
    }
    let counters = lab.store().counters();
    assert_eq!((counters.dead_turns, counters.outbox_dead, counters.outbox_unknown), (1, 1, 1));
    lab.assert_counters_true().await;
    assert_eq!(lab.lines(1, "971503").await.len(), 5, "what is recent stays whole");
}

/// Its line stays with the others of its time, and what was said before it is found.
pub async fn what_ended_goes_before_its_line(factory: &dyn Factory) {
    const DAY: i64 = 86_400_000;
    let lab = Lab::new(factory).await;
    lab.owes("971501", 1, &["one", "two"], 0).await;
    for _ in 0..2 {
        let send = lab.sends(1, 5).await.remove(0);
        lab.settle(&send, Settlement::Dead { error: "no".into() }, 5).await;
    }
    let before = lab.lines(1, "971501").await;
    let keep = i64::MAX;
    let retention = Retention {
        dedup_ms: keep,
        history_ms: keep,
        ended_ms: 15 * DAY,
        journal_ms: keep,
        audit_ms: keep,
        template_log_ms: keep,
    };
    lab.store().prune(retention, at(14 * DAY), 100).await.expect("pruned");
    assert_eq!(lab.store().counters().outbox_dead, 2);
    lab.store().prune(retention, at(16 * DAY), 100).await.expect("pruned");
    assert_eq!(lab.store().counters().outbox_dead, 0);
    assert_eq!(lab.lines(1, "971501").await, before);
    lab.assert_counters_true().await;
}
