//! Templates: whose they are, what providers tell of them, and which were sent.

use serde_json::json;
use switchboard::event::{Receipt, TemplateChange};
use switchboard::message::{
    DeliveryState, Outbound, OutboundContent, Provider, SenderName, Template as Wanted, TemplateParameter,
};
use switchboard::store::{Error, Retention, Settlement, TurnCommit};
use switchboard::template::news::News;
use switchboard::template::{Category, Registered, Status, Template, Use};

use super::lab::{Answer, Factory, Lab, at, tenant_id, turn};

fn template(name: &str, language: &str) -> Template {
    serde_json::from_value(json!({
        "name": name, "language": language, "category": "utility",
        "body": "Hello {{customer}}, we meet soon.",
        "parameters": [{"name": "customer", "example": "Sara"}],
    }))
    .expect("a template")
}

fn draft(tenant: u32, sender: &str, name: &str, language: &str) -> Registered {
    Registered::draft(tenant_id(tenant), SenderName::new(sender), template(name, language), at(0))
}

async fn put(lab: &Lab<'_>, template: Registered) -> Result<(), Error> {
    lab.store().put_template(template, "test", at(0)).await
}

/// Names and languages with their states.
async fn states(lab: &Lab<'_>, tenant: u32) -> Vec<String> {
    let known = lab.store().templates(tenant_id(tenant)).await.expect("templates");
    let state =
        |known: &Registered| format!("{} {} {}", known.template.name, known.template.language, known.status);
    known.iter().map(state).collect()
}

pub async fn a_template_has_one_owner_at_an_account(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    put(&lab, draft(2, "own", "hello", "en")).await.expect("put");
    put(&lab, draft(2, "own", "hello", "fa")).await.expect("put");
    put(&lab, draft(2, "own", "hell", "en")).await.expect("put");
    put(&lab, draft(2, "main", "hello", "en")).await.expect("another account has its own");
    put(&lab, draft(1, "main", "bye", "en")).await.expect("put");
    for (tenant, name) in [(2, "bye"), (3, "bye"), (1, "hello")] {
        let refused = put(&lab, draft(tenant, "main", name, "en")).await.expect_err("it is taken");
        assert!(matches!(refused, Error::Conflict(_)), "{refused}");
        assert!(!refused.to_string().contains("tenant"), "whose it is stays untold: {refused}");
    }
    assert!(matches!(put(&lab, draft(77, "main", "x", "en")).await, Err(Error::NotFound(_))));
    lab.restart();
    assert_eq!(
        states(&lab, 2).await,
        ["hell en draft", "hello en draft", "hello en draft", "hello fa draft"]
    );
    assert_eq!(states(&lab, 3).await, [""; 0]);
    let find = async |tenant, sender: &str, name: &str, language: &str| {
        let found = lab.store().template(tenant_id(tenant), &SenderName::new(sender), name, language).await;
        found.expect("read").map(|known| known.template.language)
    };
    assert_eq!(find(2, "own", "hello", "fa").await.as_deref(), Some("fa"));
    assert_eq!(find(2, "own", "hello", "de").await, None, "two languages: which one is not guessed");
    assert_eq!(find(2, "own", "hell", "de").await.as_deref(), Some("en"), "the only one there is");
    assert_eq!(find(2, "main", "hello", "fa").await.as_deref(), Some("en"));
    assert_eq!(find(2, "other", "hello", "en").await, None);
    assert_eq!(find(1, "own", "hello", "en").await, None);
    let removed = lab.store().remove_template(&draft(2, "own", "hell", "en").key(), "test", at(1)).await;
    assert_eq!(removed.expect("removed").template.name, "hell");
    let again = lab.store().remove_template(&draft(2, "own", "hell", "en").key(), "test", at(1)).await;
    assert!(matches!(again, Err(Error::NotFound(_))));
}

fn change(id: Option<&str>, name: Option<&str>, status: &str) -> TemplateChange {
    TemplateChange {
        provider: Provider::Waha,
        account: None,
        template_id: id.map(str::to_owned),
        name: name.map(str::to_owned),
        language: name.map(|_| "en".to_owned()),
        status: Some(status.to_owned()),
        category: Some("MARKETING".into()),
        reason: None,
        at: at(0),
    }
}

