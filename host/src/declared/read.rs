//! Reads declared directories: TOML tables and JSON collections into tenants, senders and the rest,
//! each mistake with its place.

use std::collections::HashMap;
use std::hash::Hash;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::de::DeValue;

use crate::config::document::{Document, Places, Problem};
use crate::declared::rules::{self, Fault};
use crate::declared::standing::{Fingerprint, Origin, Standing, keep_secrets};
use crate::declared::{Collection, Declared, Environment, Surroundings};
use crate::message::TenantId;
use crate::regular_file;
use crate::tenant::{Organization, Secret, Sender, Tenant};

/// One table of a file, and where it stands.
struct Entry<T> {
    value: T,
    /// The index of its file in [`Reader::files`].
    file: usize,
    /// `tenant[2]`.
    key: String,
}

struct File {
    document: Document,
    places: Places,
}

#[derive(Default)]
struct Reader {
    files: Vec<File>,
    problems: Vec<Problem>,
    /// Those that keep nothing else from being applied.
    damaged: Vec<Problem>,
}

pub fn load(directories: &[PathBuf], around: Surroundings<'_>) -> Result<Declared, Vec<Problem>> {
    let mut reader = Reader::default();
    let (mut organizations, mut tenants, mut senders) = (Vec::new(), Vec::new(), Vec::new());
    for directory in directories {
        if !directory.is_dir() {
            reader.problems.push(whole_file(directory, "there is no such directory", "check `declared`"));
            continue;
        }
        organizations.extend(reader.tables(&directory.join("organizations.toml"), "organization"));
        tenants.extend(reader.tables(&directory.join("tenants.toml"), "tenant"));
        senders.extend(reader.tables(&directory.join("senders.toml"), "sender"));
    }
    let mut known = around.directory;
    reader.check(&organizations, |organization: &Organization| rules::organization(organization));
    reader.refuse_twins(&organizations, "id", |organization| organization.id);
    for organization in &organizations {
        known.put_organization(organization.value.clone());
    }
    reader.check(&tenants, |tenant: &Tenant| rules::tenant(tenant, &known, around.packages));
    reader.refuse_twins(&tenants, "id", |tenant| tenant.id);
    for tenant in &tenants {
        known.put_tenant(tenant.value.clone());
    }
    let mut standing = Standing::default();
    for sender in &mut senders {
        reader.resolve_secrets(sender, around.environment);
        let origin = reader.origin(sender);
        standing.senders.insert(sender.value.name.clone(), (sender.value.clone(), origin));
        if let Some(kept) = known.senders.get(&sender.value.name) {
            let base_url = known.waha().lend(sender.value.clone()).base_url;
            keep_secrets(&mut sender.value, kept, base_url == kept.base_url);
        }
    }
    reader.refuse_twins(&senders, "name", |sender: &Sender| sender.name.clone());
    // One after the other: an account that two of them claim is the second one's mistake.
    for sender in &senders {
        reader.check(std::slice::from_ref(sender), |sender| {
            let mut faults = rules::senders::check(sender, &known, around.private);
            faults.extend(rules::senders::owner(sender, &known));
            faults
        });
        if known.sender_of(sender.value.provider(), &sender.value.account).is_none() {
            known.put_sender(sender.value.clone());
        }
    }
    let mut collections = Vec::new();
    let kept = |tenant, name: &str| around.has_collection.is_some_and(|has| has(tenant, name));
    let known = |id| known.tenant(id).is_some();
    for directory in directories {
        for (collection, file) in reader.collections(&directory.join("collections"), &known, &kept) {
            let said = (Fingerprint::of(&collection.records), Origin { file, line: None });
            standing.collections.insert((collection.tenant, collection.name.clone()), said);
            collections.push(collection);
        }
    }
    if !reader.problems.is_empty() {
        return Err(in_order(reader.problems));
    }
    standing.organizations = reader.said(&organizations, |organization| organization.id);
    standing.tenants = reader.said(&tenants, |tenant| tenant.id);
    Ok(Declared {
        organizations: organizations.into_iter().map(|entry| entry.value).collect(),
        tenants: tenants.into_iter().map(|entry| entry.value).collect(),
        senders: senders.into_iter().map(|entry| entry.value).collect(),
        collections,
        damaged: in_order(reader.damaged),
        standing,
    })
}

