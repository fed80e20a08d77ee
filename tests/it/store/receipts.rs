//! What providers tell of what we sent, and what our own numbers say without us.

use switchboard::conversation::{Author, Line, Trigger};
use switchboard::event::{Origin, Own, Receipt};
use switchboard::message::{
    Buttons, Choice, Content, DeliveryState, Fate, Media, MediaKind, Outbound, OutboundContent,
    OutboundMedia, Provider, SenderName,
};
use switchboard::store::contacts::OwnKept;
use switchboard::store::{Filter, OutboxState, SendClaim, Settlement, Store};
use switchboard::tenant::Sender;

use super::lab::{Answer, Factory, Lab, all, at, contact, key, receipt, says, turn};

use DeliveryState::{Delivered, Failed, Read, Sent};

fn sent(id: &str) -> Settlement {
    Settlement::Sent { provider_id: Some(id.into()) }
}

fn unknown() -> Settlement {
    Settlement::Unknown { error: "timed out".into() }
}

/// The third line and those after it: what was answered to `hello`.
async fn replies(lab: &Lab<'_>) -> Vec<String> {
    lab.lines(1, "971501").await.split_off(2)
}

/// The sender `main` at this provider.
fn main_at(provider: Provider) -> Sender {
    let main = serde_json::json!({"name": "main", "provider": provider, "account": "default"});
    serde_json::from_value(main).expect("a sender")
}

/// A contact has one reply on its way, through a sender of this provider.
async fn on_its_way(lab: &Lab<'_>, provider: Provider) -> SendClaim {
    lab.store().put_sender(main_at(provider), "test").await.expect("put");
    lab.owes("971501", 1, &["one"], 0).await;
    lab.sends(1, 10).await.remove(0)
}

/// Under which ids a reply is found, by provider: as its answer names it, and as receipts do.
pub async fn a_receipt_finds_its_reply_by_any_id(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let cases = [
        (Provider::Waha, "true_971501@c.us_3EB0", Some("default"), vec!["true_5000@lid_3EB0"], true),
        (Provider::Waha, "3EB1", Some("default"), vec!["true_971501@c.us_3EB1"], true),
        (Provider::Waha, "true_971501@c.us_3EB2", Some("second"), vec!["true_971501@c.us_3EB2"], false),
        (Provider::Waha, "true_971501@c.us_3EB3", Some("default"), vec!["true_971501@c.us_3EB30"], false),
        (Provider::Gupshup, "gs-1", Some("default"), vec!["wamid.1", "gs-1"], true),
        (Provider::Gupshup, "gs-2", Some("default"), vec!["wamid.2"], false),
        (Provider::Infobip, "ib-1", None, vec!["ib-1"], true),
        (Provider::Infobip, "ib-2", Some("971800"), vec!["ib-2"], true),
        (Provider::Meta, "wamid.9", Some("default"), vec!["wamid.9"], true),
        (Provider::Meta, "wamid.10", None, vec!["wamid.10"], false),
    ];
    for (round, (provider, answered, account, ids, found)) in cases.into_iter().enumerate() {
        for early in [false, true] {
            let answered = format!("{answered}{early}");
            let mut ids = ids.iter().map(|id| format!("{id}{early}"));
            let who = format!("97150{round}{early}");
            lab.store().put_sender(main_at(provider), "test").await.expect("put");
            lab.owes(&who, 1, &["one"], round as i64 * 100).await;
            let claim = lab.sends(1, 10_000).await.remove(0);
            let told = Receipt {
                provider,
                account: account.map(str::to_owned),
                message_id: ids.next().expect("an id"),
                other_ids: ids.collect(),
                ..receipt("", Delivered)
            };
            if early {
                lab.store().record_receipt(told.clone()).await.expect("noted");
            }
            lab.settle(&claim, sent(&answered), 10_001).await;
            if !early {
                lab.store().record_receipt(told).await.expect("recorded");
            }
            let state = if found { "Delivered" } else { "Sent" };
            assert_eq!(
                lab.lines(1, &who).await[2],
                format!("Brain: one ({state})"),
                "{provider} {answered} early: {early}"
            );
        }
    }
}

