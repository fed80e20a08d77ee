//! Templates and the providers: submitting, replacing and deleting one, and looking at the lists of all
//! (see [`accounts`]). What goes out is written down before, so that whatever happens meanwhile is put
//! right by the next look at the provider's list.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::channel::templates::{Api, Submitted};
use crate::channel::{self, EncodeError, Outcome, Request};
use crate::clock;
use crate::config;
use crate::egress::circuits::Lane;
use crate::egress::{Answer, Egress, LIST_BYTES, Unsent};
use crate::message::{Fate, Provider, SenderName, Timestamp};
use crate::store;
use crate::store::registry::Registry;
use crate::store::templates::Templates;
use crate::template::news::News;
use crate::template::{Key, Mistake, Registered, Status, Template, rules};
use crate::tenant::Sender;

use self::accounts::Account;

pub mod accounts;

/// Why a provider was not asked, or what it said.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} has no templates")]
    NoTemplates(Provider),
    #[error("the tenant has no sender, and so nobody whose templates could be asked for")]
    NoSenders,
    #[error("there is no sender {0}")]
    NoSender(SenderName),
    #[error("the sender {0} is switched off")]
    SwitchedOff(SenderName),
    #[error("{}", listed(.0))]
    Mistakes(Vec<Mistake>),
    #[error("the template is {0} at the provider already")]
    Submitted(Status),
    #[error("this template is on its way to the provider at this moment")]
    Busy,
    #[error("the list at {provider} was asked for a short while ago; it may be again at {again}")]
    TooSoon { provider: Provider, again: Timestamp },
    #[error("{provider} deletes all languages of a name together, and there are others: {}", .others.join(", "))]
    AllLanguages { provider: Provider, others: Vec<String> },
    #[error(
        "{provider} deletes all languages of a name together, and another tenant of this account has one of them"
    )]
    AnothersLanguage { provider: Provider },
    #[error("{0}")]
    Encode(#[from] EncodeError),
    /// Refused, or not reached: nothing was changed there.
    #[error("{0}")]
    Refused(String),
    /// The provider does not answer, or refuses the sender's key, and was not asked.
    #[error("{0}")]
    NotAsked(String),
    /// It may have been done.
    #[error("{0}")]
    Unknown(String),
    #[error(transparent)]
    Store(#[from] store::Error),
}

pub type Result<T> = std::result::Result<T, Error>;

fn listed(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What asking the providers about templates asks of the store.
pub trait DeskStore: Registry + Templates {}

impl<T: Registry + Templates> DeskStore for T {}

/// The one who asks the providers.
pub struct Desk {
    store: Arc<dyn DeskStore>,
    egress: Egress,
    settings: config::Templates,
    /// Templates that are on their way: of two who submit the same, one does.
    under_way: Mutex<HashSet<Key>>,
    accounts: Mutex<HashMap<Account, accounts::Looked>>,
}

impl Desk {
    pub fn new(store: Arc<dyn DeskStore>, egress: Egress, settings: config::Templates) -> Arc<Self> {
        // Its list is asked for by people and by the clock, and however it is: whoever does not answer, or
        // refuses the key, is not asked.
        let egress = egress.lane(Lane::Questions);
        let (under_way, accounts) = (Mutex::default(), Mutex::default());
        Arc::new(Desk { store, egress, settings, under_way, accounts })
    }

    /// Asks for approval of a draft, or once more for one that was rejected.
    pub async fn submit(self: &Arc<Self>, known: &Registered, actor: &str) -> Result<Registered> {
        if matches!(known.status, Status::Approved | Status::Pending | Status::Paused) {
            return Err(Error::Submitted(known.status));
        }
        let template = known.template.clone();
        let words = ("submit template", "template submitted", "template not submitted");
        self.hand_over(known, template, actor, words).await
    }

    /// Puts another content in the place of one that the provider has; it waits for approval again.
    pub async fn replace(
        self: &Arc<Self>,
        known: &Registered,
        template: Template,
        actor: &str,
    ) -> Result<Registered> {
        if known.provider_id.is_none() {
            let what = "the provider's id of this template is not known yet: sync, then try again";
            return Err(EncodeError(what.into()).into());
        }
        let words = ("replace template", "template replaced", "template not replaced");
        self.hand_over(known, template, actor, words).await
    }

    /// What is on its way is written down before; what comes of it, by a task of its own: whoever asked
    /// may go away meanwhile. `words`: for the audit log.
    async fn hand_over(
        self: &Arc<Self>,
        known: &Registered,
        template: Template,
        actor: &str,
        words: (&'static str, &'static str, &'static str),
    ) -> Result<Registered> {
        let mistakes = rules::check(&template);
        if !mistakes.is_empty() {
            return Err(Error::Mistakes(mistakes));
        }
        let (sender, api) = self.desk_of(&known.sender)?;
        let request = match known.provider_id.as_deref().filter(|_| known.is_submitted()) {
            Some(id) => api.update(&sender, id, &template)?,
            None => api.submit(&sender, &template)?,
        };
        let turn = self.take_turn(known.key())?;
        let (desk, known, actor) = (self.clone(), known.clone(), actor.to_owned());
        let (begin, done, not_done) = words;
        to_its_end(async move {
            let _turn = turn;
            // From here on a webhook may speak of it, before the answer is there.
            desk.store.begin_template(known.clone(), template, (&actor, begin), clock::now()).await?;
            let asked = desk
                .ask(&sender, request, |answer| api.submitted(answer.status, &answer.headers, &answer.body));
            let (news, before, failed) = match asked.await {
                Ok(submitted) => (news_of(submitted), None, None),
                Err(error) => {
                    let news = News { reason: Some(error.to_string()), ..News::default() };
                    // Of what may have been done the list will tell.
                    let before = (!matches!(error, Error::Unknown(_))).then(|| known.clone());
                    (news, before, Some(error))
                }
            };
            let by = (actor.as_str(), if failed.is_some() { not_done } else { done });
            let ended = desk.store.end_template(&known.key(), news, before, by, clock::now()).await?;
            failed.map_or(Ok(ended), Err)
        })
        .await
    }

    /// Deletes it at the provider, if it may be there, and here. `all_languages`: even where the provider
    /// takes the other languages of the name with it. What is another tenant's is never taken with it.
    pub async fn delete(
        self: &Arc<Self>,
        known: &Registered,
        all_languages: bool,
        actor: &str,
    ) -> Result<Registered> {
        let turn = self.take_turn(known.key())?;
        let (desk, known, actor) = (self.clone(), known.clone(), actor.to_owned());
        to_its_end(async move {
            let _turn = turn;
            if known.is_submitted() {
                desk.delete_there(&known, all_languages, &actor).await?;
            }
            Ok(desk.store.remove_template(&known.key(), &actor, clock::now()).await?)
        })
        .await
    }

    async fn delete_there(&self, known: &Registered, all_languages: bool, actor: &str) -> Result<()> {
        let (sender, api) = self.desk_of(&known.sender)?;
        // Where its id is not known, it is deleted by its name.
        let by_name = api.deletes_all_languages() || known.provider_id.is_none();
        let others = if by_name { self.other_languages(known, &sender).await? } else { Vec::new() };
        let provider = sender.provider();
        if others.iter().any(|other| other.tenant != known.tenant) {
            return Err(Error::AnothersLanguage { provider });
        }
        if !others.is_empty() && !all_languages {
            let others = others.into_iter().map(|other| other.template.language).collect();
            return Err(Error::AllLanguages { provider, others });
        }
        let request = api.delete(&sender, known.provider_id.as_deref(), &known.template)?;
        self.ask(&sender, request, |answer| api.deleted(answer.status, &answer.headers, &answer.body))
            .await?;
        for other in others {
            let reason = Some(format!("deleted together with {}", known.template.language));
            let gone = News { status: Some(Status::Deleted), reason, ..News::default() };
            let by = (actor, "delete template");
            self.store.record_template_news(&other.key(), gone, by, clock::now()).await?;
        }
        Ok(())
    }

    /// Those of its name that the provider has in other languages at its account, whoever's they are.
    async fn other_languages(&self, known: &Registered, sender: &Sender) -> Result<Vec<Registered>> {
        let (directory, account) = (self.store.directory(), Account::of(sender));
        let there = directory.senders.values().filter(|other| Account::of(other) == account);
        let names: Vec<SenderName> = there.map(|other| other.name.clone()).collect();
        let mut others = self.store.templates_at(&names).await?;
        others.retain(|other| {
            other.template.name == known.template.name
                && other.template.language != known.template.language
                && other.is_submitted()
        });
        Ok(others)
    }

    /// The sender, and how its provider manages templates.
    fn desk_of(&self, name: &SenderName) -> Result<(Arc<Sender>, &'static dyn Api)> {
        let directory = self.store.directory();
        let sender = directory.senders.get(name).ok_or_else(|| Error::NoSender(name.clone()))?;
        if !sender.active {
            return Err(Error::SwitchedOff(name.clone()));
        }
        let api = channel::adapter(sender.provider()).templates();
        Ok((sender.clone(), api.ok_or(Error::NoTemplates(sender.provider()))?))
    }

    async fn ask<T>(
        &self,
        sender: &Sender,
        request: Request,
        read: impl FnOnce(&Answer) -> std::result::Result<T, Outcome>,
    ) -> Result<T> {
        let answer = self.egress.send_within(sender, request, LIST_BYTES).await;
        let answer = answer.map_err(|unsent| match unsent {
            Unsent::Held { why, .. } => Error::NotAsked(why),
            Unsent::Failed(outcome) => meaning(outcome),
        })?;
        if answer.cut && (200..=299).contains(&answer.status) {
            let what = format!("the answer broke off after {} bytes", answer.body.len());
            return Err(Error::Unknown(what));
        }
        read(&answer).map_err(meaning)
    }

    fn take_turn(self: &Arc<Self>, key: Key) -> Result<Turn> {
        if !locked(&self.under_way).insert(key.clone()) {
            return Err(Error::Busy);
        }
        Ok(Turn { desk: self.clone(), key })
    }
}

/// Held while a template is on its way.
struct Turn {
    desk: Arc<Desk>,
    key: Key,
}

/// Work that goes on when whoever waits for it does not.
async fn to_its_end<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let panicked = |_| Error::Unknown("the gateway panicked; see its log".into());
    tokio::spawn(work).await.map_err(panicked)?
}

impl Drop for Turn {
    fn drop(&mut self) {
        locked(&self.desk.under_way).remove(&self.key);
    }
}

/// What is kept here is right after a panic too: sets of names and times.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn news_of(submitted: Submitted) -> News {
    News {
        provider_id: submitted.id,
        status: Some(submitted.status),
        category: submitted.category,
        reason: None,
        told_at: None,
    }
}

fn meaning(outcome: Outcome) -> Error {
    match outcome {
        Outcome::Failed { fate: Fate::Unknown, error, .. } => Error::Unknown(error),
        Outcome::Failed { error, .. } => Error::Refused(error),
        Outcome::Sent { .. } => Error::Unknown("the provider's answer is none to this request".into()),
    }
}

/// Is it long enough ago?
fn is_past(at: Option<Timestamp>, ms: i64, now: Timestamp) -> bool {
    at.is_none_or(|at| now.as_ms().saturating_sub(at.as_ms()) >= ms)
}
