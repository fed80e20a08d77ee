//! Reports name none of our numbers, and a body is hashed with few keys only. However many accounts sign
//! with keys of their own, each is believed.

use super::*;

const ACCOUNTS: usize = 40;

fn number(n: usize) -> String {
    format!("3859199{n:05}")
}

fn key(n: usize) -> String {
    format!("signing key {n}")
}

/// Every number is an account of its own that signs with a key of its own.
async fn many(infobip: &Peer<Infobip>) -> Gateway {
    let one = |setup: Setup, n: usize| {
        setup.sender(&format!(
            "name = 'account-{n:02}'\nprovider = 'infobip'\naccount = '{}'\ntenant = 1\nbase_url = '{}'\n\
             api_key = '{KEY}'\nhmac_header = 'X-Sign'\nhmac_key = '{}'",
            number(n),
            infobip.url(),
            key(n),
        ))
    };
    (0..ACCOUNTS).fold(tenants(), one).start().await
}

async fn signed(gateway: &Gateway, n: usize, item: Value) -> u16 {
    post(gateway, &Webhook::of([item]).signed("X-Sign", &key(n))).await.status
}

fn delivered(id: &str) -> Value {
    report(id, FRANK, "DELIVERED", "DELIVERED_TO_HANDSET")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_on_a_reply_of_ours_is_believed_at_once() {
    let numbers: Vec<String> = (0..ACCOUNTS).map(number).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let infobip = Peer::start(Infobip::with(&numbers)).await;
    let gateway = many(&infobip).await;
    for n in [3, 21, ACCOUNTS - 1] {
        assert_eq!(signed(&gateway, n, text(&format!("38591000{n:04}"), &number(n), "hello")).await, 200);
    }
    let sent = infobip.wait_for(3, SOON).await;
    gateway.drained(SOON).await;
    // Others are believed in between, so that these are not the latest.
    for n in 0..16 {
        signed(&gateway, n, text(ANN, &number(n), "hello")).await;
    }
    for n in [3, 21, ACCOUNTS - 1] {
        let reply = sent.iter().find(|sent| sent.from == number(n)).expect("a reply");
        assert_eq!(signed(&gateway, n, delivered(&reply.id)).await, 200, "account {n}");
        let wrong = (n + 1) % ACCOUNTS;
        assert_eq!(signed(&gateway, ACCOUNTS + wrong, delivered(&reply.id)).await, 401, "nobody's key");
    }
}

/// What is about nothing that we know is believed when the provider has sent it a few times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_report_is_believed_in_the_end() {
    let infobip = account().await;
    let gateway = many(&infobip).await;
    for n in (0..ACCOUNTS).rev() {
        let item = delivered(&format!("not-ours-{n}"));
        let mut attempts = 1;
        while signed(&gateway, n, item.clone()).await != 200 {
            attempts += 1;
            assert!(attempts <= 1 + ACCOUNTS / 8, "account {n} was refused {attempts} times");
        }
    }
    for _ in 0..10 {
        assert_eq!(signed(&gateway, ACCOUNTS, delivered("not-ours")).await, 401, "nobody's key");
    }
}
