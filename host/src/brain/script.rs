//! Runs the scripts beside a brain (`tests/*.chat`) against the built component: the same files that
//! the brain's own native tests run, on the engine, with the grants and under the budgets of the
//! gateway.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use switchboard_sdk::script::{self, Report};
use switchboard_sdk::{Answer, Collections, Fault, File, Files as Shown, Package as Scripts, Subject};
use tokio::runtime::Handle;

use super::deploy::{Deployer, Terms};
use super::engine::{Engine, Turn, Version};
use super::package::{COMPONENT, Files};
use super::personality::{Layer, Personality};
use super::{Ask, FileInfo, FileRefused, Refused, Settings, Sources};
use crate::conversation::{Conversation, Heard, HistoryEntry, Lead, Line, Trigger};
use crate::message::{ContactKey, ConversationKey, TenantId, Timestamp};
use crate::tenant::{ResolvedLimits, Tenant};

/// Builds the package in `directory` as a deployment would, and runs its scripts. Refused where it
/// would not go live.
pub async fn test_package(directory: &Path, settings: Settings) -> Result<Report, Refused> {
    let refused = |reason: String| Refused { reason: reason.into(), retry_after: None };
    let name =
        directory.file_name().map_or_else(|| "brain".into(), |name| name.to_string_lossy().into_owned());
    let limits = settings.limits;
    let engine = Engine::new(1, &Arc::default())
        .map_err(|error| refused(format!("the engine cannot start: {error:#}")))?;
    let engine = Arc::new(engine);
    let deployer = Deployer::open(settings, engine.clone(), Box::new(|_| None))
        .map_err(|error| refused(format!("the cache directory cannot be used: {error}")))?;
    let files = Files::read(directory).map_err(refused)?;
    let place = files.path(COMPONENT);
    let prepared = deployer.prepare(&name, files).await.map_err(refused)?;
    let built = deployer.build(prepared, Terms::of_directory(&name)).await?;
    let version = built.package.brain.ok_or_else(|| refused(format!("{}: not there", place.display())))?;
    let scripts = Scripts::open(directory).map_err(|error| refused(error.to_string()))?;
    let mut subject = Built { engine, version, package: name.into(), limits, runtime: Handle::current() };
    tokio::task::spawn_blocking(move || script::run_package(&scripts, &mut subject))
        .await
        .map_err(|error| refused(format!("the scripts could not be run: {error}")))
}

/// A built component as the scripts' subject.
struct Built {
    engine: Arc<Engine>,
    version: Arc<Version>,
    package: Arc<str>,
    limits: ResolvedLimits,
    runtime: Handle,
}

impl Subject for Built {
    fn turn(&mut self, ask: &switchboard_sdk::Ask) -> Result<Answer, Fault> {
        let personality = match &*ask.personality {
            Value::Object(values) => values.clone(),
            _ => Map::new(),
        };
        let source = Value::Object(personality.clone()).to_string();
        let layer = Layer::new(personality, source.as_bytes());
        let turn = Turn {
            ask: Arc::new(translate(ask)?),
            personality: Personality { package: Some(Arc::new(layer)), ..Personality::default() },
            package: self.package.clone(),
            limits: self.limits,
            contact_language: ask.context.contact.language.clone(),
            receipts: false,
            migrate_from: None,
        };
        match self.runtime.block_on(self.engine.turn(&self.version, turn)) {
            Ok(answer) => Ok(Answer { actions: reshape(&answer.outcome)?, memory: answer.memory }),
            Err(stopped) => Err(Fault {
                code: stopped.failure.code,
                message: stopped.failure.message.into(),
                retryable: stopped.failure.retryable,
            }),
        }
    }
}

/// The SDK's shapes have the JSON of ours.
fn reshape<T: DeserializeOwned>(value: &impl Serialize) -> Result<T, Fault> {
    Ok(serde_json::from_value(serde_json::to_value(value)?)?)
}