/// What a report by our own name makes of a reply that we were told this of, or nothing yet.
pub async fn our_own_name_resolves_what_was_unknown(factory: &dyn Factory) {
    let dead = || Some(Settlement::Dead { error: "no".into() });
    let later = || Some(Settlement::Later { at: at(500), error: "busy".into() });
    let mut lab = Lab::new(factory).await;
    let mut given_up = 0;
    for (n, (before, state, line)) in [
        (None, Sent, "one (Sent)"),
        (None, Read, "one (Read)"),
        (None, Failed, "one (Failed)"),
        (Some(unknown()), Sent, "one (Sent)"),
        (Some(unknown()), Delivered, "one (Delivered)"),
        (Some(unknown()), Failed, "one (Failed)"),
        (dead(), Delivered, "one (Delivered)"),
        (dead(), Failed, "one (Failed)"),
        (later(), Sent, "one (Sent)"),
        (later(), Failed, "one (Queued)"),
        (Some(sent("p1")), Read, "one (Read)"),
    ]
    .into_iter()
    .enumerate()
    {
        let (who, case) = (format!("97150{n}"), format!("{before:?} {state:?}"));
        lab.owes(&who, 1, &["one", "two"], n as i64 * 10).await;
        let claim = lab.sends(1, 1000).await.remove(0);
        if let Some(settlement) = before.clone() {
            lab.settle(&claim, settlement, 1001).await;
            lab.restart();
        }
        let by_name =
            Receipt { reference: Some(claim.reference.clone()), ..receipt(&format!("x{n}"), state) };
        for _ in 0..2 {
            lab.store().record_receipt(by_name.clone()).await.expect("recorded");
        }
        assert_eq!(lab.lines(1, &who).await[2], format!("Brain: {line}"), "{case}");
        lab.assert_counters_true().await;
        if before.is_none() {
            // The answer itself comes late, and changes nothing but that the next may go.
            assert_eq!(lab.sends(9, 1002).await.len(), 0, "{case}");
            lab.settle(&claim, unknown(), 1003).await;
            assert_eq!(lab.lines(1, &who).await[2], format!("Brain: {line}"), "{case}");
        }
        given_up += u64::from(line.ends_with("(Failed)"));
        let counters = lab.store().counters();
        assert_eq!((counters.outbox_unknown, counters.outbox_dead), (0, given_up), "{case}");
        let left = if line.ends_with("(Queued)") { vec!["one", "two"] } else { vec!["two"] };
        for text in left {
            assert_eq!(lab.sends_one(2000).await, text, "{case}: nothing goes out twice");
        }
        assert_eq!(lab.sends(9, 9000).await.len(), 0, "{case}");
        lab.assert_counters_true().await;
    }
}

/// Infobip takes our name for the message's id.
pub async fn a_name_may_come_back_as_the_id(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let claim = on_its_way(&lab, Provider::Infobip).await;
    let told = |id: &str| Receipt { provider: Provider::Infobip, account: None, ..receipt(id, Delivered) };
    lab.settle(&claim, unknown(), 11).await;
    let forged = format!("{}A", &claim.reference[..claim.reference.len() - 1]);
    for strange in [forged.as_str(), "sb", "", "sbAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        lab.store().record_receipt(told(strange)).await.expect("forgotten");
        assert_eq!(replies(&lab).await, ["Brain: one (Unknown)"], "{strange}");
    }
    lab.restart();
    lab.store().record_receipt(told(&claim.reference)).await.expect("recorded");
    assert_eq!(replies(&lab).await, ["Brain: one (Delivered)"]);
    lab.store().record_receipt(Receipt { state: Read, ..told(&claim.reference) }).await.expect("recorded");
    assert_eq!(replies(&lab).await, ["Brain: one (Read)"]);
    lab.assert_counters_true().await;
}

/// A provider that says that the contact does not want this, early, late, or of something unknown.
pub async fn a_refusal_of_the_contact_is_an_opt_out(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for (who, when) in [("971501", "early"), ("971502", "late"), ("971503", "unknown")] {
        lab.owes(who, 1, &["one"], 0).await;
        let claim = lab.sends(1, 10).await.remove(0);
        let refused = Receipt {
            reason: Some("user opted out".into()),
            fate: Some(Fate::OptedOut),
            reference: (when == "unknown").then(|| claim.reference.clone()),
            ..receipt(&format!("p{who}"), Failed)
        };
        if when == "early" {
            lab.store().record_receipt(refused.clone()).await.expect("noted");
        }
        let outcome = if when == "unknown" { unknown() } else { sent(&format!("p{who}")) };
        lab.settle(&claim, outcome, 11).await;
        lab.store().record_receipt(refused).await.expect("recorded");
        assert_eq!(lab.lines(1, who).await[2], "Brain: one (Failed)", "{when}");
        let opt_out = lab.store().opt_out(&key(1, who)).await.expect("read").expect(when);
        assert_eq!(opt_out.note, "told by the provider");
        assert!(!opt_out.lets_out(&claim.id));
        assert_eq!(lab.store().opt_out(&key(2, who)).await.expect("read"), None, "of this tenant only");
    }
    let permanent = Receipt { fate: Some(Fate::Permanent), ..receipt("p4", Failed) };
    lab.owes("971504", 1, &["one"], 20).await;
    let claim = lab.sends(1, 30).await.remove(0);
    lab.settle(&claim, sent("p4"), 31).await;
    lab.store().record_receipt(permanent).await.expect("recorded");
    assert_eq!(lab.store().opt_out(&key(1, "971504")).await.expect("read"), None);
    lab.assert_counters_true().await;
}

