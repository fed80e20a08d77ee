//! The servers that are measured, each a process of its own with a directory of its own, killed and
//! removed when dropped.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::load::wire;

/// Opening a large store takes a while; a minute is a failure.
const START: Duration = Duration::from_secs(60);

/// A server that does not stop by itself in this time is killed.
const STOP: Duration = Duration::from_secs(30);

/// A running server.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts the command and waits until it answers `GET /ready` with 200.
    pub async fn start(command: &mut Command, address: SocketAddr) -> Result<Self> {
        let shown = format!("{command:?}");
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {shown}"))?;
        let mut server = Server { child, address };
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if let Some(status) = server.child.try_wait()? {
                bail!("{shown} ended with {status} before it was ready");
            }
            if server.ready().await.unwrap_or(false) {
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("{shown} was not ready after {START:?}")
    }

    async fn ready(&self) -> Result<bool> {
        let stream = TcpStream::connect(self.address).await?;
        let request = format!("GET /ready HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        wire::write_all(&stream, request.as_bytes()).await?;
        let mut received = Vec::new();
        let answer = tokio::time::timeout(Duration::from_secs(5), wire::read_message(&stream, &mut received));
        Ok(answer.await??.is_some_and(|answer| answer.starts_with(b"HTTP/1.1 200")))
    }

    /// Lets it end by itself, so that the next start finds everything in order.
    pub async fn stop(mut self) -> Result<()> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().context("cannot send a signal")?;
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the server did not stop in {STOP:?} and was killed")
    }

    pub fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// What it holds in memory now, and the most it has held, in bytes.
    pub fn memory(&self) -> Result<Memory> {
        let file = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        let value = |name: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
            let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
            Ok(kib << 10)
        };
        Ok(Memory { resident: value("VmRSS:")?, most: value("VmHWM:")? })
    }
}

/// A process whose work is measured.
#[derive(Clone, Copy, Debug)]
pub struct Process(u32);

/// The kernel counts processor time in these, on every architecture there is (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

impl Process {
    /// Processor time of all its threads since it started.
    pub fn busy(self) -> Result<Duration> {
        let file = format!("/proc/{}/stat", self.0);
        let stat = std::fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        // The second field is a name in brackets; user and system time are the 12th and 13th after it.
        let (_, fields) = stat.rsplit_once(')').context("a line of /proc without a name")?;
        let mut times = fields.split_ascii_whitespace().skip(11).map(str::parse::<u32>);
        let (Some(Ok(user)), Some(Ok(system))) = (times.next(), times.next()) else {
            bail!("{file} does not tell the processor time");
        };
        Ok(Duration::from_secs_f64(f64::from(user + system) / TICKS_PER_SECOND))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub resident: u64,
    pub most: u64,
}

/// A port that was free a moment ago.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// Where the programs and packages are, and where data may be put.
#[derive(Clone, Debug)]
pub struct Programs {
    pub gateway: PathBuf,
    pub echo: PathBuf,
    pub spinning: PathBuf,
    pub data: PathBuf,
    pub waha: SocketAddr,
}

impl Programs {
    fn directory(&self) -> Result<TempDir> {
        std::fs::create_dir_all(&self.data)
            .with_context(|| format!("cannot create {}", self.data.display()))?;
        tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(&self.data)
            .with_context(|| format!("cannot create a directory in {}", self.data.display()))
    }
}

/// The bare limit, running.
pub struct BareLimit {
    pub server: Server,
    _directory: TempDir,
}

impl BareLimit {
    pub async fn start(programs: &Programs) -> Result<Self> {
        let directory = programs.directory()?;
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe().context("where is this program?")?);
        command
            .arg("bare")
            .args(["--listen", &address.to_string(), "--waha", &programs.waha.to_string()])
            .arg("--dir")
            .arg(directory.path())
            .arg("--package")
            .arg(&programs.echo);
        Ok(BareLimit { server: Server::start(&mut command, address).await?, _directory: directory })
    }
}

/// What a gateway is set up with.
#[derive(Clone, Debug)]
pub struct Setup {
    pub tenants: u64,
    /// All locked beforehand, spread evenly over the tenants.
    pub contacts: u64,
    /// One more tenant, after the others, whose brain spins, with contacts of its own.
    pub spinning: bool,
    pub hmac_key: Option<String>,
}

/// The contacts of the spinning tenant, numbered after the others.
pub const SPINNING_CONTACTS: u64 = 64;

/// A gateway's directory: configuration, declared data, packages and store.
pub struct Installation {
    directory: TempDir,
    gateway: PathBuf,
    /// How long it took to lock the contacts.
    pub imported_in: Duration,
}

impl Installation {
    pub fn new(programs: &Programs, setup: &Setup) -> Result<Self> {
        let directory = programs.directory()?;
        let root = directory.path();
        for part in ["data", "plugins", "declared"] {
            std::fs::create_dir(root.join(part))?;
        }
        copy_package(&programs.echo, &root.join("plugins/echo"))?;
        if setup.spinning {
            copy_package(&programs.spinning, &root.join("plugins/spinning"))?;
        }
        declare(&root.join("declared"), programs.waha, setup)?;
        let mut installation =
            Installation { gateway: programs.gateway.clone(), directory, imported_in: Duration::ZERO };
        installation.configure(free_address()?, false)?;
        installation.import(setup)?;
        Ok(installation)
    }

