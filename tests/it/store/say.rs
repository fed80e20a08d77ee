//! Whose word it is that two keys are one person's: a tenant that has a number of its own knows that
//! number's keys, and must not come to another tenant's contacts by them.

use futures::future::join_all;
use switchboard::event::{SameBecause, SamePerson};
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
        because: SameBecause::NumberChanged,
    };
    lab.store().learn(same, at(ms)).await.expect("learnt")
}

fn whose(accepted: &Accepted) -> (u32, String) {
    match &accepted.answer {
        Answer::Routed { tenant, contact, .. } => (tenant.get(), contact.as_str().to_owned()),
        other => panic!("{other:?}"),
    }
}

/// The key that a tenant keeps somebody under, by any of these.
async fn seen(lab: &Lab<'_>, tenant: u32, keys: &[&str]) -> Vec<String> {
    let seen = async |who: &&str| {
        let key = lab.store().contact_of(tenant_id(tenant), &contact(who)).await.expect("read");
        key.as_str().to_owned()
    };
    join_all(keys.iter().map(seen)).await
}

/// Whatever it says, it is a word to its own tenant.
pub async fn a_tenants_number_has_no_say_in_anothers_contacts(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    for (known, also) in [("971501", "971666"), ("971666", "971501"), ("971501", "971666")] {
        changed(&lab, "own", known, also, 10).await;
    }
    for (n, (who, alias)) in
        [("971667", "971501"), ("971501", "777@lid"), ("971667", "971501")].iter().enumerate()
    {
        lab.accept(through_own(who, &format!("m{n}"), &[alias], 20 + n as i64)).await;
        if n == 1 {
            lab.restart();
        }
    }
    let person = lab.store().person(&contact("971501")).await.expect("read");
    assert_eq!((person.aliases.len(), person.lock.map(|lock| lock.tenant)), (0, Some(tenant_id(1))));
    assert_eq!(lab.lines(1, "971501").await.len(), 1);
    let all = ["971501", "971666", "971667", "777@lid"];
    assert_eq!(seen(&lab, 1, &all).await, all, "for tenant 1 nothing was said");
    for who in &all[1..] {
        assert!(lab.store().conversation(&key(1, who)).await.expect("read").is_none());
        assert_eq!(
            whose(&lab.hears(who, &format!("start_realty_3 {who}"), 30).await),
            (3, (*who).to_owned())
        );
    }
    assert!(!changed(&lab, "nobody", "971501", "971666", 31).await, "through nobody nothing is proved");
    // The operator's own number is believed.
    assert!(changed(&lab, "default", "971501", "971666", 32).await);
    lab.assert_counters_true().await;
}

/// A number that nobody has met yet cannot be claimed for later: whoever it belongs to comes as itself.
pub async fn nobody_is_claimed_in_advance(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    assert!(changed(&lab, "own", "971666", "971501", 0).await, "the tenant's own business");
    lab.accept(through_own("971666", "m1", &["111@lid"], 1)).await;
    assert_eq!(whose(&lab.hears("971501", "start_realty_1", 10).await), (1, "971501".into()));
    assert_eq!(whose(&lab.hears("111@lid", "start_realty_3", 11).await), (3, "111@lid".into()));
    let stranger = lab.hears("971666", "what did they say?", 12).await;
    assert!(matches!(stranger.answer, Answer::Ignored(_)), "{stranger:?}");
    assert_eq!(lab.lines(1, "971666").await, [""; 0]);
    let person = lab.store().person(&contact("971501")).await.expect("read");
    assert_eq!((person.canonical, person.aliases.len()), (contact("971501"), 0));
    lab.assert_counters_true().await;
}

