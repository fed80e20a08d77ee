//! Who may name a provider: its own folder, and the tables. Everywhere else a provider is asked for a fact,
//! so that the next one is a row and a folder.

use switchboard::message::Provider;

use super::source::Source;

/// Those with a variant a provider.
const ENUMS: &[&str] = &["Provider", "Settings"];

/// Modules that name providers, with all below them, and why they do.
const NAMED_IN: &[(&[&str], &str)] = &[
    (&["message", "provider"], "the table of facts"),
    (&["channel"], "the table of adapters; below it see `is_own`"),
    (&["session", "naming"], "makes senders of WAHA, whose sessions that room is about"),
    (&["webhook", "tenant"], "an address that is WAHA's alone"),
    (&["api", "chat"], "a chat is the simulator"),
    (&["tenant", "settings"], "the table of settings"),
];

/// Modules whose texts may name them, and why.
const WRITTEN_IN: &[(&[&str], &str)] = &[
    (&["message", "provider"], "the table of facts"),
    (&["channel"], "the providers' own words"),
    (&["config"], "the section that is called waha"),
    (&["session"], "WAHA's sessions"),
    (&["store"], "the table that is called meta"),
    (&["tenant", "settings"], "the table of settings"),
    (&["cli", "env_file"], "reads a file of variables that are Infobip's"),
];

/// Everything in one file of the gateway that only a provider's folder or a table may say.
pub fn check(source: &Source) -> Vec<String> {
    let module = source.module();
    let mut wrong = Vec::new();
    // Whoever tests must say with whom.
    if module.contains(&"tests") {
        return wrong;
    }
    for path in source.paths() {
        let named =
            path.segments.windows(2).find(|pair| ENUMS.contains(&pair[0].as_str()) && is_variant(&pair[1]));
        if let Some([of, variant]) = named
            && !is_own(&module, variant)
            && !stands_in(&module, NAMED_IN)
        {
            let (file, line) = (&source.path, path.line);
            wrong.push(format!("{file}:{line}: names {of}::{variant}; ask for a fact in message/provider"));
        }
    }
    if stands_in(&module, WRITTEN_IN) || module.first() == Some(&"channel") {
        return wrong;
    }
    for (line, text) in source.texts() {
        let named = Provider::ALL.into_iter().filter(|provider| is_word_of(provider.name(), &text)).count();
        let is_name = text.trim_matches('"');
        if Provider::parse(is_name).is_some() {
            wrong.push(format!("{}:{line}: decides by a provider's name; ask for a fact", source.path));
        } else if named > 1 {
            wrong.push(format!("{}:{line}: lists providers; make the list of Provider::ALL", source.path));
        }
    }
    wrong
}

/// `Meta`, and not `ALL` or a function.
fn is_variant(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_uppercase())
        && characters.any(|character| character.is_ascii_lowercase())
}

/// Is this a provider's own folder?
fn is_own(module: &[&str], variant: &str) -> bool {
    matches!(module, ["channel", folder, ..] if *folder == variant.to_lowercase())
}

fn stands_in(module: &[&str], places: &[(&[&str], &str)]) -> bool {
    places.iter().any(|(place, _)| match *place {
        ["channel"] => module == ["channel"],
        place => module.starts_with(place),
    })
}

fn is_word_of(word: &str, text: &str) -> bool {
    text.split(|character: char| !character.is_alphanumeric()).any(|part| part.eq_ignore_ascii_case(word))
}
