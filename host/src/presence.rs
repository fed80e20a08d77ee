//! What contacts see before the answer is there: that their message was read, and that somebody is
//! writing. Best effort: nothing waits for it, nothing is tried again, and when there is too much of
//! it some is left out.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::sync::{Mutex, mpsc};

use crate::channel::{Request, Signal, adapter};
use crate::egress::Egress;
use crate::message::Provider;
use crate::metrics::Metrics;
use crate::tenant::Sender;

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
    provider: Provider,
    request: Request,
}

/// The two ends.
pub fn new(egress: Egress, metrics: Arc<Metrics>) -> (Arc<Presence>, Worker) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let presence = Presence { queue: sender, metrics: metrics.clone() };
    (Arc::new(presence), Worker { queue: Mutex::new(receiver), egress, metrics })
}

impl Presence {
    /// `to`: the contact's address as received; `message_id`: its newest message.
    pub fn show(&self, sender: &Sender, to: &str, message_id: &str, signal: Signal) {
        if !wants(sender, signal) {
            return;
        }
        let provider = sender.provider;
        if let Some(request) = adapter(provider).signal(sender, to, message_id, signal) {
            self.take(Sign { provider, request });
        }
    }

    fn take(&self, sign: Sign) {
        let provider = sign.provider;
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
            .for_each_concurrent(CONCURRENT, |Sign { provider, request }| async move {
                let answer = tokio::time::timeout(PATIENCE, egress.send(request)).await;
                let sent = matches!(answer, Ok(Ok(answer)) if (200..300).contains(&answer.status));
                metrics.signal(provider, if sent { "sent" } else { "failed" });
            })
            .await;
    }
}

/// Who is not to see that a message was read sees nobody writing at Meta either: there the one tells
/// the other.
fn wants(sender: &Sender, signal: Signal) -> bool {
    match signal {
        Signal::Read => sender.read_receipts,
        Signal::Typing => sender.typing && (sender.read_receipts || sender.provider != Provider::Meta),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neither a full queue nor a provider that is not there holds anybody up.
    #[tokio::test]
    async fn what_is_too_much_is_left_out() {
        rustls::crypto::ring::default_provider().install_default().ok();
        let metrics = Arc::new(Metrics::new());
        let egress = Egress::new(&crate::config::Delivery::default()).expect("a client");
        let (presence, worker) = new(egress, metrics.clone());
        // Bound and closed again: nobody answers there.
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
        let url = format!("http://{}", nobody.expect("a free port"));
        for _ in 0..QUEUE + 7 {
            presence.take(Sign { provider: Provider::Waha, request: Request::get(&url) });
        }
        drop(presence);
        worker.run().await;
        let counted = metrics.render(&crate::metrics::Kept::default());
        for (outcome, count) in [("left_out", 7), ("failed", QUEUE)] {
            let line = format!("signals_total{{provider=\"waha\",outcome=\"{outcome}\"}} {count}");
            assert!(counted.contains(&line), "{line}\n{counted}");
        }
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
