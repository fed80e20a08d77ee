//! Makes components of the cases' texts. A case writes the few functions of a core module that matter;
//! the prelude has memory, allocator and answers, and the encoder of the toolchains puts the contract
//! around it, so that a hostile guest is as valid as an honest one until it does what it does.

use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, bail};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::{PackageId, Resolve};

use crate::hostile::case::Form;
use crate::package::workspace;

/// What a guest imports to send strings to another component of its own.
const PIPE: &str = "hostile:guests/pipe";

const TYPES: &str = "switchboard:brain/types@0.1.0";
const TURN: &str = "switchboard:brain/turn@0.1.0";

/// Between the core module's text and the component that it sends its strings through.
const PIPE_MARK: &str = ";;; pipe";

/// The bytes to upload.
pub fn build(form: Form, own: &[String], text: &str) -> Result<Vec<u8>> {
    match form {
        Form::Fields => fields(own, text),
        Form::Wat => Ok(wat::parse_str(text)?),
        Form::Hex => hex::decode(text.split_whitespace().collect::<String>()).context("hexadecimal digits"),
    }
}

fn fields(own: &[String], text: &str) -> Result<Vec<u8>> {
    let (text, pipe) = match text.split_once(PIPE_MARK) {
        Some((text, pipe)) => (text, Some(pipe)),
        None => (text, None),
    };
    let module = wat::parse_str(format!("(module\n{text}\n{}\n)", prelude(own)?))?;
    let component = encode(module)?;
    match pipe {
        Some(pipe) => with_pipe(&component, pipe),
        None => Ok(component),
    }
}

/// The pieces that the case has not written itself.
fn prelude(own: &[String]) -> Result<String> {
    let file = workspace().join("tests/hostile/prelude.wat");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut pieces = Vec::new();
    let mut names = Vec::new();
    for piece in text.split(";; piece ").skip(1) {
        let (name, piece) = piece.split_once('\n').context("a piece has lines below its name")?;
        names.push(name.trim());
        if !own.iter().any(|own| own == name.trim()) {
            pieces.push(piece);
        }
    }
    match own.iter().find(|own| !names.contains(&own.as_str())) {
        Some(unknown) => bail!("the prelude has no piece {unknown}; it has {}", names.join(", ")),
        None => Ok(pieces.concat()),
    }
}

/// Puts the contract around a core module that has its names.
pub fn encode(mut module: Vec<u8>) -> Result<Vec<u8>> {
    let wit = wit()?;
    let exports = |name: &str| module.windows(name.len()).any(|window| window == name.as_bytes());
    let world = match () {
        () if exports("switchboard:brain/selftest@0.1.0#run") => "tested",
        () if exports("switchboard:brain/migrate@0.1.0#migrate") => "moving",
        () => "guest",
    };
    let world = wit.resolve.select_world(&[wit.guests], Some(world))?;
    wit_component::embed_component_metadata(&mut module, &wit.resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().module(&module)?.encode()
}

struct Wit {
    resolve: Resolve,
    guests: PackageId,
}

fn wit() -> Result<&'static Wit> {
    static WIT: OnceLock<Wit> = OnceLock::new();
    if let Some(wit) = WIT.get() {
        return Ok(wit);
    }
    let root = workspace();
    let read = |path: &Path| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let mut resolve = Resolve::default();
    for file in ["wit/brain.wit", "tests/hostile/wasi.wit"] {
        resolve.push_source(file, &read(&root.join(file))?)?;
    }
    let file = "tests/hostile/guests.wit";
    let guests = resolve.push_source(file, &read(&root.join(file))?)?;
    Ok(WIT.get_or_init(|| Wit { resolve, guests }))
}

/// Puts the component beside one of the case's own, which takes what it sends: neither is around the
/// other, so that the engine carries the strings between them.
fn with_pipe(component: &[u8], pipe: &str) -> Result<Vec<u8>> {
    let text = wasmprinter::print_bytes(component)?;
    // The contract's types come first, in one import and the type before it.
    let types = format!("(import \"{TYPES}\"");
    let begin = text.find(&types).with_context(|| format!("the component does not import {TYPES}"))?;
    let end = begin + text[begin..].find('\n').context("the import ends")?;
    let body = text.find('\n').context("the component has a body")?;
    let imports = &text[body..end];
    if imports.contains(PIPE) {
        bail!("{PIPE} is imported before {TYPES}");
    }
    let beside = format!(
        "(component {imports}\n(component $pipe {pipe})\n(instance $piped (instantiate $pipe))\n{}\n\
         (instance $main (instantiate $main (with \"{TYPES}\" (instance 0)) (with \"{PIPE}\" (instance $piped))))\n\
         (export \"{TURN}\" (instance $main \"{TURN}\")))",
        text.replacen("(component", "(component $main", 1)
    );
    wat::parse_str(&beside).context("the component beside its pipe")
}
