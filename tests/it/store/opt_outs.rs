//! Contacts who want no messages, and what brought contacts here.

use switchboard::conversation::LeadChange;
use switchboard::event::Consent;
use switchboard::message::{Choice, Content, OrganizationId, Provider, Referral, SenderName};
use switchboard::store::contacts::OptOut;
use switchboard::store::{Error, Store};

use super::lab::{Answer, Factory, Lab, arrival, at, contact, key, says, tenant, tenant_id, text_of, words};

async fn reason(store: &dyn Store, tenant: u32, who: &str) -> Option<String> {
    store.opt_out(&key(tenant, who)).await.expect("read").map(|found| found.note)
}

pub async fn a_word_is_kept_and_confirmed(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["an offer"], 0).await;
    lab.hears("971501", " Stop. ", 10).await;
    let opt_out = lab.store().opt_out(&key(2, "971501")).await.expect("read").expect("opted out");
    assert_eq!((opt_out.since, opt_out.note.as_str()), (at(10), "the contact wrote \"Stop.\""));
    assert_eq!(reason(lab.store().as_ref(), 1, "971501").await, None);
    let said =
        "You are unsubscribed and will get no more messages from us. To hear from us again, send START.";
    assert_eq!(
        lab.lines(2, "971501").await[2..],
        [
            "Brain: an offer (Queued)".to_owned(),
            "Contact:  Stop. ".to_owned(),
            format!("Gateway: {said} (Queued)")
        ]
    );
    lab.restart();
    // The brain hears it, to close what it had begun; its replies are not let out.
    let claim = lab.claim_one(11).await;
    assert_eq!(words(&claim.trigger), [" Stop. "]);
    lab.commit(&claim, says(&["but wait!"]), 12).await;
    assert_eq!(lab.lines(2, "971501").await.len(), 6, "the line is there once");
    let mut let_out = Vec::new();
    for ms in 13..16 {
        let claim = lab.sends(9, ms).await.remove(0);
        let opt_out = lab.store().opt_out(&claim.id.key).await.expect("read").expect("opted out");
        if opt_out.lets_out(&claim.id) {
            let_out.push(text_of(&claim.entry.outbound).to_owned());
        }
        lab.settle(&claim, switchboard::store::Settlement::Sent { provider_id: None }, ms).await;
    }
    assert_eq!(let_out, [said], "only what tells the contact so");

    // Said again it is an ordinary message.
    lab.hears("971501", "STOP", 20).await;
    let claim = lab.claim_one(20).await;
    lab.commit(&claim, Answer::default(), 21).await;
    assert_eq!(lab.sends(9, 22).await.len(), 0);
    lab.hears("971501", "start", 30).await;
    assert_eq!(lab.store().opt_out(&key(2, "971501")).await.expect("read"), None);
    assert_eq!(lab.sends_one(31).await, "Welcome back! You will hear from us again. To stop, send STOP.");
    let claim = lab.claim_one(32).await;
    assert_eq!(words(&claim.trigger), ["start"]);
    lab.commit(&claim, Answer::default(), 32).await;
    lab.hears("971501", "START", 40).await;
    assert_eq!(lab.sends(9, 41).await.len(), 0, "there is nothing to lift");
    lab.assert_counters_true().await;
}

/// What is said, to whom it is said, and whether it is an opt-out.
pub async fn what_is_an_opt_out(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for (id, language) in [(1, "ar-AE"), (2, "fa")] {
        let mut tenant = tenant(id, 1);
        tenant.language = language.into();
        lab.store().put_tenant(tenant, "test").await.expect("put");
    }
    let choice = |title: &str| Content::Choice(Choice { id: "x".into(), title: title.into() });
    let text = |text: &str| Content::Text { text: text.into() };
    for (n, (tenant, content, confirmed)) in [
        (1, text("إلغاء"), Some("تم إلغاء اشتراكك")),
        (2, text("لغو اشتراک"), Some("اشتراک شما لغو شد")),
        (3, choice("Unsubscribe"), Some("You are unsubscribed")),
        (3, text("stop by at five"), None),
        (3, text("start_realty_3"), None),
        (3, Content::Unknown { kind: "poll".into(), data: "stop".into() }, None),
    ]
    .into_iter()
    .enumerate()
    {
        let who = format!("97150{n}");
        lab.meets(&who, tenant, n as i64 * 10).await;
        let mut said = arrival(&who, &format!("word{n}"), "", at(n as i64 * 10 + 1));
        said.inbound.content = content.clone();
        lab.accept(said).await;
        assert_eq!(
            reason(lab.store().as_ref(), tenant, &who).await.is_some(),
            confirmed.is_some(),
            "{content:?}"
        );
        let claim = lab.claim_one(1000).await;
        lab.commit(&claim, Answer::default(), 1000).await;
        match confirmed {
            Some(begin) => assert!(lab.sends_one(1001).await.starts_with(begin), "{content:?}"),
            None => assert_eq!(lab.sends(9, 1001).await.len(), 0, "{content:?}"),
        }
    }
    // A human that answers reads it like everything else.
    lab.meets("971600", 3, 2000).await;
    lab.store().take_over(&key(3, "971600"), "operator", at(2001)).await.expect("taken over");
    lab.hears("971600", "stop", 2002).await;
    assert!(reason(lab.store().as_ref(), 3, "971600").await.is_some());
    assert!(lab.sends_one(2003).await.starts_with("You are unsubscribed"));
    assert_eq!(
        (lab.claim(9, 2004).await.len(), lab.lines(3, "971600").await[1].as_str()),
        (0, "Contact: stop")
    );
    lab.assert_counters_true().await;
}