pub async fn what_is_told_of_a_template_is_kept(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    for name in ["one", "two", "three"] {
        put(&lab, draft(2, "own", name, "en")).await.expect("put");
    }
    let submitted = News { provider_id: Some("17".into()), status: Some(Status::Pending), ..News::default() };
    let key = draft(2, "own", "one", "en").key();
    lab.store().record_template_news(&key, submitted.clone(), ("test", "submit"), at(1)).await.expect("kept");
    let key = draft(2, "own", "two", "en").key();
    let unnamed = News { provider_id: None, ..submitted };
    lab.store().record_template_news(&key, unnamed, ("test", "submit"), at(1)).await.expect("kept");
    let tell = async |change, senders: &[&str]| {
        let senders = senders.iter().map(|name| SenderName::new(*name)).collect();
        lab.store().record_template_change(change, senders, at(2)).await.expect("kept")
    };
    assert_eq!(tell(change(Some("17"), None, "APPROVED"), &["main"]).await, 0, "another account's");
    assert_eq!(tell(change(Some("18"), Some("four"), "APPROVED"), &["own"]).await, 0);
    assert_eq!(tell(change(Some("17"), None, "APPROVED"), &["own", "main"]).await, 1, "by its id");
    assert_eq!(tell(change(Some("18"), Some("two"), "REJECTED"), &["own"]).await, 1, "by its name");
    assert_eq!(tell(change(Some("19"), Some("three"), "APPROVED"), &["own"]).await, 0, "a draft is nobody's");
    lab.restart();
    assert_eq!(states(&lab, 2).await, ["one en approved", "three en draft", "two en rejected"]);
    let own = SenderName::new("own");
    let known = lab.store().template(tenant_id(2), &own, "two", "en").await.expect("read").expect("there");
    assert_eq!((known.provider_id.as_deref(), known.category), (Some("18"), Some(Category::Marketing)));
    let audit = lab.store().audit_log(20).await.expect("audit");
    let told: Vec<&str> = audit
        .iter()
        .filter(|entry| entry.action == "template changed")
        .map(|entry| entry.subject.as_str())
        .collect();
    assert_eq!(told, ["2/two (en) at own", "2/one (en) at own"]);
    let keys = [("one", Some(Status::Deleted)), ("three", None)];
    let sync =
        keys.map(|(name, status)| (draft(2, "own", name, "en").key(), News { status, ..News::default() }));
    let changed = lab.store().record_template_sync(sync.to_vec(), at(9)).await.expect("kept");
    assert_eq!(changed.len(), 1);
    let known = lab.store().templates_at(&[own]).await.expect("templates");
    let seen: Vec<_> = known.iter().map(|known| (known.status, known.synced_at)).collect();
    assert_eq!(
        seen,
        [(Status::Deleted, Some(at(9))), (Status::Draft, Some(at(9))), (Status::Rejected, None)]
    );
}

async fn submitted(lab: &Lab<'_>, tenant: u32, sender: &str) -> Registered {
    let draft = draft(tenant, sender, "same", "en");
    put(lab, draft.clone()).await.expect("put");
    let begun = lab.store().begin_template(draft.clone(), draft.template.clone(), ("test", "submit"), at(1));
    begun.await.expect("written down");
    draft
}

async fn same(lab: &Lab<'_>, tenant: u32) -> Registered {
    lab.store().templates(tenant_id(tenant)).await.expect("templates").remove(0)
}

pub async fn a_name_counts_where_an_id_is_not_known(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    submitted(&lab, 2, "own").await;
    submitted(&lab, 1, "main").await;
    let tell = async |id, status, account: Option<&str>, senders: &[&str]| {
        let senders = senders.iter().map(|name| SenderName::new(*name)).collect();
        let account = account.map(str::to_owned);
        let change = TemplateChange { account, ..change(Some(id), Some("same"), status) };
        lab.store().record_template_change(change, senders, at(2)).await.expect("kept")
    };
    let (all, own) = (&["own", "main"], &["own"]);
    assert_eq!(tell("18", "APPROVED", None, all).await, 0, "it may be either's");
    assert_eq!(tell("18", "APPROVED", Some("own's"), own).await, 1);
    assert_eq!(tell("18", "PAUSED", None, all).await, 1, "the id says whose it is");
    assert_eq!(same(&lab, 1).await.status, Status::Pending);
    assert_eq!(tell("19", "REJECTED", None, all).await, 1, "only one of them has no id yet");
    assert_eq!((same(&lab, 1).await.status, same(&lab, 2).await.status), (Status::Rejected, Status::Paused));
    assert_eq!(tell("20", "DISABLED", None, all).await, 0, "both have others");
    assert_eq!(tell("20", "DISABLED", Some("own's"), own).await, 0, "it has another");
}