fn translate(ask: &switchboard_sdk::Ask) -> Result<Ask, Fault> {
    let context = &ask.context;
    let contact = ContactKey::from_stored(&context.contact.key);
    let tenant_id = TenantId::from_stored(context.tenant_id);
    Ok(Ask {
        tenant: Arc::new(Tenant {
            id: tenant_id,
            name: context.tenant_name.clone(),
            time_zone: context.time_zone.clone(),
            language: context.language.clone(),
            labels: (*ask.labels).clone(),
            ..super::rehearsal::tenant()
        }),
        organization: None,
        key: ConversationKey { tenant: tenant_id, contact },
        trigger: led(trigger(&ask.trigger)?, ask)?,
        conversation: Conversation {
            memory: ask.memory.clone(),
            turns: context.turn.saturating_sub(1),
            display_name: context.contact.display_name.clone(),
            ..Conversation::default()
        },
        lead: context.lead.as_ref().map(|lead| Lead {
            stage: lead.stage.clone(),
            fields: lead.fields.clone(),
            ..Lead::default()
        }),
        sender: context.sender.clone(),
        window_open_until: context.window_open_until.as_ref().map(reshape).transpose()?,
        seed: context.seed,
        now: reshape(&context.now)?,
        sources: Arc::new(Served {
            history: ask.history.iter().map(entry).collect::<Result<_, Fault>>()?,
            collections: ask.collections.clone(),
            files: ask.files.clone(),
        }),
    })
}

fn trigger(trigger: &switchboard_sdk::Trigger) -> Result<Trigger, Fault> {
    match trigger {
        // Our history keeps what we said as it was said; the SDK's is as a brain sees it.
        switchboard_sdk::Trigger::Handback { said } => {
            Ok(Trigger::Handback { said: said.iter().map(entry).collect::<Result<_, Fault>>()? })
        }
        other => reshape(other),
    }
}

/// With what led to its messages.
fn led(mut trigger: Trigger, ask: &switchboard_sdk::Ask) -> Result<Trigger, Fault> {
    let heard: &mut [Heard] = match &mut trigger {
        Trigger::Started { message, .. } => std::slice::from_mut(message),
        Trigger::Messages { messages } => messages,
        Trigger::Timer { .. } | Trigger::Handback { .. } | Trigger::Receipt { .. } => &mut [],
    };
    for heard in heard {
        heard.referral = ask.referrals.get(&heard.id).map(reshape).transpose()?;
    }
    Ok(trigger)
}

fn entry(entry: &switchboard_sdk::HistoryEntry) -> Result<HistoryEntry, Fault> {
    let at: Timestamp = reshape(&entry.at)?;
    let heard = Heard {
        id: String::new(),
        sent_at: at,
        content: reshape(&entry.content)?,
        quoted: None,
        referral: None,
    };
    Ok(HistoryEntry { at, author: reshape(&entry.author)?, line: Line::Heard(heard), state: None })
}

/// What the script set up, in the gateway's place.
struct Served {
    history: Vec<HistoryEntry>,
    collections: Arc<Collections>,
    files: Arc<Shown>,
}

impl Served {
    fn file(&self, handle: &str) -> Result<&File, FileRefused> {
        self.files.get(handle).ok_or_else(|| FileRefused::unknown(handle))
    }
}

#[async_trait]
impl Sources for Served {
    async fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, String> {
        let from = self.history.len().saturating_sub(limit);
        Ok(self.history[from..].to_vec())
    }

    async fn collection(&self, name: &str) -> Result<Option<Arc<Vec<Value>>>, String> {
        Ok(self.collections.get(name).map(|records| Arc::new(records.clone())))
    }

    async fn has_file(&self, handle: &str) -> bool {
        self.files.contains_key(handle)
    }

    async fn describe_file(&self, handle: &str) -> Result<FileInfo, FileRefused> {
        let file = self.file(handle)?;
        Ok(FileInfo { mime_type: file.mime_type.clone(), size: file.bytes.len() as u64 })
    }

    async fn read_file(&self, handle: &str, offset: u64, length: u32) -> Result<Vec<u8>, FileRefused> {
        let bytes = self.file(handle)?.bytes.iter();
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok(bytes.skip(from).take(length as usize).copied().collect())
    }
}
