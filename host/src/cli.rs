//! The command line. Every command that touches data speaks the HTTP API (see [`client`]): to a
//! gateway elsewhere with a token, to the one that runs on this data directory, or, when none runs,
//! to the same router in this very process.
//!
//! Exit codes: 0 done, 1 it failed, 2 the command itself is wrong, 3 (`doctor`) no gateway runs.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::cli::client::Client;
use crate::cli::failure::Failure;

mod audit;
mod backup;
mod brain;
mod chat;
mod check;
mod client;
mod contact;
mod doctor;
mod env_file;
mod exit;
mod explain;
mod failure;
mod key;
mod keys;
mod log;
mod mapping;
mod message;
mod offers;
mod opt_out;
mod queues;
mod reload;
mod screen;
mod sender;
mod serve;
mod setup;
mod store;
mod template;
mod tenant;
mod whatsapp;

type Result<T> = std::result::Result<T, Failure>;

/// One WhatsApp number, a thousand businesses behind it.
#[derive(Parser)]
#[command(
    name = "switchboard",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Begin with:
  switchboard serve --config data/demo/switchboard.toml     start a gateway with the demo data
  switchboard chat --tenant 2                               talk to tenant 2 in this terminal
  switchboard outbox list                                   see which replies wait, and why

Commands find the gateway that runs on the data directory by themselves and need no token there;
for one elsewhere give --url and --token. Every command explains itself: switchboard help COMMAND."
)]
struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Which gateway is meant.
#[derive(Args, Clone)]
struct Place {
    /// The configuration. [default: ./switchboard.toml if there is one]
    #[arg(long, global = true, env = "SWITCHBOARD_CONFIG", value_name = "FILE", help_heading = "Gateway")]
    config: Option<PathBuf>,
    /// The data directory, instead of the configuration's.
    #[arg(long, global = true, env = "SWITCHBOARD_DATA", value_name = "DIR", help_heading = "Gateway")]
    data: Option<PathBuf>,
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_URL",
        value_name = "URL",
        help = "The address of a gateway elsewhere: https://bots.example.com",
        help_heading = "Gateway"
    )]
    url: Option<String>,
    /// The operator's token or a tenant's key, for --url.
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        help_heading = "Gateway"
    )]
    token: Option<String>,
    /// Print JSON instead of tables.
    #[arg(long, global = true, help_heading = "Gateway")]
    json: bool,
}

#[derive(Args)]
struct Listen {
    /// Where to listen, instead of the configuration's address.
    #[arg(long, env = "SWITCHBOARD_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway.
    #[command(after_help = serve::EXAMPLES)]
    Serve(Listen),
    /// Check the configuration, the declared data, the brains and the store; change nothing.
    #[command(after_help = check::EXAMPLES)]
    Check(Listen),
    /// Say what is wrong with a gateway that runs, and what to do; change nothing.
    #[command(after_help = doctor::EXAMPLES)]
    Doctor,
    /// Have a gateway that runs read again what files declare, and the keys that lie in files.
    #[command(after_help = reload::EXAMPLES)]
    Reload,
    /// Talk to a tenant in this terminal, without WhatsApp.
    #[command(after_help = chat::EXAMPLES)]
    Chat(chat::Chat),
    /// Tenants: one business each.
    #[command(subcommand, after_help = tenant::EXAMPLES)]
    Tenant(tenant::Tenant),
    /// Organizations own tenants; leads are shared inside one and never across.
    #[command(subcommand, after_help = tenant::ORGANIZATION_EXAMPLES)]
    Organization(tenant::Organization),
    /// Senders: one WhatsApp number each.
    #[command(subcommand, after_help = sender::EXAMPLES)]
    Sender(sender::Sender),
    /// Tokens of operators and keys of tenants, for the API.
    #[command(subcommand, after_help = key::EXAMPLES)]
    Key(key::Key),
    /// What senders' secrets are sealed with in the store: list, rotate, retire.
    #[command(subcommand, after_help = keys::EXAMPLES)]
    Keys(keys::Keys),
    /// What answers for the tenants: list, push, roll back, test.
    #[command(subcommand, after_help = brain::EXAMPLES)]
    Brain(brain::Brain),
    /// The texts and settings a brain speaks with.
    #[command(subcommand, after_help = brain::PERSONALITY_EXAMPLES)]
    Personality(brain::Personality),
    /// Message templates: what may be sent when the 24-hour window is closed.
    #[command(subcommand, after_help = template::EXAMPLES)]
    Template(template::Template),
    /// How many contacts each tenant has.
    #[command(after_help = contact::STATS_EXAMPLES)]
    Stats,
    /// One contact: its keys and its tenant; merging, unmerging, freeing it.
    #[command(subcommand, after_help = contact::EXAMPLES)]
    Contact(contact::Contact),
    /// Contacts who want no messages of a tenant.
    #[command(subcommand, after_help = opt_out::EXAMPLES)]
    OptOut(opt_out::OptOut),
    /// Follow one message from the webhook to the last receipt.
    #[command(subcommand, after_help = message::EXAMPLES)]
    Message(message::Message),
    /// Turns that wait for their brain, and those that died.
    #[command(subcommand, after_help = queues::TURNS_EXAMPLES)]
    Turns(queues::Turns),
    /// Replies that wait to be sent, died, or may have gone out or not.
    #[command(subcommand, after_help = queues::OUTBOX_EXAMPLES)]
    Outbox(queues::Outbox),
    /// Bring in contacts' tenants, or a tenant's records.
    #[command(subcommand, after_help = mapping::IMPORT_EXAMPLES)]
    Import(mapping::Import),
    /// Write out which contact belongs to which tenant.
    #[command(subcommand, after_help = mapping::EXPORT_EXAMPLES)]
    Export(mapping::Export),
    /// The store's file and its disk: show, compact.
    #[command(subcommand, after_help = store::EXAMPLES)]
    Store(store::Store),
    /// Copy the whole store to a file while the gateway runs.
    #[command(after_help = backup::EXAMPLES)]
    Backup(backup::Backup),
    /// Put a backup in the place of the store. The gateway must be stopped.
    #[command(after_help = backup::RESTORE_EXAMPLES)]
    Restore(backup::Restore),
    /// Look into webhooks.
    #[command(subcommand, after_help = explain::EXAMPLES)]
    Webhook(explain::Webhook),
    /// What the gateway starts to compile a component; nothing for people.
    #[command(name = crate::brain::COMPILE, hide = true)]
    CompileComponent {
        #[arg(long)]
        memory_bytes: u64,
        #[arg(long)]
        cpu_seconds: u64,
    },
    /// What administrators did, newest first.
    #[command(after_help = audit::EXAMPLES)]
    Audit(audit::Audit),
}

