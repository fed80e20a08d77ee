//! The trait a brain implements, and the macro that makes a component of it.

use crate::fault::Fault;
use crate::reply::Reply;
use crate::turn::Turn;

/// A brain: what happened in, what to do out.
///
/// Every turn runs in a fresh instance: statics are as they were compiled, only the memory given to
/// [`Reply::remember`] survives.
pub trait Brain {
    /// One turn. An `Err` rolls it back: nothing is sent, nothing remembered.
    fn handle(turn: &Turn, reply: &mut Reply) -> Result<(), Fault>;

    /// Turns the memory that an older version wrote into this version's. Exported by
    /// `export!(MyBrain with migrate)`.
    fn migrate(from_version: &str, memory: String) -> Result<String, Fault> {
        let _ = from_version;
        Ok(memory)
    }

    /// Run before a version goes live; an `Err` keeps it from going live. Exported by
    /// `export!(MyBrain with selftest)`.
    fn selftest() -> Result<(), Fault> {
        Ok(())
    }
}

/// Where an exported brain's package lies, for native tests. Implemented by [`crate::export!`].
#[cfg(not(target_family = "wasm"))]
pub trait Packaged: Brain {
    /// The directory with `plugin.toml`.
    const DIRECTORY: &'static str;
    const VERSION: &'static str;
}

/// The version of the contract that this SDK speaks.
pub const CONTRACT: &str = "0.1.0";

/// What the custom section `switchboard:sdk` of every component built with this SDK holds.
pub const STAMP: &str =
    concat!(r#"{"sdk":""#, env!("CARGO_PKG_VERSION"), r#"","contract":"0.1.0","language":"rust"}"#);

/// Makes a component of a brain: `export!(MyBrain)`, with the optional exports named after it:
/// `export!(MyBrain with migrate, selftest)`.
///
/// The crate's `plugin.toml` is compiled in, as custom section `switchboard:plugin` beside the SDK's
/// stamp in `switchboard:sdk`. Custom sections of a Rust crate belong to its core module, and the
/// component wraps that module: a reader finds them by descending into nested modules
/// (`wasmparser`'s `parse_all` does).
#[macro_export]
macro_rules! export {
    ($brain:ident) => {
        $crate::export!($brain with);
    };
    ($brain:ident with $($extra:ident),*) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            const MANIFEST: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/plugin.toml"));

            #[used]
            #[unsafe(link_section = "switchboard:sdk")]
            static SDK: [u8; $crate::STAMP.len()] = $crate::section($crate::STAMP.as_bytes());

            #[used]
            #[unsafe(link_section = "switchboard:plugin")]
            static PLUGIN: [u8; MANIFEST.len()] = $crate::section(MANIFEST);

            impl $crate::bindings::world::exports::switchboard::brain::turn::Guest for $brain {
                fn handle(
                    trigger: $crate::bindings::world::switchboard::brain::types::Trigger,
                    context: $crate::bindings::world::switchboard::brain::types::Context,
                    memory: Option<String>,
                ) -> Result<
                    $crate::bindings::world::switchboard::brain::types::Outcome,
                    $crate::bindings::world::switchboard::brain::types::Fault,
                > {
                    $crate::bindings::handle::<$brain>(trigger, context, memory)
                }
            }
            $crate::bindings::world::export_turn!($brain with_types_in $crate::bindings::world);
            $($crate::export!(@extra $extra $brain);)*
        };

        // Counts as a use of the brain where nothing is exported.
        #[cfg(not(target_family = "wasm"))]
        const _: fn(&$crate::Turn, &mut $crate::Reply) -> Result<(), $crate::Fault> =
            <$brain as $crate::Brain>::handle;

        #[cfg(not(target_family = "wasm"))]
        impl $crate::Packaged for $brain {
            const DIRECTORY: &'static str = env!("CARGO_MANIFEST_DIR");
            const VERSION: &'static str = env!("CARGO_PKG_VERSION");
        }
    };
    (@extra migrate $brain:ident) => {
        impl $crate::bindings::migrate::exports::switchboard::brain::migrate::Guest for $brain {
            fn migrate(
                from_version: String,
                memory: String,
            ) -> Result<String, $crate::bindings::world::switchboard::brain::types::Fault> {
                $crate::bindings::run_migrate::<$brain>(from_version, memory)
            }
        }
        $crate::bindings::migrate::export_migrate!($brain with_types_in $crate::bindings::migrate);
    };
    (@extra selftest $brain:ident) => {
        impl $crate::bindings::selftest::exports::switchboard::brain::selftest::Guest for $brain {
            fn run() -> Result<(), $crate::bindings::world::switchboard::brain::types::Fault> {
                $crate::bindings::run_selftest::<$brain>()
            }
        }
        $crate::bindings::selftest::export_selftest!($brain with_types_in $crate::bindings::selftest);
    };
}

/// Custom sections are byte arrays, not slices: a slice would be a pointer.
#[doc(hidden)]
pub const fn section<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut section = [0; N];
    let mut at = 0;
    while at < N {
        section[at] = bytes[at];
        at += 1;
    }
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_names_sdk_and_contract() {
        let stamp: serde_json::Value = serde_json::from_str(STAMP).expect("JSON");
        assert_eq!(stamp["contract"], CONTRACT);
        assert_eq!(stamp["sdk"], env!("CARGO_PKG_VERSION"));
        assert_eq!(&section::<5>(b"hello world"), b"hello");
    }
}