/// Who names a hidden id, in a request or by the webhooks of a number of its own, does not learn whose
/// phone it is; nor whether it is this one's.
pub async fn a_hidden_id_stays_hidden_from_others(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let mut both = arrival("971501", "m0", "start_realty_1", at(0));
    both.inbound.aliases = vec![contact("111@lid")];
    lab.accept(both).await;
    let keys = ["971501", "111@lid"];
    assert_eq!(seen(&lab, 1, &keys).await, ["971501", "971501"], "its tenant knows");
    assert_eq!(seen(&lab, 2, &keys).await, keys);
    // A message that nobody sent, through the number whose keys tenant 2 has; then the guess.
    assert_eq!(whose(&lab.accept(through_own("111@lid", "m1", &[], 10)).await), (2, "111@lid".into()));
    assert_eq!(whose(&lab.accept(through_own("971501", "m2", &[], 11)).await), (2, "971501".into()));
    assert_eq!(seen(&lab, 2, &keys).await, keys, "a guess is not confirmed");
    // An opt-out is kept as it was written, and is not followed.
    let wish = |ms| Some(switchboard::store::contacts::OptOut::by_operator(at(ms), "asked"));
    for tenant in [2, 3] {
        let store = lab.store();
        store.set_opt_out(&key(tenant, "111@lid"), wish(20), "tenant", at(20)).await.expect("kept");
        assert!(store.opt_out(&key(tenant, "971501")).await.expect("read").is_none());
        let listed = store.opt_outs(tenant_id(tenant), None, 10).await.expect("read");
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].0, contact("111@lid"));
    }
    // Learnt later by a shared number, it is no news for tenant 2 either.
    lab.hears("222@lid", "start_realty_1", 30).await;
    lab.accept(through_own("222@lid", "m3", &[], 31)).await;
    let same = SamePerson {
        provider: Provider::Waha,
        account: "default".into(),
        known: contact("222@lid"),
        also: contact("971502"),
        message_id: None,
        at: at(0),
        because: SameBecause::LookedUp,
    };
    assert!(lab.store().learn(same, at(32)).await.expect("learnt"));
    lab.restart();
    assert_eq!(seen(&lab, 1, &["971502"]).await, ["222@lid"]);
    assert_eq!(seen(&lab, 2, &["222@lid", "971502"]).await, ["222@lid", "971502"]);
    lab.assert_counters_true().await;
}

/// When a tenant gets the person by a shared number, what it kept under the person's keys comes along.
pub async fn a_tenant_that_gets_a_person_has_all_it_kept_of_it(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let mut both = arrival("971501", "m0", "hello", at(0));
    both.inbound.aliases = vec![contact("111@lid")];
    lab.accept(both.clone()).await;
    let same = SamePerson {
        provider: Provider::Waha,
        account: "default".into(),
        known: contact("111@lid"),
        also: contact("971501"),
        message_id: None,
        at: at(0),
        because: SameBecause::LookedUp,
    };
    assert!(lab.store().learn(same, at(1)).await.expect("learnt"));
    lab.accept(through_own("111@lid", "m1", &[], 2)).await;
    lab.accept(through_own("971501", "m2", &[], 3)).await;
    let wish = switchboard::store::contacts::OptOut::by_operator(at(4), "asked");
    lab.store().set_opt_out(&key(2, "971501"), Some(wish), "tenant", at(4)).await.expect("kept");
    both.inbound.id = "m3".into();
    both.inbound.content = switchboard::message::Content::Text { text: "start_realty_2".into() };
    let (tenant, kept) = whose(&lab.accept(both).await);
    assert_eq!(tenant, 2);
    assert_eq!(seen(&lab, 2, &["111@lid", "971501"]).await, [kept.clone(), kept.clone()]);
    assert!(lab.store().opt_out(&key(2, &kept)).await.expect("read").is_some());
    for round in 0..3 {
        let claim = lab.claim_one(10 + round).await;
        assert_eq!(claim.key, key(2, &kept));
        lab.commit(&claim, super::lab::Answer::default(), 10 + round).await;
        lab.restart();
    }
    assert_eq!(lab.lines(2, &kept).await.len(), 3);
    lab.assert_counters_true().await;
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
    assert_eq!(seen(&lab, 2, &["111@lid", "971503", "971502"]).await, ["971501", "971501", "222@lid"]);
    assert_eq!(whose(&lab.accept(through_own("971503", "m3", &[], 13)).await), (2, "971501".into()));
    let told = lab.store().person(&contact("971503")).await.expect("read").own;
    assert_eq!((told.len(), told[0].tenant, &told[0].of), (1, tenant_id(2), &contact("971501")));
    // An operator tells them apart again.
    lab.store().unmerge_contact(&contact("971503"), "operator", at(20)).await.expect("unmerged");
    assert_eq!(seen(&lab, 2, &["971503"]).await, ["971503"]);
    assert!(!changed(&lab, "own", "971501", "971503", 21).await, "and they stay apart");
    assert!(lab.store().unmerge_contact(&contact("971503"), "operator", at(22)).await.is_err());
    lab.assert_counters_true().await;
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
        for (who, tenant) in [(from, None), (into, left)] {
            let lock = store.lock_of(&contact(who)).await.expect("read");
            assert_eq!(lock.map(|lock| lock.tenant.get()), tenant, "{from} {into}: {who}");
        }
        lab.assert_counters_true().await;
    }
}
