//! `plugin.toml`: what a package says of itself and what it asks for. Errors name the line.

use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::abi;
use super::grants::Grant;
use crate::glyph;
use crate::message::TenantId;

/// What is wrong with a file may repeat what is in it; it is cut to this.
const MISTAKE_BYTES: usize = 500;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub name: String,
    pub version: String,
    #[serde(default)]
    pub description: String,
    /// The version of `switchboard:brain` that the brain speaks.
    #[serde(default = "our_contract")]
    pub contract: String,
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// Wants a turn when a message that it sent changes its delivery state.
    #[serde(default)]
    pub receipts: bool,
    /// Tenant packages: the package whose brain and texts lie below this one's. None: the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
}

fn our_contract() -> String {
    abi::VERSION.into()
}

impl Manifest {
    /// Reads and checks the text of `place`.
    pub fn parse(text: &str, place: &Path) -> Result<Self, String> {
        let manifest: Manifest = parse(text, place)?;
        let contract = manifest.contract.strip_prefix("switchboard:brain@").unwrap_or(&manifest.contract);
        if contract != abi::VERSION {
            return Err(at_key(
                text,
                place,
                "contract",
                &format!(
                    "contract {contract:?}; this gateway speaks {:?}: build the brain with the SDK of this gateway",
                    abi::VERSION
                ),
            ));
        }
        if let Some(grant) = manifest.grants.iter().find(|grant| !grant.offered()) {
            return Err(at_key(
                text,
                place,
                "grants",
                &format!(
                    "{:?} is declared in the contract and not offered by this gateway yet; take it out",
                    grant.name()
                ),
            ));
        }
        Ok(manifest)
    }

    /// For a tenant's upload, which has no `plugin.toml` but may have been built with one. It is granted
    /// what concerns nobody else; more takes an operator's file.
    pub fn of_upload(tenant: TenantId, built_in: Option<&str>, component: &Path) -> Result<Self, String> {
        let mut manifest = match built_in {
            Some(text) => Self::parse(text, &component.join("plugin.toml"))?,
            None => Manifest {
                name: String::new(),
                version: "0.1.0".into(),
                description: format!("Uploaded for tenant {tenant}"),
                contract: our_contract(),
                grants: Grant::HARMLESS.to_vec(),
                receipts: false,
                extends: None,
            },
        };
        manifest.name = package_of(tenant);
        // Which texts lie below is not the uploader's to say: they may be another tenant's.
        manifest.extends = None;
        match manifest.grants.iter().find(|grant| !Grant::HARMLESS.contains(grant)) {
            None => Ok(manifest),
            Some(grant) => Err(format!(
                "{}: asks for the grant `{}`, which takes the operator's word: a `plugin.toml` in the plugins \
                 directory under `{}`",
                component.display(),
                grant.name(),
                manifest.name
            )),
        }
    }
}

/// The name of the package that is a tenant's own: `tenant-2`.
pub fn package_of(tenant: TenantId) -> String {
    format!("tenant-{tenant}")
}

/// The tenant a package is for; none for packages that tenants name as their brain.
pub fn tenant_of(package: &str) -> Option<TenantId> {
    let digits = package.strip_prefix("tenant-")?;
    let tenant = TenantId::new(digits.parse().ok()?)?;
    // `tenant-02` would be a second name of the same.
    (package_of(tenant) == package).then_some(tenant)
}

/// Reads TOML; an error reads `plugins/echo/plugin.toml:3: unknown field ...`.
pub fn parse<T: DeserializeOwned>(text: &str, place: &Path) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_of(text, &span)).unwrap_or(1);
        let message = glyph::shown(error.message().replace('\n', "; "), MISTAKE_BYTES);
        format!("{}:{line}: {message}", place.display())
    })
}

/// An error about the value of a top-level or dotted key, with its line where the key is written.
pub fn at_key(text: &str, place: &Path, key: &str, message: &str) -> String {
    match line_of_key(text, key) {
        Some(line) => format!("{}:{line}: {message}", place.display()),
        None => format!("{}: {message}", place.display()),
    }
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = &text.as_bytes()[..span.start.min(text.len())];
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

fn line_of_key(text: &str, key: &str) -> Option<usize> {
    let document = toml::de::DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut keys = key.split('.').peekable();
    while let Some(key) = keys.next() {
        let (found, value) = table.iter().find(|(name, _)| name.get_ref() == key)?;
        if keys.peek().is_none() {
            return Some(line_of(text, &found.span()));
        }
        match value.get_ref() {
            toml::de::DeValue::Table(inner) => table = inner,
            // Deeper than tables go: the list's own line.
            _ => return Some(line_of(text, &found.span())),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Manifest::parse(text, Path::new("plugins/echo/plugin.toml")).expect_err("must be refused")
    }

    #[test]
    fn errors_name_the_line_and_what_to_do() {
        assert_eq!(
            refused("name = \"echo\"\nversion = \"1\"\ngrants = [\n  \"log\",\n  \"email\",\n]\n"),
            "plugins/echo/plugin.toml:5: unknown variant `email`, expected one of `log`, `personality`, `history`, \
             `records`, `llm`, `http`, `media`, `details`"
        );
        assert_eq!(
            refused("name = \"echo\"\nversion = \"1\"\n\ncontract = \"0.2.0\"\n"),
            "plugins/echo/plugin.toml:4: contract \"0.2.0\"; this gateway speaks \"0.1.0\": build the brain with the \
             SDK of this gateway"
        );
        assert_eq!(
            refused("name = \"echo\"\nversion = \"1\"\ngrants = [\"log\", \"llm\"]\n"),
            "plugins/echo/plugin.toml:3: \"llm\" is declared in the contract and not offered by this gateway yet; \
             take it out"
        );
        assert_eq!(refused("name = \"echo\"\n"), "plugins/echo/plugin.toml:1: missing field `version`");
        assert!(refused("name = \"echo\"\nversion 1\n").starts_with("plugins/echo/plugin.toml:2: "));
        assert!(refused("name = \"e\"\nversion = \"1\"\ngrant = []\n").contains(":3: unknown field `grant`"));
    }

    #[test]
    fn a_tenants_package_has_one_name() {
        assert_eq!(tenant_of("tenant-2"), TenantId::new(2));
        for other in ["tenant-02", "tenant-0", "tenant-", "tenant-x", "tenants-2", "tenant-99999999999"] {
            assert_eq!(tenant_of(other), None, "{other}");
        }
    }
}
