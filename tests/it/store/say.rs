//! Whose word it is that two keys are one person's: a tenant that has a number of its own knows that
//! number's keys, and must not come to another tenant's contacts by them.

use serde_json::json;
use switchboard::event::SamePerson;
use switchboard::message::{Provider, SenderName};
use switchboard::route::Answer;
use switchboard::store::{Accepted, Arrival};

use super::lab::{Factory, Lab, arrival, at, contact, key, tenant_id};

/// Through sender `own`, which is tenant 2's.
fn through_own(who: &str, id: &str, aliases: &[&str], ms: i64) -> Arrival {
    let mut said = arrival(who, id, "hello", at(ms));
    (said.sender, said.inbound.account) = (SenderName::new("own"), "own".into());
    said.inbound.aliases = aliases.iter().map(|alias| contact(alias)).collect();
    said
}

async fn changed(lab: &Lab<'_>, account: &str, known: &str, also: &str, ms: i64) -> bool {
    let same = SamePerson {
        provider: Provider::Waha,
        account: account.into(),
        known: contact(known),
        also: contact(also),
        message_id: None,
        at: at(0),
        reason: "number changed".into(),
    };
    lab.store().learn(same, at(ms)).await.expect("learnt")
}

fn whose(accepted: &Accepted) -> (u32, String) {
    match &accepted.answer {
        Answer::Routed { tenant, contact, .. } => (tenant.get(), contact.as_str().to_owned()),
        other => panic!("{other:?}"),
    }
}

fn refused(lab: &Lab<'_>) -> usize {
    lab.store().audit_log(100).expect("audit").iter().filter(|it| it.action == "merge refused").count()
}

pub async fn a_tenants_number_has_no_say_in_anothers_contacts(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    for (n, (known, also)) in
        [("971501", "971666"), ("971666", "971501"), ("971501", "971666")].into_iter().enumerate()
    {
        assert!(!changed(&lab, "own", known, also, 10).await, "{known} {also}");
        assert_eq!(lab.store().counters().conflicts, n as u64 + 1);
    }
    assert_eq!(refused(&lab), 1, "both orders are one");
    let told = lab.store().audit_log(1).expect("audit").remove(0);
    assert_eq!((&told.detail["not_merged"], &told.detail["sender"]), (&json!("971666"), &json!("own")));

    // A message names both, from either side, again and again.
    for (n, (who, alias)) in
        [("971667", "971501"), ("971501", "777@lid"), ("971667", "971501")].iter().enumerate()
    {
        let said = lab.accept(through_own(who, &format!("m{n}"), &[alias], 20 + n as i64)).await;
        assert_eq!(whose(&said), (2, (*who).to_owned()));
        if n == 1 {
            lab.restart();
        }
    }
    assert_eq!((refused(&lab), lab.store().counters().conflicts), (3, 6));
    let person = lab.store().person(&contact("971501")).expect("read");
    assert_eq!((person.aliases.len(), person.lock.map(|lock| lock.tenant)), (0, Some(tenant_id(1))));
    assert_eq!(lab.lines(1, "971501").len(), 1);
    assert!(lab.store().conversation(&key(1, "971666")).expect("read").is_none());

    // Nor where a conversation alone is another's, or where nobody has the account.
    lab.store().unlock(&contact("971501"), "operator", at(30)).await.expect("unlocked");
    assert!(!changed(&lab, "own", "971501", "971666", 31).await);
    assert!(!changed(&lab, "nobody", "971501", "971666", 31).await);
    // The operator's own number is believed.
    assert!(changed(&lab, "default", "971501", "971666", 32).await);
    lab.assert_counters_true();
}

pub async fn a_tenants_number_has_its_say_in_its_own_contacts(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    assert_eq!(whose(&lab.accept(through_own("971501", "m1", &["111@lid"], 10)).await), (2, "971501".into()));
    assert_eq!(
        whose(&lab.accept(through_own("222@lid", "m2", &["971502"], 11)).await),
        (2, "222@lid".into())
    );
    assert!(changed(&lab, "own", "971501", "971503", 12).await);
    for (who, canonical) in [("111@lid", "971501"), ("971503", "971501"), ("971502", "222@lid")] {
        assert_eq!(lab.store().person(&contact(who)).expect("read").canonical, contact(canonical), "{who}");
    }
    assert_eq!((refused(&lab), lab.store().counters().conflicts), (0, 0));
    lab.assert_counters_true();
}

/// Only an administrator unlocks: what he unlocked is not locked again by telling keys apart.
pub async fn what_was_unlocked_is_not_given_back(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for (n, (from, into)) in [("971501", "971502"), ("971504", "971503")].into_iter().enumerate() {
        let ms = n as i64 * 100;
        lab.meets(if n == 0 { from } else { into }, 1, ms).await;
        lab.meets(if n == 0 { into } else { from }, 2, ms + 1).await;
        let store = lab.store();
        store.merge_contacts(&contact(from), &contact(into), "operator", at(ms + 2)).await.expect("merged");
        let lock = store.unlock(&contact(into), "operator", at(ms + 3)).await.expect("unlocked");
        assert_eq!(lock.tenant, tenant_id(1));
        if n == 1 {
            lab.meets(into, 3, ms + 4).await;
        }
        store.unmerge_contact(&contact(from), "operator", at(ms + 5)).await.expect("unmerged");
        let left = if n == 1 { Some(3) } else { None };
        let lock = |who| store.lock_of(&contact(who)).expect("read").map(|lock| lock.tenant.get());
        assert_eq!([from, into].map(lock), [None, left], "{from} {into}");
        lab.assert_counters_true();
    }
}
