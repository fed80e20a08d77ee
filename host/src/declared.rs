//! Declared data: directories with `organizations.toml`, `tenants.toml`, `senders.toml` and
//! `collections/{tenant}/{name}.json`. Read and checked as a whole, every mistake with its file and
//! line, and only then applied: see [`apply`]. What is not declared any more is left as it is; deactivate it
//! with `active = false`. [`standing`] remembers what was read, for those who change it elsewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::config::document::Problem;
use crate::message::TenantId;
use crate::store::collections::Collections;
use crate::tenant::{Directory, Organization, Secret, Sender, Tenant};

pub mod apply;
mod read;
pub mod rules;
pub mod standing;

use self::standing::Standing;

/// Everything that directories declare.
#[derive(Debug, Default)]
pub struct Declared {
    pub organizations: Vec<Organization>,
    pub tenants: Vec<Tenant>,
    pub senders: Vec<Sender>,
    pub collections: Vec<Collection>,
    /// What is wrong with files of collections that stay as the store has them.
    pub damaged: Vec<Problem>,
    /// The same as it is written, with its places.
    pub standing: Standing,
}

#[derive(Debug, PartialEq)]
pub struct Collection {
    pub tenant: TenantId,
    pub name: String,
    pub records: Vec<Value>,
}

/// Gives the value of an environment variable.
pub type Environment<'e> = &'e (dyn Fn(&str) -> Option<String> + Sync);

/// What declarations are checked against.
#[derive(Clone, Default)]
pub struct Surroundings<'s> {
    /// Can only this machine reach the gateway?
    pub private: bool,
    /// The packages in the plugins directory, where they are known.
    pub packages: Option<&'s [String]>,
    /// What the store knows already.
    pub directory: Directory,
    /// Where secrets find the variables that they name.
    pub environment: Option<Environment<'s>>,
    /// Does the store have this collection? Then a damaged file costs nobody the records that were good.
    pub has_collection: Option<Kept<'s>>,
}

/// Tells whether a tenant has a collection of this name.
pub type Kept<'s> = &'s (dyn Fn(TenantId, &str) -> bool + Sync);

/// Reads the directories in order and checks all of it.
pub fn load(directories: &[PathBuf], around: Surroundings<'_>) -> Result<Declared, Vec<Problem>> {
    read::load(directories, around)
}

