//! Backups and restores, as an operator makes them: what tenants uploaded is in them, nothing is guessed,
//! and what is lacking is said.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use super::*;

/// Tenant 2 has a brain and texts of its own.
fn with_own_package(place: &Place) {
    let component = echo();
    place.ok(&["brain", "push", "--tenant", "2", component.to_str().expect("UTF-8")]);
    place.write("mine.toml", "[welcome]\nen = \"Ahoy!\"\n");
    place.ok(&["personality", "push", "--tenant", "2", "mine.toml"]);
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}

#[test]
fn a_restore_elsewhere_gives_tenants_what_they_had() {
    let place = Place::new();
    let gateway = place.serve();
    with_own_package(&place);
    place.ok(&["backup", "whole.tar"]);
    assert_eq!(mode(&place.path("whole.tar")), 0o600);
    let said = place.fails(&["backup", "whole.tar"]).1;
    assert!(said.contains("whole.tar exists already"), "{said}");
    gateway.stop();

    let other = Place::new();
    std::fs::copy(place.path("run/secret.key"), other.path("key")).expect("the key is kept apart");
    other.write("switchboard.toml", "data = \"run\"\nplugins = \"plugins\"\n[secrets]\nkey_file = \"key\"\n");
    let backup = place.path("whole.tar");
    let said = other.ok(&["restore", backup.to_str().expect("UTF-8")]);
    let config = other.path("switchboard.toml");
    assert!(said.contains(&format!("`switchboard serve --config {}`", config.display())), "{said}");
    assert!(said.contains("1 package put into"), "{said}");
    assert_eq!(mode(&other.path("run")), 0o700);
    assert_eq!(mode(&other.path("run/switchboard.redb")), 0o600);
    let _gateway = other.serve_again();
    // It is compiled on this machine first.
    other.until(|| {
        let listed = other.json(&["brain", "list"]);
        let own =
            listed["brains"].as_array().into_iter().flatten().find(|brain| brain["package"] == "tenant-2");
        own.is_some_and(|own| own["digest"].is_string())
    });
    assert_eq!(other.ok(&["chat", "--tenant", "2"]), "> start_realty_2\nTenant 2: Ahoy!\n");
    // It can be gone back in as well.
    assert!(other.path("run/brains/versions/tenant-2.json").is_file());
}

