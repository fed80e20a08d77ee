//! The real gateway as a process of its own, with a directory of its own: configuration, declared
//! data, plugins and store. It can be killed, stopped and started again on the same data. It ends
//! with its handle, and its log is shown when the test fails.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;
use switchboard::config::Config;
use switchboard::keyring;
use switchboard::schedule::Limits;
use switchboard::seal::Ring;
use switchboard::store::Store;
use switchboard::store::embedded::space::Reserve;
use switchboard::store::embedded::{self, Embedded};
use switchboard::tenant::quotas::Quotas;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use crate::clock::Clock;
use crate::package;
use crate::plain_disk;
use crate::process::Process;
use crate::wait::until;

/// A gateway says that it listens, or why it does not, within this time.
const START: Duration = Duration::from_secs(30);

/// Every brain is compiled within this time, beside a test that has a higher priority.
const COMPILE: Duration = Duration::from_secs(120);

/// A command of the command line ends within this time.
const COMMAND: Duration = Duration::from_secs(60);

/// Longer than the configured drain time.
const STOP: Duration = Duration::from_secs(20);

/// What a gateway is started with. Everything lies below one temporary directory.
pub struct Setup {
    dir: TempDir,
    listen: SocketAddr,
    config: toml::Table,
    tenants: String,
    senders: String,
    organizations: String,
}