pub async fn what_was_told_before_the_answer_stays(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let by = ("test", "it");
    let known = submitted(&lab, 2, "own").await;
    let refused = put(&lab, known.clone()).await.expect_err("it is on its way");
    assert!(matches!(refused, Error::Conflict(_)), "{refused}");
    let tell = async |lab: &Lab<'_>, status| {
        let change = change(Some("17"), Some("same"), status);
        let told = lab.store().record_template_change(change, vec![SenderName::new("own")], at(2)).await;
        assert_eq!(told.expect("kept"), 1);
    };
    tell(&lab, "APPROVED").await;
    let pending = News { provider_id: Some("17".into()), status: Some(Status::Pending), ..News::default() };
    let ended = lab.store().end_template(&known.key(), pending.clone(), None, by, at(3)).await.expect("kept");
    assert_eq!((ended.status, ended.category), (Status::Approved, Some(Category::Marketing)));

    let other = Template { body: "Dear {{customer}}, we meet soon.".into(), ..ended.template.clone() };
    let stale = lab.store().begin_template(known.clone(), other.clone(), by, at(4)).await;
    assert!(matches!(stale, Err(Error::Conflict(_))), "{stale:?}");
    lab.store().begin_template(ended.clone(), other.clone(), by, at(4)).await.expect("written down");
    lab.restart();
    let begun = same(&lab, 2).await;
    assert_eq!((begun.status, &begun.template, begun.category), (Status::Pending, &other, None));
    let said = News { reason: Some("no".into()), ..News::default() };
    let key = known.key();
    let back = lab.store().end_template(&key, said.clone(), Some(ended.clone()), by, at(5)).await;
    let back = back.expect("kept");
    assert_eq!(
        (back.status, &back.template, back.category),
        (Status::Approved, &ended.template, ended.category)
    );
    assert_eq!((back.reason.as_deref(), back.provider_id.as_deref()), (Some("no"), Some("17")));

    lab.store().begin_template(back.clone(), other.clone(), by, at(6)).await.expect("written down");
    tell(&lab, "PAUSED").await;
    let ended = lab.store().end_template(&key, said, Some(back.clone()), by, at(7)).await.expect("kept");
    assert_eq!((ended.status, &ended.template), (Status::Paused, &back.template));
}

/// A contact of a tenant waits for this template.
pub async fn owes_template(lab: &Lab<'_>, who: &str, tenant: u32, name: &str, ms: i64) {
    lab.meets(who, tenant, ms).await;
    lab.hears(who, "hello", ms + 1).await;
    let claim = lab.claim_one(ms + 1).await;
    let parameters = vec![TemplateParameter { name: "customer".into(), value: "the name of Sara".into() }];
    let wanted = Wanted { name: name.into(), language: "en".into(), parameters };
    let says = Outbound { content: OutboundContent::Template(wanted), reply_to: None };
    let commit = TurnCommit { sends: vec![says], ..turn(&claim, Answer::default(), at(ms + 1)) };
    lab.store().commit_turn(commit).await.expect("committed");
}

async fn log(lab: &Lab<'_>, tenant: u32) -> Vec<String> {
    let uses = lab.store().template_log(tenant_id(tenant), None, 100).await.expect("log");
    let line = |(_, sent): &(u64, Use)| {
        let error = sent.error.as_deref().unwrap_or("-");
        let category = sent.category.map_or("?", Category::word);
        format!("{} {} {category} {:?} {error}", sent.contact, sent.name, sent.state)
    };
    uses.iter().map(line).collect()
}