/// One that was taken and did not arrive is for the operator, until it is told otherwise.
pub async fn what_did_not_arrive_is_listed(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let claim = on_its_way(&lab, Provider::Waha).await;
    lab.settle(&claim, sent("p1"), 11).await;
    let failed = |id: &str| Receipt { reason: Some("131047".into()), ..receipt(id, Failed) };
    let moved = lab.store().record_receipt(failed("p1")).await.expect("recorded").expect("it is news");
    assert!(moved.returned && moved.state == Failed, "it is counted: {moved:?}");
    assert_eq!(lab.store().record_receipt(failed("p1")).await.expect("recorded"), None, "once");
    let listed =
        async |lab: &Lab<'_>| lab.store().outbox(&Filter { ended: true, ..all() }).await.expect("listed");
    let [dead] = &listed(&lab).await[..] else { panic!("one is listed") };
    assert_eq!((dead.entry.state, &dead.entry.sender), (OutboxState::Dead, &claim.entry.sender));
    assert_eq!((&dead.entry.to, &dead.entry.outbound), (&claim.entry.to, &claim.entry.outbound));
    assert!(dead.entry.last_error.as_deref().is_some_and(|error| error.contains("131047")), "{dead:?}");
    assert_eq!(replies(&lab).await, ["Brain: one (Failed)"]);
    lab.assert_counters_true().await;

    // Again by hand, under another name; what the first attempt was called leads nowhere any more.
    lab.restart();
    lab.store().retry_send(&dead.id, "operator", at(20)).await.expect("retried");
    assert_eq!(replies(&lab).await, ["Brain: one (Queued)"]);
    let again = lab.sends(1, 21).await.remove(0);
    assert_eq!((again.entry.retried_at, again.entry.attempts), (Some(at(20)), 2));
    assert_eq!(again.reference, format!("{}-2", claim.reference));
    lab.settle(&again, sent("p2"), 22).await;
    lab.store().record_receipt(failed("p1")).await.expect("forgotten");
    let late = Receipt { reference: Some(claim.reference.clone()), ..failed("x") };
    lab.store().record_receipt(late).await.expect("forgotten");
    assert_eq!(replies(&lab).await, ["Brain: one (Sent)"], "the first attempt's failure is not this one's");
    lab.assert_counters_true().await;

    // It arrives although it was told that it had not.
    lab.store().record_receipt(failed("p2")).await.expect("recorded");
    assert_eq!(listed(&lab).await.len(), 1);
    lab.store().record_receipt(receipt("p2", Delivered)).await.expect("recorded");
    assert_eq!(
        (listed(&lab).await.len(), replies(&lab).await),
        (0, vec!["Brain: one (Delivered)".to_owned()])
    );
    lab.assert_counters_true().await;

    // Let be.
    lab.owes("971502", 1, &["two"], 30).await;
    let claim = lab.sends(1, 31).await.remove(0);
    lab.settle(&claim, sent("p3"), 32).await;
    lab.store().record_receipt(failed("p3")).await.expect("recorded");
    lab.store().drop_send(&listed(&lab).await[0].id, "operator", at(33)).await.expect("dropped");
    assert_eq!(
        (listed(&lab).await.len(), &lab.lines(1, "971502").await[2]),
        (0, &"Brain: two (Failed)".to_owned())
    );
    lab.assert_counters_true().await;
}