pub async fn a_stranger_who_wants_nothing_is_told_nothing(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.hears("971501", "stop", 0).await;
    assert_eq!(lab.sends(9, 1).await.len(), 0);
    lab.hears("971501", "hello?", 2).await;
    assert_eq!(lab.sends_one(3).await, "Please open your agent's link.");
}

pub async fn operators_set_and_lift_opt_outs(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let store = lab.store().clone();
    for (n, who) in ["971503", "971501", "971502"].into_iter().enumerate() {
        let wish = OptOut::by_operator(at(n as i64), "asked on the phone");
        store.set_opt_out(&key(2, who), Some(wish), "operator", at(n as i64)).await.expect("kept");
    }
    store
        .set_opt_out(&key(3, "971501"), Some(OptOut::by_operator(at(9), "x")), "tenant 3", at(9))
        .await
        .expect("kept");
    let listed = async |store: &dyn Store, tenant, after: Option<&str>, limit| -> Vec<String> {
        let found =
            store.opt_outs(tenant_id(tenant), after.map(contact).as_ref(), limit).await.expect("read");
        found
            .into_iter()
            .map(|(who, opt_out)| format!("{who} {}", opt_out.since.as_ms() - at(0).as_ms()))
            .collect()
    };
    assert_eq!(listed(store.as_ref(), 2, None, 10).await, ["971501 1", "971502 2", "971503 0"]);
    assert_eq!(listed(store.as_ref(), 2, None, 2).await, ["971501 1", "971502 2"]);
    assert_eq!(listed(store.as_ref(), 2, Some("971501"), 1).await, ["971502 2"]);
    assert_eq!(listed(store.as_ref(), 3, None, 10).await, ["971501 9"]);
    assert_eq!(listed(store.as_ref(), 1, None, 10).await, [""; 0]);
    drop(store);
    lab.restart();
    let store = lab.store().clone();
    store.set_opt_out(&key(2, "971501"), None, "operator", at(20)).await.expect("lifted");
    let again = store.set_opt_out(&key(2, "971501"), None, "operator", at(21)).await;
    assert!(matches!(again, Err(Error::NotFound(_))), "{again:?}");
    assert_eq!(listed(store.as_ref(), 2, None, 10).await, ["971502 2", "971503 0"]);
    assert!(reason(store.as_ref(), 3, "971501").await.is_some());
    let done: Vec<_> = store
        .audit_log(2)
        .await
        .expect("audit")
        .into_iter()
        .map(|it| format!("{} {}", it.action, it.subject))
        .collect();
    assert_eq!(done, ["opt in 2/971501", "opt out 3/971501"]);
    lab.assert_counters_true().await;
}

pub async fn a_providers_switch_is_heeded(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let store = lab.store().clone();
    let consent = async |who: &str, sender: &str, opted_in, told_at, ms| {
        let consent = Consent {
            provider: Provider::Meta,
            account: "default".into(),
            contact: contact(who),
            aliases: Vec::new(),
            from_raw: who.into(),
            opted_in,
            at: told_at,
        };
        store.record_consent(consent, SenderName::new(sender), None, at(ms)).await.expect("kept");
        (reason(store.as_ref(), 1, who).await.is_some(), reason(store.as_ref(), 2, who).await.is_some())
    };
    lab.meets("971501", 1, 0).await;
    assert_eq!(consent("971501", "main", false, at(10), 11).await, (true, false));
    assert_eq!(consent("971501", "own", false, at(12), 13).await, (true, true));
    assert_eq!(consent("971501", "main", true, at(5), 14).await, (true, true), "it is told late");
    assert_eq!(consent("971501", "main", true, at(15), 16).await, (false, true));
    assert_eq!(consent("971999", "main", false, at(17), 18).await, (false, false), "nobody's contact");
    assert_eq!(consent("971999", "nobody", false, at(17), 18).await, (false, false));
}

