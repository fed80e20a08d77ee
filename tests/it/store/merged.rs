//! Conversations that become one more than once, while something of them is on its way.

use switchboard::store::{Filter, Settlement};

use super::lab::{Factory, Lab, all, at, contact};

/// A reply that was on its way at the first merge was written down under a key that has nothing else.
pub async fn what_was_merged_twice_keeps_all_its_lines(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.owes("971501", 1, &["one"], 0).await;
    let leaving = lab.sends(1, 5).await.remove(0);
    let merge = async |from: &str, into: &str, ms| {
        lab.store().merge_contacts(&contact(from), &contact(into), "operator", at(ms)).await.expect("merged");
    };
    merge("971501", "971502", 10).await;
    lab.settle(&leaving, Settlement::Sent { provider_id: None }, 11).await;
    let before = lab.lines(1, "971502").await;
    assert_eq!(before.len(), 3, "{before:?}");
    merge("971502", "971503", 12).await;
    assert_eq!(lab.lines(1, "971503").await, before);
    lab.assert_counters_true().await;
}

/// Of two replies that were on their way when their contacts became one, one is known by its old key alone.
pub async fn what_left_under_an_old_key_ends_under_the_new_one(factory: &dyn Factory) {
    for dies in [false, true] {
        let who = |n: u32| format!("9715{}{n}", u32::from(dies));
        let (one, other, third) = (who(1), who(2), who(3));
        let mut lab = Lab::new(factory).await;
        lab.owes(&one, 1, &["one"], 0).await;
        lab.owes(&other, 1, &["two"], 10).await;
        let leaving = lab.sends(2, 20).await;
        assert_eq!(leaving.len(), 2);
        for (from, into, ms) in [(&one, &other, 30), (&other, &third, 31)] {
            lab.store()
                .merge_contacts(&contact(from), &contact(into), "operator", at(ms))
                .await
                .expect("merged");
        }
        if dies {
            lab.restart();
        } else {
            for claim in &leaving {
                lab.settle(claim, Settlement::Unknown { error: "no answer".into() }, 40).await;
            }
        }
        assert_eq!(lab.lines(1, &third).await.len(), 6, "{dies}: {:?}", lab.lines(1, &third).await);
        let listed = lab.store().outbox(&Filter { ended: true, ..all() }).await.expect("listed");
        let under: Vec<_> = listed.iter().map(|send| send.contact.as_str()).collect();
        assert!(under.contains(&third.as_str()) && !under.contains(&one.as_str()), "{dies}: {under:?}");
        lab.assert_counters_true().await;
    }
}
