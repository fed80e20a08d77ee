//! The command line, end to end: the built binary in a directory of its own, with a gateway that
//! runs and without one. `cargo xtask test` builds the binary and the brains first.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

mod backups;
mod damaged;
mod demo;
mod doctor;
mod numbers;
mod people;
mod replace;
mod wrong_folder;

/// Longer than anything here takes, also on a machine that is busy.
const DEADLINE: Duration = Duration::from_secs(120);

/// The binary lies beside the directory of the test's own executable.
fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("the test's own path");
    let beside = own.parent().and_then(Path::parent).expect("target/debug").join("switchboard");
    assert!(beside.is_file(), "{} is not built: cargo build -p switchboard", beside.display());
    beside
}

/// The echo brain, as built.
fn echo() -> PathBuf {
    let target = binary();
    let target = target.parent().and_then(Path::parent).expect("target");
    let built = target.join("wasm32-wasip2/brain/echo.wasm");
    assert!(built.is_file(), "{} is not built: cargo xtask brains", built.display());
    built
}

/// A directory with a configuration, declared data and the echo brain.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let place = Place { directory };
        place.write("switchboard.toml", "data = \"run\"\nplugins = \"plugins\"\ndeclared = [\".\"]\n");
        place.write("organizations.toml", "[[organization]]\nid = 1\nname = \"Demo\"\n");
        let tenant = |id: u32| {
            format!("[[tenant]]\nid = {id}\nname = \"Tenant {id}\"\norganization = 1\nbrain = \"echo\"\n")
        };
        place.write("tenants.toml", &format!("{}{}", tenant(1), tenant(2)));
        place.write(
            "senders.toml",
            "[[sender]]\nname = \"main\"\nprovider = \"waha\"\naccount = \"default\"\n\
             base_url = \"http://127.0.0.1:1\"\nauth = \"none\"\n\n\
             [[sender]]\nname = \"simulator\"\nprovider = \"simulator\"\naccount = \"simulator\"\n",
        );
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/echo");
        for file in ["plugin.toml", "personality.toml"] {
            let text = std::fs::read_to_string(source.join(file)).expect("the echo package");
            place.write(&format!("plugins/echo/{file}"), &text);
        }
        std::fs::copy(echo(), place.path("plugins/echo/brain.wasm")).expect("a copy");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(args).current_dir(self.directory.path()).stdin(Stdio::null());
        for variable in ["CONFIG", "DATA", "URL", "TOKEN", "LISTEN", "SECRET_KEY"] {
            command.env_remove(format!("SWITCHBOARD_{variable}"));
        }
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary starts")
    }

    /// What a command that goes well prints.
    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[args, &["--json"]].concat())).expect("JSON")
    }

    /// Exit code and standard error of one that does not.
    fn fails(&self, args: &[&str]) -> (i32, String) {
        let output = self.run(args);
        (output.status.code().expect("it ended by itself"), text(&output.stderr))
    }

    /// Until it is so.
    fn until(&self, look: impl Fn() -> bool) {
        let began = Instant::now();
        while !look() {
            assert!(began.elapsed() < DEADLINE, "it never came to be so");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// One that has its token from an earlier life of its store.
    fn serve_again(&self) -> Gateway {
        self.write("token", "known");
        self.serve()
    }

    fn serve(&self) -> Gateway {
        let log = std::fs::File::create(self.path("log")).expect("a log");
        let mut child = self
            .command(&["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut first = String::new();
        out.read_line(&mut first).expect("a line");
        let url = first.split_whitespace().find(|word| word.starts_with("http://"));
        let url = url.unwrap_or_else(|| {
            panic!(
                "no address in {first:?}: {}",
                std::fs::read_to_string(self.path("log")).unwrap_or_default()
            )
        });
        let mut gateway = Gateway { url: url.to_owned(), token: None, child };
        // The second line is there at the first start only, so it is not waited for.
        if first.contains("first") || !self.path("token").exists() {
            let mut second = String::new();
            out.read_line(&mut second).expect("a line");
            let token = second.trim().rsplit(' ').next().unwrap_or_default().to_owned();
            assert!(token.starts_with("sbo_"), "{second:?}");
            self.write("token", &token);
            gateway.token = Some(token);
        }
        gateway.wait_until_ready(self);
        gateway
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

struct Gateway {
    url: String,
    token: Option<String>,
    child: Child,
}

impl Gateway {
    fn wait_until_ready(&self, place: &Place) {
        let began = Instant::now();
        while !place.run(&["stats"]).status.success() || !place.path("run/control.sock").exists() {
            assert!(began.elapsed() < DEADLINE, "it never became ready");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// In order, as an operator would.
    fn stop(mut self) {
        let pid = libc::pid_t::try_from(self.child.id()).expect("a pid");
        #[expect(unsafe_code, reason = "a signal to the test's own child has no safe form in std")]
        // SAFETY: the child has not been waited for, so the pid is still its own.
        let sent = unsafe { libc::kill(pid, libc::SIGTERM) };
        assert_eq!(sent, 0);
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                assert!(status.success(), "{status}");
                return;
            }
            assert!(began.elapsed() < DEADLINE, "it did not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn help_teaches_and_mistakes_are_code_2() {
    let place = Place::new();
    for command in [
        "serve",
        "check",
        "chat",
        "tenant",
        "organization",
        "sender",
        "key",
        "keys",
        "brain",
        "personality",
        "stats",
        "contact",
        "turns",
        "outbox",
        "import",
        "export",
        "backup",
        "restore",
        "webhook",
        "audit",
    ] {
        let help = place.ok(&["help", command]);
        assert!(help.contains("Example"), "{command} has no example:\n{help}");
    }
    for args in [
        &["no-such-command"][..],
        &["tenant", "add", "0", "--name", "x", "--organization", "1", "--brain", "echo"],
        &["key", "add", "--name", "neither"],
        &["stats", "--url", "http://127.0.0.1:1"],
        &["stats", "--url", "nonsense", "--token", "x"],
        &["webhook", "explain", "--provider", "pigeon", "-"],
        &["webhook", "explain", "--provider", "waha", "-", "--header", "no colon"],
    ] {
        let (code, said) = place.fails(args);
        assert_eq!(code, 2, "{args:?}: {said}");
    }
}

#[test]
fn check_tells_every_mistake_with_its_line() {
    let place = Place::new();
    let good = place.ok(&["check"]);
    assert!(good.contains("declared data: 1 organization, 2 tenants, 2 senders, 0 collections"), "{good}");
    assert!(good.contains("brains: 1 of 1 package load"), "{good}");
    assert!(!place.path("run").exists(), "check made a store");
    place.write("tenants.toml", "[[tenant]]\nid = 2\nname = \"Two\"\norganization = 7\nbrain = \"ecco\"\n");
    place.write("collections/2/homes.json", "[{\"id\": 1}, {\"id\": 1}]");
    let (code, said) = place.fails(&["check"]);
    assert_eq!(code, 1);
    assert_eq!(
        said,
        "./tenants.toml:4:16: tenant[0].organization: there is no organization 7; declare it in organizations.toml: known are 1\n\
         ./tenants.toml:5:9: tenant[0].brain: there is no package \"ecco\" in the plugins directory; known are echo\n\
         ./collections/2/homes.json:1:13: [1].id: \"1\" is used twice; ids are unique\n\
         error: 3 mistakes in the configuration or its data\n"
    );
    let (code, said) = place.fails(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, 1);
    assert!(said.contains("./tenants.toml:4:16: tenant[0].organization"), "{said}");
    place.write("switchboard.toml", "lisen = \"127.0.0.1:8000\"\n[http]\nmax_connections = 0\n");
    let (code, said) = place.fails(&["check"]);
    assert_eq!(code, 1);
    assert_eq!(
        said,
        "switchboard.toml:1:1: lisen: there is no such key; did you mean `listen`?\n\
         switchboard.toml:3:19: http.max_connections: is 0; write a number from 1 to 1000000\n\
         error: 2 mistakes in the configuration or its data\n"
    );
    let (code, said) = place.fails(&["check", "--config", "nowhere.toml"]);
    assert_eq!(code, 1);
    assert!(said.starts_with("nowhere.toml: cannot be read: No such file"), "{said}");
}

/// `cargo xtask brains` puts the components in their places first.
#[test]
fn the_demo_is_sound() {
    let place = Place::new();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/demo/switchboard.toml");
    let said = place.ok(&["check", "--config", demo.to_str().expect("UTF-8"), "--data", "run"]);
    assert!(said.contains("1 organization, 3 tenants, 4 senders, 2 collections"), "{said}");
    assert!(said.contains("brains: 2 of 2 packages load"), "{said}");
}

#[test]
fn without_a_gateway_the_same_commands_work_on_the_store() {
    let place = Place::new();
    // The first command that changes something finds what is declared; one that looks makes no store.
    assert!(place.fails(&["tenant", "list"]).1.contains("there is no gateway here"));
    assert!(!place.path("run").exists());
    place.ok(&["organization", "add", "2", "--name", "Second"]);
    let list = place.ok(&["tenant", "list"]);
    assert!(list.starts_with("ID  NAME"), "{list}");
    assert!(list.contains("start_realty_2"), "{list}");
    place.ok(&["tenant", "add", "7", "--name", "Seven", "--organization", "2", "--brain", "echo"]);
    let (code, said) =
        place.fails(&["tenant", "add", "7", "--name", "Other", "--organization", "2", "--brain", "echo"]);
    assert_eq!((code, said.contains("this tenant is there already")), (1, true), "{said}");
    let (code, said) =
        place.fails(&["tenant", "add", "8", "--name", "X", "--organization", "2", "--brain", "nothing"]);
    assert_eq!(code, 1);
    assert!(said.contains("there is no package \"nothing\""), "{said}");
    place.write("secret", "s3cret\n");
    place.ok(&[
        "sender",
        "add",
        "second",
        "--provider",
        "waha",
        "--account",
        "two",
        "--base-url",
        "http://127.0.0.1:1",
        "--hmac-key",
        "file:secret",
        "--tenant",
        "7",
    ]);
    let senders = place.ok(&["sender", "list"]);
    assert!(senders.contains("tenant 7") && senders.contains("hmac"), "{senders}");
    assert!(!senders.contains("s3cret"), "{senders}");
    let key = place.run(&["key", "add", "--tenant", "7", "--name", "test"]);
    assert!(text(&key.stdout).starts_with("sbt_"), "{}", text(&key.stdout));
    let keys = place.json(&["key", "list"]);
    let id = keys["keys"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(keys["keys"][0]["tenant"], 7);
    place.ok(&["key", "remove", &id]);
    assert_eq!(place.fails(&["key", "remove", &id]).0, 1);
    assert!(place.ok(&["key", "list"]).contains("no keys yet"));
    let audit = place.ok(&["audit"]);
    assert!(audit.contains("operator (command line)") && audit.contains("declared data"), "{audit}");
    assert!(place.ok(&["outbox", "list"]).contains("No reply waits"));
    let (code, said) = place.fails(&["chat", "--tenant", "2"]);
    assert_eq!(code, 1);
    assert!(said.contains("no gateway runs on this data directory"), "{said}");
}

#[test]
fn mappings_come_in_and_go_out() {
    let place = Place::new();
    place.ok(&["organization", "add", "2", "--name", "Second"]);
    place.write("one.json", r#"{"971501234567": 2, "971500000001": 1, "+971 50 000 0001": 1}"#);
    let dry = place.ok(&["import", "mapping", "one.json", "--dry-run"]);
    assert_eq!(dry, "2 would be imported, 1 already so, 0 in conflict, 0 refused\n");
    assert_eq!(place.ok(&["export", "mapping"]), "{\n}\n");
    assert!(place.ok(&["import", "mapping", "one.json"]).starts_with("2 imported"));
    place.write("two.json", r#"{"971501234567": 1, "nobody": 1, "971500000009": 9, "971500000002": 2}"#);
    let output = place.run(&["import", "mapping", "two.json"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("conflict: 971501234567"), "{said}");
    assert!(
        said.contains("refused: nobody: ") && said.contains("refused: 971500000009: there is no tenant 9"),
        "{said}"
    );
    assert!(said.ends_with("1 imported, 0 already so, 1 in conflict, 2 refused\n"), "{said}");
    place.ok(&["export", "mapping", "out.json"]);
    let exported: Value =
        serde_json::from_slice(&std::fs::read(place.path("out.json")).expect("a file")).expect("JSON");
    assert_eq!(exported, json!({"971500000001": 1, "971500000002": 2, "971501234567": 2}));
    place.write("broken.json", "{\"971501234567\": 2,\n \"x\" 1}");
    let (code, said) = place.fails(&["import", "mapping", "broken.json"]);
    assert_eq!(code, 1);
    assert!(said.contains("broken.json:2:6: expected `:`"), "{said}");
    let shown = place.json(&["contact", "show", "+971501234567"]);
    assert_eq!(shown["tenant_id"], 2);
    place.ok(&["contact", "unlock", "+971501234567"]);
    assert_eq!(place.fails(&["contact", "unlock", "+971501234567"]).0, 1);
    assert!(place.ok(&["stats"]).starts_with("2 contacts, 2 tenants"));
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let place = Place::new();
    let many: serde_json::Map<String, Value> =
        (0..20_000_u64).map(|n| ((971_500_000_000 + n).to_string(), json!(2))).collect();
    place.write("many.json", &Value::Object(many).to_string());
    place.ok(&["import", "mapping", "many.json"]);
    for args in [&["export", "mapping"][..], &["help"]] {
        let mut child =
            place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut one = [0];
        let mut out = child.stdout.take().expect("it is piped");
        out.read_exact(&mut one).expect("a byte");
        drop(out);
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "");
    }
}

#[test]
fn a_payload_is_explained_without_data_and_without_leaving_any() {
    let place = Place::new();
    let payload = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/demo/start_realty_2.json");
    let payload = payload.to_str().expect("UTF-8");
    let line: Value = serde_json::from_str(&place.ok(&["webhook", "explain", "--provider", "waha", payload]))
        .expect("one line");
    assert_eq!(line["contact"], "971501234567");
    assert_eq!(line["tenant_id"], Value::Null);
    assert!(!place.path("run").exists(), "explaining made a store");
    place.ok(&["organization", "add", "2", "--name", "Second"]);
    let line: Value = serde_json::from_str(&place.ok(&["webhook", "explain", "--provider", "waha", payload]))
        .expect("one line");
    assert_eq!((&line["decision"], &line["tenant_id"]), (&json!("routed"), &json!(2)));
    let mut child = place
        .command(&["webhook", "explain", "--provider", "simulator", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let body = br#"{"id":"1","from":"971501234567","text":"hi"}"#;
    child.stdin.take().expect("it is piped").write_all(body).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(text(&output.stdout).contains("\"kind\":\"message\""));
}

#[test]
fn a_running_gateway_is_found_and_talked_to() {
    let place = Place::new();
    let gateway = place.serve();
    let token = gateway.token.clone().expect("the first start prints it");
    // A chat by script: what echo says to the link and to each line, then the end.
    let mut chat = place
        .command(&["chat", "--tenant", "2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    chat.stdin.take().expect("it is piped").write_all(b"good morning\n\nand good night\n").expect("it reads");
    let chat = chat.wait_with_output().expect("it ends");
    let said = text(&chat.stdout);
    assert!(chat.status.success(), "{said}{}", text(&chat.stderr));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "> start_realty_2", "{said}");
    assert!(lines[1].starts_with("Tenant 2: "), "{said}");
    let first = lines.iter().position(|line| *line == "> good morning").expect("what was typed");
    assert!(
        lines[first + 1].starts_with("Tenant 2: ") && lines[first + 1].contains("good morning"),
        "{said}"
    );
    assert!(lines.last().is_some_and(|line| line.contains("and good night")), "{said}");
    // Another tenant's chat as the same contact is refused, and says why.
    let contact = place.ok(&["export", "mapping"]);
    let contact = contact.split('"').nth(1).expect("one contact").to_owned();
    let (code, said) = place.fails(&["chat", "--tenant", "1", "--as", &contact]);
    assert_eq!((code, said.contains("is locked to tenant 2")), (1, true), "{said}");
    // A human takes the chat over and gives it back, once each.
    for (verb, says, twice) in [
        ("takeover", "A human answers", "a human answers"),
        ("handback", "The bot answers", "no human answers"),
    ] {
        let args = ["contact", verb, "--tenant", "2", &contact];
        assert_eq!(place.ok(&args), format!("{says} {contact} now.\n"));
        let (code, said) = place.fails(&args);
        assert_eq!((code, said.contains(twice)), (1, true), "{said}");
    }
    // From elsewhere, with a token, and with none that is good.
    let url = gateway.url.clone();
    let remote = ["tenant", "list", "--url", &url, "--token", &token];
    assert!(place.ok(&remote).contains("Tenant 2"));
    let key = place.ok(&["key", "add", "--tenant", "1", "--name", "developer"]);
    let own = place.ok(&["tenant", "list", "--url", &url, "--token", key.trim()]);
    assert!(own.contains("Tenant 1") && !own.contains("Tenant 2"), "{own}");
    let (code, said) = place.fails(&["tenant", "show", "2", "--url", &url, "--token", key.trim()]);
    assert_eq!((code, said.contains("there is no tenant 2")), (1, true), "{said}");
    let (code, said) = place.fails(&["tenant", "list", "--url", &url, "--token", "sbo_wrong"]);
    assert_eq!((code, said.contains("none that is valid")), (1, true), "{said}");
    let (code, said) = place.fails(&["backup", "x.tar", "--url", &url, "--token", &token]);
    assert_eq!((code, said.contains("on the gateway's own machine only")), (1, true), "{said}");
    // The store is taken: restore refuses, check says so.
    let backup = place.ok(&["backup"]);
    let (code, said) = place.fails(&["restore", backup.trim()]);
    assert_eq!((code, said.contains("a gateway runs")), (1, true), "{said}");
    assert!(place.ok(&["check"]).contains("store: in use"));
    gateway.stop();
    // Restored, it is as it was at the backup; the token of then is good, and none is made anew.
    place.ok(&["contact", "unlock", &contact]);
    place.ok(&["restore", backup.trim()]);
    let gateway = place.serve();
    assert_eq!(gateway.token, None);
    assert!(place.ok(&["export", "mapping"]).contains(&contact));
    let url = gateway.url.clone();
    assert!(place.ok(&["stats", "--url", &url, "--token", &token]).starts_with("1 contact"));
    gateway.stop();
}

#[test]
fn brains_are_listed_pushed_and_tested() {
    let place = Place::new();
    let gateway = place.serve();
    assert!(place.ok(&["brain", "list"]).contains("echo"));
    let key = place.ok(&["key", "add", "--tenant", "2", "--name", "developer"]);
    let component = echo();
    let component = component.to_str().expect("UTF-8");
    let pushed = place.ok(&[
        "brain",
        "push",
        "--tenant",
        "2",
        component,
        "--url",
        &gateway.url,
        "--token",
        key.trim(),
    ]);
    assert!(pushed.starts_with("tenant-2 runs "), "{pushed}");
    let listed = place.json(&["brain", "list"]);
    let own = listed["brains"].as_array().into_iter().flatten().find(|brain| brain["package"] == "tenant-2");
    assert_eq!(own.expect("it is listed")["tenants"], json!([2]));
    let audit = place.ok(&["audit", "--limit", "3"]);
    assert!(audit.contains("tenant 2 (developer)") && audit.contains("push brain"), "{audit}");
    // The very next message is answered with the new texts.
    place.write("mine.toml", "[welcome]\nen = \"Ahoy!\"\n");
    place.ok(&["personality", "push", "--tenant", "2", "mine.toml"]);
    assert_eq!(place.ok(&["chat", "--tenant", "2"]), "> start_realty_2\nTenant 2: Ahoy!\n");
    place.write("broken.toml", "[welcome\n");
    let (code, said) = place.fails(&["personality", "push", "--tenant", "2", "broken.toml"]);
    assert_eq!(code, 1);
    assert!(said.contains("personality.toml") && said.contains('1'), "{said}");
    place.write("nonsense.wasm", "no component");
    let (code, said) = place.fails(&["brain", "push", "--tenant", "2", "nonsense.wasm"]);
    assert_eq!(code, 1, "{said}");
    gateway.stop();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/echo/tests");
    for script in std::fs::read_dir(source).expect("echo has scripts") {
        let script = script.expect("an entry").path();
        let name = script.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        place.write(
            &format!("plugins/echo/tests/{name}"),
            &std::fs::read_to_string(&script).expect("a script"),
        );
    }
    assert!(place.ok(&["brain", "test", "plugins/echo"]).contains("0 did not"));
    place.write("plugins/echo/tests/wrong.chat", "start:\nbot: this is never said\n");
    let output = place.run(&["brain", "test", "plugins/echo"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("wrong.chat:2:"), "{}", text(&output.stdout));
}