pub async fn sent_templates_are_listed_with_their_outcome(factory: &dyn Factory) {
    const DAY: i64 = 86_400_000;
    let mut lab = Lab::new(factory).await;
    put(&lab, draft(1, "main", "hello", "en")).await.expect("put");
    owes_template(&lab, "971501", 1, "hello", 0).await;
    assert_eq!(log(&lab, 1).await, [""; 0], "nothing has gone out yet");
    let claim = lab.sends(1, 10).await.remove(0);
    lab.settle(&claim, Settlement::Sent { provider_id: Some("p1".into()) }, 11).await;
    owes_template(&lab, "971502", 1, "unheard_of", 20).await;
    let claim = lab.sends(1, 30).await.remove(0);
    lab.settle(&claim, Settlement::Dead { error: "not approved".into() }, 31).await;
    owes_template(&lab, "971503", 3, "hello", 40).await;
    let claim = lab.sends(1, 50).await.remove(0);
    lab.settle(&claim, Settlement::Unknown { error: "no answer".into() }, 51).await;
    lab.owes("971504", 1, &["this is no template"], 60).await;
    lab.sends_one(70).await;
    lab.restart();
    assert_eq!(
        log(&lab, 1).await,
        ["971502 unheard_of ? Failed not approved", "971501 hello UTILITY Sent -"],
        "newest first"
    );
    assert_eq!(log(&lab, 3).await, ["971503 hello ? Unknown no answer"]);
    assert_eq!(log(&lab, 2).await, [""; 0]);
    let receipt = Receipt {
        provider: Provider::Waha,
        account: Some("default".into()),
        message_id: "p1".into(),
        contact: None,
        from_raw: None,
        state: DeliveryState::Read,
        at: at(80),
        reason: None,
        fate: None,
        other_ids: Vec::new(),
        reference: None,
    };
    lab.store().record_receipt(receipt).await.expect("kept");
    assert_eq!(log(&lab, 1).await[1], "971501 hello UTILITY Read -");
    let uses = lab.store().template_log(tenant_id(1), None, 1).await.expect("log");
    let (place, newest) = &uses[0];
    assert_eq!(newest.parameters, ["customer"]);
    assert!(!format!("{newest:?}").contains("Sara"), "values are not kept: {newest:?}");
    let older = lab.store().template_log(tenant_id(1), Some(*place), 10).await.expect("log");
    assert_eq!(older.len(), 1);
    assert_eq!(older[0].1.contact.as_str(), "971501");

    owes_template(&lab, "971505", 3, "hello", 20 * DAY).await;
    let claim = lab.sends(1, 20 * DAY + 5).await.remove(0);
    lab.settle(&claim, Settlement::Sent { provider_id: None }, 20 * DAY + 6).await;
    let keep = Retention {
        dedup_ms: i64::MAX,
        history_ms: i64::MAX,
        ended_ms: i64::MAX,
        journal_ms: i64::MAX,
        audit_ms: i64::MAX,
        template_log_ms: 10 * DAY,
    };
    let mut slices = Vec::new();
    for _ in 0..20 {
        slices.push(lab.store().prune(keep, at(21 * DAY), 2).await.expect("pruned"));
    }
    assert_eq!(slices.iter().sum::<usize>(), 3, "in slices: {slices:?}");
    assert_eq!(log(&lab, 1).await, [""; 0]);
    assert_eq!(log(&lab, 3).await, ["971505 hello ? Sent -"]);
    lab.assert_counters_true().await;
}

/// The audit log is kept for years, and a draft may be written anew a thousand times.
pub async fn a_templates_text_is_not_audited(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    put(&lab, draft(2, "own", "hello", "en")).await.expect("put");
    let mut other = draft(2, "own", "hello", "en");
    other.template.body = "Hello {{customer}}, we meet late.".into();
    put(&lab, other).await.expect("put");
    let audit = lab.store().audit_log(2).await.expect("audit");
    let digests: Vec<_> = audit.iter().filter_map(|entry| entry.detail["sha256"].as_str()).collect();
    assert!(digests.len() == 2 && digests[0] != digests[1], "which one it was is told: {audit:?}");
    for entry in &audit {
        assert_eq!((entry.action.as_str(), entry.subject.as_str()), ("put template", "2/hello (en) at own"));
        assert!(!entry.detail.to_string().contains("we meet"), "{entry:?}");
    }
}
