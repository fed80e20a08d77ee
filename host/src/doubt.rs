//! Replies of unknown outcome: whoever may know what became of them is asked, where a provider can be
//! asked, and what no evidence settles within the tenant's time is settled by the tenant's word: sent
//! again, once, or dropped. Without its word a reply stays as it is, and is listed.
//!
//! What a provider tells by itself, by receipts and echoes, is taken as evidence where it comes in.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::channel::{self, Request};
use crate::clock;
use crate::egress::circuits::Lane;
use crate::egress::{Egress, LIST_BYTES};
use crate::event::Event;
use crate::message::{ConversationKey, SenderName, TenantId, Timestamp};
use crate::store::{Filter, OutboxState, SendId, SendSummary, Store};
use crate::tenant::policy::{Doubt, Then};
use crate::tenant::{Directory, Sender};

/// Between two looks at what is in doubt.
const EVERY: Duration = Duration::from_secs(5);

/// A look reads all that has ended, and what tenants keep there is theirs to say: the pause after it is so
/// many times what it took.
const PAUSE_PER_LOOK: u32 = 50;

/// Looked at together.
const AT_ONCE: usize = 200;
const PAGE_BYTES: usize = 1 << 20;

/// A chat is asked about again after so long, and then after twice as long, up to
const FIRST: Duration = Duration::from_secs(10);
const AT_MOST: Duration = Duration::from_secs(600);

/// What is older is asked about no more: it is not among what a chat shows first.
const ASKED_FOR_MS: i64 = 24 * 60 * 60 * 1000;

/// A reply is found by what was said since this before it was due: clocks differ.
const BEFORE_MS: i64 = 60_000;

pub struct Doubts {
    store: Arc<dyn Store>,
    egress: Egress,
}

/// When a chat was asked about, and when it will be again.
struct Asked {
    again_at: Instant,
    pause: Duration,
    /// What it said in this look.
    just_now: Option<Evidence>,
}

type Chats = HashMap<(SenderName, String), Asked>;

/// What a chat said of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evidence {
    /// It settled one.
    Found,
    /// It was asked just now, and shows nothing of it.
    None,
    /// It is to be asked first.
    Later,
    /// Nobody can be asked.
    Nowhere,
}

impl Doubts {
    pub fn new(store: Arc<dyn Store>, egress: Egress) -> Arc<Self> {
        Arc::new(Doubts { store, egress: egress.lane(Lane::Questions) })
    }

    pub async fn run(self: Arc<Self>) {
        let mut chats = Chats::new();
        let mut pause = EVERY;
        loop {
            tokio::time::sleep(pause).await;
            pause = EVERY;
            if self.store.counters().outbox_unknown == 0 {
                chats.clear();
                continue;
            }
            let began = Instant::now();
            let looked = self.look(&mut chats).await;
            pause = EVERY.max(began.elapsed() * PAUSE_PER_LOOK).min(AT_MOST);
            if let Err(error) = looked {
                tracing::debug!(%error, "replies of unknown outcome cannot be looked at; trying again");
            }
        }
    }

    /// Looks at all of them once.
    async fn look(&self, chats: &mut Chats) -> crate::store::Result<()> {
        let mut filter = Filter {
            ended: true,
            state: Some(OutboxState::Unknown.name().to_owned()),
            limit: AT_ONCE,
            ..Filter::default()
        };
        let (mut seen, now) = (Chats::new(), clock::now());
        loop {
            // Not on a thread that others wait for.
            let (store, asked) = (self.store.clone(), filter.clone());
            let page = tokio::task::spawn_blocking(move || store.outbox_page(&asked, PAGE_BYTES)).await;
            let page = page.map_err(|panic| crate::store::Error::Failed(panic.to_string()))??;
            let directory = self.store.directory();
            for reply in &page.entries {
                self.see_to(reply, (chats, &mut seen), &directory, now).await?;
            }
            match page.next {
                Some(next) => filter.after = Some(next),
                None => break,
            }
        }
        // Of chats in which nothing is in doubt any more nothing is remembered.
        *chats = seen;
        Ok(())
    }

