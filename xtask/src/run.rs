//! From a fresh checkout to a gateway one can talk to.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::{brains, shell};

const CONFIG: &str = "data/demo/switchboard.toml";

#[derive(Args)]
pub struct Run {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// Build without optimisation: quicker to build, slower to run.
    #[arg(long)]
    debug: bool,
}

impl Run {
    pub fn run(&self, root: &Path) -> Result<()> {
        let lacks = shell::lacks();
        if !lacks.is_empty() {
            bail!("this machine lacks:\n  {}", lacks.join("\n  "));
        }
        brains::build(root)?;
        shell::step("building the gateway (a few minutes the first time)");
        let mut build = shell::cargo(root);
        build.args(["build", "--package", "switchboard"]);
        if !self.debug {
            build.arg("--release");
        }
        shell::run(&mut build)?;
        let profile = if self.debug { "debug" } else { "release" };
        let binary = shell::target_dir(root).join(profile).join("switchboard");
        let mut gateway = std::process::Command::new(&binary)
            .args(["serve", "--config", CONFIG, "--listen", &self.listen.to_string()])
            .current_dir(root)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        if self.wait_until_ready(&mut gateway)? {
            let shown = binary.strip_prefix(root).unwrap_or(&binary);
            self.say_what_next(&shown.display().to_string());
        }
        let status = gateway.wait().context("waiting for the gateway")?;
        if !status.success() {
            bail!("the gateway ended with {status}");
        }
        Ok(())
    }

    /// False if the gateway ended before it was ready; it has said why.
    fn wait_until_ready(&self, gateway: &mut Child) -> Result<bool> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if gateway.try_wait().context("waiting for the gateway")?.is_some() {
                return Ok(false);
            }
            if self.ready().unwrap_or(false) {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("the gateway is not ready after a minute; see its log above")
    }

    fn ready(&self) -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&self.listen, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(stream, "GET /ready HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.listen)?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"HTTP/1.1 200")
    }

    fn say_what_next(&self, binary: &str) {
        let address = self.listen;
        println!(
            "
Tenant 2's deep link: start_realty_2   (a contact's first message; on WhatsApp: https://wa.me/NUMBER?text=start_realty_2)

Try next, in another terminal:
  {binary} chat --tenant 2
  curl -s http://{address}/api/gateway/waha -H 'Content-Type: application/json' -d @data/demo/start_realty_2.json

Stop with Ctrl-C."
        );
    }
}