/// The name of an attempt is the same only after one of unknown outcome.
pub async fn each_attempt_has_its_name(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let first = on_its_way(&lab, Provider::Infobip).await;
    lab.settle(&first, Settlement::Later { at: at(20), error: "busy".into() }, 11).await;
    let second = lab.sends(1, 20).await.remove(0);
    assert_eq!(second.reference, format!("{}-2", first.reference));
    lab.settle(&second, unknown(), 21).await;
    // The first attempt's failure says nothing of this one.
    let late = Receipt { reference: Some(first.reference.clone()), ..receipt("x", Failed) };
    lab.store().record_receipt(late).await.expect("forgotten");
    assert_eq!(replies(&lab).await, ["Brain: one (Unknown)"]);
    lab.restart();
    let retry = async |lab: &Lab<'_>, ms| {
        let id = lab.store().outbox(&Filter { ended: true, ..all() }).await.expect("listed")[0].id.clone();
        lab.store().retry_send(&id, "operator", at(ms)).await.expect("retried");
        lab.sends(1, ms).await.remove(0)
    };
    let third = retry(&lab, 30).await;
    assert_eq!((&third.reference, third.entry.attempts), (&second.reference, 2), "so that it is known");
    let by = Outbound::text("instead");
    lab.settle(&third, Settlement::PerhapsReplaced { error: "timed out".into(), by: by.clone() }, 31).await;
    let fourth = retry(&lab, 40).await;
    assert_eq!(
        (&fourth.reference, &fourth.entry.outbound),
        (&second.reference, &by),
        "what may have gone out"
    );
    lab.settle(&fourth, Settlement::Dead { error: "no".into() }, 41).await;
    let fifth = retry(&lab, 50).await;
    assert_eq!(fifth.reference, format!("{}-3", first.reference));
    lab.assert_counters_true().await;
}

fn own(id: &str, who: &str, text: &str) -> Own {
    Own {
        provider: Provider::Waha,
        account: "default".into(),
        id: id.into(),
        contact: Some(contact(who)),
        from_raw: None,
        to_raw: Some(format!("{who}@c.us")),
        sent_at: at(0),
        content: Some(Content::Text { text: text.into() }),
        quoted: None,
        origin: None,
    }
}

async fn keeps(store: &dyn Store, own: Own, ms: i64) -> OwnKept {
    store.record_own(own, SenderName::new("main"), None, at(ms)).await.expect("recorded")
}

pub async fn what_a_human_types_on_the_phone_is_kept(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    lab.store().take_over(&key(1, "971501"), "operator", at(5)).await.expect("taken over");
    lab.hears("971501", "is it free?", 6).await;
    for (expected, ms) in [(OwnKept::Said, 7), (OwnKept::Known, 8), (OwnKept::Known, 9)] {
        if ms == 9 {
            lab.restart();
        }
        let echo = if ms == 7 { "true_971501@c.us_A1" } else { "true_5000@lid_A1" };
        assert_eq!(keeps(lab.store().as_ref(), own(echo, "971501", "yes, come by"), ms).await, expected);
    }
    assert_eq!(lab.claim(9, 10).await.len(), 0, "it is no turn");
    assert_eq!(lab.lines(1, "971501").await[1..], ["Contact: is it free?", "Human: yes, come by (Sent)"]);
    lab.store().record_receipt(receipt("true_971501@c.us_A1", Read)).await.expect("recorded");
    assert_eq!(lab.lines(1, "971501").await[2], "Human: yes, come by (Read)");

    lab.store().hand_back(&key(1, "971501"), "operator", at(20)).await.expect("given back");
    let claim = lab.claim_one(21).await;
    let Trigger::Handback { said } = &claim.trigger else { panic!("{:?}", claim.trigger) };
    assert_eq!((said.len(), said[1].author), (2, Author::Human));
    let Line::Heard(heard) = &said[1].line else { panic!("{:?}", said[1]) };
    assert_eq!((heard.id.as_str(), heard.content.text()), ("true_971501@c.us_A1", Some("yes, come by")));
    lab.commit(&claim, Answer::default(), 22).await;

    let store = lab.store().as_ref();
    let nobody = Own { contact: None, ..own("A2", "971501", "hm") };
    let nothing = Own { content: None, ..own("A3", "971501", "hm") };
    for nothing in [nobody, nothing, own("A4", "971999", "a stranger")] {
        assert_eq!(keeps(store, nothing, 30).await, OwnKept::Nothing);
    }
    // A human writes first, from a number that is one tenant's.
    let first = Own { account: "own".into(), ..own("B1", "971777", "hello from your agent") };
    let kept = store.record_own(first, SenderName::new("own"), None, at(40)).await.expect("recorded");
    assert_eq!(kept, OwnKept::Said);
    assert_eq!(lab.lines(2, "971777").await, ["Human: hello from your agent (Sent)"]);
    lab.assert_counters_true().await;
}