    async fn see_to(
        &self,
        reply: &SendSummary,
        (chats, seen): (&mut Chats, &mut Chats),
        directory: &Directory,
        now: Timestamp,
    ) -> crate::store::Result<()> {
        let entry = &reply.entry;
        let evidence = match directory.senders.get(&entry.sender) {
            Some(sender) if entry.due_at.plus_ms(ASKED_FOR_MS) > now => {
                self.ask(reply, sender, (chats, seen)).await
            }
            _ => Evidence::Nowhere,
        };
        // No word is heeded before evidence was looked for.
        if matches!(evidence, Evidence::Found | Evidence::Later) {
            return Ok(());
        }
        let Some(word) = word_of(directory, reply.tenant, evidence) else { return Ok(()) };
        // What was sent again already, by its word or an operator's, and is in doubt again stays: else a
        // provider that takes everything and answers nothing would have it for ever.
        if word.then == Then::Send && entry.retried_at.is_some() {
            return Ok(());
        }
        let since = entry.retried_at.unwrap_or(entry.created_at).max(entry.due_at.min(now));
        if since.plus_ms(i64::from(word.after_minutes) * 60_000) > now {
            return Ok(());
        }
        let Some(seq) = reply.id.rsplit('-').next().and_then(|seq| seq.parse().ok()) else { return Ok(()) };
        let key = ConversationKey { tenant: reply.tenant, contact: reply.contact.clone() };
        let id = SendId { key, seq };
        let actor = "gateway (policy.doubt)";
        tracing::info!(reply = reply.id, then = ?word.then, "no evidence settled a reply of unknown outcome; the tenant's word does");
        match word.then {
            Then::Send => self.store.retry_sends(&[id], actor, now).await?,
            Then::Drop => self.store.drop_sends(&[id], actor, now).await?,
        };
        Ok(())
    }

    /// Asks what was said in its chat, once for all that is in doubt there.
    async fn ask(
        &self,
        reply: &SendSummary,
        sender: &Sender,
        (chats, seen): (&mut Chats, &mut Chats),
    ) -> Evidence {
        let adapter = channel::adapter(sender.provider);
        let entry = &reply.entry;
        let since = entry.created_at.max(entry.due_at).plus_ms(-BEFORE_MS);
        let Some(request) = adapter.recall(sender, &entry.to, since) else { return Evidence::Nowhere };
        let chat = (sender.name.clone(), entry.to.clone());
        let now = Instant::now();
        if let Some(asked) = seen.get(&chat) {
            return asked.just_now.unwrap_or(Evidence::Later);
        }
        let asked = chats.remove(&chat).unwrap_or(Asked { again_at: now, pause: FIRST, just_now: None });
        if asked.again_at > now {
            seen.insert(chat, Asked { just_now: None, ..asked });
            return Evidence::Later;
        }
        let evidence = self.look_into(sender, request).await;
        let pause = (2 * asked.pause).min(AT_MOST);
        seen.insert(chat, Asked { again_at: now + asked.pause, pause, just_now: Some(evidence) });
        evidence
    }

    async fn look_into(&self, sender: &Sender, request: Request) -> Evidence {
        let answer = match self.egress.send_within(sender, request, LIST_BYTES).await {
            Ok(answer) if (200..300).contains(&answer.status) && !answer.cut => answer,
            Ok(answer) => {
                tracing::debug!(sender = %sender.name, status = answer.status, "a chat cannot be looked into");
                return Evidence::Later;
            }
            Err(_) => return Evidence::Later,
        };
        let mut evidence = Evidence::None;
        for event in channel::adapter(sender.provider).recalled(sender, &answer.body) {
            let Event::Own(mut own) = event else { continue };
            own.account.clone_from(&sender.account);
            match self.store.recognize_own(*own, sender.name.clone(), clock::now()).await {
                Ok(true) => evidence = Evidence::Found,
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(%error, "what a chat tells cannot be kept; it is asked again");
                    return Evidence::Later;
                }
            }
        }
        if evidence == Evidence::Found {
            tracing::info!(sender = %sender.name, "the chat shows what became of a reply of unknown outcome");
        }
        evidence
    }
}

/// What the tenant wants done with what nobody knows of.
fn word_of(directory: &Directory, tenant: TenantId, evidence: Evidence) -> Option<Doubt> {
    if tenant == TenantId::GATEWAY {
        // Its own words are said again where they are not to be seen.
        return (evidence == Evidence::None).then_some(Doubt { after_minutes: 0, then: Then::Send });
    }
    directory.tenant(tenant)?.policy.doubt
}
