//! A provider that does not give the file itself but says where a network delivers it: it is fetched
//! there, without the key, and called what the network calls it.

use switchboard_tests::infobip::{self, Infobip};

use super::*;

const NUMBER: &str = "41793026731";
const MEDIA: &str = "/whatsapp/1/senders/41793026731/media/2b5";

/// What the network delivers, and whether anybody showed it a key.
struct Network {
    shown_keys: usize,
}

impl Contract for Network {
    type Sent = ();

    fn call(&mut self, call: &Call) -> Result<(Option<()>, Reply), Reply> {
        self.shown_keys += usize::from(call.header("authorization").is_some());
        match call.path.as_str() {
            "/near" => {
                let headers = vec![("location", "far?signed=1".to_owned())];
                Ok((None, Reply { status: 307, headers, body: Vec::new() }))
            }
            "/far" => {
                let mut reply = Reply::bytes(200, "application/octet-stream", WORDS.into());
                reply.headers.push(("content-disposition", "attachment; filename=\"villa.txt\"".into()));
                Ok((None, reply))
            }
            _ => Err(self.failure(404, call)),
        }
    }

    fn failure(&self, status: u16, _call: &Call) -> Reply {
        Reply::json(status, &Value::Null)
    }
}

async fn gateway(provider: &str, network: &str) -> Gateway {
    let sender = format!(
        "name = 'main'\nprovider = 'infobip'\naccount = '{NUMBER}'\nbase_url = '{provider}'\napi_key = '{}'\n\
         webhook_key = 'k'\nmedia_hosts = ['{network}']\ntenant = 1\nread_receipts = false\ntyping = false",
        infobip::KEY,
    );
    Setup::new()
        .package("hostile")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'hostile'")
        .sender(&sender)
        .config("[media]\nbackoff_ms = 20\nbackoff_max_ms = 60\nwait_ms = 20_000\n[limits]\nwall_time_ms = 40_000\n")
        .start()
        .await
}

async fn document(gateway: &Gateway, provider: &str, id: &str) {
    let body = json!({ "results": [{
        "from": PHONE, "to": NUMBER, "integrationType": "WHATSAPP", "messageId": id,
        "receivedAt": "2025-01-01T10:10:00.000+0000",
        "message": { "type": "DOCUMENT", "url": format!("{provider}{MEDIA}"), "caption": "read" },
    }] });
    let request = gateway.client().post(gateway.url("/api/gateway/infobip")).header("x-api-key", "k");
    Answer::of(request.json(&body)).await.expect("an answer").ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn infobip_leads_to_a_network_that_is_not_shown_the_key() {
    let network = Peer::start(Network { shown_keys: 0 }).await;
    let infobip = Peer::start(Infobip::with(&[NUMBER])).await;
    infobip.with(|account| account.delivered.insert(MEDIA.into(), format!("{}/near", network.url())));
    let host = network.url().strip_prefix("http://").expect("an address").to_owned();
    let gateway = gateway(infobip.url(), &host).await;
    document(&gateway, infobip.url(), "A").await;
    assert_eq!(infobip.wait_for(1, SOON).await[0].text(), Some(WORDS));
    let paths: Vec<String> = network.calls().into_iter().map(|call| call.path).collect();
    assert_eq!(paths, ["/near", "/far"]);
    assert_eq!(network.with(|network| network.shown_keys), 0);
    // Infobip's message has neither name nor type; both came with the file.
    let stored = in_state(&gateway, "stored").await;
    assert_eq!((&stored["filename"], &stored["mime_type"]), (&json!("villa.txt"), &json!("text/plain")));
    assert_eq!(infobip.refused(), [], "the gateway keeps to the contract");
}
