//! Conversations that go on with one tenant: each writes again when its last message was answered, or
//! after a while without an answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::hook::{Hook, text};
use crate::hostile::ground::{Ground, tenant_of};
use crate::hostile::provider::Provider;
use crate::hostile::trial::phone;

/// A conversation writes no more often,
const EVERY: Duration = Duration::from_millis(100);

/// and waits no longer for an answer.
const PATIENCE: Duration = Duration::from_secs(8);

/// What had begun when it was stopped ends within this time.
const DRAINS: Duration = Duration::from_secs(60);

/// Runs until it is dropped.
pub struct Load(Vec<JoinHandle<()>>);

impl Load {
    /// So many conversations with the tenant of the case with this number.
    pub fn start(ground: &Ground, number: usize, conversations: usize) -> Self {
        let each = |contact| {
            let conversation = Conversation {
                // Behind those of the trial.
                phone: phone(number, 100 + contact),
                tenant: tenant_of(number),
                hook: Hook::to(&ground.gateway),
                provider: ground.provider.clone(),
            };
            tokio::spawn(conversation.go_on())
        };
        Load((0..conversations).map(each).collect())
    }

    /// Ends, and waits until nothing of it is left to do.
    pub async fn stop(self, ground: &Ground) {
        drop(self);
        let deadline = std::time::Instant::now() + DRAINS;
        while std::time::Instant::now() < deadline {
            let waiting =
                ground.gateway.metrics().await.and_then(|metrics| metrics.value("switchboard_inbox"));
            if waiting.is_some_and(|waiting| waiting < 3.0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

struct Conversation {
    phone: String,
    tenant: u32,
    hook: Hook,
    provider: Arc<Provider>,
}

impl Conversation {
    async fn go_on(self) {
        let mut words = format!("start_realty_{}", self.tenant);
        loop {
            let before = self.provider.sent_to(&self.phone);
            let id = format!("{:016X}", rand::random::<u64>());
            // One that is refused is as good as one that is not answered.
            let _ = self.hook.try_post(&text(&self.phone, &id, &words)).await;
            let _ = tokio::time::timeout(PATIENCE, self.provider.next(&self.phone, before)).await;
            tokio::time::sleep(EVERY).await;
            words = "and again".to_owned();
        }
    }
}
