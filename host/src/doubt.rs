//! Replies of unknown outcome: whoever may know what became of them is asked, where a provider can be
//! asked, and what no evidence settles within the tenant's time is settled by the tenant's word: sent
//! again, once, or dropped. Without its word a reply stays as it is, and is listed.
//!
//! What a provider tells by itself, by receipts and echoes, is taken as evidence where it comes in.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use self::asking::{AT_MOST, Asking, Evidence, Topic};
use crate::channel::{self, Recall, Recalls, Request};
use crate::clock;
use crate::egress::circuits::Lane;
use crate::egress::{Egress, LIST_BYTES};
use crate::event::{Event, Receipt};
use crate::message::{ConversationKey, SenderName, TenantId, Timestamp};
use crate::store::contacts::Contacts;
use crate::store::housekeeping::Housekeeping;
use crate::store::listed::Listed;
use crate::store::pages::Pages;
use crate::store::receipts::Receipts;
use crate::store::registry::Registry;
use crate::store::sends::Sends;
use crate::store::{Filter, OutboxState, SendId, SendSummary, template_reference};
use crate::tenant::policy::{Doubt, Then};
use crate::tenant::{Directory, Sender};
use crate::vitals;

mod asking;

/// Between two looks at what is in doubt.
const EVERY: Duration = Duration::from_secs(5);

/// A look reads all that has ended, and what tenants keep there is theirs to say: the pause after it is so
/// many times what it took.
const PAUSE_PER_LOOK: u32 = 50;

/// Looked at together.
const AT_ONCE: usize = 200;
const PAGE_BYTES: usize = 1 << 20;

/// What is older is asked about no more: it is not among what a chat shows first, and soon in no log.
const ASKED_FOR_MS: i64 = 24 * 60 * 60 * 1000;

/// A reply is found by what was said since this before it was due: clocks differ.
const BEFORE_MS: i64 = 60_000;

/// A log may have a message later than its provider took it: for so long nothing follows from its silence.
const SETTLING_MS: i64 = 10 * 60_000;

/// What is asked of the store about replies in doubt.
pub trait DoubtStore: Contacts + Housekeeping + Listed + Pages + Receipts + Registry + Sends {}

impl<T: Contacts + Housekeeping + Listed + Pages + Receipts + Registry + Sends> DoubtStore for T {}

pub struct Doubts {
    store: Arc<dyn DoubtStore>,
    egress: Egress,
}

/// One request about one topic or several.
struct Question {
    sender: Arc<Sender>,
    topics: Vec<Topic>,
    request: Request,
}

type Answers = FuturesUnordered<BoxFuture<'static, Vec<(Topic, Evidence)>>>;

impl Doubts {
    pub fn new(store: Arc<dyn DoubtStore>, egress: Egress) -> Arc<Self> {
        Arc::new(Doubts { store, egress: egress.lane(Lane::Questions) })
    }

    pub async fn run(self: Arc<Self>) {
        let (mut asking, mut answers) = (Asking::default(), Answers::new());
        let (mut not_before, mut next) = (Instant::now(), Instant::now() + EVERY);
        loop {
            tokio::select! {
                Some(told) = answers.next() => {
                    for (topic, evidence) in told {
                        asking.learn(&topic, evidence, Instant::now());
                    }
                    next = next.min(not_before.max(Instant::now()));
                    continue;
                }
                () = tokio::time::sleep_until(next) => {}
            }
            next = Instant::now() + EVERY;
            if self.store.counters().outbox_unknown == 0 {
                asking.clear();
                continue;
            }
            let began = Instant::now();
            match self.look(&mut asking).await {
                Ok(questions) => answers.extend(questions.into_iter().map(|it| self.clone().answered(it))),
                Err(error) => {
                    tracing::debug!(%error, "replies of unknown outcome cannot be looked at; trying again");
                }
            }
            let pause = (began.elapsed() * PAUSE_PER_LOOK).min(AT_MOST);
            not_before = Instant::now() + pause;
            next = Instant::now() + EVERY.max(pause);
        }
    }