/// All commands. One of two words shows the examples of its first.
fn commands() -> clap::Command {
    Cli::command().mut_subcommands(|group| match group.get_after_help().cloned() {
        Some(examples) => group.mut_subcommands(|one| match one.get_after_help() {
            Some(_) => one,
            None => one.after_help(examples.clone()),
        }),
        None => group,
    })
}

/// Runs the command that the process was given.
pub fn main() -> ExitCode {
    let cli = Cli::from_arg_matches(&commands().get_matches()).unwrap_or_else(|error| error.exit());
    if let Command::CompileComponent { memory_bytes, cpu_seconds } = cli.command {
        return crate::brain::compile_in_this_process(memory_bytes, cpu_seconds);
    }
    // Fails only if one is there already, which is as good.
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return exit::tell(error.into(), ""),
    };
    let given = setup::given(&cli.place);
    let result = runtime.block_on(run(cli));
    // A backup or a compilation in progress is not waited for; both are written to the side first.
    runtime.shutdown_timeout(Duration::from_secs(2));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has had enough: `switchboard turns list | head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => exit::tell(failure, &given),
    }
}

/// May this command make a gateway's store? Those that furnish one before its first start; all others use
/// what is there, so that a command in the wrong folder leaves nothing.
fn may_make(command: &Command) -> bool {
    match command {
        Command::Tenant(tenant::Tenant::Add(_))
        | Command::Organization(tenant::Organization::Add { .. })
        | Command::Sender(sender::Sender::Add(_))
        | Command::Key(key::Key::Add(_)) => true,
        Command::Import(import) => import.applies(),
        _ => false,
    }
}

async fn run(Cli { place, command }: Cli) -> Result<()> {
    let may_make = may_make(&command);
    match command {
        Command::CompileComponent { .. } => unreachable!("it is done before there are threads"),
        Command::Serve(listen) => serve::serve(&place, listen.listen).await,
        Command::Check(listen) => check::check(&place, listen.listen).await,
        Command::Doctor => doctor::doctor(&place, place.json).await,
        Command::Reload => reload::reload(&Client::of_running(&place).await?, place.json).await,
        Command::Chat(chat) => chat.run(&place).await,
        Command::Tenant(command) => command.run(&Client::open(&place, may_make).await?, place.json).await,
        Command::Organization(command) => {
            command.run(&Client::open(&place, may_make).await?, place.json).await
        }
        Command::Sender(command) => command.run(&Client::open(&place, may_make).await?, place.json).await,
        Command::Key(command) => command.run(&Client::open(&place, may_make).await?, place.json).await,
        Command::Keys(command) => command.run(&Client::open(&place, may_make).await?, place.json).await,
        Command::Brain(command) => command.run(&place).await,
        Command::Personality(command) => {
            command.run(&Client::open(&place, may_make).await?, place.json).await
        }
        Command::Template(command) => command.run(&Client::open(&place, may_make).await?, place.json).await,
        Command::Stats => contact::stats(&Client::open(&place, may_make).await?, place.json).await,
        Command::Contact(command) => command.run(&Client::open(&place, may_make).await?, place.json).await,
        Command::OptOut(command) => command.run(&Client::open(&place, may_make).await?, place.json).await,
        Command::Message(command) => command.run(&Client::open(&place, may_make).await?, place.json).await,
        Command::Turns(command) => command.run(&Client::open(&place, may_make).await?, place.json).await,
        Command::Outbox(command) => command.run(&Client::open(&place, may_make).await?, place.json).await,
        Command::Import(command) => command.run(&Client::open(&place, may_make).await?, place.json).await,
        Command::Export(command) => command.run(&Client::open(&place, may_make).await?).await,
        Command::Store(command) => command.run(&Client::open(&place, may_make).await?, place.json).await,
        Command::Backup(command) => command.run(&Client::open(&place, may_make).await?, place.json).await,
        Command::Restore(command) => command.run(&place).await,
        Command::Webhook(command) => command.run(&place).await,
        Command::Audit(command) => command.run(&Client::open(&place, may_make).await?, place.json).await,
    }
}

#[cfg(test)]
mod tests {
    /// clap finds contradictions between arguments only when asked.
    #[test]
    fn the_commands_fit_together() {
        super::commands().debug_assert();
    }

    #[test]
    fn every_command_shows_examples() {
        for group in super::commands().get_subcommands().filter(|group| !group.is_hide_set()) {
            let all = std::iter::once(group).chain(group.get_subcommands());
            for one in all.filter(|one| one.get_name() != "help") {
                let examples = one.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(examples.contains("xample"), "{} {}", group.get_name(), one.get_name());
            }
        }
    }
}
