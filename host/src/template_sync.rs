//! Templates and the providers: submitting, replacing and deleting one, and looking at the lists of all
//! (see [`accounts`]). What goes out is written down before, so that whatever happens meanwhile is put
//! right by the next look at the provider's list.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::channel::templates::{Api, Submitted};
use crate::channel::{self, EncodeError, Outcome, Request};
use crate::clock;
use crate::config;
use crate::egress::{Answer, Egress, LIST_BYTES};
use crate::message::{Fate, Provider, SenderName, Timestamp};
use crate::store::{self, Store};
use crate::template::news::News;
use crate::template::{Key, Mistake, Registered, Status, Template, rules};
use crate::tenant::Sender;

pub mod accounts;

/// Why a provider was not asked, or what it said.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} has no templates")]
    NoTemplates(Provider),
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
    #[error("the list at the provider was looked at less than a minute ago")]
    TooSoon,
    #[error("{provider} deletes all languages of a name together, and there are others: {}", .others.join(", "))]
    AllLanguages { provider: Provider, others: Vec<String> },
    #[error("{0}")]
    Encode(#[from] EncodeError),
    /// Refused, or not reached: nothing was changed there.
    #[error("{0}")]
    Refused(String),
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

/// The one who asks the providers.
pub struct Desk {
    store: Arc<dyn Store>,
    egress: Egress,
    settings: config::Templates,
    /// Templates that are on their way: of two who submit the same, one does.
    under_way: Mutex<HashSet<Key>>,
    accounts: Mutex<HashMap<accounts::Account, accounts::Looked>>,
}

impl Desk {
    pub fn new(store: Arc<dyn Store>, egress: Egress, settings: config::Templates) -> Arc<Self> {
        let (under_way, accounts) = (Mutex::default(), Mutex::default());
        Arc::new(Desk { store, egress, settings, under_way, accounts })
    }

    /// Asks for approval of a draft, or once more for one that was rejected.
    pub async fn submit(&self, known: &Registered, actor: &str) -> Result<Registered> {
        if matches!(known.status, Status::Approved | Status::Pending | Status::Paused) {
            return Err(Error::Submitted(known.status));
        }
        let mistakes = rules::check(&known.template);
        if !mistakes.is_empty() {
            return Err(Error::Mistakes(mistakes));
        }
        let (sender, api) = self.desk_of(&known.sender)?;
        let id = known.provider_id.as_deref().filter(|_| known.is_submitted());
        let request = match id {
            Some(id) => api.update(&sender, id, &known.template)?,
            None => api.submit(&sender, &known.template)?,
        };
        let _turn = self.take_turn(known.key())?;
        // From here on a webhook may speak of it, before the answer is there.
        let begun = News { status: Some(Status::Pending), ..News::default() };
        self.record(known, begun, (actor, "submit template")).await?;
        match self.ask(request, |answer| api.submitted(answer.status, &answer.headers, &answer.body)).await {
            Ok(submitted) => self.record(known, news_of(submitted), (actor, "template submitted")).await,
            Err(error) => {
                let status = match &error {
                    // The list will tell: there it waits, or it is gone.
                    Error::Unknown(_) => None,
                    _ => Some(known.status),
                };
                let news = News { status, reason: Some(error.to_string()), ..News::default() };
                self.record(known, news, (actor, "template not submitted")).await?;
                Err(error)
            }
        }
    }

    /// Puts another content in the place of one that the provider has; it waits for approval again.
    pub async fn replace(&self, known: &Registered, template: Template, actor: &str) -> Result<Registered> {
        let mistakes = rules::check(&template);
        if !mistakes.is_empty() {
            return Err(Error::Mistakes(mistakes));
        }
        let (sender, api) = self.desk_of(&known.sender)?;
        let id = known.provider_id.as_deref().ok_or_else(|| {
            EncodeError("the provider's id of this template is not known yet: sync, then try again".into())
        })?;
        let request = api.update(&sender, id, &template)?;
        let _turn = self.take_turn(known.key())?;
        let asked = self.ask(request, |answer| api.submitted(answer.status, &answer.headers, &answer.body));
        let submitted = asked.await?;
        let now = clock::now();
        let mut replaced = Registered { template, category: None, ..known.clone() };
        replaced.hear(&news_of(submitted), now);
        self.store.put_template(replaced.clone(), actor, now).await?;
        Ok(replaced)
    }

    /// Deletes it at the provider, if it may be there, and here. `all_languages`: even where the provider
    /// takes the other languages of the name with it.
    pub async fn delete(&self, known: &Registered, all_languages: bool, actor: &str) -> Result<Registered> {
        let _turn = self.take_turn(known.key())?;
        if known.is_submitted() {
            let (sender, api) = self.desk_of(&known.sender)?;
            let others = if api.deletes_all_languages() { self.other_languages(known)? } else { Vec::new() };
            if !others.is_empty() && !all_languages {
                let others = others.into_iter().map(|other| other.template.language).collect();
                return Err(Error::AllLanguages { provider: sender.provider, others });
            }
            let request = api.delete(&sender, known.provider_id.as_deref(), &known.template)?;
            self.ask(request, |answer| api.deleted(answer.status, &answer.headers, &answer.body)).await?;
            for other in others {
                let reason = Some(format!("deleted together with {}", known.template.language));
                let gone = News { status: Some(Status::Deleted), reason, ..News::default() };
                self.record(&other, gone, (actor, "delete template")).await?;
            }
        }
        Ok(self.store.remove_template(&known.key(), actor, clock::now()).await?)
    }

    /// Those of its name that the provider has in other languages.
    fn other_languages(&self, known: &Registered) -> Result<Vec<Registered>> {
        let mut others = self.store.templates(known.tenant)?;
        others.retain(|other| {
            other.sender == known.sender
                && other.template.name == known.template.name
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
        let api = channel::adapter(sender.provider).templates();
        Ok((sender.clone(), api.ok_or(Error::NoTemplates(sender.provider))?))
    }

    async fn ask<T>(
        &self,
        request: Request,
        read: impl FnOnce(&Answer) -> std::result::Result<T, Outcome>,
    ) -> Result<T> {
        let answer = self.egress.send_within(request, LIST_BYTES).await.map_err(meaning)?;
        if answer.cut && (200..=299).contains(&answer.status) {
            let what = format!("the answer broke off after {} bytes", answer.body.len());
            return Err(Error::Unknown(what));
        }
        read(&answer).map_err(meaning)
    }

    async fn record(&self, known: &Registered, news: News, by: (&str, &str)) -> Result<Registered> {
        Ok(self.store.record_template_news(&known.key(), news, by, clock::now()).await?)
    }

    fn take_turn(&self, key: Key) -> Result<Turn<'_>> {
        if !locked(&self.under_way).insert(key.clone()) {
            return Err(Error::Busy);
        }
        Ok(Turn { desk: self, key })
    }
}

/// Held while a template is on its way.
struct Turn<'d> {
    desk: &'d Desk,
    key: Key,
}

impl Drop for Turn<'_> {
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