    /// Looks at all of them once. Whom to ask now.
    async fn look(&self, asking: &mut Asking) -> crate::store::Result<Vec<Question>> {
        let mut filter = Filter {
            ended: true,
            state: Some(OutboxState::Unknown.name().to_owned()),
            limit: AT_ONCE,
            ..Filter::default()
        };
        let (mut wanted, now) = (BTreeMap::new(), clock::now());
        loop {
            let page = self.store.outbox_page(&filter, PAGE_BYTES).await?;
            let directory = self.store.directory();
            for reply in &page.entries {
                let evidence = match self.topic(reply, &directory, now) {
                    Some((sender, topic)) => {
                        let evidence = asking.of(&topic, &reply.id, Instant::now());
                        wanted.entry(topic).or_insert_with(|| Wanted::of(sender)).add(reply);
                        evidence
                    }
                    None => Evidence::Nowhere,
                };
                if let Err(error) = self.heed(reply, evidence, &directory, now).await {
                    tracing::debug!(tenant = %reply.tenant, %error, "a reply of unknown outcome cannot be settled now; trying again");
                }
            }
            match page.next {
                Some(next) => filter.after = Some(next),
                None => break,
            }
        }
        // Only when all has been seen: whoever is asked is asked about all of them, from the oldest on.
        let questions = questions(wanted, asking);
        asking.end_look();
        Ok(questions)
    }

    /// By what somebody can be asked about this reply, if anybody can.
    fn topic(
        &self,
        reply: &SendSummary,
        directory: &Directory,
        now: Timestamp,
    ) -> Option<(Arc<Sender>, Topic)> {
        let entry = &reply.entry;
        let sender = directory.senders.get(&entry.sender)?;
        let by = match channel::adapter(sender.provider()).recalls() {
            _ if entry.due_at.plus_ms(ASKED_FOR_MS) <= now => return None,
            Recalls::Nothing => return None,
            Recalls::Chats => entry.to.clone(),
            Recalls::Names { .. } => self.store.reference_of(&id_of(reply)?, entry.attempts),
        };
        Some((sender.clone(), (sender.name.clone(), by)))
    }

    /// Does what the tenant wants done with what no evidence settled.
    async fn heed(
        &self,
        reply: &SendSummary,
        evidence: Evidence,
        directory: &Directory,
        now: Timestamp,
    ) -> crate::store::Result<()> {
        let entry = &reply.entry;
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
        let settling_ms = if evidence == Evidence::Silent { SETTLING_MS } else { 0 };
        if since.plus_ms((i64::from(word.after_minutes) * 60_000).max(settling_ms)) > now {
            return Ok(());
        }
        let Some(id) = id_of(reply) else { return Ok(()) };
        let actor = "gateway (policy.doubt)";
        tracing::info!(msg = entry.message, conversation = %id.key, reply = id.seq, then = ?word.then, "no evidence settled a reply of unknown outcome; the tenant's word does");
        match word.then {
            Then::Send => self.store.retry_sends(&[id], actor, now).await?,
            Then::Drop => self.store.drop_sends(&[id], actor, now).await?,
        };
        Ok(())
    }

    fn answered(self: Arc<Self>, question: Question) -> BoxFuture<'static, Vec<(Topic, Evidence)>> {
        Box::pin(async move {
            // After a panic it is asked again like after any trouble, and the others are not held up.
            let told = vitals::survived(self.ask(&question)).await;
            told.unwrap_or_else(|| question.all(Evidence::Later))
        })
    }

    async fn ask(&self, question: &Question) -> Vec<(Topic, Evidence)> {
        let Question { sender, request, .. } = question;
        let by_name = matches!(channel::adapter(sender.provider()).recalls(), Recalls::Names { .. });
        let body = match self.egress.send_within(sender, request.clone(), LIST_BYTES).await {
            Ok(answer) if (200..300).contains(&answer.status) && !answer.cut => answer.body,
            // An account that has no log, or does not have this one.
            Ok(answer) if by_name && matches!(answer.status, 400 | 403..=405 | 410) => {
                tracing::debug!(sender = %sender.name, status = answer.status, "there is no log to look into");
                return question.all(Evidence::Nowhere);
            }
            Ok(answer) => {
                tracing::debug!(sender = %sender.name, status = answer.status, "what was sent cannot be looked into");
                return question.all(Evidence::Later);
            }
            Err(_) => return question.all(Evidence::Later),
        };
        let Some(events) = channel::adapter(sender.provider()).recalled(sender, &body) else {
            return question.all(Evidence::Later);
        };
        self.weigh(question, events, by_name).await
    }

    /// What the events that an answer tells of settle.
    async fn weigh(&self, question: &Question, events: Vec<Event>, by_name: bool) -> Vec<(Topic, Evidence)> {
        let sender = &question.sender;
        let mut told = question.all(if by_name { Evidence::Silent } else { Evidence::None });
        let mut found = false;
        for event in events {
            let settled = match event {
                Event::Own(mut own) => {
                    own.account.clone_from(&sender.account);
                    let settles = self.store.recognize_own(*own, sender.name.clone(), clock::now()).await;
                    settles.map(|settles| if settles { told.first_mut() } else { None })
                }
                // Whatever else is in the answer was not asked for.
                Event::Receipt(receipt) => match told.iter_mut().find(|told| is_about(&receipt, &told.0.1)) {
                    Some(topic) => {
                        let settles = self.store.recognize_receipt(receipt, clock::now()).await;
                        settles.map(|settles| settles.then_some(topic))
                    }
                    None => continue,
                },
                _ => continue,
            };
            match settled {
                Ok(Some(topic)) => (topic.1, found) = (Evidence::Found, true),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "what a provider tells cannot be kept; it is asked again");
                    return question.all(Evidence::Later);
                }
            }
        }
        if found {
            tracing::info!(sender = %sender.name, "the provider was asked, and shows what became of a reply of unknown outcome");
        }
        told
    }
}

