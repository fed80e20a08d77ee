//! What contacts see before the answer is there: that their message was read, and that somebody is
//! writing. Best effort: nothing waits for it, nothing is tried again, and when there is too much of
//! it some is left out.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::sync::{Mutex, mpsc};

use crate::channel::{Request, Signal, adapter};
use crate::egress::circuits::Lane;
use crate::egress::{Egress, Unsent};
use crate::metrics::Metrics;
use crate::tenant::Sender;
use crate::vitals;

/// Signals that wait to be sent; one more is left out.
const QUEUE: usize = 512;

/// At the same time.
const CONCURRENT: usize = 16;

/// A provider that takes longer is not asked for longer: by then the answer is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes signals and never waits.
pub struct Presence {
    queue: mpsc::Sender<Sign>,
    metrics: Arc<Metrics>,
}

/// Sends what was taken, for as long as it is run.
pub struct Worker {
    queue: Mutex<mpsc::Receiver<Sign>>,
    egress: Egress,
    metrics: Arc<Metrics>,
}

struct Sign {
    sender: Arc<Sender>,
    request: Request,
}

/// The two ends.
pub fn new(egress: Egress, metrics: Arc<Metrics>) -> (Arc<Presence>, Worker) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let presence = Presence { queue: sender, metrics: metrics.clone() };
    let egress = egress.lane(Lane::Signs);
    (Arc::new(presence), Worker { queue: Mutex::new(receiver), egress, metrics })
}

impl Presence {
    /// `to`: the contact's address as received; `message_id`: its newest message.
    pub fn show(&self, sender: &Arc<Sender>, to: &str, message_id: &str, signal: Signal) {
        if !wants(sender, signal) {
            return;
        }
        if let Some(request) = adapter(sender.provider()).signal(sender, to, message_id, signal) {
            self.take(Sign { sender: sender.clone(), request });
        }
    }

    fn take(&self, sign: Sign) {
        let provider = sign.sender.provider();
        if self.queue.try_send(sign).is_err() {
            self.metrics.signal(provider, "left_out");
        }
    }
}

impl Worker {
    pub async fn run(&self) {
        let mut queue = self.queue.lock().await;
        let signs = futures::stream::poll_fn(move |context| queue.poll_recv(context));
        let (egress, metrics) = (&self.egress, &self.metrics);
        signs
            .for_each_concurrent(CONCURRENT, |Sign { sender, request }| async move {
                let sent = vitals::survived(egress.send_in(&sender, request, PATIENCE)).await;
                let outcome = match sent {
                    Some(Ok(answer)) if (200..300).contains(&answer.status) => "sent",
                    // Whoever does not answer, or refuses the key, is shown nothing.
                    Some(Err(Unsent::Held { .. })) => "left_out",
                    _ => "failed",
                };
                metrics.signal(sender.provider(), outcome);
            })
            .await;
    }
}

/// Who is not to see that a message was read sees nobody writing either, where the one tells the other.
fn wants(sender: &Sender, signal: Signal) -> bool {
    match signal {
        Signal::Read => sender.read_receipts,
        Signal::Typing => {
            sender.typing && (sender.read_receipts || !sender.provider().facts().typing_shows_read)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::circuits::Circuits;
    use crate::message::Provider;
    use crate::refused_keys::RefusedKeys;
    use crate::retry::Backoff;

    fn sender(url: &str) -> Arc<Sender> {
        let sender = serde_json::json!({
            "name": "main", "provider": "waha", "account": "a", "api_key": "k", "base_url": url,
        });
        Arc::new(serde_json::from_value(sender).expect("a sender"))
    }

    fn egress(metrics: &Arc<Metrics>) -> (Arc<Presence>, Worker, Arc<RefusedKeys>) {
        rustls::crypto::ring::default_provider().install_default().ok();
        let settings = crate::config::Delivery::default();
        let circuits = Circuits::new(&settings, &crate::config::Media::default());
        let keys = Arc::new(RefusedKeys::new(Backoff { base_ms: 60_000, max_ms: 60_000 }));
        let egress = Egress::new(&settings, circuits, keys.clone()).expect("a client");
        let (presence, worker) = new(egress, metrics.clone());
        (presence, worker, keys)
    }

    fn counted(metrics: &Metrics, outcome: &str) -> usize {
        let text = metrics.render(&crate::metrics::Kept::default());
        let name = format!("signals_total{{provider=\"waha\",outcome=\"{outcome}\"}} ");
        let line = text.lines().find_map(|line| line.split_once(&name).map(|(_, count)| count.to_owned()));
        line.map_or(0, |count| count.parse().expect("a number"))
    }

    /// Neither a full queue nor a provider that is not there holds anybody up, and it is not asked for all.
    #[tokio::test]
    async fn what_is_too_much_is_left_out() {
        let metrics = Arc::new(Metrics::new());
        let (presence, worker, _) = egress(&metrics);
        // Bound and closed again: nobody answers there.
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
        let url = format!("http://{}", nobody.expect("a free port"));
        for _ in 0..QUEUE + 7 {
            presence.take(Sign { sender: sender(&url), request: Request::get(&url) });
        }
        drop(presence);
        worker.run().await;
        let (left_out, failed) = (counted(&metrics, "left_out"), counted(&metrics, "failed"));
        assert_eq!(left_out + failed, QUEUE + 7);
        assert!((3..=CONCURRENT).contains(&failed), "{failed} were tried");
    }

    #[tokio::test]
    async fn a_sender_whose_key_is_refused_shows_nothing() {
        let metrics = Arc::new(Metrics::new());
        let (presence, worker, keys) = egress(&metrics);
        let refused = sender("http://127.0.0.1:9");
        keys.refuse(&refused, "401", crate::clock::now(), 0);
        presence.take(Sign { sender: refused, request: Request::get("http://127.0.0.1:9") });
        drop(presence);
        worker.run().await;
        assert_eq!((counted(&metrics, "left_out"), counted(&metrics, "failed")), (1, 0));
    }

    #[test]
    fn typing_tells_no_more_than_it_may() {
        for (provider, read_receipts, typing, reads, types) in [
            (Provider::Meta, true, true, true, true),
            (Provider::Meta, false, true, false, false),
            (Provider::Meta, true, false, true, false),
            (Provider::Waha, false, true, false, true),
            (Provider::Waha, true, false, true, false),
            (Provider::Gupshup, false, false, false, false),
        ] {
            let sender: Sender = serde_json::from_value(serde_json::json!({
                "name": "main", "provider": provider, "account": "a",
                "read_receipts": read_receipts, "typing": typing,
            }))
            .expect("a sender");
            let shown = (wants(&sender, Signal::Read), wants(&sender, Signal::Typing));
            assert_eq!(shown, (reads, types), "{provider} {read_receipts} {typing}");
        }
    }
}
