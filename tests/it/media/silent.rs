//! Files that lie where nobody answers hold up no others.

use super::*;

/// Senders of this tenant's own, each with the WAHA session of its name.
fn senders(setup: Setup, names: &[String], tenant: u32, url: &str) -> Setup {
    names.iter().fold(setup, |setup, name| {
        setup.sender(&format!(
            "name = '{name}'\nprovider = 'waha'\naccount = '{name}'\nbase_url = '{url}'\napi_key = '{KEY}'\n\
             auth = 'none'\ntenant = {tenant}\nread_receipts = false\ntyping = false"
        ))
    })
}

/// A file of the contact's at this sender's WAHA.
async fn sent(hook: &Hook, sender: &str, id: &str) {
    let url = format!("http://localhost:3000/api/files/{sender}/villa.txt");
    hook.say(&file(&format!("{sender}{id}"), &url, "say x").on_session(sender)).await;
}

/// `main` has its files there.
async fn server() -> Peer<FileServer> {
    let peer = FileServer::start().await;
    peer.with(|server| {
        let file = server.files[PATH].clone();
        server.files.insert("/api/files/main/villa.txt".into(), file)
    });
    peer
}

fn named(prefix: &str) -> Vec<String> {
    (0..6).map(|n| format!("{prefix}{n}")).collect()
}

/// What is downloaded takes two minutes before it is given up; a healthy server's files do not wait for it,
/// however many senders there are at those that hang.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_hang_hold_no_place_of_a_healthy_one() {
    let (one, other, well) = (server().await, server().await, server().await);
    let mut setup = Setup::new().package("hostile");
    for id in 1..=3 {
        setup = setup.tenant(&format!("id = {id}\nname = 'T{id}'\norganization = 1\nbrain = 'hostile'"));
    }
    let (first, second) = (named("one"), named("other"));
    setup = senders(setup, &first, 2, one.url());
    setup = senders(setup, &second, 3, other.url());
    let gateway = senders(setup, &["main".into()], 1, well.url()).start().await;
    let hook = Hook::to(&gateway);
    for peer in [&one, &other] {
        peer.hang_at("/api/files/");
    }
    for n in 0..4 {
        for name in first.iter().chain(&second) {
            sent(&hook, name, &n.to_string()).await;
        }
    }
    until("they hang", SOON, async || {
        (one.asked("/api/files/") >= 4 && other.asked("/api/files/") >= 4).then_some(())
    })
    .await;
    for n in 0..8 {
        sent(&hook, "main", &n.to_string()).await;
    }
    until("a healthy server's files come", SOON, async || {
        let all = files(&gateway, 1).await;
        (all.iter().filter(|file| file["state"] == "stored").count() == 8).then_some(())
    })
    .await;
    assert!(one.asked("/api/files/") + other.asked("/api/files/") < 16, "places are left");
}

/// What could not be fetched is, as soon as somebody answers: nothing is lost, and nobody was asked for all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_is_asked_one_at_a_time() {
    let peer = server().await;
    let setup = Setup::new()
        .package("hostile")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'hostile'")
        .config("[media]\nbackoff_ms = 20\nbackoff_max_ms = 60\ntimeout_ms = 300\n");
    let gateway = senders(setup, &["main".into()], 1, peer.url()).start().await;
    let hook = Hook::to(&gateway);
    peer.hang_at("/api/files/");
    for n in 0..40 {
        sent(&hook, "main", &n.to_string()).await;
    }
    gateway.wait_for_line("a host does not answer").await;
    let before = peer.asked("/api/files/");
    assert!(before <= 12, "{before} were asked for");
    peer.answer_again();
    until("all are there", SOON, async || {
        let all = files(&gateway, 1).await;
        (all.iter().filter(|file| file["state"] == "stored").count() == 40).then_some(())
    })
    .await;
    gateway.wait_for_line("a host answers again").await;
}