#[test]
fn what_a_restore_replaces_is_kept_and_what_is_the_operators_stays() {
    let place = Place::new();
    let gateway = place.serve();
    with_own_package(&place);
    place.ok(&["backup", "whole.tar"]);
    place.write("later.toml", "[welcome]\nen = \"Later\"\n");
    place.ok(&["personality", "push", "--tenant", "2", "later.toml"]);
    place.ok(&["personality", "push", "--tenant", "1", "later.toml"]);
    gateway.stop();
    let shared = std::fs::read_to_string(place.path("plugins/echo/personality.toml")).expect("texts") + "\n";
    place.write("plugins/echo/personality.toml", &shared);
    let said = place.ok(&["restore", "whole.tar", "--json"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said["packages"], json!(["tenant-2"]), "{said}");
    assert_eq!(said["kept_packages"], json!(["echo", "tenant-1"]), "{said}");
    let replaced = place.path(said["replaced_packages"].as_str().expect("a path"));
    let kept = std::fs::read_to_string(replaced.join("plugins/tenant-2/personality.toml")).expect("kept");
    assert!(kept.contains("Later"), "{kept}");
    let now = std::fs::read_to_string(place.path("plugins/tenant-2/personality.toml")).expect("restored");
    assert!(now.contains("Ahoy!"), "{now}");
    assert_eq!(std::fs::read_to_string(place.path("plugins/echo/personality.toml")).expect("texts"), shared);
    // And back again, with the store that was kept: it is a store alone, which is said.
    let output = place.run(&["restore", said["replaced_store"].as_str().expect("a path")]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("this file holds the store alone"), "{}", text(&output.stderr));
}

#[test]
fn a_restore_that_broke_off_is_done_again_before_anything_runs() {
    let place = Place::new();
    let gateway = place.serve();
    with_own_package(&place);
    place.ok(&["backup", "whole.tar"]);
    place.write("later.toml", "[welcome]\nen = \"Later\"\n");
    place.ok(&["personality", "push", "--tenant", "2", "later.toml"]);
    gateway.stop();
    // Something stands where the second of its files goes.
    let texts = place.path("plugins/tenant-2/.personality.toml.restoring");
    std::fs::create_dir(&texts).expect("made");
    let said = place.fails(&["restore", "whole.tar"]).1;
    assert!(said.contains("half done") && said.contains("run/replaced-"), "{said}");
    let said = place.fails(&["serve"]).1;
    assert!(said.contains("whole.tar broke off half done"), "{said}");
    std::fs::remove_dir(&texts).expect("removed");
    place.ok(&["restore", "whole.tar"]);
    let _gateway = place.serve_again();
    assert_eq!(place.ok(&["chat", "--tenant", "2"]), "> start_realty_2\nTenant 2: Ahoy!\n");
}

#[test]
fn a_package_that_is_missing_after_a_restore_is_missed_aloud() {
    let place = Place::new();
    let gateway = place.serve();
    with_own_package(&place);
    gateway.stop();
    std::fs::copy(place.path("run/switchboard.redb"), place.path("alone.redb")).expect("a copy");
    std::fs::remove_dir_all(place.path("plugins/tenant-2")).expect("gone");
    let output = place.run(&["restore", "alone.redb"]);
    let said = text(&output.stderr);
    assert!(said.contains("WARNING: tenant 2 had a package of its own"), "{said}");
    let gateway = place.serve_again();
    place.until(|| {
        std::fs::read_to_string(place.path("log"))
            .is_ok_and(|log| log.contains("a tenant's own package is missing"))
    });
    let missed = |place: &Place| {
        let said = text(&place.run(&["doctor"]).stdout);
        said.contains("WRONG    tenant 2: its own package is not in the plugins directory any more")
    };
    assert!(missed(&place));
    assert!(
        place.fails(&["brain", "forget", "--tenant", "1"]).1.contains("nothing of tenant 1's own package")
    );
    place.ok(&["brain", "forget", "--tenant", "2"]);
    assert!(!missed(&place));
    gateway.stop();
}

#[test]
fn damaged_and_hostile_backups_change_nothing() {
    let place = Place::new();
    place.ok(&["organization", "add", "9", "--name", "Nine"]);
    with_own_package(&place);
    place.ok(&["backup", "whole.tar"]);
    let store = std::fs::read(place.path("run/switchboard.redb")).expect("the store");
    let whole = std::fs::read(place.path("whole.tar")).expect("the backup");
    let texts = whole.windows(5).position(|bytes| bytes == b"Ahoy!").expect("the texts are in it");
    let mut damaged = whole.clone();
    damaged[texts] ^= 1;
    let cut = whole[..whole.len() - 2_048].to_vec();
    let outside = |path: &[u8]| {
        // Another entry behind all others, which a careless hand would write to.
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().expect("it is one").name[..path.len()].copy_from_slice(path);
        header.set_size(4);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        tar.append(&header, &b"evil"[..]).expect("memory");
        [&whole[..whole.len() - 1_024], &tar.into_inner().expect("memory")[..]].concat()
    };
    for (name, bytes, flaw) in [
        ("damaged", damaged, "plugins/tenant-2/personality.toml is not as it was written"),
        ("cut", cut, "is no good backup"),
        ("outside", outside(b"../../evil"), "lies behind its end"),
        ("empty", Vec::new(), "it is empty"),
        ("other", b"nothing of ours".repeat(100), "is no good backup"),
    ] {
        std::fs::write(place.path(name), bytes).expect("written");
        let (code, said) = place.fails(&["restore", name]);
        assert_eq!((code, said.contains(flaw)), (1, true), "{name}: {said}");
        assert_eq!(std::fs::read(place.path("run/switchboard.redb")).expect("the store"), store, "{name}");
    }
    let left = std::fs::read_dir(place.path("run")).expect("listed").flatten();
    let left: Vec<_> = left
        .map(|entry| entry.file_name())
        .filter(|name| name.to_string_lossy().contains("restor"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_restore_takes_no_guess_and_makes_files_of_the_data_directorys_owner() {
    let place = Place::new();
    place.ok(&["organization", "add", "9", "--name", "Nine"]);
    with_own_package(&place);
    let backup = place.path("whole.tar");
    let backup = backup.to_str().expect("UTF-8");
    place.ok(&["backup", backup]);
    let empty = tempfile::tempdir().expect("a directory");
    let output = place.command(&["restore", backup]).current_dir(empty.path()).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("takes no guess"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_dir(empty.path()).expect("listed").count(), 0, "nothing was made");
    // As root for a unit with its own user.
    let root = is_root();
    if root {
        for path in ["run", "plugins"] {
            chown(place.path(path), Some(4242), Some(4243)).expect("given away");
        }
    }
    std::fs::remove_dir_all(place.path("plugins/tenant-2")).expect("gone");
    place.ok(&["restore", backup]);
    for path in ["run/switchboard.redb", "plugins/tenant-2", "plugins/tenant-2/brain.wasm"] {
        let owner = place.path(path).metadata().expect("it is there").uid();
        assert_eq!(owner, place.path("run").metadata().expect("it is there").uid(), "{path}");
    }
    if root {
        // As another user, who may not: said once, and with what to do.
        let said = as_user(&place, 4_343, &["check"]);
        assert_eq!(said.matches("denied").count(), 1, "{said}");
        let said = as_user(&place, 4_343, &["stats"]);
        assert_eq!(said.matches("denied").count(), 1, "{said}");
        assert!(said.contains("run it as"), "{said}");
    }
}

fn is_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|own| own.uid() == 0)
}

/// What a command says on standard error as somebody else.
fn as_user(place: &Place, user: u32, args: &[&str]) -> String {
    use std::os::unix::process::CommandExt as _;
    std::fs::set_permissions(place.path("."), std::fs::Permissions::from_mode(0o755)).expect("open");
    let program = place.path("program");
    std::fs::copy(binary(), &program).expect("a copy that everybody can run");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("open");
    let mut command = Command::new(program);
    command.args(args).current_dir(place.directory.path()).stdin(Stdio::null()).uid(user).gid(user);
    text(&command.output().expect("it starts").stderr)
}

/// A file of tenant 2's.
fn put_file(url: &str, token: &str, content: &str) {
    let address = url.strip_prefix("http://").expect("an address");
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    write!(
        stream,
        "POST /api/tenants/2/media?filename=hello.txt HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{content}",
        content.len()
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn backups_by_hand_are_counted_apart_and_files_come_along_when_wanted() {
    let place = Place::new();
    place.write(
        "switchboard.toml",
        "data = \"run\"\nplugins = \"plugins\"\ndeclared = [\".\"]\n[backup]\nkeep_by_hand = 2\n",
    );
    let gateway = place.serve();
    let names = || -> Vec<String> {
        let entries = std::fs::read_dir(place.path("run/backups")).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let by_clock = || names().iter().filter(|name| !name.ends_with("-by-hand.tar")).count();
    place.until(|| by_clock() == 1);
    for _ in 0..4 {
        place.ok(&["backup"]);
    }
    assert_eq!((names().len(), by_clock()), (3, 1), "{:?}", names());
    let token = std::fs::read_to_string(place.path("token")).expect("a token");
    put_file(&gateway.url, token.trim(), "hello there");
    place.ok(&["backup", "without.tar"]);
    place.ok(&["backup", "with.tar", "--with-files"]);
    gateway.stop();
    for (backup, files) in [("without.tar", 0), ("with.tar", 1)] {
        std::fs::remove_dir_all(place.path("run/media")).expect("gone");
        let said = place.json(&["restore", backup]);
        assert_eq!(said["files"], json!(files), "{said}");
        let there = std::fs::read_dir(place.path("run/media/2")).into_iter().flatten().count();
        assert_eq!(there, files, "{backup}");
        std::fs::create_dir_all(place.path("run/media")).expect("made");
    }
}