/// Our own replies come back from the provider too, before its answer, after it, or instead of it.
pub async fn our_own_replies_are_not_kept_twice(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for (n, (before, outcome)) in [
        (false, sent("true_971501@c.us_E0")),
        (true, sent("true_971501@c.us_E1")),
        (true, unknown()),
        (true, Settlement::Later { at: at(500), error: "busy".into() }),
        (false, unknown()),
    ]
    .into_iter()
    .enumerate()
    {
        let who = format!("97150{n}");
        lab.owes(&who, 1, &["one", "two"], n as i64 * 10).await;
        let claim = lab.sends(1, 1000).await.remove(0);
        let echo = own(&format!("true_5000@lid_E{n}"), &who, " one\n");
        if before {
            assert_eq!(keeps(lab.store().as_ref(), echo.clone(), 1001).await, OwnKept::Known, "{n}");
        }
        lab.settle(&claim, outcome, 1002).await;
        assert_eq!(keeps(lab.store().as_ref(), echo, 1003).await, OwnKept::Known, "{n}");
        assert_eq!(lab.lines(1, &who).await[2..], ["Brain: one (Sent)", "Brain: two (Queued)"], "{n}");
        assert_eq!(lab.sends_one(1004).await, "two", "{n}: nothing goes out twice");
        lab.store().record_receipt(receipt(&format!("true_971501@c.us_E{n}"), Read)).await.expect("recorded");
        assert_eq!(lab.lines(1, &who).await[2], "Brain: one (Read)", "{n}");
        lab.assert_counters_true().await;
    }
    assert_eq!(lab.store().outbox(&Filter { ended: true, ..all() }).await.expect("outbox").len(), 0);

    // Where the engine takes an id of ours, it says whose the echo is, whatever it looks like.
    lab.owes("971509", 1, &["one"], 100).await;
    let claim = lab.sends(1, 1000).await.remove(0);
    let echo = own(&format!("true_5000@lid_{}", claim.reference), "971509", "*one*");
    lab.settle(&claim, unknown(), 1001).await;
    assert_eq!(keeps(lab.store().as_ref(), echo, 1002).await, OwnKept::Known);
    assert_eq!(lab.lines(1, "971509").await[2..], ["Brain: one (Sent)"]);
    lab.assert_counters_true().await;
}

/// A person with very many replies that have ended costs an echo no more than one with few.
pub async fn an_echo_is_compared_with_the_newest_alone(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.owes("971501", 1, &["first"], 0).await;
    lab.hears("971501", "more", 10).await;
    let claim = lab.claim_one(10).await;
    let mut texts = vec!["more"; 40];
    texts.push("last");
    lab.commit(&claim, says(&texts), 10).await;
    for _ in 0..42 {
        let claim = lab.sends(1, 20).await.remove(0);
        lab.settle(&claim, unknown(), 21).await;
    }
    assert_eq!(keeps(lab.store().as_ref(), own("E1", "971501", "last"), 30).await, OwnKept::Known);
    assert_eq!(keeps(lab.store().as_ref(), own("E2", "971501", "first"), 31).await, OwnKept::Said);
    lab.assert_counters_true().await;
}

/// An echo that does not look like its reply is taken for a human's, until the answer tells whose it is.
pub async fn an_echo_that_looks_different_is_taken_out_again(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    lab.hears("971501", "hello", 1).await;
    let claim = lab.claim_one(1).await;
    let buttons = Outbound {
        content: OutboundContent::Buttons(Buttons {
            body: "Which one?".into(),
            footer: None,
            buttons: vec![Choice { id: "a".into(), title: "A".into() }],
        }),
        reply_to: None,
    };
    let mut commit = turn(&claim, Answer::default(), at(2));
    commit.sends = vec![buttons, Outbound::text("two")];
    lab.store().commit_turn(commit).await.expect("committed");
    for (n, human_after) in [(1, false), (2, true)] {
        let claim = lab.sends(1, 10 * n).await.remove(0);
        let id = format!("true_971501@c.us_F{n}");
        let said = keeps(lab.store().as_ref(), own(&id, "971501", "*Which* one?"), 10 * n + 1).await;
        assert_eq!(said, OwnKept::Said);
        lab.store().record_receipt(receipt(&id, Delivered)).await.expect("recorded");
        if human_after {
            let typed = own("true_971501@c.us_H", "971501", "I am here too");
            assert_eq!(keeps(lab.store().as_ref(), typed, 10 * n + 2).await, OwnKept::Said);
        }
        lab.settle(&claim, sent(&id), 10 * n + 3).await;
    }
    assert_eq!(
        lab.lines(1, "971501").await[2..],
        ["Brain: (not a text) (Delivered)", "Brain: two (Delivered)", "Human: I am here too (Sent)"]
    );
    lab.assert_counters_true().await;
}