/// Whoever mends a file goes through it from its beginning.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    let mut files: Vec<PathBuf> = Vec::new();
    for problem in &problems {
        if !files.contains(&problem.file) {
            files.push(problem.file.clone());
        }
    }
    problems.sort_by_key(|problem| (files.iter().position(|file| *file == problem.file), problem.place));
    problems
}

impl Reader {
    /// Every `[[name]]` of a file; none if there is no such file.
    fn tables<T: DeserializeOwned>(&mut self, path: &Path, name: &str) -> Vec<Entry<T>> {
        if !path.exists() {
            return Vec::new();
        }
        let document = match Document::read(path) {
            Ok(document) => document,
            Err(problem) => {
                self.problems.push(problem);
                return Vec::new();
            }
        };
        let tree = match document.parse() {
            Ok(tree) => tree,
            Err(problems) => {
                self.problems.extend(problems);
                return Vec::new();
            }
        };
        let places = Document::places(&tree, "");
        let mut entries = Vec::new();
        let table = tree.get_ref().as_table().expect("a parsed file is a table");
        for (key, value) in table.iter() {
            let key = key.get_ref();
            match value.get_ref() {
                DeValue::Array(values) if key == name => {
                    for (index, value) in values.iter().enumerate() {
                        let key = format!("{name}[{index}]");
                        if let Some(value) = document.decode(&key, value, &mut self.problems) {
                            entries.push(Entry { value, file: self.files.len(), key });
                        }
                    }
                }
                _ => self.problems.push(document.problem(
                    &places,
                    key,
                    "does not belong here",
                    format!("begin each entry with [[{name}]]"),
                )),
            }
        }
        self.files.push(File { document, places });
        entries
    }

    fn report<T>(&mut self, entry: &Entry<T>, fault: Fault) {
        let File { document, places } = &self.files[entry.file];
        let key =
            if fault.key.is_empty() { entry.key.clone() } else { format!("{}.{}", entry.key, fault.key) };
        self.problems.push(document.problem(places, &key, fault.what, fault.action));
    }

    /// As it is written, by what it is called.
    fn said<T: Clone, K: Eq + Hash>(
        &self,
        entries: &[Entry<T>],
        id: impl Fn(&T) -> K,
    ) -> HashMap<K, (T, Origin)> {
        let said = |entry: &Entry<T>| (id(&entry.value), (entry.value.clone(), self.origin(entry)));
        entries.iter().map(said).collect()
    }

    fn origin<T>(&self, entry: &Entry<T>) -> Origin {
        let File { document, places } = &self.files[entry.file];
        let Problem { file, place, .. } = document.problem(places, &entry.key, "", "");
        Origin { file, line: place.map(|(line, _)| line) }
    }

    fn check<T>(&mut self, entries: &[Entry<T>], rules: impl Fn(&T) -> Vec<Fault>) {
        for entry in entries {
            for fault in rules(&entry.value) {
                self.report(entry, fault);
            }
        }
    }

    fn refuse_twins<T, K: Eq + Hash + ToString>(
        &mut self,
        entries: &[Entry<T>],
        key: &'static str,
        id: impl Fn(&T) -> K,
    ) {
        let mut seen: HashMap<K, String> = HashMap::new();
        for entry in entries {
            let id = id(&entry.value);
            let File { document, places } = &self.files[entry.file];
            let problem = document.problem(places, &entry.key, "", "");
            let here = match problem.place {
                Some((line, _)) => format!("{}:{line}", problem.file.display()),
                None => problem.file.display().to_string(),
            };
            if let Some(first) = seen.get(&id) {
                let what = format!("{} is declared twice, first at {first}", id.to_string());
                self.report(entry, Fault { key, what, action: "change one of them".into() });
            } else {
                seen.insert(id, here);
            }
        }
    }

    /// `env:NAME` and `file:PATH` become what they name.
    fn resolve_secrets(&mut self, entry: &mut Entry<Sender>, environment: Option<Environment<'_>>) {
        let directory = self.files[entry.file].document.path().parent().unwrap_or(Path::new("")).to_owned();
        let mut sender = entry.value.clone();
        for (key, secret) in sender.secrets_mut() {
            match resolve(secret, &directory, environment) {
                Ok(resolved) => *secret = resolved,
                Err((what, action)) => self.report(entry, Fault { key, what, action }),
            }
        }
        entry.value = sender;
    }