impl Setup {
    /// One organization, number 1, and nothing else. Turns and deliveries are retried quickly, and
    /// contacts may answer like the machines that they are.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("switchboard-").tempdir().expect("a temporary directory");
        let setup = Setup {
            listen: free_address(),
            config: toml::Table::new(),
            tenants: String::new(),
            senders: String::new(),
            organizations: "[[organization]]\nid = 1\nname = \"Demo Realty Group\"\n".into(),
            dir,
        };
        for directory in [setup.plugins(), setup.dir.path().join("declared/collections")] {
            std::fs::create_dir_all(directory).expect("a directory in a temporary directory");
        }
        setup.config(
            "data = 'data'\nplugins = 'plugins'\ndeclared = ['declared']\n\
             drain_timeout_ms = 10_000\n\
             [turns]\nbackoff_ms = 20\nbackoff_max_ms = 200\n\
             [delivery]\nbackoff_ms = 20\nbackoff_max_ms = 200\n\
             [policy]\nloop_turns = 0\n\
             [store]\ncache_bytes = 33554432\n\
             [backup]\nevery_hours = 0\n",
        )
    }

    /// The committed demo's organizations, tenants and collections; senders are the test's own.
    pub fn demo() -> Self {
        let demo = package::workspace().join("data/demo");
        let read = |file: &str| std::fs::read_to_string(demo.join(file)).expect("the demo is complete");
        let mut setup = Setup::new();
        setup.organizations = read("organizations.toml");
        setup.tenants = read("tenants.toml");
        package::copy_tree(&demo.join("collections"), &setup.dir.path().join("declared/collections"));
        setup
    }

    /// Lays these keys over the configuration.
    pub fn config(mut self, text: &str) -> Self {
        merge(&mut self.config, text.parse().expect("the configuration is TOML"));
        self
    }

    pub fn organization(mut self, text: &str) -> Self {
        self.organizations += &format!("\n[[organization]]\n{text}\n");
        self
    }

    /// The keys of one `[[tenant]]`; its tables are written `tenant.personality`.
    pub fn tenant(mut self, text: &str) -> Self {
        self.tenants += &format!("\n[[tenant]]\n{text}\n");
        self
    }

    /// The keys of one `[[sender]]`. As fast as it can, unless it says otherwise.
    pub fn sender(mut self, text: &str) -> Self {
        let pace = if text.contains("rate_per_second") { "" } else { "rate_per_second = 100_000\n" };
        self.senders += &format!("\n[[sender]]\n{pace}{text}\n");
        self
    }

    /// The collection of a tenant, as declared data.
    pub fn collection(self, tenant: u32, name: &str, records: &Value) -> Self {
        let dir = self.dir.path().join(format!("declared/collections/{tenant}"));
        std::fs::create_dir_all(&dir).expect("a directory in a temporary directory");
        let file = dir.join(format!("{name}.json"));
        std::fs::write(file, records.to_string()).expect("a file in a temporary directory");
        self
    }

    /// Puts a copy of a bundled package, or of a test guest, into the plugins directory.
    pub fn package(self, name: &str) -> Self {
        package::copy(name, &self.plugins().join(name));
        self
    }

    /// Uses this address instead of a free loopback one.
    pub fn listen(mut self, listen: SocketAddr) -> Self {
        self.listen = listen;
        self
    }

    fn plugins(&self) -> PathBuf {
        self.dir.path().join("plugins")
    }

    /// Writes the directory; nothing runs yet.
    pub fn write(mut self) -> Gateway {
        self.config.insert("listen".into(), self.listen.to_string().into());
        let declared = self.dir.path().join("declared");
        for (file, text) in [
            (self.dir.path().join("switchboard.toml"), self.config.to_string()),
            (declared.join("organizations.toml"), self.organizations),
            (declared.join("tenants.toml"), self.tenants),
            (declared.join("senders.toml"), self.senders),
        ] {
            std::fs::write(file, text).expect("a file in a temporary directory");
        }
        Gateway {
            dir: self.dir,
            listen: self.listen,
            token: None,
            process: None,
            client: crate::client::client(),
            file_size_limit: None,
            plain_disk: false,
            clock: None,
        }
    }

    /// Writes the directory and starts the gateway.
    pub async fn start(self) -> Gateway {
        let mut gateway = self.write();
        gateway.start().await;
        gateway
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

/// A gateway, running or not.
pub struct Gateway {
    dir: TempDir,
    listen: SocketAddr,
    token: Option<String>,
    process: Option<Process>,
    client: reqwest::Client,
    file_size_limit: Option<u64>,
    plain_disk: bool,
    clock: Option<Clock>,
}

impl Gateway {
    /// From its next start on it goes by a clock that can be set.
    pub fn with_clock(&mut self) {
        self.clock = Some(Clock::make(self.dir.path()));
    }

    /// Sets that clock.
    pub fn set_clock_ahead(&self, seconds: i64) {
        self.clock.as_ref().expect("it has a clock of its own").set_ahead(seconds);
    }

    /// Starts it and waits until it listens and every brain is compiled. Panics with its log if it does
    /// not.
    pub async fn start(&mut self) {
        if let Err(error) = self.try_start().await {
            panic!("the gateway does not start: {error:#}");
        }
        if self.token.is_some() {
            until("every brain is compiled", COMPILE, async || {
                self.compiling().await.is_empty().then_some(())
            })
            .await;
        }
    }

    /// The packages whose component is being compiled.
    pub async fn compiling(&self) -> Vec<String> {
        let listed = self.get("/api/brains").await.ok();
        let packages = listed["brains"].as_array().expect("a list of packages").iter();
        let compiling = packages.filter(|package| !package["compiling_since"].is_null());
        compiling.map(|package| package["package"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Starts it and waits until it listens, or says why not.
    pub async fn try_start(&mut self) -> Result<()> {
        assert!(self.process.is_none(), "the gateway runs already");
        let mut command = self.command()?;
        command.args(["serve", "--config"]).arg(self.config_file());
        let process = self.spawn(&mut command)?;
        let listening = process.wait_for_line(START, |line| line.contains("listens on http://")).await;
        if listening.is_none() {
            let log = process.log();
            bail!("it did not say that it listens within {} s; its output:\n{log}", START.as_secs());
        }
        if self.token.is_none() {
            let shown = process.wait_for_line(START, |line| operator_token(line).is_some()).await;
            self.token = shown.as_deref().and_then(operator_token);
        }
        self.process = Some(process);
        Ok(())
    }

    fn spawn(&self, command: &mut Command) -> Result<Process> {
        let mut spawn = || Process::spawn("gateway", command);
        if self.plain_disk { plain_disk::under(spawn) } else { spawn() }
    }

    /// SIGKILL: what power loss is to a process.
    pub async fn kill(&mut self) {
        let mut process = self.process.take().expect("the gateway runs");
        process.signal(libc::SIGKILL);
        process.wait(STOP).await.expect("a killed process ends");
    }

    /// Starts it and kills it in the middle of coming up.
    pub async fn start_and_kill(&mut self, within: Duration) {
        let mut command = self.command().unwrap_or_else(|error| panic!("{error:#}"));
        command.args(["serve", "--config"]).arg(self.config_file());
        let process = self.spawn(&mut command).unwrap_or_else(|error| panic!("{error:#}"));
        process.wait_for_line(within, |_| false).await;
        self.process = Some(process);
        self.kill().await;
    }

    /// SIGHUP.
    pub fn hang_up(&self) {
        self.process.as_ref().expect("the gateway runs").signal(libc::SIGHUP);
    }

    /// SIGTERM, and waits until it has drained.
    pub async fn stop(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("the gateway runs");
        process.signal(libc::SIGTERM);
        match process.wait(STOP).await {
            Ok(status) => status,
            Err(error) => panic!("the gateway does not stop: {error:#}; its output:\n{}", process.log()),
        }
    }

    pub async fn restart(&mut self) {
        let status = self.stop().await;
        assert!(status.success(), "the gateway ended with {status}");
        self.start().await;
    }

    /// Of the running process.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the gateway runs").id()
    }

    /// Everything the running process wrote, for tests that look into its log.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// The most memory that the running process ever had, in bytes.
    pub fn most_memory(&self) -> u64 {
        let id = self.process.as_ref().expect("the gateway runs").id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells it");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib << 10
    }

    /// Waits for a line in its output.
    pub async fn wait_for_line(&self, fragment: &str) -> String {
        let process = self.process.as_ref().expect("the gateway runs");
        let line = process.wait_for_line(Duration::from_secs(20), |line| line.contains(fragment)).await;
        line.unwrap_or_else(|| panic!("no line says {fragment:?}; the output:\n{}", process.log()))
    }

    /// From the next start on no file of the process grows beyond this, as on a full disk; `None`
    /// takes the limit away.
    pub fn limit_file_size(&mut self, bytes: Option<u64>) {
        self.file_size_limit = bytes;
    }

    /// From the next start on its disk is like one on a network: it has no files without names.
    pub fn with_plain_disk(&mut self) {
        self.plain_disk = true;
    }

    /// Opens the store of the stopped gateway.
    pub async fn open_store(&self) -> Arc<dyn Store> {
        assert!(self.process.is_none(), "the gateway has its store open");
        let settings = embedded::Settings {
            path: self.store_file(),
            backups: self.dir.path().join("data/backups"),
            called: String::new(),
            cache_bytes: 64 << 20,
            queue: 64,
            verify: true,
            reserve: Reserve::none(),
            rules: switchboard::store::shared::settings::Settings {
                prefixes: vec!["start_realty_".into()],
                notice: None,
                notice_every_ms: 0,
                coalesce_ms: 0,
                quotas: Quotas::default(),
                timer_floor_ms: 0,
                turns_per_tenant: 16,
                sends: Limits { in_all: 64, per_group: 16, per_tenant: 16 },
                fetches: Limits { in_all: 64, per_group: 16, per_tenant: 16 },
            },
            keys: self.keys(),
            vitals: Default::default(),
        };
        let open = tokio::task::spawn_blocking(move || Embedded::open(settings));
        Arc::new(open.await.expect("opening does not panic").expect("the store is sound"))
    }

    /// The keys that the stopped gateway's store is sealed with.
    pub fn keys(&self) -> Ring {
        let config = Config { data: self.dir.path().join("data"), ..Config::default() };
        keyring::read(&config).expect("the keys are in their file").ring
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn config_file(&self) -> PathBuf {
        self.dir.path().join("switchboard.toml")
    }

    pub fn store_file(&self) -> PathBuf {
        self.dir.path().join("data/switchboard.redb")
    }

    pub fn package_dir(&self, package: &str) -> PathBuf {
        self.dir.path().join("plugins").join(package)
    }

    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listen)
    }

    /// The operator's token, as printed at the first start.
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("the first start printed the operator's token")
    }

    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// An API request in the operator's name.
    pub async fn api(&self, method: reqwest::Method, path: &str) -> Answer {
        self.api_as(self.token(), method, path).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.api(reqwest::Method::GET, path).await
    }

    pub async fn api_as(&self, token: &str, method: reqwest::Method, path: &str) -> Answer {
        let request = self.client.request(method, self.url(path)).bearer_auth(token);
        Answer::of(request).await.unwrap_or_else(|error| panic!("{path}: {error:#}\n{}", self.log()))
    }

    /// The command line beside this gateway, run to its end.
    pub async fn cli(&self, arguments: &[&str]) -> Told {
        self.cli_with_input(arguments, "").await
    }

    pub async fn cli_with_input(&self, arguments: &[&str], input: &str) -> Told {
        let mut command = self.command().unwrap_or_else(|error| panic!("{error:#}"));
        command.args(arguments).arg("--config").arg(self.config_file());
        let told = tokio::time::timeout(COMMAND, run(command, input)).await;
        told.unwrap_or_else(|_| panic!("switchboard {} does not end", arguments.join(" ")))
            .unwrap_or_else(|error| panic!("switchboard {}: {error:#}", arguments.join(" ")))
    }

    /// Waits until nothing is left to do: no message waits for its turn, no reply for its delivery.
    pub async fn drained(&self, within: Duration) {
        until("every message is answered and every reply settled", within, async || {
            let metrics = self.metrics().await?;
            let waiting = ["switchboard_inbox", "switchboard_outbox_waiting"]
                .iter()
                .map(|name| metrics.value(name))
                .sum::<Option<f64>>()?;
            (waiting == 0.0).then_some(())
        })
        .await;
    }

    /// `/metrics`, read.
    pub async fn metrics(&self) -> Option<Metrics> {
        let answer = self.client.get(self.url("/metrics")).bearer_auth(self.token()).send().await.ok()?;
        Some(Metrics(answer.text().await.ok()?))
    }

    fn command(&self) -> Result<Command> {
        let binary = binary()?;
        let mut command = match self.file_size_limit {
            None => Command::new(binary),
            Some(bytes) => {
                // Without the trap the kernel ends a process that writes beyond the limit; with it,
                // the write fails, as it does on a full disk.
                let mut shell = Command::new("sh");
                shell.args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"", "sh"]);
                shell.arg((bytes / 512).to_string()).arg(binary);
                shell
            }
        };
        for variable in ["CONFIG", "DATA", "URL", "TOKEN", "LISTEN", "SECRET_KEY"] {
            command.env_remove(format!("SWITCHBOARD_{variable}"));
        }
        command.current_dir(self.dir.path()).env_remove("RUST_LOG");
        command.envs(self.clock.iter().flat_map(Clock::environment));
        Ok(command)
    }
}

