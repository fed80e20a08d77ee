//! Promises that only the whole process can keep: no byte crosses tenants, a brain's failure costs
//! one turn, a reload loses nothing, and a stop ends what has begun.

use std::time::Duration;

use serde_json::{Value, json};
use switchboard_tests::gateway::{Gateway, Setup};
use switchboard_tests::hook::{Hook, text};
use switchboard_tests::waha::FakeWaha;
use switchboard_tests::wait::until;

mod failure;
mod handoff;
mod reload;
mod separation;
mod stop;

/// What a contact waits for an answer at most, on a slow machine in a debug build.
const ANSWER: Duration = Duration::from_secs(20);

fn sender(waha: &FakeWaha) -> String {
    format!(
        "name = 'main'\nprovider = 'waha'\naccount = 'default'\nbase_url = '{}'\napi_key = '{}'\nauth = 'none'",
        waha.url(),
        waha.api_key()
    )
}

fn tenant(id: u32, organization: u32, brain: &str) -> String {
    format!(
        "id = {id}\nname = 'Tenant {id}'\norganization = {organization}\nbrain = '{brain}'\n\
         fallback_text = 'Tenant {id} is sorry'"
    )
}

/// One person with a phone, and how far they have read.
struct Contact<'w> {
    hook: Hook,
    waha: &'w FakeWaha,
    phone: String,
    said: usize,
    read: usize,
}

impl<'w> Contact<'w> {
    fn new(gateway: &Gateway, waha: &'w FakeWaha, phone: &str) -> Self {
        let read = texts_to(waha, phone).len();
        Contact { hook: Hook::to(gateway), waha, phone: phone.into(), said: 0, read }
    }

    /// Says it, without waiting for an answer.
    async fn posts(&mut self, words: &str) -> Value {
        self.said += 1;
        let id = format!("3EB0{}{:04}", self.phone, self.said);
        self.hook.say(&text(&self.phone, &id, words).sent_at_s(1_741_249_000 + self.said as i64)).await
    }

    /// The next unread reply.
    async fn reads(&mut self) -> String {
        let what = format!("reply {} to {}", self.read + 1, self.phone);
        let reply =
            until(&what, ANSWER, async || texts_to(self.waha, &self.phone).get(self.read).cloned()).await;
        self.read += 1;
        reply
    }

    async fn says(&mut self, words: &str) -> String {
        let answer = self.posts(words).await;
        assert_eq!(answer["status"], "routed", "{words}: {answer}");
        self.reads().await
    }
}

/// What the provider was given for this person, in order.
fn texts_to(waha: &FakeWaha, phone: &str) -> Vec<String> {
    waha.texts_to(&format!("{phone}@c.us"))
}

async fn dead_turns(gateway: &Gateway) -> Vec<Value> {
    let told = gateway.get("/api/turns?ended=true").await.ok();
    told["turns"].as_array().expect("a list of turns").clone()
}
