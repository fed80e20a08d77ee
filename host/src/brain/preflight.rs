//! Looks at a component before anything of it is compiled or run: its size, what kind of file it is,
//! the SDK it says it was built with, what it imports against what it was granted, and what it
//! exports. Every refusal says what was found, where, and the line to write or the command to run.

use serde::Deserialize;
use wasmparser::{CanonicalFunction, Parser, Payload};

use super::abi;
use super::grants::Grant;
use crate::glyph;
use bounds::{Census, Part};

pub use inside::look_inside;

mod bounds;
mod inside;

/// A Rust brain has 50 KB to 2 MB, a JavaScript one 12 MB, a Python one 18 MB. Compiling costs time
/// and memory in proportion, so there is an end.
pub const COMPONENT_BYTES: usize = 32 << 20;

/// Names that a component brings are shown to this length, and so many of them.
const NAME_SHOWN: usize = 100;
const NAMES_SHOWN: usize = 5;

/// Sections that the SDK writes are small; a larger one is not the SDK's.
const SECTION_BYTES: usize = 64 << 10;

/// WASI packages whose interfaces are linked. Files, sockets and the environment are there in name,
/// because compilers import them unasked; they are empty.
const WASI: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// What a component says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// As written in the section `switchboard:sdk`; none where another toolchain made the component.
    pub sdk: Option<Sdk>,
    /// The `plugin.toml` it was built with.
    pub manifest: Option<String>,
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

/// The SDK's stamp.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Sdk {
    pub sdk: String,
    pub contract: String,
    pub language: String,
}

/// Reads the component's outside, and counts what is in it by what its sections say of themselves.
/// `place` names the file in messages.
pub fn examine(bytes: &[u8], place: &str) -> Result<Examined, String> {
    kind(bytes, place)?;
    let mut outside = Outside { examined: Examined::default(), census: Census::new(), depth: 0 };
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| {
            let message = glyph::shown(error.message(), 300);
            format!("{place}: damaged or cut short at byte {}: {message}", error.offset())
        })?;
        outside.look(payload).map_err(|why| format!("{place}: {why}"))?;
    }
    Ok(outside.examined)
}

/// What was seen so far.
struct Outside {
    examined: Examined,
    census: Census,
    /// 0 in the component itself.
    depth: u64,
}

