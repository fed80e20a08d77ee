//! Guests that nobody thought of: core modules made at random, with the contract put around them. The
//! same seed makes the same component.

use anyhow::{Context as _, Result};
use arbitrary::Unstructured;
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};
use wasm_smith::{Config, Module};

use crate::hostile::guest;

/// What a random guest may call: what changes nothing outside and takes plain numbers and addresses.
const IMPORTS: &str = r#"(module
  (import "switchboard:brain/log@0.1.0" "write" (func (param i32 i32 i32)))
  (import "switchboard:brain/log@0.1.0" "panicked" (func (param i32 i32 i32 i32 i32)))
  (import "switchboard:brain/personality@0.1.0" "get" (func (param i32 i32 i32)))
  (import "switchboard:brain/personality@0.1.0" "all" (func (param i32)))
  (import "switchboard:brain/history@0.1.0" "recent" (func (param i32 i32)))
  (import "switchboard:brain/records@0.1.0" "get" (func (param i32 i32 i32 i32 i32)))
  (import "switchboard:brain/records@0.1.0" "find" (func (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "switchboard:brain/media@0.1.0" "read" (func (param i32 i32 i64 i32 i32)))
  (import "switchboard:brain/details@0.1.0" "labels" (func (param i32)))
  (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func (param i64) (result i32)))
  (import "wasi:io/poll@0.2.6" "poll" (func (param i32 i32 i32)))
  (import "wasi:io/poll@0.2.6" "[method]pollable.block" (func (param i32)))
  (import "wasi:cli/stdout@0.2.6" "get-stdout" (func (result i32)))
  (import "wasi:io/streams@0.2.6" "[method]output-stream.write" (func (param i32 i32 i32 i32)))
  (import "wasi:random/random@0.2.6" "get-random-bytes" (func (param i64 i32))))"#;

const EXPORTS: &str = r#"(module
  (func (export "switchboard:brain/turn@0.1.0#handle") (param i32) (result i32) unreachable)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable))"#;

/// As many random bytes shape a module.
const BYTES: usize = 6 << 10;

/// The component of this seed.
pub fn component(seed: u64) -> Result<Vec<u8>> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut bytes = vec![0; BYTES];
    random.fill_bytes(&mut bytes);
    let config = Config {
        available_imports: Some(wat::parse_str(IMPORTS)?),
        exports: Some(wat::parse_str(EXPORTS)?),
        min_memories: 1,
        max_memories: 1,
        memory64_enabled: false,
        max_memory32_bytes: 64 << 20,
        max_tables: 3,
        max_imports: 20,
        min_funcs: 2,
        max_funcs: 40,
        max_instructions: 2_000,
        threads_enabled: false,
        // Nothing that needs a garbage collector: the engine has none.
        reference_types_enabled: false,
        gc_enabled: false,
        exceptions_enabled: false,
        custom_page_sizes_enabled: false,
        wide_arithmetic_enabled: false,
        shared_everything_threads_enabled: false,
        allow_start_export: true,
        ..Config::default()
    };
    let module = Module::new(config, &mut Unstructured::new(&bytes))?.to_bytes();
    guest::encode(with_memory(&module)?).context("putting the contract around it")
}

/// The contract's strings lie in the memory of this name.
fn with_memory(module: &[u8]) -> Result<Vec<u8>> {
    let text = wasmprinter::print_bytes(module)?;
    let end = text.rfind(')').context("a module ends")?;
    Ok(wat::parse_str(format!("{}(export \"memory\" (memory 0)))", &text[..end]))?)
}

#[cfg(test)]
mod tests {
    use super::component;

    #[test]
    fn a_seed_makes_one_component() {
        let made = (0..20).map(|seed| component(seed).expect("it can be made")).collect::<Vec<_>>();
        assert_eq!(made[7], component(7).expect("it can be made"));
        assert!(made.windows(2).any(|two| two[0] != two[1]), "seeds differ");
    }
}
