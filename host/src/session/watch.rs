//! The watchdog: restarts sessions that failed, and those that say they work and let nothing through.
//!
//! A number that nobody writes to is silent too, at night above all, so that silence alone restarts
//! nothing: WAHA is asked first. A session is restarted if WAHA knows of messages that its webhooks
//! never brought, or if it cannot reach WhatsApp; and if WAHA can tell neither. Every restart is told
//! in the log and counted, and each one of the same session waits longer than the one before.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;

use super::{Error, Sessions};
use crate::channel::waha::session::{self as api, Order, Refusal, Session};
use crate::channel::{EncodeError, Request};
use crate::clock;
use crate::event::SessionChange;
use crate::message::{Provider, SenderName, Timestamp};
use crate::retry::Backoff;
use crate::tenant::Sender;

const AT_ONCE: usize = 16;
/// A message is on its way for a moment, and clocks differ.
const LATE_MS: i64 = 60_000;

/// What is wrong with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Failed,
    /// WAHA has messages that did not come here.
    Unheard,
    /// WAHA gets no answer from WhatsApp, or gives none itself.
    Deaf,
    /// Silent, and WAHA cannot say why.
    Silent,
}

impl Trouble {
    /// For the log.
    fn what(self) -> &'static str {
        match self {
            Trouble::Failed => "the WhatsApp session failed",
            Trouble::Unheard => "the WhatsApp session works, but messages at WAHA never came here",
            Trouble::Deaf => "the WhatsApp session works, but does not reach WhatsApp",
            Trouble::Silent => "the WhatsApp session works, but nothing was heard of it",
        }
    }

    fn counted_as(self) -> &'static str {
        match self {
            Trouble::Failed => "failed",
            Trouble::Unheard => "unheard",
            Trouble::Deaf => "deaf",
            Trouble::Silent => "silent",
        }
    }
}

/// What WAHA says to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said<T> {
    Yes(T),
    /// It is not asked, or has no such call.
    Nothing,
    /// The call failed.
    Failure,
    /// The session is in another status by now.
    Changed,
}

/// What is remembered of a session between two looks.
#[derive(Default)]
struct Memory {
    restarts: u32,
    not_before: Timestamp,
    /// What was told of it last, so that it is not told every minute.
    told: Option<String>,
}

impl Sessions {
    /// Looks after all sessions for as long as the gateway runs; not at all where that is configured.
    pub async fn watch(self: Arc<Self>) {
        let pause = Duration::from_millis(self.settings.waha.watch_every_ms);
        if pause.is_zero() {
            // Off.
            return std::future::pending().await;
        }
        let began = clock::now();
        let mut memories: HashMap<SenderName, Memory> = HashMap::new();
        loop {
            tokio::time::sleep(pause).await;
            let directory = self.store.directory();
            memories.retain(|name, _| directory.senders.contains_key(name));
            let mut senders = Vec::new();
            for sender in directory.senders_of(Provider::Waha) {
                if sender.active && sender.base_url.is_some() {
                    senders.push(Sender::clone(sender));
                }
            }
            let this = &self;
            let looks = senders.into_iter().map(|sender| async move {
                let found = this.examine(&sender, began).await;
                (sender, found)
            });
            let found: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
            for (sender, found) in found {
                let memory = memories.entry(sender.name.clone()).or_default();
                self.see_to(&sender, found, memory).await;
            }
        }
    }

    /// What is wrong with a session, if anything is.
    async fn examine(&self, sender: &Sender, began: Timestamp) -> Result<Option<Trouble>, Error> {
        let session = self.look(sender).await?;
        self.note(sender, &session).await;
        if session.status == api::FAILED {
            return Ok(Some(Trouble::Failed));
        }
        let heard = self.pulse.last(&sender.name).unwrap_or(began);
        let silent_ms = clock::now().as_ms().saturating_sub(heard.as_ms());
        let bearable_ms = i64::try_from(self.settings.waha.silent_ms).unwrap_or(i64::MAX);
        if session.status != api::WORKING || silent_ms < bearable_ms {
            return Ok(None);
        }
        let written = self.said(api::chats(sender), api::read_last_written_ms).await;
        let reached = match &session.number {
            Some(number) => self.said(api::exists(sender, number.as_str()), api::done).await,
            None => Said::Nothing,
        };
        Ok(judge(heard, LATE_MS.min(bearable_ms), written, reached))
    }

    async fn said<T>(
        &self,
        request: Result<Request, EncodeError>,
        read: fn(u16, &[u8]) -> Result<T, Refusal>,
    ) -> Said<T> {
        let Ok(request) = request else { return Said::Nothing };
        match self.send(request, read).await {
            Ok(Ok(said)) => Said::Yes(said),
            Ok(Err(Refusal::NotNow { .. } | Refusal::NoSession)) => Said::Changed,
            Ok(Err(Refusal::Refused(_) | Refusal::Exists)) => Said::Nothing,
            Ok(Err(Refusal::Failed(_))) | Err(_) => Said::Failure,
        }
    }

