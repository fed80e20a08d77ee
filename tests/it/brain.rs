//! Brains: real components on the real engine. What a brain may cost, what it can see, and how
//! versions come and go while turns run.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Map, Value};
use switchboard::brain::{Answer, Ask, Brains, Failure, PackageStatus, Settings, Sources};
use switchboard::config::brains::Brains as Compiling;
use switchboard::conversation::{Conversation, Heard, HistoryEntry, Trigger};
use switchboard::message::{
    ContactKey, Content, ConversationKey, OrganizationId, OutboundContent, TenantId, Timestamp,
};
use switchboard::tenant::policy::Policy;
use switchboard::tenant::quotas::Own;
use switchboard::tenant::{Limits, ResolvedLimits, Tenant};
use tempfile::TempDir;

mod compile;
mod deploy;
mod details;
mod fallback;
mod hostile;
mod personality;
mod refused;
mod scripts;
mod upload;

/// A built brain: `echo`, `hostile`, `real_estate`.
fn component(name: &str) -> Vec<u8> {
    let path = workspace().join("target/wasm32-wasip2/brain").join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}. The tests run real brains: run `cargo xtask brains` first", path.display())
    })
}

/// The gateway's own program, which compiles.
fn program() -> PathBuf {
    switchboard_tests::gateway::binary().unwrap_or_else(|error| panic!("{error:#}"))
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").to_owned()
}

/// The same brain under another digest: a custom section more.
fn variant(component: &[u8], number: u8) -> Vec<u8> {
    let mut component = component.to_vec();
    // Section 0, 9 bytes: a name of 7, one byte of content.
    component.extend_from_slice(&[0, 9, 7]);
    component.extend_from_slice(b"variant");
    component.push(number);
    component
}

/// The same length, other bytes.
fn patched(component: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut component = component.to_vec();
    let mut found = 0;
    for at in 0..=component.len() - from.len() {
        if &component[at..at + from.len()] == from.as_bytes() {
            component[at..at + from.len()].copy_from_slice(to.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "`{from}` is not in the component");
    component
}

fn digest(component: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(component))
}

const GRANTS: &str = r#"["log", "personality", "history", "records", "media", "details"]"#;

fn manifest(name: &str, grants: &str) -> String {
    format!("name = \"{name}\"\nversion = \"0.1.0\"\ncontract = \"0.1.0\"\ngrants = {grants}\n")
}

/// A plugins directory of its own, and the brains in it.
struct Workshop {
    root: TempDir,
    limits: ResolvedLimits,
    concurrent: usize,
    compiling: Compiling,
}

impl Workshop {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(root.path().join("plugins")).expect("a directory");
        // Small, so that what wants too much is told soon, on a slow machine too.
        let limits = ResolvedLimits {
            fuel: 100_000_000,
            wall_time_ms: 20_000,
            memory_bytes: 16 << 20,
            ..ResolvedLimits::default()
        };
        let workshop = Workshop { root, limits, concurrent: 4, compiling: Compiling::default() };
        workshop.seed();
        workshop
    }

    /// Compiled once for all tests: the compiler is slow where it is not optimised.
    fn seed(&self) {
        static COMPILED: OnceLock<TempDir> = OnceLock::new();
        let compiled = COMPILED.get_or_init(|| {
            let root = tempfile::tempdir().expect("a temporary directory");
            let plugins = root.path().join("plugins");
            for name in ["echo", "hostile"] {
                std::fs::create_dir_all(plugins.join(name)).expect("a directory");
                std::fs::write(plugins.join(name).join("plugin.toml"), manifest(name, GRANTS))
                    .expect("written");
                std::fs::write(plugins.join(name).join("brain.wasm"), component(name)).expect("written");
            }
            let cache = root.path().join("cache");
            let settings = Settings {
                plugins,
                cache,
                limits: ResolvedLimits::default(),
                concurrent: 1,
                compiling: Compiling::default(),
                program: program(),
                vitals: Arc::default(),
            };
            let open = || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    Brains::open(settings, |_| None).await.expect("the brains open").complete().await;
                });
            };
            // Not on the thread of a test, which has a runtime already.
            std::thread::scope(|scope| scope.spawn(open).join().expect("compiled"));
            root
        });
        let to = self.cache().join("compiled");
        std::fs::create_dir_all(&to).expect("a directory");
        for entry in std::fs::read_dir(compiled.path().join("cache/compiled")).expect("compiled") {
            let entry = entry.expect("an entry");
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
    }

    /// A package `hostile` with the hostile brain.
    fn hostile() -> Self {
        let workshop = Workshop::new();
        workshop.package("hostile", &component("hostile"), "welcome = \"hostile is ready\"\n");
        workshop
    }

    fn package(&self, name: &str, component: &[u8], personality: &str) {
        self.write(name, "plugin.toml", manifest(name, GRANTS).as_bytes());
        self.write(name, "personality.toml", personality.as_bytes());
        self.write(name, "brain.wasm", component);
    }

    /// As an editor or `cp` does: in place.
    fn write(&self, package: &str, file: &str, bytes: &[u8]) {
        let directory = self.plugins().join(package);
        std::fs::create_dir_all(&directory).expect("a directory");
        std::fs::write(directory.join(file), bytes).expect("written");
    }

    fn plugins(&self) -> PathBuf {
        self.root.path().join("plugins")
    }

    fn cache(&self) -> PathBuf {
        self.root.path().join("cache")
    }

    fn settings(&self) -> Settings {
        Settings {
            plugins: self.plugins(),
            cache: self.cache(),
            limits: self.limits,
            concurrent: self.concurrent,
            compiling: self.compiling.clone(),
            program: program(),
            vitals: Arc::default(),
        }
    }

    /// Of a gateway that serves no tenant, with everything compiled.
    async fn open(&self) -> Arc<Brains> {
        let brains = self.open_now().await;
        brains.complete().await;
        brains
    }

    /// As a gateway opens them: what was not compiled before is not there yet.
    async fn open_now(&self) -> Arc<Brains> {
        Brains::open(self.settings(), |_| None).await.expect("the brains open")
    }

    /// Of a gateway whose tenant 2 has this brain.
    async fn open_for(&self, brain: &'static str) -> Arc<Brains> {
        let brain_of = move |tenant: TenantId| (tenant.get() == 2).then(|| brain.to_owned());
        let brains = Brains::open(self.settings(), brain_of).await.expect("the brains open");
        brains.complete().await;
        brains
    }

    /// Opened, and following the directory until the end of the test.
    async fn watched(&self) -> Arc<Brains> {
        let brains = self.open().await;
        tokio::spawn(brains.clone().watch());
        brains
    }
}

