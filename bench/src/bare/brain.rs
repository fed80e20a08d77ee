//! The bare limit's brain: a fresh instance of the component for every turn, one call, gone. The
//! engine is set up as the gateway's is; there are no budgets. The brain finds its package's texts;
//! every other import answers "nothing".

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

mod bindings {
    wasmtime::component::bindgen!({ path: "../wit", world: "brain" });
}

use bindings::switchboard::brain::{details, history, http, llm, log, media, personality, records, types};

/// As many turns as can run at the same time.
const INSTANCES: u32 = 256;
const KEEP_RESIDENT: usize = 1 << 20;

pub struct Brain {
    engine: Engine,
    pre: bindings::BrainPre<Guest>,
    texts: Arc<Texts>,
}

/// The package's personality: JSON text by dotted path.
#[derive(Default)]
struct Texts {
    all: String,
    by_path: HashMap<String, String>,
}

/// What a turn is asked.
pub struct Ask {
    pub contact: String,
    pub message_id: String,
    pub text: String,
    pub sent_at_ms: u64,
    pub memory: Option<String>,
    pub seed: u64,
}

/// What it wants: texts to send, and the memory from now on.
pub struct Wanted {
    pub texts: Vec<String>,
    pub memory: Option<String>,
}

impl Brain {
    pub fn load(package: &Path) -> Result<Self> {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(INSTANCES)
            .total_core_instances(INSTANCES * 8)
            .total_memories(INSTANCES)
            .total_tables(INSTANCES * 8)
            .max_memory_size(64 << 20)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(KEEP_RESIDENT)
            .pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool)).concurrency_support(false);
        let engine = Engine::new(&config).map_err(|error| anyhow!("{error:#}"))?;
        let file = package.join("brain.wasm");
        let component = Component::from_file(&engine, &file)
            .map_err(|error| anyhow!("{error:#}"))
            .with_context(|| format!("cannot load {}", file.display()))?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).map_err(|error| anyhow!("{error:#}"))?;
        bindings::Brain::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)
            .map_err(|error| anyhow!("{error:#}"))?;
        let pre = linker.instantiate_pre(&component).map_err(|error| anyhow!("{error:#}"))?;
        let pre = bindings::BrainPre::new(pre).map_err(|error| anyhow!("{error:#}"))?;
        Ok(Brain { engine, pre, texts: Arc::new(Texts::read(&package.join("personality.toml"))?) })
    }

    pub fn handle(&self, ask: Ask) -> Result<Wanted> {
        let guest = Guest {
            wasi: WasiCtxBuilder::new().build(),
            table: ResourceTable::new(),
            texts: self.texts.clone(),
        };
        let mut store = Store::new(&self.engine, guest);
        let brain = self.pre.instantiate(&mut store).map_err(|error| anyhow!("{error:#}"))?;
        let context = context(&ask);
        let message = types::Message {
            id: ask.message_id,
            sent_at: ask.sent_at_ms,
            content: types::Content::Text(ask.text),
            quoted: None,
        };
        let trigger = types::Trigger::Messages(vec![message]);
        let outcome = brain
            .switchboard_brain_turn()
            .call_handle(&mut store, &trigger, &context, ask.memory.as_ref())
            .map_err(|error| anyhow!("{error:#}"))?
            .map_err(|fault| anyhow!("{}: {}", fault.code, fault.message))?;
        let texts = outcome.actions.into_iter().filter_map(text).collect();
        Ok(Wanted { texts, memory: outcome.memory })
    }
}

fn context(ask: &Ask) -> types::Context {
    types::Context {
        now: ask.sent_at_ms,
        seed: ask.seed,
        tenant_id: 1,
        tenant_name: "Bare".into(),
        time_zone: "UTC".into(),
        language: "en".into(),
        contact: types::Contact { key: ask.contact.clone(), display_name: None, language: None },
        sender: "default".into(),
        window_open_until: None,
        turn: 1,
        brain_version: "bare".into(),
        lead: None,
    }
}

fn text(action: types::Action) -> Option<String> {
    match action {
        types::Action::Send(types::Outgoing { content: types::OutgoingContent::Text(text), .. }) => {
            Some(text)
        }
        _ => None,
    }
}

impl Texts {
    fn read(file: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let all: serde_json::Value = toml::from_str(&text)?;
        let mut texts = Texts { all: all.to_string(), ..Texts::default() };
        texts.add("", &all);
        Ok(texts)
    }

    fn add(&mut self, path: &str, value: &serde_json::Value) {
        for (key, value) in value.as_object().into_iter().flatten() {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.add(&path, value);
            self.by_path.insert(path, value.to_string());
        }
    }
}

struct Guest {
    wasi: WasiCtx,
    table: ResourceTable,
    texts: Arc<Texts>,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl types::Host for Guest {}

impl log::Host for Guest {
    fn write(&mut self, _: log::Level, _: String) {}

    fn panicked(&mut self, message: String, file: String, line: u32) {
        eprintln!("bare: the brain panicked at {file}:{line}: {message}");
    }
}

impl personality::Host for Guest {
    fn get(&mut self, path: String) -> Option<String> {
        self.texts.by_path.get(&path).cloned()
    }

    fn all(&mut self) -> String {
        self.texts.all.clone()
    }

    fn version(&mut self) -> String {
        "1".into()
    }
}

impl history::Host for Guest {
    fn recent(&mut self, _: u32) -> Vec<types::HistoryEntry> {
        Vec::new()
    }
}

fn not_here() -> types::Refusal {
    types::Refusal {
        code: "not-here".into(),
        message: "the bare limit has nothing of this".into(),
        retryable: false,
    }
}

impl records::Host for Guest {
    fn find(&mut self, _: records::Query) -> Result<records::Found, types::Refusal> {
        Err(not_here())
    }

    fn get(&mut self, _: String, _: String) -> Result<Option<String>, types::Refusal> {
        Err(not_here())
    }
}

impl llm::Host for Guest {
    fn complete(&mut self, _: llm::Request) -> Result<llm::Completion, types::Refusal> {
        Err(not_here())
    }
}

impl http::Host for Guest {
    fn send(&mut self, _: http::Request) -> Result<http::Response, types::Refusal> {
        Err(not_here())
    }
}

impl media::Host for Guest {
    fn describe(&mut self, _: String) -> Result<media::Info, types::Refusal> {
        Err(not_here())
    }

    fn read(&mut self, _: String, _: u64, _: u32) -> Result<Vec<u8>, types::Refusal> {
        Err(not_here())
    }
}

impl details::Host for Guest {
    fn labels(&mut self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn referral(&mut self, _: String) -> Option<details::Referrer> {
        None
    }
}