/// One contact has replies of unknown outcome, as many as there are pictures without words, or `Hello`.
async fn unknown_replies(lab: &Lab<'_>, who: &str, contents: Vec<OutboundContent>) {
    lab.meets(who, 1, 0).await;
    lab.hears(who, "hello", 1).await;
    let claim = lab.claim_one(1).await;
    let count = contents.len();
    let mut commit = turn(&claim, Answer::default(), at(2));
    commit.sends = contents.into_iter().map(|content| Outbound { content, reply_to: None }).collect();
    lab.store().commit_turn(commit).await.expect("committed");
    for _ in 0..count {
        let claim = lab.sends(1, 10).await.remove(0);
        lab.settle(&claim, unknown(), 11).await;
    }
}

/// What our own number says, by whom, how long after; how many replies it may be; and what it is.
pub async fn what_sent_it_tells_whose_an_echo_is(factory: &dyn Factory) {
    const MINUTE: i64 = 60_000;
    const WEEK: i64 = 7 * 24 * 60 * MINUTE;
    let lab = Lab::new(factory).await;
    let ours = || {
        OutboundContent::Media(OutboundMedia {
            kind: MediaKind::Image,
            source: "https://homes.example/1.jpg".into(),
            caption: None,
            filename: None,
        })
    };
    let picture = |kind| {
        Content::Media(Media {
            kind,
            handle: String::new(),
            mime_type: None,
            filename: None,
            caption: None,
            size: None,
        })
    };
    let hello = || OutboundContent::Text { text: "Hello".into() };
    let text = || Content::Text { text: "Hello".into() };
    let (api, app) = (Some(Origin::Api), Some(Origin::App));
    let (known, said) = (OwnKept::Known, OwnKept::Said);
    let image = || picture(MediaKind::Image);
    for (n, (replies, content, origin, after, expected)) in [
        (vec![ours()], image(), api, MINUTE, known),
        (vec![ours(), hello()], image(), api, MINUTE, known),
        (vec![ours(), ours()], image(), api, MINUTE, said),
        (vec![ours()], picture(MediaKind::Video), api, MINUTE, said),
        (vec![ours()], image(), api, WEEK, said),
        (vec![ours()], image(), app, MINUTE, said),
        (vec![ours()], image(), None, MINUTE, said),
        (vec![hello()], text(), api, MINUTE, known),
        (vec![hello(), hello()], text(), api, MINUTE, known),
        (vec![hello()], text(), app, MINUTE, said),
        (vec![hello()], text(), app, WEEK, said),
        (vec![hello()], text(), api, WEEK, said),
        (vec![hello()], text(), None, MINUTE, known),
    ]
    .into_iter()
    .enumerate()
    {
        let who = format!("9715{n:02}");
        let before = replies.len();
        unknown_replies(&lab, &who, replies).await;
        let id = format!("true_{who}@c.us_O{n}");
        let echo = Own { content: Some(content), origin, sent_at: at(after), ..own(&id, &who, "") };
        assert_eq!(keeps(lab.store().as_ref(), echo, after + 1).await, expected, "{n}");
        let human = lab.lines(1, &who).await.iter().filter(|line| line.starts_with("Human")).count();
        assert_eq!(human, usize::from(expected == said), "{n}");
        let left = lab.store().outbox(&Filter { ended: true, ..all() }).await.expect("outbox");
        let left = left.iter().filter(|row| row.contact == contact(&who)).count();
        assert_eq!(left, before - usize::from(expected == known), "{n}");
        lab.assert_counters_true().await;
    }
}

pub async fn an_address_names_the_tenant_of_what_was_typed(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971502", 1, 0).await;
    for (who, tenant, line) in [("971501", 3, 3), ("971502", 3, 1)] {
        let said = own(&format!("true_{who}@c.us_T{who}"), who, "good morning");
        let named = Some(super::lab::tenant_id(tenant));
        let kept = lab.store().record_own(said, SenderName::new("main"), named, at(5)).await;
        assert_eq!(kept.expect("recorded"), OwnKept::Said);
        assert!(lab.lines(line, who).await.contains(&"Human: good morning (Sent)".to_owned()), "{who}");
    }
    lab.assert_counters_true().await;
}