/// What a conversation may read.
#[derive(Default)]
struct Shelf {
    history: Vec<HistoryEntry>,
    collections: HashMap<String, Arc<Vec<Value>>>,
}

#[async_trait]
impl Sources for Shelf {
    async fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, String> {
        let from = self.history.len().saturating_sub(limit);
        Ok(self.history[from..].to_vec())
    }

    async fn collection(&self, name: &str) -> Result<Option<Arc<Vec<Value>>>, String> {
        Ok(self.collections.get(name).cloned())
    }
}

fn tenant(id: u32, brain: &str) -> Tenant {
    Tenant {
        id: TenantId::new(id).expect("not 0"),
        name: format!("Tenant {id}"),
        organization: OrganizationId(1),
        active: true,
        language: "en".into(),
        time_zone: "Asia/Dubai".into(),
        brain: brain.into(),
        fallback_text: "Sorry".into(),
        labels: BTreeMap::new(),
        personality: Map::new(),
        limits: Limits::default(),
        policy: Policy::default(),
        quotas: Own::default(),
    }
}

/// The contact writes `text` to a tenant whose brain is `brain`.
fn ask(brain: &str, text: &str) -> Ask {
    ask_of(tenant(2, brain), text)
}

fn ask_of(tenant: Tenant, text: &str) -> Ask {
    let now = Timestamp::from_ms(1_772_427_600_000);
    let heard = Heard {
        id: "m1".into(),
        sent_at: now,
        content: Content::Text { text: text.into() },
        quoted: None,
        referral: None,
    };
    Ask {
        key: ConversationKey { tenant: tenant.id, contact: ContactKey::from_stored("971501234567") },
        tenant: Arc::new(tenant),
        organization: None,
        trigger: Trigger::Messages { messages: vec![heard] },
        conversation: Conversation::default(),
        lead: None,
        sender: "main".into(),
        window_open_until: None,
        seed: 7,
        now,
        sources: Arc::new(Shelf::default()),
    }
}

fn texts(answer: &Answer) -> Vec<&str> {
    answer
        .sends
        .iter()
        .map(|outbound| match &outbound.content {
            OutboundContent::Text { text } => text.as_str(),
            other => panic!("not a text: {other:?}"),
        })
        .collect()
}

/// What the brain says to `text`.
async fn says(brains: &Brains, brain: &str, text: &str) -> String {
    let answer = brains.handle(ask(brain, text)).await.unwrap_or_else(|failure| panic!("{text}: {failure}"));
    texts(&answer).join("\n")
}

async fn fails(brains: &Brains, brain: &str, text: &str) -> Failure {
    match brains.handle(ask(brain, text)).await {
        Ok(answer) => panic!("{text}: answered {:?}", answer.outcome),
        Err(failure) => failure,
    }
}

fn status(brains: &Brains, package: &str) -> PackageStatus {
    let list = brains.list();
    let found = list.iter().find(|status| status.package == package);
    found.unwrap_or_else(|| panic!("no package {package} in {list:?}")).clone()
}

/// Waits for a condition; fails with what was last seen.
async fn eventually<T: std::fmt::Debug>(what: &str, look: impl Fn() -> T, good: impl Fn(&T) -> bool) -> T {
    // Compiling has the lowest priority: beside others that compute it takes its time.
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let seen = look();
        if good(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "{what} did not come; last seen: {seen:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Edits the texts of an echo several times. Each edit comes right after the last was seen: were it
/// the timer that finds them, each would take its two seconds.
async fn edits_are_followed(workshop: &Workshop, brains: &Brains, package: &str) {
    let began = Instant::now();
    for n in 0..5 {
        let before = status(brains, package).personality_version;
        let toml = format!("[echo]\nen = \"edit {n}: {{said}}\"\n");
        workshop.write(package, "personality.toml", toml.as_bytes());
        let version = || status(brains, package).personality_version;
        eventually("the edit", version, |seen| *seen != before).await;
        assert_eq!(says(brains, package, "hi").await, format!("edit {n}: hi"));
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(6), "the kernel tells of edits, not the timer: {took:?}");
}