    /// `{directory}/{tenant}/{name}.json`.
    fn collections(
        &mut self,
        directory: &Path,
        known: &dyn Fn(TenantId) -> bool,
        kept: &dyn Fn(TenantId, &str) -> bool,
    ) -> Vec<(Collection, PathBuf)> {
        let mut collections = Vec::new();
        for folder in self.listing(directory) {
            let id = folder
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.parse().ok())
                .and_then(TenantId::new);
            let Some(tenant) = id.filter(|id| known(*id)) else {
                self.problems.push(whole_file(
                    &folder,
                    "is named after no tenant",
                    "name it after a declared tenant's id, such as collections/2",
                ));
                continue;
            };
            for path in self.listing(&folder) {
                if path.extension().is_some_and(|extension| extension == "json") {
                    let before = self.problems.len();
                    let collection = self.collection(tenant, &path);
                    if let Some(name) = path.file_stem().and_then(|name| name.to_str())
                        && collection.is_none()
                        && kept(tenant, name)
                    {
                        self.damaged.extend(self.problems.drain(before..));
                    }
                    collections.extend(collection.map(|collection| (collection, path)));
                } else {
                    self.problems.push(whole_file(&path, "is no collection", "collections end in .json"));
                }
            }
        }
        collections
    }

    /// What lies in a directory, in order, without hidden files; nothing if it is not there.
    fn listing(&mut self, directory: &Path) -> Vec<PathBuf> {
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => {
                if error.kind() != std::io::ErrorKind::NotFound {
                    let what = format!("cannot be read: {error}");
                    self.problems.push(whole_file(directory, &what, "check it and its permissions"));
                }
                return Vec::new();
            }
        };
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")))
            .collect();
        paths.sort();
        paths
    }

    fn collection(&mut self, tenant: TenantId, path: &Path) -> Option<Collection> {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(fault) = rules::collection_name(name) {
            self.problems.push(whole_file(path, &fault.what, &fault.action));
            return None;
        }
        let document = Document::read(path).map_err(|problem| self.problems.push(problem)).ok()?;
        match document.json_list() {
            Ok(items) => {
                let (places, records): (Vec<_>, Vec<_>) = items.into_iter().unzip();
                let faults = rules::records(&records);
                let sound = faults.is_empty();
                for (index, fault) in faults {
                    let key = if fault.key.is_empty() { String::new() } else { format!(".{}", fault.key) };
                    self.problems.push(Problem {
                        file: path.to_owned(),
                        place: Some(places[index]),
                        key: format!("[{index}]{key}"),
                        what: fault.what,
                        action: fault.action,
                    });
                }
                sound.then(|| Collection { tenant, name: name.to_owned(), records })
            }
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }
}

fn whole_file(path: &Path, what: &str, action: &str) -> Problem {
    Problem {
        file: path.to_owned(),
        place: None,
        key: String::new(),
        what: what.to_owned(),
        action: action.to_owned(),
    }
}

/// Nothing that is a secret is longer.
const SECRET_BYTES: usize = 64 << 10;

/// What a secret names; else what is wrong, and what to do.
pub fn resolve(
    secret: &Secret,
    directory: &Path,
    environment: Option<Environment<'_>>,
) -> Result<Secret, (String, String)> {
    let text = secret.expose();
    if let Some(name) = text.strip_prefix("env:") {
        let Some(environment) = environment else { return Ok(secret.clone()) };
        return match environment(name).filter(|value| !value.is_empty()) {
            Some(value) => Ok(Secret::new(value)),
            None => Err((
                format!("the environment variable {name} is not set"),
                format!("set {name} and start again"),
            )),
        };
    }
    if let Some(path) = text.strip_prefix("file:") {
        let path = directory.join(path);
        return match regular_file::read_text(&path, SECRET_BYTES) {
            Ok(value) if !value.trim().is_empty() => Ok(Secret::new(value.trim())),
            Ok(_) => Err((format!("{} is empty", path.display()), "write the secret into it".into())),
            Err(error) => Err((
                format!("{} cannot be read: {error}", path.display()),
                "check the path and its permissions".into(),
            )),
        };
    }
    Ok(secret.clone())
}