impl Outside {
    fn look(&mut self, payload: Payload<'_>) -> Result<(), String> {
        self.count(&payload)?;
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                self.depth += 1;
                Part::Nesting.check(self.depth)?;
            }
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                let at = |why| format!("the function at byte {}: {why}", range.start);
                Part::FunctionBytes.check(range.len() as u64).map_err(at)?;
            }
            Payload::CustomSection(section) => custom(&section, &mut self.examined)?,
            Payload::ComponentImportSection(imports) if self.depth == 0 => {
                for import in imports {
                    let import = import.map_err(|error| error.to_string())?;
                    Part::NameBytes.check(import.name.name.len() as u64)?;
                    self.examined.imports.push(import.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(exports) if self.depth == 0 => {
                for export in exports {
                    let export = export.map_err(|error| error.to_string())?;
                    Part::NameBytes.check(export.name.name.len() as u64)?;
                    self.examined.exports.push(export.name.name.to_owned());
                }
            }
            // Two components that call each other have the gateway carry what they say, at a cost that
            // is not theirs.
            Payload::ComponentCanonicalSection(functions) if self.depth > 0 => {
                for function in functions {
                    let function = function.map_err(|error| error.to_string())?;
                    if matches!(function, CanonicalFunction::Lift { .. } | CanonicalFunction::Lower { .. }) {
                        return Err("a component inside it has functions of its own; link what belongs \
                                    together into one module"
                            .into());
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, payload: &Payload<'_>) -> Result<(), String> {
        let (part, count) = match payload {
            Payload::ModuleSection { .. } => (Part::Modules, 1),
            Payload::ComponentSection { .. } => (Part::Components, 1),
            Payload::TypeSection(section) => (Part::Types, section.count()),
            Payload::CoreTypeSection(section) => (Part::Types, section.count()),
            Payload::ComponentTypeSection(section) => (Part::Types, section.count()),
            Payload::ImportSection(section) => (Part::Imports, section.count()),
            Payload::FunctionSection(section) => (Part::Functions, section.count()),
            Payload::TableSection(section) => (Part::Tables, section.count()),
            Payload::MemorySection(section) => (Part::Memories, section.count()),
            Payload::TagSection(section) => (Part::Tags, section.count()),
            Payload::GlobalSection(section) => (Part::Globals, section.count()),
            Payload::ExportSection(section) => (Part::Exports, section.count()),
            Payload::ElementSection(section) => (Part::ElementSegments, section.count()),
            Payload::DataSection(section) => (Part::DataSegments, section.count()),
            Payload::InstanceSection(section) => (Part::Instances, section.count()),
            Payload::ComponentInstanceSection(section) => (Part::Instances, section.count()),
            Payload::ComponentAliasSection(section) => (Part::Aliases, section.count()),
            Payload::ComponentCanonicalSection(section) => (Part::Canonicals, section.count()),
            Payload::ComponentImportSection(section) => (Part::ComponentImports, section.count()),
            Payload::ComponentExportSection(section) => (Part::ComponentExports, section.count()),
            Payload::CodeSectionEntry(_) | Payload::Version { .. } | Payload::End(_) => return Ok(()),
            _ => (Part::Sections, 0),
        };
        self.census.add(Part::Sections, 1)?;
        self.census.add(part, count.into())
    }
}

fn kind(bytes: &[u8], place: &str) -> Result<(), String> {
    if bytes.len() > COMPONENT_BYTES {
        return Err(format!(
            "{place}: too large: limit {COMPONENT_BYTES} bytes, used {}; build with `opt-level = \"s\"` and \
             `strip = true`",
            bytes.len()
        ));
    }
    if bytes.is_empty() {
        return Err(format!("{place}: the file is empty"));
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(format!("{place}: not WebAssembly: it does not begin with `\\0asm`"));
    }
    if Parser::is_core_wasm(bytes) {
        return Err(format!(
            "{place}: a core module, not a component; build it with `cargo build --profile brain --target \
             wasm32-wasip2`"
        ));
    }
    if !Parser::is_component(bytes) {
        return Err(format!("{place}: neither a component nor a core module of a version known here"));
    }
    Ok(())
}

fn custom(section: &wasmparser::CustomSectionReader<'_>, examined: &mut Examined) -> Result<(), String> {
    let (name, data) = (section.name(), section.data());
    if !matches!(name, "switchboard:sdk" | "switchboard:plugin") {
        return Ok(());
    }
    if data.len() > SECTION_BYTES {
        return Err(format!("section `{name}`: {} bytes; at most {SECTION_BYTES}", data.len()));
    }
    if name == "switchboard:plugin" {
        let manifest = std::str::from_utf8(data).map_err(|_| format!("section `{name}` is not text"))?;
        examined.manifest.get_or_insert_with(|| manifest.to_owned());
        return Ok(());
    }
    let sdk: Sdk = serde_json::from_slice(data).map_err(|error| {
        format!("section `{name}` cannot be read: {}", glyph::shown(error.to_string(), 300))
    })?;
    examined.sdk.get_or_insert(sdk);
    Ok(())
}

impl Examined {
    /// Holds imports against grants and looks for the export that makes a brain. `manifest` names the
    /// `plugin.toml` that the grants are written in.
    pub fn check(&self, grants: &[Grant], place: &str, manifest: &str) -> Result<(), String> {
        if let Some(sdk) = &self.sdk
            && sdk.contract != abi::VERSION
        {
            return Err(format!(
                "{place}: built with SDK {} for the contract {}; this gateway speaks {}: build it with the SDK \
                 that comes with this gateway",
                glyph::shown(&sdk.sdk, NAME_SHOWN),
                glyph::shown(&sdk.contract, NAME_SHOWN),
                abi::VERSION
            ));
        }
        let mut wrong: Vec<String> = Vec::new();
        let mut missing: Vec<Grant> = Vec::new();
        let mut untold = 0;
        for name in &self.imports {
            match judge(name, grants) {
                Ok(()) => {}
                Err(Import::NotGranted(grant)) if missing.contains(&grant) => {}
                Err(Import::NotGranted(grant)) => missing.push(grant),
                Err(Import::NotOffered(_)) if wrong.len() == NAMES_SHOWN => untold += 1,
                Err(Import::NotOffered(why)) => {
                    wrong.push(format!("imports `{}`: {why}", glyph::shown(name, NAME_SHOWN)));
                }
            }
        }
        if untold > 0 {
            wrong.push(format!("and {untold} more"));
        }
        if !missing.is_empty() {
            let names: Vec<String> = missing.iter().map(|grant| format!("`{}`", grant.name())).collect();
            let line = grants.iter().chain(&missing).map(|grant| format!("{:?}", grant.name()));
            wrong.push(format!(
                "imports {} without being granted it; write `grants = [{}]` in {manifest}",
                names.join(", "),
                line.collect::<Vec<_>>().join(", ")
            ));
        }
        let turn = format!("{}/turn@{}", abi::PACKAGE, abi::VERSION);
        if !self.exports.contains(&turn) {
            wrong.push(self.without_turn(&turn));
        }
        if wrong.is_empty() { Ok(()) } else { Err(format!("{place}: {}", wrong.join("; "))) }
    }

    fn without_turn(&self, turn: &str) -> String {
        let other = self.exports.iter().find(|name| name.starts_with("switchboard:brain/turn@"));
        match other {
            Some(other) => format!(
                "exports `{}`; this gateway calls `{turn}`: build it with the SDK of this gateway",
                glyph::shown(other, NAME_SHOWN)
            ),
            None => format!(
                "exports no `{turn}`; a Rust brain gets it from `switchboard_sdk::export!(YourBrain);`"
            ),
        }
    }
}

enum Import {
    NotGranted(Grant),
    NotOffered(String),
}

fn judge(name: &str, grants: &[Grant]) -> Result<(), Import> {
    let (path, version) = name.split_once('@').unwrap_or((name, ""));
    let (package, interface) = path.split_once('/').unwrap_or((path, ""));
    if package == abi::PACKAGE {
        if version != abi::VERSION {
            return Err(Import::NotOffered(format!(
                "this gateway speaks {}@{}; build it with the SDK of this gateway",
                abi::PACKAGE,
                abi::VERSION
            )));
        }
        if interface == "types" {
            return Ok(());
        }
        return match Grant::parse(interface) {
            Some(grant) if !grant.offered() => Err(Import::NotOffered(
                "declared in the contract, not offered by this gateway yet; build without it".into(),
            )),
            Some(grant) if grants.contains(&grant) => Ok(()),
            Some(grant) => Err(Import::NotGranted(grant)),
            None => Err(Import::NotOffered("the contract has no such interface".into())),
        };
    }
    match package.strip_prefix("wasi:") {
        Some(wasi) if WASI.contains(&wasi) && version.starts_with("0.2.") => Ok(()),
        Some(wasi) if WASI.contains(&wasi) => {
            Err(Import::NotOffered("this gateway offers WASI 0.2; build for the target wasm32-wasip2".into()))
        }
        _ => Err(Import::NotOffered(format!(
            "not offered to brains; they have {} and WASI {}",
            abi::PACKAGE,
            WASI.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examined(imports: &[&str], exports: &[&str]) -> Examined {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Examined { imports: owned(imports), exports: owned(exports), ..Examined::default() }
    }

    const TURN: &str = "switchboard:brain/turn@0.1.0";

    fn refused(examined: &Examined, grants: &[Grant]) -> String {
        examined.check(grants, "brain.wasm", "plugin.toml").expect_err("must be refused")
    }

    #[test]
    fn each_missing_grant_is_named_with_the_line_to_write() {
        let brain = examined(
            &["switchboard:brain/log@0.1.0", "switchboard:brain/records@0.1.0", "wasi:io/poll@0.2.6"],
            &[TURN],
        );
        assert_eq!(brain.check(&[Grant::Log, Grant::Records], "brain.wasm", "plugin.toml"), Ok(()));
        assert_eq!(
            refused(&brain, &[Grant::Personality]),
            "brain.wasm: imports `log`, `records` without being granted it; write `grants = [\"personality\", \
             \"log\", \"records\"]` in plugin.toml"
        );
    }

    #[test]
    fn what_is_not_offered_is_named() {
        let brain = examined(
            &[
                "switchboard:brain/llm@0.1.0",
                "switchboard:brain/log@0.2.0",
                "wasi:http/outgoing-handler@0.2.0",
                "env",
            ],
            &[TURN],
        );
        assert_eq!(
            refused(&brain, &Grant::ALL),
            "brain.wasm: imports `switchboard:brain/llm@0.1.0`: declared in the contract, not offered by this \
             gateway yet; build without it; imports `switchboard:brain/log@0.2.0`: this gateway speaks \
             switchboard:brain@0.1.0; build it with the SDK of this gateway; imports \
             `wasi:http/outgoing-handler@0.2.0`: not offered to brains; they have switchboard:brain and WASI cli, \
             clocks, filesystem, io, random, sockets; imports `env`: not offered to brains; they have \
             switchboard:brain and WASI cli, clocks, filesystem, io, random, sockets"
        );
    }

    #[test]
    fn files_and_details_are_granted_like_the_rest() {
        let brain = examined(&["switchboard:brain/media@0.1.0", "switchboard:brain/details@0.1.0"], &[TURN]);
        assert_eq!(brain.check(&[Grant::Details, Grant::Media], "brain.wasm", "plugin.toml"), Ok(()));
        assert_eq!(
            refused(&brain, &[Grant::Media]),
            "brain.wasm: imports `details` without being granted it; write `grants = [\"media\", \"details\"]` \
             in plugin.toml"
        );
    }

    #[test]
    fn a_brain_exports_a_turn() {
        assert_eq!(
            refused(&examined(&[], &[]), &[]),
            "brain.wasm: exports no `switchboard:brain/turn@0.1.0`; a Rust brain gets it from \
             `switchboard_sdk::export!(YourBrain);`"
        );
        assert_eq!(
            refused(&examined(&[], &["switchboard:brain/turn@0.2.0"]), &[]),
            "brain.wasm: exports `switchboard:brain/turn@0.2.0`; this gateway calls \
             `switchboard:brain/turn@0.1.0`: build it with the SDK of this gateway"
        );
    }

    #[test]
    fn files_that_are_no_component_are_told_apart() {
        let cases: [(&[u8], &str); 5] = [
            (b"", "brain.wasm: the file is empty"),
            (b"MZ..", "brain.wasm: not WebAssembly: it does not begin with `\\0asm`"),
            (
                b"\0asm\x01\0\0\0",
                "brain.wasm: a core module, not a component; build it with `cargo build --profile brain --target \
                 wasm32-wasip2`",
            ),
            (b"\0asm\x07\0\0\0", "brain.wasm: neither a component nor a core module of a version known here"),
            (b"\0asm\x0d\0\x01\0\x01", "brain.wasm: damaged or cut short at byte 9: unexpected end-of-file"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(examine(bytes, "brain.wasm").expect_err("refused"), expected);
        }
    }

    fn leb(mut n: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while n >= 0x80 {
            bytes.push(n as u8 | 0x80);
            n >>= 7;
        }
        bytes.push(n as u8);
        bytes
    }

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        [&[id][..], &leb(content.len()), content].concat()
    }

    /// A section of so many of the same.
    fn of(id: u8, number: usize, each: &[u8]) -> Vec<u8> {
        section(id, &[leb(number), each.repeat(number)].concat())
    }

    fn module(sections: &[u8]) -> Vec<u8> {
        [b"\0asm\x01\0\0\0", sections].concat()
    }

    fn component(sections: &[u8]) -> Vec<u8> {
        [b"\0asm\x0d\0\x01\0", sections].concat()
    }

    /// A component around a module around a function with this body.
    fn function(locals: &[(usize, u8)], code: &[u8]) -> Vec<u8> {
        let groups: Vec<u8> = locals.iter().flat_map(|(n, kind)| [leb(*n), vec![*kind]].concat()).collect();
        let body = [leb(locals.len()), groups, code.to_vec(), vec![0x0b]].concat();
        let code = section(10, &[vec![1], leb(body.len()), body].concat());
        let types = section(1, &[1, 0x60, 0, 0]);
        component(&section(1, &module(&[types, section(3, &[1, 0]), code].concat())))
    }

    /// A component with exactly so many of a part, as far as bytes go: nothing of it need be valid.
    fn with(part: Part, n: usize) -> Vec<u8> {
        let inside = |sections: Vec<u8>| component(&section(1, &module(&sections)));
        let nested =
            |n: usize, id: u8, inner: fn(&[u8]) -> Vec<u8>| component(&section(id, &inner(&[])).repeat(n));
        let loops = |n: usize| [[0x03, 0x40].repeat(n), vec![0x0b; n]].concat();
        match part {
            Part::Nesting => (0..n).fold(component(&[]), |inner, _| component(&section(4, &inner))),
            Part::Sections => component(&section(0, &[1, b'x']).repeat(n)),
            Part::Modules => nested(n, 1, module),
            Part::Components => nested(n, 4, component),
            Part::Instances => component(&of(2, n, &[1, 0])),
            Part::Aliases => component(&of(6, n, &[0x03, 0, 0, 1, b'a'])),
            Part::Types => inside(of(1, n, &[0x60, 0, 0])),
            Part::Canonicals => component(&of(8, n, &[3, 0])),
            Part::ComponentImports => component(&of(10, n, &[0, 1, b'a', 1, 0])),
            Part::ComponentExports => component(&of(11, n, &[0, 1, b'a', 1, 0, 0])),
            Part::Imports => inside(of(2, n, &[1, b'a', 1, b'b', 0, 0])),
            Part::Exports => inside(of(7, n, &[1, b'a', 0, 0])),
            Part::Functions => inside([of(3, n, &[0]), of(10, n, &[2, 0, 0x0b])].concat()),
            Part::Globals => inside(of(6, n, &[0x7f, 0, 0x41, 0, 0x0b])),
            Part::Tables => inside(of(4, n, &[0x70, 0, 0])),
            Part::Memories => inside(of(5, n, &[0, 0])),
            Part::Tags => inside(of(13, n, &[0, 0])),
            Part::ElementSegments => inside(of(9, n, &[1, 0, 0])),
            Part::Elements => {
                let segment = [vec![1, 1, 0], leb(n), vec![0; n]].concat();
                inside(section(9, &segment))
            }
            Part::DataSegments => inside(of(11, n, &[1, 0])),
            Part::NameBytes => {
                let export = [vec![1], leb(n), vec![b'a'; n], vec![0, 0]].concat();
                inside(section(7, &export))
            }
            Part::Parameters => inside(section(1, &[vec![1, 0x60], leb(n), vec![0x7f; n], vec![0]].concat())),
            Part::Results => inside(section(1, &[vec![1, 0x60, 0], leb(n), vec![0x7f; n]].concat())),
            Part::FunctionBytes => function(&[], &vec![0x01; n - 2]),
            Part::Locals => function(&[(n / 2, 0x7f), (n - n / 2, 0x7e)], &[]),
            Part::BlockDepth => function(&[], &[[0x02, 0x40].repeat(n), vec![0x0b; n]].concat()),
            Part::LoopDepth => function(&[], &loops(n)),
            Part::BranchTargets => {
                let table = [vec![0x0e], leb(n), vec![0; n + 1]].concat();
                function(&[], &table)
            }
            // So many loops of one local, side by side and inside each other.
            Part::LocalsTimesLoops => {
                let locals = 16_000;
                let times = n.div_ceil(locals);
                function(&[(locals, 0x7f)], &loops(1).repeat(times))
            }
        }
    }

    #[test]
    fn as_many_as_may_be_and_one_more() {
        let look = |bytes: &[u8]| {
            examine(bytes, "brain.wasm")?;
            look_inside(bytes)
        };
        for part in Part::ALL {
            let (limit, what) = part.bound();
            assert_eq!(look(&with(part, limit as usize)), Ok(()), "{part:?}");
            let refused = look(&with(part, limit as usize + 1)).expect_err(what);
            assert!(
                refused.contains(&format!("too many {what}: limit {limit}, used ")),
                "{part:?}: {refused}"
            );
        }
    }

    #[test]
    fn components_inside_have_no_functions_of_their_own() {
        let inner = component(&section(8, &[1, 0, 0, 0, 0, 0]));
        let refused = examine(&component(&section(4, &inner)), "brain.wasm").expect_err("refused");
        assert!(
            refused.starts_with("brain.wasm: a component inside it has functions of its own"),
            "{refused}"
        );
        assert!(examine(&inner, "brain.wasm").is_ok(), "its own are what it is there for");
    }

    #[test]
    fn a_refusal_names_a_few_and_counts_the_rest() {
        let names: Vec<String> = (0..5_000).map(|n| format!("{n}{}", "x".repeat(5_000))).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let refused = refused(&examined(&names, &[TURN]), &[]);
        assert!(refused.len() < 2_000 && refused.ends_with("; and 4995 more"), "{refused}");
    }
}
