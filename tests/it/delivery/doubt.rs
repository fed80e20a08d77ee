//! What nobody knows of settles itself: by what its chat shows, and where that shows nothing by the tenant's
//! word.

use super::*;

fn with_word(waha: &FakeWaha, word: &str) -> Setup {
    Setup::new()
        .package("echo")
        .tenant(&format!("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'\n{word}"))
        .sender(&sender("main", "default", waha.url(), &waha.api_key()))
        .config("[delivery]\ntimeout_ms = 500\n")
}

/// Opens the conversation, and has the next reply meet this fault.
async fn meets(setup: Setup, waha: &FakeWaha, fault: Fault) -> Gateway {
    let gateway = setup.start().await;
    let hook = begin(&gateway, waha).await;
    settled(&gateway).await;
    waha.fail_next(fault);
    hook.say(&text(PHONE, "D1", "one")).await;
    in_state(&gateway, "unknown").await;
    hook.say(&text(PHONE, "D2", "two")).await;
    gateway
}

async fn nothing_is_listed(gateway: &Gateway) {
    until("nothing is in doubt", SOON, async || outbox(gateway).await.is_empty().then_some(())).await;
    settled(gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_its_chat_shows_has_gone_out() {
    let waha = FakeWaha::start().await;
    let word = "policy = { doubt = { after_minutes = 60, then = 'send' } }";
    let gateway = meets(with_word(&waha, word), &waha, Fault::HangAfterSending).await;
    nothing_is_listed(&gateway).await;
    assert_eq!(waha.texts_to(CHAT)[1..], [echo("one", 1), echo("two", 2)], "each once");
}

/// Where it can be asked, it is settled; two that hang are two that hang.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chats_that_hang_hold_up_no_other() {
    let (one, other, well) = (FakeWaha::start().await, FakeWaha::start().await, FakeWaha::start().await);
    let mut setup = Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .config("[delivery]\ntimeout_ms = 30_000\n");
    for (name, waha) in [("one", &one), ("other", &other), ("well", &well)] {
        waha.set_session(name, "WORKING");
        setup = setup.sender(&format!("{}\ntenant = 1", sender(name, name, waha.url(), &waha.api_key())));
    }
    let gateway = setup.start().await;
    let hook = Hook::to(&gateway);
    for waha in [&one, &other] {
        waha.hang_at("/chats/");
        waha.fail_next_times(3, Fault::ErrorAfterSending);
    }
    for n in 0..3 {
        for name in ["one", "other"] {
            let contact = format!("97150700000{n}");
            hook.say(&text(&contact, &format!("{name}{n}"), "hello").on_session(name)).await;
        }
    }
    until("they hang", SOON, async || (one.asked("/chats/") > 0 && other.asked("/chats/") > 0).then_some(()))
        .await;
    well.fail_next(Fault::ErrorAfterSending);
    hook.say(&text(PHONE, "W", "hello").on_session("well")).await;
    until("the healthy one is asked, and settles it", SOON, async || {
        let doubtful = outbox(&gateway).await;
        let its = doubtful.iter().filter(|reply| reply["sender"] == "well").count();
        (well.asked("/chats/") > 0 && its == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_nobody_saw_is_sent_again_where_its_tenant_says_so() {
    let waha = FakeWaha::start().await;
    let word = "policy = { doubt = { after_minutes = 0, then = 'send' } }";
    let gateway = meets(with_word(&waha, word), &waha, Fault::Hang).await;
    nothing_is_listed(&gateway).await;
    let mut said = waha.texts_to(CHAT).split_off(1);
    said.sort();
    assert_eq!(said, [echo("one", 1), echo("two", 2)], "each once");
}

/// A provider that answers nothing does not have it for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_doubt_again_is_not_sent_a_third_time() {
    let waha = FakeWaha::start().await;
    let word = "policy = { doubt = { after_minutes = 0, then = 'send' } }";
    let gateway = with_word(&waha, word).start().await;
    let hook = begin(&gateway, &waha).await;
    settled(&gateway).await;
    waha.fail_next_times(2, Fault::Hang);
    hook.say(&text(PHONE, "D1", "one")).await;
    let again = until("it was sent again and is in doubt again", SOON, async || {
        let unknown = outbox(&gateway).await.into_iter().find(|reply| reply["state"] == "unknown");
        unknown.filter(|reply| !reply["retried_at"].is_null())
    })
    .await;
    let looks = || waha.calls().iter().filter(|call| call.path.contains("/chats/")).count();
    let before = looks();
    until("it was looked for again", Duration::from_secs(60), async || (looks() > before).then_some(()))
        .await;
    settled(&gateway).await;
    assert_eq!(in_state(&gateway, "unknown").await["id"], again["id"], "it stays, and is listed");
    assert_eq!(waha.texts_to(CHAT).len(), 1, "the greeting");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_nobody_saw_is_dropped_where_its_tenant_says_so() {
    let waha = FakeWaha::start().await;
    let word = "policy = { doubt = { after_minutes = 0, then = 'drop' } }";
    let gateway = meets(with_word(&waha, word), &waha, Fault::Hang).await;
    nothing_is_listed(&gateway).await;
    assert_eq!(waha.texts_to(CHAT)[1..], [echo("two", 2)]);
}
