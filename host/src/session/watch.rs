//! The watchdog: looks at every session and mends what is wrong with it. WAHA loses sessions' settings when
//! it is restarted, stops them, and lets some say that they work and let nothing through.
//!
//! What lacks in the settings is put right, what stopped is started, unless it was disconnected here, and
//! what failed is restarted. A number that nobody writes to is silent too, at night above all, so that
//! silence alone restarts nothing: WAHA is asked first, and as long as all is well ever more seldom. A
//! session is restarted if WAHA knows of messages that its webhooks never brought, or if it cannot reach
//! WhatsApp; and if WAHA can tell neither. All that is done is told in the log and counted, and each time
//! with the same session waits longer than the one before.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, MissedTickBehavior};

use super::calls::Answered;
use super::news::{News, What};
use super::trouble::{Remedy, Said, Trouble, judge};
use super::{Error, Sessions, Whose};
use crate::channel::waha::session::{self as api, Order, Refusal, Session};
use crate::channel::waha::settings::Fault;
use crate::channel::{EncodeError, Request};
use crate::clock;
use crate::event::SessionChange;
use crate::event::session::Status;
use crate::message::{SenderName, Timestamp};
use crate::retry::Backoff;
use crate::store::numbers::Wish;
use crate::tenant::Sender;
use crate::vitals;

/// A message is on its way for a moment, and clocks differ.
const LATE_MS: i64 = 60_000;

/// What is remembered of a session between two looks.
struct Memory {
    /// How often something was done with it since it last was well.
    mended: u32,
    not_before: Timestamp,
    /// Until it is heard, it is silent since then.
    silent_since: Timestamp,
    /// How often WAHA was asked during this silence, and found nothing wrong.
    asked: u32,
    ask_at: Timestamp,
    starting_since: Option<Timestamp>,
    /// What was told of it last, so that it is not told every minute.
    told: Option<String>,
}

impl Memory {
    fn new(began: Timestamp) -> Self {
        Memory {
            mended: 0,
            not_before: Timestamp::ZERO,
            silent_since: began,
            asked: 0,
            ask_at: Timestamp::ZERO,
            starting_since: None,
            told: None,
        }
    }