pub async fn the_first_advertisement_is_the_leads_source(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let advertised = |id: &str, text: &str, ad: Option<&str>, ms| {
        let mut said = arrival("971501", id, text, at(ms));
        (said.sender, said.inbound.account) = (SenderName::new("own"), "own".into());
        said.inbound.referral = ad.map(|ad| Referral {
            kind: "ad".into(),
            source_id: Some(ad.into()),
            headline: Some("Flats".into()),
            ..Referral::default()
        });
        said
    };
    for (n, (text, ad)) in
        [("hello", Some("120")), ("start_realty_2-instagram", None), ("again", Some("121"))]
            .into_iter()
            .enumerate()
    {
        let ms = n as i64 * 10;
        lab.accept(advertised(&format!("m{n}"), text, ad, ms)).await;
        let claim = lab.claim_one(ms).await;
        // The brain thinks of a lead only at the end.
        let stage = LeadChange { stage: Some("new".into()), fields: serde_json::Map::new() };
        let leads = if n == 2 { vec![stage] } else { Vec::new() };
        lab.commit(&claim, Answer { leads, ..Answer::default() }, ms).await;
    }
    let lead = lab.store().lead(OrganizationId(1), &contact("971501")).await.expect("read").expect("a lead");
    assert_eq!(lead.threads[&2].source.as_deref(), Some("ad 120"), "the first one wins");
    let history = lab.store().history(&key(2, "971501"), None, 10).await.expect("history");
    let switchboard::conversation::Line::Heard(heard) = &history[2].1.line else { panic!("{history:?}") };
    assert_eq!(heard.referral.as_ref().and_then(|it| it.source_id.as_deref()), Some("121"));
}

async fn told(lab: &Lab<'_>, opted_in: bool, told_at: i64, ms: i64) {
    let consent = Consent {
        provider: Provider::Meta,
        account: "default".into(),
        contact: contact("971501"),
        aliases: Vec::new(),
        from_raw: "971501".into(),
        opted_in,
        at: at(told_at),
    };
    lab.store().record_consent(consent, SenderName::new("main"), None, at(ms)).await.expect("kept");
}

/// A switch of the provider's is about advertisements: who asks all the same wants an answer.
pub async fn a_providers_word_is_lifted_by_the_next_message(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let now = async |lab: &Lab<'_>| reason(lab.store().as_ref(), 1, "971501").await;
    lab.meets("971501", 1, 0).await;
    told(&lab, false, 1_000, 1_001).await;
    let mut before = arrival("971501", "old", "written before", at(1_100));
    before.inbound.sent_at = at(900);
    lab.accept(before).await;
    assert!(now(&lab).await.is_some(), "what was written before it takes nothing back");
    lab.restart();
    lab.hears("971501", "is the flat still free?", 2_000).await;
    assert_eq!(now(&lab).await, None);
    let claim = lab.claim_one(2_001).await;
    lab.commit(&claim, says(&["it is"]), 2_002).await;
    assert_eq!(lab.sends_one(2_003).await, "it is", "and nothing else");

    // Its own word takes the place of the provider's, and stays.
    told(&lab, false, 3_000, 3_001).await;
    lab.hears("971501", "stop", 4_000).await;
    told(&lab, false, 4_500, 4_501).await;
    let by_provider = OptOut::by_provider(at(4_600));
    lab.store().set_opt_out(&key(1, "971501"), Some(by_provider), "gateway", at(4_600)).await.expect("kept");
    for ms in [5_000, 6_000] {
        lab.hears("971501", "is it?", ms).await;
        assert_eq!(now(&lab).await.as_deref(), Some("the contact wrote \"stop\""));
    }
    // So does an operator's.
    lab.hears("971501", "start", 7_000).await;
    let asked = OptOut::by_operator(at(8_000), "asked on the phone");
    lab.store().set_opt_out(&key(1, "971501"), Some(asked), "operator", at(8_000)).await.expect("kept");
    lab.hears("971501", "hm", 9_000).await;
    assert_eq!(now(&lab).await.as_deref(), Some("asked on the phone"));
    lab.assert_counters_true().await;
}

pub async fn what_is_told_late_undoes_nothing(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let opted_out = async |lab: &Lab<'_>| reason(lab.store().as_ref(), 1, "971501").await.is_some();
    lab.meets("971501", 1, 0).await;
    told(&lab, false, 1_000, 1_001).await;
    lab.hears("971501", "start", 2_000).await;
    told(&lab, false, 1_000, 3_000).await;
    assert!(!opted_out(&lab).await, "it is sent again");
    lab.restart();
    told(&lab, false, 1_000, 3_001).await;
    assert!(!opted_out(&lab).await);
    // The later one comes first.
    told(&lab, true, 5_000, 6_000).await;
    told(&lab, false, 4_000, 6_001).await;
    assert!(!opted_out(&lab).await);
    let mut stop = arrival("971501", "late stop", "stop", at(6_500));
    stop.inbound.sent_at = at(4_500);
    lab.accept(stop).await;
    assert!(!opted_out(&lab).await, "its own words too");
    // And what is new counts, under whatever key.
    lab.store()
        .merge_contacts(&contact("971501"), &contact("111@lid"), "operator", at(7_000))
        .await
        .expect("merged");
    told(&lab, false, 4_000, 7_001).await;
    assert!(!opted_out(&lab).await);
    told(&lab, false, 8_000, 8_001).await;
    assert!(opted_out(&lab).await);
    told(&lab, true, 5_000, 8_002).await;
    assert!(opted_out(&lab).await);
    lab.assert_counters_true().await;
}