    /// `paused`: messages are accepted and wait.
    pub async fn start(&self, paused: bool) -> Result<Server> {
        let address = free_address()?;
        self.configure(address, paused)?;
        let mut command = Command::new(&self.gateway);
        let log = self.directory.path().join("log");
        command
            .arg("serve")
            .arg("--config")
            .arg(self.config())
            .stderr(File::create(&log).context("cannot create the log")?);
        let started = Server::start(&mut command, address).await;
        started
            .with_context(|| format!("its log says:\n{}", std::fs::read_to_string(&log).unwrap_or_default()))
    }

    /// Begins a backup of the gateway that runs here.
    pub fn back_up(&self, to: &Path) -> Result<Child> {
        let mut command = Command::new(&self.gateway);
        command.arg("backup").arg(to).arg("--config").arg(self.config());
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("cannot start the backup")
    }

    /// A file that is gone with the directory.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A package in its plugins directory.
    pub fn package(&self, name: &str) -> PathBuf {
        self.directory.path().join("plugins").join(name)
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("switchboard.toml")
    }

    fn configure(&self, address: SocketAddr, paused: bool) -> Result<()> {
        let text = format!(
            "listen = \"{address}\"\n\
             data = \"data\"\n\
             plugins = \"plugins\"\n\
             declared = [\"declared\"]\n\
             [log]\n\
             level = \"warn\"\n\
             [turns]\n\
             paused = {paused}\n\
             [policy]\n\
             loop_turns = 0\n\
             [quotas]\n\
             turns_per_minute = 100000000\n\
             turns_per_day = 1000000000\n\
             journal_bytes_per_minute = 1000000000000\n\
             journal_bytes = 1000000000000\n\
             waiting_turns = 100000000\n\
             waiting_replies = 100000000\n\
             [backup]\n\
             every_hours = 0\n"
        );
        std::fs::write(self.config(), text).context("cannot write the configuration")
    }

    fn import(&mut self, setup: &Setup) -> Result<()> {
        let file = self.directory.path().join("mapping.json");
        std::fs::write(&file, mapping(setup))?;
        let began = Instant::now();
        let output = Command::new(&self.gateway)
            .args(["import", "mapping"])
            .arg(&file)
            .arg("--config")
            .arg(self.config())
            .output()
            .context("cannot start the import")?;
        if !output.status.success() {
            bail!("the import failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        self.imported_in = began.elapsed();
        std::fs::remove_file(file)?;
        Ok(())
    }
}

/// `{"971500000000": 1, ...}`
fn mapping(setup: &Setup) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(setup.contacts as usize * 22 + 2);
    let more = if setup.spinning { SPINNING_CONTACTS } else { 0 };
    for contact in 0..setup.contacts + more {
        let number = crate::load::webhook::number(contact);
        let tenant = if contact < setup.contacts { 1 + contact % setup.tenants } else { 1 + setup.tenants };
        let comma = if contact == 0 { '{' } else { ',' };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{comma}\"{number}\": {tenant}");
    }
    text.push('}');
    text
}

fn declare(directory: &Path, waha: SocketAddr, setup: &Setup) -> Result<()> {
    use std::fmt::Write as _;
    let organizations = "[[organization]]\nid = 1\nname = \"Measured\"\n";
    std::fs::write(directory.join("organizations.toml"), organizations)?;
    let mut tenants = String::new();
    for id in 1..=setup.tenants + u64::from(setup.spinning) {
        let brain = if id > setup.tenants { "spinning" } else { "echo" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            tenants,
            "[[tenant]]\nid = {id}\nname = \"Tenant {id}\"\norganization = 1\nbrain = \"{brain}\""
        );
    }
    std::fs::write(directory.join("tenants.toml"), tenants)?;
    let auth = match &setup.hmac_key {
        Some(key) => format!("auth = \"required\"\nhmac_key = \"{key}\""),
        None => "auth = \"none\"".into(),
    };
    let sender = format!(
        "[[sender]]\nname = \"main\"\nprovider = \"waha\"\naccount = \"default\"\nbase_url = \"http://{waha}\"\n\
         rate_per_second = 1_000_000\nread_receipts = false\ntyping = false\n{auth}\n"
    );
    std::fs::write(directory.join("senders.toml"), sender).context("cannot declare the sender")
}

/// The files of a package, without its sources.
fn copy_package(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir(to)?;
    for name in ["plugin.toml", "personality.toml", "brain.wasm"] {
        let file = from.join(name);
        match std::fs::copy(&file, to.join(name)) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && name == "personality.toml" => {}
            Err(error) => return Err(error).with_context(|| format!("cannot copy {}", file.display())),
        }
    }
    Ok(())
}