/// The same over what the store has: a damaged file of a collection that it has costs nobody its records.
pub async fn load_over(
    store: &dyn Collections,
    directories: &[PathBuf],
    around: Surroundings<'_>,
) -> Result<Declared, Vec<Problem>> {
    let (loaded, asked) = {
        let asked = Mutex::new(BTreeSet::new());
        let ask = |tenant, name: &str| {
            locked(&asked).insert((tenant, name.to_owned()));
            false
        };
        let loaded = load(directories, Surroundings { has_collection: Some(&ask), ..around.clone() });
        (loaded, std::mem::take(&mut *locked(&asked)))
    };
    if asked.is_empty() {
        return loaded;
    }
    let mut kept = BTreeSet::new();
    for (tenant, name) in asked {
        if store.collection(tenant, &name).await.is_ok_and(|records| records.is_some()) {
            kept.insert((tenant, name));
        }
    }
    let has = |tenant, name: &str| kept.contains(&(tenant, name.to_owned()));
    load(directories, Surroundings { has_collection: Some(&has), ..around })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a secret of the configuration names by `env:NAME` or `file:PATH`; else what is wrong, and what
/// to do.
pub fn secret(secret: &Secret, environment: Environment<'_>) -> Result<Secret, (String, String)> {
    read::resolve(secret, Path::new(""), Some(environment))
}

/// The packages in a plugins directory: each folder with a `plugin.toml`.
pub fn packages(plugins: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(plugins)? {
        let entry = entry?;
        if entry.path().join("plugin.toml").is_file() {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const ORGANIZATIONS: &str = "[[organization]]\nid = 1\nname = \"Demo\"\n";
    const TENANT: &str = "[[tenant]]\nid = 2\nname = \"Two\"\norganization = 1\nbrain = \"echo\"\n";

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        directory
    }

    fn load_from(files: &[(&str, &str)], private: bool) -> Result<Declared, String> {
        let directory = directory(files);
        let root = format!("{}/", directory.path().display());
        let around = Surroundings {
            private,
            packages: Some(&["echo".into(), "real-estate".into()]),
            environment: Some(&|name| (name == "WAHA_KEY").then(|| "from-env".into())),
            ..Surroundings::default()
        };
        load(&[directory.path().to_owned()], around).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(|problem| problem.to_string()).collect();
            lines.join("\n").replace(&root, "")
        })
    }

    /// Each text in its file, beside what is good, gives exactly these lines.
    fn check(cases: &[(&str, String, &str)]) {
        for (file, text, expected) in cases {
            let mut files = vec![("organizations.toml", ORGANIZATIONS)];
            if *file != "tenants.toml" {
                files.push(("tenants.toml", TENANT));
            }
            files.push((file, text));
            let said = load_from(&files, true).map(|_| ()).unwrap_err();
            assert_eq!(said, *expected, "{file}:\n{text}");
        }
    }

    #[test]
    fn mistakes_in_tenants_are_told_with_line_and_way_out() {
        let tenant = |line: &str| format!("{TENANT}{line}\n");
        check(&[
            (
                "tenants.toml",
                tenant("langage = \"en\""),
                "tenants.toml:6:1: tenant[0].langage: there is no such key; did you mean `language`?",
            ),
            (
                "tenants.toml",
                tenant("language = \"english\""),
                "tenants.toml:6:12: tenant[0].language: \"english\" is not a language tag; \
                 write a BCP 47 tag, such as \"en\", \"ar\", \"fa\" or \"pt-BR\"",
            ),
            (
                "tenants.toml",
                tenant("time_zone = \"Dubai\""),
                "tenants.toml:6:13: tenant[0].time_zone: \"Dubai\" is not a time zone; \
                 write an IANA name, such as \"Asia/Dubai\" or \"UTC\"",
            ),
            (
                "tenants.toml",
                tenant("policy.quiet_hours = { from = \"22:00\", until = \"8\" }"),
                "tenants.toml:6:22: tenant[0].policy.quiet_hours: \"8\" is no time of day; write \
                 `quiet_hours = { from = \"22:00\", until = \"08:00\" }`, in the tenant's own time",
            ),
            (
                "tenants.toml",
                tenant("[tenant.policy]\nquiet_hour = \"22:00\"\nloop_turns = \"none\""),
                "tenants.toml:7:1: tenant[0].policy.quiet_hour: there is no such key; did you mean `quiet_hours`?\n\
                 tenants.toml:8:14: tenant[0].policy.loop_turns: is string \"none\"; write a whole number, 0 or more",
            ),
            (
                "tenants.toml",
                tenant("policy.rate_per_second = 0\npolicy.loop_turns = 100001"),
                "tenants.toml:6:26: tenant[0].policy.rate_per_second: is out of range; \
                 write a number from 1 to 1000000, or leave it out\n\
                 tenants.toml:7:21: tenant[0].policy.loop_turns: is too large; write 0 to 100000; 0 lets any number pass",
            ),
            (
                "tenants.toml",
                tenant(
                    "policy.fallback_template = { name = \"Come Back\", language = \"\", parameter = \" \" }",
                ),
                "tenants.toml:6:37: tenant[0].policy.fallback_template.name: \"Come Back\" cannot name a template; \
                 use 1 to 512 of a-z, 0-9 and _, as WhatsApp does\n\
                 tenants.toml:6:61: tenant[0].policy.fallback_template.language: is empty; write the template's \
                 language as WhatsApp has it, such as \"en\" or \"en_US\"\n\
                 tenants.toml:6:77: tenant[0].policy.fallback_template.parameter: is empty; name the placeholder \
                 that takes the words, such as \"1\", or leave it out",
            ),
            (
                "tenants.toml",
                TENANT.replace("organization = 1", "organization = 7"),
                "tenants.toml:4:16: tenant[0].organization: there is no organization 7; \
                 declare it in organizations.toml: known are 1",
            ),
            (
                "tenants.toml",
                TENANT.replace("\"echo\"", "\"ecco\""),
                "tenants.toml:5:9: tenant[0].brain: there is no package \"ecco\" in the plugins directory; \
                 known are echo, real-estate",
            ),
            (
                "tenants.toml",
                format!("{TENANT}{TENANT}"),
                "tenants.toml:7:6: tenant[1].id: 2 is declared twice, first at tenants.toml:1; \
                 change one of them",
            ),
            (
                "tenants.toml",
                TENANT.replace("id = 2\n", ""),
                "tenants.toml:1:1: tenant[0].id: is missing; add `id = ...`",
            ),
            (
                "tenants.toml",
                "[tenant]\nid = 2\n".into(),
                "tenants.toml:1:1: tenant: does not belong here; begin each entry with [[tenant]]",
            ),
        ]);
    }

    #[test]
    fn mistakes_in_senders_are_told_with_line_and_way_out() {
        let sender = "[[sender]]\nname = \"main\"\nprovider = \"waha\"\naccount = \"default\"\n\
                      base_url = \"http://127.0.0.1:3000\"\nauth = \"none\"\n";
        check(&[
            (
                "senders.toml",
                format!("{sender}tenant = 9\n"),
                "senders.toml:7:10: sender[0].tenant: there is no tenant 9; \
                 declare it in tenants.toml, or leave `tenant` out for a shared sender",
            ),
            (
                "senders.toml",
                format!("{sender}{}", sender.replace("\"main\"", "\"second\"")),
                "senders.toml:10:11: sender[1].account: waha account \"default\" is sender \"main\" already; \
                 one account belongs to one sender; change one of them",
            ),
            (
                "senders.toml",
                sender.replace("auth = \"none\"\n", ""),
                "senders.toml:1:1: sender[0].auth: webhooks must prove themselves, but neither hmac_key nor \
                 webhook_key nor webhook_path is set; set one of them; on a loopback gateway auth = \"none\" is possible too",
            ),
            (
                "senders.toml",
                format!("{sender}api_key = \"env:NOT_THERE\"\n"),
                "senders.toml:7:11: sender[0].api_key: the environment variable NOT_THERE is not set; \
                 set NOT_THERE and start again",
            ),
        ]);
    }

    #[test]
    fn mistakes_in_collections_are_told_with_line_and_way_out() {
        check(&[
            (
                "collections/2/properties.json",
                "[\n {\"id\": 1},\n {\"id\": \"1\"}, {}\n]".into(),
                "collections/2/properties.json:3:2: [1].id: \"1\" is used twice; ids are unique\n\
                 collections/2/properties.json:3:15: [2].id: is missing; give each record an `id` of its own",
            ),
            (
                "collections/2/properties.json",
                "[\n {\"id\" 1}]".into(),
                "collections/2/properties.json:2:8: expected `:`; \
                 write a JSON list of objects: [ { \"id\": ... } ]",
            ),
            (
                "collections/3/properties.json",
                "[]".into(),
                "collections/3: is named after no tenant; \
                 name it after a declared tenant's id, such as collections/2",
            ),
        ]);
    }

    #[test]
    fn a_file_does_not_change_a_senders_owner() {
        let sender = "[[sender]]\nname = \"main\"\nprovider = \"waha\"\naccount = \"default\"\n\
                      base_url = \"http://127.0.0.1:3000\"\nauth = \"none\"\n";
        let owned = format!("{sender}tenant = 2\n");
        let files = |sender| {
            [("organizations.toml", ORGANIZATIONS), ("tenants.toml", TENANT), ("senders.toml", sender)]
        };
        for (before, after, expected) in [
            (sender, owned.as_str(), "senders.toml:7:10: sender[0].tenant: the sender main is shared now"),
            (&owned, sender, "senders.toml:1:1: sender[0].tenant: the sender main is tenant 2's now"),
        ] {
            let mut known = Directory::default();
            known.put_sender(load_from(&files(before), true).unwrap().senders.remove(0));
            let again = directory(&files(before));
            let around = |known| Surroundings { private: true, directory: known, ..Surroundings::default() };
            assert!(load(&[again.path().to_owned()], around(known.clone())).is_ok(), "as it is");
            let changed = directory(&files(after));
            let problems = load(&[changed.path().to_owned()], around(known)).map(|_| ()).unwrap_err();
            let said = problems[0].to_string().replace(&format!("{}/", changed.path().display()), "");
            assert!(said.starts_with(expected) && said.contains("switchboard sender give main --"), "{said}");
            assert_eq!(problems.len(), 1);
        }
    }

    #[test]
    fn a_keyless_sender_is_refused_off_loopback() {
        let sender = "[[sender]]\nname = \"main\"\nprovider = \"waha\"\naccount = \"default\"\n\
                      base_url = \"http://10.0.0.1\"\nauth = \"none\"\n";
        assert!(load_from(&[("senders.toml", sender)], true).is_ok());
        let said = load_from(&[("senders.toml", sender)], false).map(|_| ()).unwrap_err();
        assert!(said.starts_with("senders.toml:6:8: sender[0].auth: \"none\" lets anyone speak"), "{said}");
    }

    #[test]
    fn secrets_come_from_environment_and_files() {
        let sender = "[[sender]]\nname = \"main\"\nprovider = \"waha\"\naccount = \"default\"\n\
                      base_url = \"http://10.0.0.1\"\napi_key = \"env:WAHA_KEY\"\n\
                      hmac_key = \"file:keys/hmac\"\nwebhook_key = \"plain\"\n";
        let declared = load_from(&[("senders.toml", sender), ("keys/hmac", "from-file\n")], false).unwrap();
        let sender = &declared.senders[0];
        let keys = [&sender.api_key, &sender.hmac_key, &sender.webhook_key].map(|key| key.expose());
        assert_eq!(keys, ["from-env", "from-file", "plain"]);
    }
}