    /// Webhooks may have been missed: what is known of the session is put right. Its time stays, so that
    /// no event is taken for an older one where WAHA's clock is behind ours.
    async fn note(&self, sender: &Sender, session: &Session) {
        let Ok(Some(known)) = self.store.session(&sender.name) else { return };
        if known.status == session.status {
            return;
        }
        let change = SessionChange {
            status: session.status.clone(),
            number: session.number.clone().or_else(|| known.number.clone()),
            ..known
        };
        if let Err(error) = self.store.record_session(sender.name.clone(), change).await {
            tracing::warn!(sender = %sender.name, %error, "the session's status could not be kept");
        }
    }

    async fn see_to(&self, sender: &Sender, found: Result<Option<Trouble>, Error>, memory: &mut Memory) {
        let now = clock::now();
        let trouble = match found {
            Ok(Some(trouble)) => trouble,
            Ok(None) => {
                // A restart proves itself by what is heard after it.
                if self.pulse.last(&sender.name).is_some_and(|heard| heard > memory.not_before) {
                    memory.restarts = 0;
                }
                memory.told = None;
                return;
            }
            Err(error) => {
                let told = error.to_string();
                if memory.told.as_ref() != Some(&told) {
                    let action = error.action();
                    tracing::error!(sender = %sender.name, %error, action, "the WhatsApp session cannot be watched");
                    self.metrics.session("unwatched");
                    memory.told = Some(told);
                }
                return;
            }
        };
        if now < memory.not_before {
            return;
        }
        memory.restarts = memory.restarts.saturating_add(1);
        let waha = &self.settings.waha;
        let backoff = Backoff { base_ms: waha.restart_backoff_ms, max_ms: waha.restart_backoff_max_ms };
        let wait = backoff.delay_ms(memory.restarts, None, rand::random());
        memory.not_before = now.plus_ms(i64::try_from(wait).unwrap_or(i64::MAX));
        let (what, restarts) = (trouble.what(), memory.restarts);
        self.metrics.session(trouble.counted_as());
        match self.order(sender, Order::Restart).await {
            Ok(()) => {
                // From here on the silence counts anew.
                self.pulse.heard(&sender.name, now);
                tracing::error!(sender = %sender.name, restarts, trouble = what, "the WhatsApp session was restarted; if that does not help, connect it again");
            }
            Err(error) => {
                tracing::error!(sender = %sender.name, restarts, trouble = what, %error, "the WhatsApp session is in trouble, and WAHA did not restart it");
            }
        }
    }
}

/// What a silence comes to, by what WAHA says of it.
fn judge(heard: Timestamp, late_ms: i64, written: Said<Option<i64>>, reached: Said<()>) -> Option<Trouble> {
    match (written, reached) {
        (Said::Changed, _) | (_, Said::Changed) => None,
        (Said::Yes(Some(at_ms)), _) if at_ms > heard.plus_ms(late_ms).as_ms() => Some(Trouble::Unheard),
        (Said::Failure, _) | (_, Said::Failure) => Some(Trouble::Deaf),
        (Said::Nothing, Said::Nothing) => Some(Trouble::Silent),
        (Said::Yes(_), _) | (_, Said::Yes(())) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_judged_by_what_waha_says() {
        let heard = Timestamp::from_ms(1_000_000);
        let at = |ms| Said::Yes(Some(ms));
        for (case, written, reached, expected) in [
            ("a quiet night", at(900_000), Said::Yes(()), None),
            ("no chats at all", Said::Yes(None), Said::Yes(()), None),
            ("a message on its way", at(1_050_000), Said::Yes(()), None),
            ("messages that never came", at(1_060_001), Said::Yes(()), Some(Trouble::Unheard)),
            ("the same, and more", at(1_060_001), Said::Failure, Some(Trouble::Unheard)),
            ("WhatsApp is out of reach", at(900_000), Said::Failure, Some(Trouble::Deaf)),
            ("its store fails", Said::Failure, Said::Yes(()), Some(Trouble::Deaf)),
            ("an engine that keeps no chats", Said::Nothing, Said::Yes(()), None),
            ("the same, out of reach", Said::Nothing, Said::Failure, Some(Trouble::Deaf)),
            ("a WAHA that cannot check numbers", at(900_000), Said::Nothing, None),
            ("nothing vouches for it", Said::Nothing, Said::Nothing, Some(Trouble::Silent)),
            ("it stopped meanwhile", at(1_060_001), Said::Changed, None),
            ("it stopped even before", Said::Changed, Said::Failure, None),
        ] {
            assert_eq!(judge(heard, LATE_MS, written, reached), expected, "{case}");
        }
    }
}