    /// Is it news?
    fn is_news(&mut self, told: String) -> bool {
        let told = Some(told);
        let is_news = self.told != told;
        self.told = told;
        is_news
    }
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
        // Of those that are being looked after nothing is here.
        let mut memories: HashMap<SenderName, Option<Memory>> = HashMap::new();
        let (mut looks, news) = (FuturesUnordered::new(), Arc::new(News::default()));
        let mut ticks = tokio::time::interval_at(Instant::now() + pause, pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some((name, memory)) = looks.next() => {
                    memories.insert(name, Some(memory));
                    if looks.is_empty() {
                        news.tell();
                    }
                    continue;
                }
                // What hangs holds back no news of the others for longer.
                _ = ticks.tick() => news.tell(),
            }
            let directory = self.store.directory();
            memories.retain(|name, memory| memory.is_none() || directory.senders.contains_key(name));
            for sender in directory.with_sessions() {
                if !sender.active || sender.base_url.is_none() {
                    continue;
                }
                let memory = memories.entry(sender.name.clone()).or_insert_with(|| Some(Memory::new(began)));
                // One that takes its time takes nobody else's.
                let Some(mut memory) = memory.take() else { continue };
                let (this, sender, news) = (self.clone(), Sender::clone(sender), news.clone());
                looks.push(async move {
                    // A panic costs this look alone; the next is due like any other.
                    let looked = vitals::survived(this.look_after(&sender, &mut memory, &news)).await;
                    if let Some(Err(error)) = looked {
                        this.not_watched(&sender, &error, &mut memory, &news);
                    }
                    (sender.name, memory)
                });
            }
        }
    }

    async fn look_after(&self, sender: &Sender, memory: &mut Memory, news: &News) -> Result<(), Error> {
        let session = self.look(sender).await?;
        self.note(sender, &session).await;
        let wish = self.store.wish(&sender.name).await?;
        let faults = self.lacking(sender, &session, wish);
        if session.status != Status::Starting {
            memory.starting_since = None;
        }
        // Whoever set it up by hand puts it right by hand.
        let led_elsewhere = self.wanted(sender).is_ok_and(|wanted| wanted.is_led_elsewhere(&session));
        let by_hand = wish == Wish::Unsaid && led_elsewhere;
        let trouble = match session.status {
            _ if wish == Wish::LoggedOut && session.status != Status::Working => None,
            Status::Starting => self.starts_for_long(memory).then_some(Trouble::Starting),
            _ if !faults.is_empty() && !by_hand => Some(Trouble::Settings(faults.clone())),
            Status::Working => self.silence(sender, &session, memory).await,
            _ => Trouble::of(&session),
        };
        if faults.is_empty() && wish == Wish::Unsaid {
            self.adopt(sender, &session).await?;
        }
        match trouble {
            Some(trouble) => self.mend((sender, session), &trouble, wish, memory, news).await?,
            None if by_hand && !faults.is_empty() => self.unset(sender, &faults, memory, news),
            None => self.is_well(sender, memory),
        }
        Ok(())
    }

    /// One that has the gateway's webhook, just as it should be, is the gateway's from now on.
    async fn adopt(&self, sender: &Sender, session: &Session) -> Result<(), Error> {
        if self.wanted(sender).is_ok_and(|wanted| wanted.faults(session).is_empty()) {
            self.store.set_wish(&sender.name, Wish::Connected).await?;
        }
        Ok(())
    }

    fn is_well(&self, sender: &Sender, memory: &mut Memory) {
        let long_ago = i64::try_from(self.settings.waha.restart_backoff_max_ms).unwrap_or(i64::MAX);
        // What was done proves itself by what is heard after it, or in time.
        if self.pulse.last(&sender.name).is_some_and(|heard| heard > memory.not_before)
            || clock::now() > memory.not_before.plus_ms(long_ago)
        {
            memory.mended = 0;
        }
        memory.told = None;
    }

    fn not_watched(&self, sender: &Sender, error: &Error, memory: &mut Memory, news: &News) {
        let silent = matches!(error, Error::Waha(_) | Error::NotAsked(_));
        if !memory.is_news(if silent { "silent".to_owned() } else { error.to_string() }) {
            return;
        }
        match (error.action(), error) {
            (action, Error::NotAsked(_)) => news.unreached(sender, action, None),
            (action, Error::Waha(why)) => news.unreached(sender, action, Some(why.clone())),
            (action, error) => news.add(sender, What::Unwatched { error: error.to_string(), action }, 0),
        }
        self.metrics.session("unwatched");
    }

    /// Its messages may come by a webhook that WAHA does not show, which is for what is heard of it to tell.
    fn unset(&self, sender: &Sender, faults: &[Fault], memory: &mut Memory, news: &News) {
        let bearable_ms = i64::try_from(self.settings.waha.silent_ms).unwrap_or(i64::MAX);
        if clock::now().as_ms().saturating_sub(memory.silent_since.as_ms()) < bearable_ms {
            return;
        }
        let lacks = Fault::told(faults);
        if memory.is_news(lacks.clone()) {
            news.add(sender, What::Unset { lacks }, 0);
            self.metrics.session("unset");
        }
    }

    fn starts_for_long(&self, memory: &mut Memory) -> bool {
        let now = clock::now();
        let since = *memory.starting_since.get_or_insert(now);
        let bearable = i64::try_from(self.settings.waha.starting_ms).unwrap_or(i64::MAX);
        now.as_ms().saturating_sub(since.as_ms()) >= bearable
    }

    /// What is wrong with a session that says it works, if it is silent and anything is.
    async fn silence(&self, sender: &Sender, session: &Session, memory: &mut Memory) -> Option<Trouble> {
        let (now, waha) = (clock::now(), &self.settings.waha);
        let heard = self.pulse.last(&sender.name).unwrap_or_default().max(memory.silent_since);
        let bearable_ms = i64::try_from(waha.silent_ms).unwrap_or(i64::MAX);
        if now.as_ms().saturating_sub(heard.as_ms()) < bearable_ms {
            memory.asked = 0;
            return None;
        }
        if now < memory.ask_at.max(memory.not_before) {
            return None;
        }
        let written = self.said(sender, api::chats(sender), api::read_last_written_ms).await;
        let reached = match &session.number {
            Some(number) => self.said(sender, api::exists(sender, number.as_str()), api::done).await,
            None => Said::Nothing,
        };
        memory.asked = memory.asked.saturating_add(1);
        let backoff =
            Backoff { base_ms: waha.watch_every_ms, max_ms: waha.silent_ms.max(waha.watch_every_ms) };
        memory.ask_at = later(now, backoff, memory.asked);
        judge(heard, LATE_MS.min(bearable_ms), written, reached)
    }

    async fn said<T>(
        &self,
        sender: &Sender,
        request: Result<Request, EncodeError>,
        read: fn(u16, &[u8]) -> Result<T, Refusal>,
    ) -> Said<T> {
        let Ok(request) = request else { return Said::Nothing };
        match self.send(sender, request, read).await {
            Ok(Answered::Done(said)) => Said::Yes(said),
            // Nobody was asked: that says nothing.
            Ok(Answered::Refused(Refusal::NotNow { .. } | Refusal::NoSession)) | Err(Error::NotAsked(_)) => {
                Said::Changed
            }
            Ok(Answered::Refused(Refusal::Failed(_) | Refusal::Busy(_))) | Err(_) => Said::Failure,
            Ok(Answered::Refused(
                Refusal::Refused(_)
                | Refusal::NoCall(_)
                | Refusal::KeyRefused(_)
                | Refusal::OneSession(_)
                | Refusal::StoreOff
                | Refusal::Exists,
            )) => Said::Nothing,
        }
    }

    /// Webhooks may have been missed: what is known of the session is put right. Its time stays, so that
    /// no event is taken for an older one where WAHA's clock is behind ours.
    async fn note(&self, sender: &Sender, session: &Session) {
        let Ok(Some(known)) = self.store.session(&sender.name).await else { return };
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

    /// Does what helps, unless it did so a moment ago or somebody else is about something with the session.
    async fn mend(
        &self,
        (sender, session): (&Sender, Session),
        trouble: &Trouble,
        wish: Wish,
        memory: &mut Memory,
        news: &News,
    ) -> Result<(), Error> {
        let now = clock::now();
        let change = self.change(&Whose::Sender(sender.name.clone()), None);
        let Ok(_alone) = change.try_lock() else { return Ok(()) };
        if now < memory.not_before
            || self.store.wish(&sender.name).await? == Wish::LoggedOut && wish != Wish::LoggedOut
        {
            return Ok(());
        }
        let waha = &self.settings.waha;
        let backoff = Backoff { base_ms: waha.restart_backoff_ms, max_ms: waha.restart_backoff_max_ms };
        memory.mended = memory.mended.saturating_add(1);
        memory.not_before = later(now, backoff, memory.mended);
        self.metrics.session(trouble.counted_as());
        let (times, trouble, remedy) = (memory.mended, trouble.what(), trouble.remedy());
        let done = match remedy {
            Remedy::PutRight => match self.wanted(sender) {
                Ok(wanted) => self.bring_up(sender, session, &wanted).await,
                Err(error) => Err(error),
            },
            Remedy::Start => self.order(sender, Order::Start).await,
            Remedy::Restart => self.order(sender, Order::Restart).await,
        };
        if let Err(error) = done {
            news.add(sender, What::Unmended { trouble, error: error.to_string() }, times);
            return Ok(());
        }
        // From here on the silence counts anew.
        (memory.silent_since, memory.asked, memory.starting_since) = (now, 0, None);
        let what = match remedy {
            Remedy::PutRight => What::PutRight { trouble },
            Remedy::Start => What::Started { trouble },
            Remedy::Restart => What::Restarted { trouble },
        };
        news.add(sender, what, times);
        Ok(())
    }
}

fn later(now: Timestamp, backoff: Backoff, times: u32) -> Timestamp {
    let wait = backoff.delay_ms(times, None, rand::random());
    now.plus_ms(i64::try_from(wait).unwrap_or(i64::MAX))
}