/// An HTTP answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(request: reqwest::RequestBuilder) -> Result<Self> {
        let response = request.timeout(Duration::from_secs(30)).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, text: response.text().await? })
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{} {:?} is no JSON: {error}", self.status, self.text))
    }

    /// The body of a 200.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }
}

/// The Prometheus text.
pub struct Metrics(String);

impl Metrics {
    /// The sum over all labels of a metric; `None` if there is none of that name.
    pub fn value(&self, name: &str) -> Option<f64> {
        let values = self.0.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = rest.rsplit_once(' ')?;
            (labels.is_empty() || labels.starts_with('{')).then(|| value.parse::<f64>().ok())?
        });
        values.reduce(|sum, value| sum + value)
    }
}

/// What a command said.
#[derive(Debug)]
pub struct Told {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Told {
    /// Its output, if it ended well.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert!(self.status.success(), "ended with {}:\n{}{}", self.status, self.stdout, self.stderr);
        &self.stdout
    }
}

async fn run(command: Command, input: &str) -> Result<Told> {
    let mut child = tokio::process::Command::from(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    // A command that does not read its input may have ended; its exit status tells.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await?;
    Ok(Told {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn operator_token(line: &str) -> Option<String> {
    let (_, token) = line.split_once("The operator's token, shown this once: ")?;
    Some(token.trim().to_owned())
}

/// Where cargo puts the binary: two directories above the test's own executable.
pub fn binary() -> Result<PathBuf> {
    let binary = package::profile_dir()?.join(format!("switchboard{}", std::env::consts::EXE_SUFFIX));
    if !binary.is_file() {
        bail!("{} is not there; run `cargo xtask test`", binary.display());
    }
    Ok(binary)
}

fn merge(base: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// A loopback address that nobody has. Below the range that outgoing connections take theirs from,
/// so that it is still free after whoever had it was killed.
pub fn free_address() -> SocketAddr {
    for _ in 0..1000 {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, rand::random_range(12_000..32_000)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port between 12000 and 32000");
}
