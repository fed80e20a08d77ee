//! The component's side of the contract: generated bindings, and the entry points that the
//! [`crate::export!`] macro wires to a brain. Compiled for WebAssembly only; brains never see it.

mod convert;
pub(crate) mod host;

use std::panic::PanicHookInfo;

use crate::brain::Brain;
use crate::logging;
use crate::reply::Reply;
use crate::turn::Turn;

/// World `brain`: what every brain imports and exports.
pub mod world {
    wit_bindgen::generate!({
        path: "../wit",
        world: "brain",
        pub_export_macro: true,
        export_macro_name: "export_turn",
        default_bindings_module: "switchboard_sdk::bindings::world",
    });
}

/// The optional export `migrate`. A world of its own: it joins the component only where the brain's
/// macro names it.
pub mod migrate {
    wit_bindgen::generate!({
        inline: "
            package switchboard:sdk-migrate;
            world brain-with-migrate { export switchboard:brain/migrate@0.1.0; }
        ",
        path: "../wit",
        with: { "switchboard:brain/types@0.1.0": crate::bindings::world::switchboard::brain::types },
        pub_export_macro: true,
        export_macro_name: "export_migrate",
        default_bindings_module: "switchboard_sdk::bindings::migrate",
        generate_all,
    });
}

/// The optional export `selftest`.
pub mod selftest {
    wit_bindgen::generate!({
        inline: "
            package switchboard:sdk-selftest;
            world brain-with-selftest { export switchboard:brain/selftest@0.1.0; }
        ",
        path: "../wit",
        with: { "switchboard:brain/types@0.1.0": crate::bindings::world::switchboard::brain::types },
        pub_export_macro: true,
        export_macro_name: "export_selftest",
        default_bindings_module: "switchboard_sdk::bindings::selftest",
        generate_all,
    });
}

use world::switchboard::brain::types as wit;

/// An instance serves one turn, so this runs once.
fn enter() {
    std::panic::set_hook(Box::new(report_panic));
    logging::install();
}

fn report_panic(info: &PanicHookInfo<'_>) {
    let (file, line) = info.location().map_or(("", 0), |place| (place.file(), place.line()));
    let message = info.payload_as_str().unwrap_or("a panic without a message");
    world::switchboard::brain::log::panicked(message, file, line);
}

#[doc(hidden)]
pub fn handle<B: Brain>(
    trigger: wit::Trigger,
    context: wit::Context,
    memory: Option<String>,
) -> Result<wit::Outcome, wit::Fault> {
    enter();
    let turn = Turn::new(trigger.into(), context.into(), memory);
    let mut reply = Reply::new();
    B::handle(&turn, &mut reply)?;
    let (actions, memory, cuts) = reply.finish();
    for cut in cuts {
        host::log(crate::level::Level::Warn, &cut);
    }
    Ok(wit::Outcome { actions: actions.into_iter().map(Into::into).collect(), memory })
}

#[doc(hidden)]
pub fn run_migrate<B: Brain>(from_version: String, memory: String) -> Result<String, wit::Fault> {
    enter();
    Ok(B::migrate(&from_version, memory)?)
}

#[doc(hidden)]
pub fn run_selftest<B: Brain>() -> Result<(), wit::Fault> {
    enter();
    Ok(B::selftest()?)
}