/// What is in doubt of a topic.
struct Wanted {
    sender: Arc<Sender>,
    /// The oldest left then, at the earliest.
    since: Timestamp,
    replies: HashSet<String>,
}

impl Wanted {
    fn of(sender: Arc<Sender>) -> Self {
        Wanted { sender, since: Timestamp::from_ms(i64::MAX), replies: HashSet::new() }
    }

    fn add(&mut self, reply: &SendSummary) {
        let left = reply.entry.created_at.max(reply.entry.due_at).plus_ms(-BEFORE_MS);
        self.since = self.since.min(left);
        self.replies.insert(reply.id.clone());
    }
}

/// Each chat is asked once for all that is in doubt there, and names several together.
fn questions(wanted: BTreeMap<Topic, Wanted>, asking: &mut Asking) -> Vec<Question> {
    let (mut questions, mut named) = (Vec::new(), BTreeMap::<SenderName, (Arc<Sender>, Vec<Topic>)>::new());
    for (topic, Wanted { sender, since, replies }) in wanted {
        if !asking.begin(&topic, replies, Instant::now()) {
            continue;
        }
        let adapter = channel::adapter(sender.provider());
        if let Recalls::Names { .. } = adapter.recalls() {
            named.entry(sender.name.clone()).or_insert_with(|| (sender, Vec::new())).1.push(topic);
            continue;
        }
        match adapter.recall(&sender, &Recall::Chat { to: &topic.1, since }) {
            Some(request) => questions.push(Question { sender, topics: vec![topic], request }),
            None => asking.learn(&topic, Evidence::Nowhere, Instant::now()),
        }
    }
    for (sender, topics) in named.into_values() {
        let adapter = channel::adapter(sender.provider());
        let Recalls::Names { at_once } = adapter.recalls() else { continue };
        for topics in topics.chunks(at_once.max(1)) {
            let names: Vec<String> =
                topics.iter().flat_map(|(_, name)| [name.clone(), template_reference(name)]).collect();
            let (sender, topics) = (sender.clone(), topics.to_vec());
            match adapter.recall(&sender, &Recall::Names(&names)) {
                Some(request) => questions.push(Question { sender, topics, request }),
                None => topics.iter().for_each(|it| asking.learn(it, Evidence::Nowhere, Instant::now())),
            }
        }
    }
    questions
}

impl Question {
    fn all(&self, evidence: Evidence) -> Vec<(Topic, Evidence)> {
        self.topics.iter().map(|topic| (topic.clone(), evidence)).collect()
    }
}

fn is_about(receipt: &Receipt, name: &str) -> bool {
    receipt.message_id == *name || receipt.message_id == template_reference(name)
}

fn id_of(reply: &SendSummary) -> Option<SendId> {
    let seq = reply.id.rsplit('-').next()?.parse().ok()?;
    Some(SendId { key: ConversationKey { tenant: reply.tenant, contact: reply.contact.clone() }, seq })
}

/// What the tenant wants done with what nobody knows of.
fn word_of(directory: &Directory, tenant: TenantId, evidence: Evidence) -> Option<Doubt> {
    if tenant == TenantId::GATEWAY {
        // Its own words are said again where they are not to be seen.
        return (evidence == Evidence::None).then_some(Doubt { after_minutes: 0, then: Then::Send });
    }
    directory.tenant(tenant)?.policy.doubt
}
