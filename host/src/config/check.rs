//! What a configuration must keep beyond its shape: ranges, duplicates, keys that contradict each
//! other. Pure; a mistake is handed to `report` as key, what is wrong, what to do.

use std::collections::HashSet;
use std::fmt::Display;

use crate::config::brains::Brains;
use crate::config::{self, Config, StoreConfig};
use crate::tenant::quotas::{Kind, Quotas};

type Report<'r> = &'r mut dyn FnMut(&str, String, String);

const MIB: u64 = 1 << 20;

pub fn check(config: &Config, report: Report<'_>) {
    if let Err(error) = config.log.level.parse::<tracing_subscriber::filter::Targets>() {
        report(
            "log.level",
            format!("is no filter: {error}"),
            "write \"info\" or \"info,switchboard=debug\"".into(),
        );
    }
    routing(config, report);
    numbers(config, report);
    backup(&config.backup, report);
    store(&config.store, report);
    quotas(&config.quotas, report);
    brains(&config.brains, report);
    media(config, report);
    cors(&config.http.cors_origins, report);
    waha(&config.waha, report);
    if config.data == config.plugins {
        report(
            "plugins",
            "is the same directory as `data`".into(),
            "give the packages a directory of their own".into(),
        );
    }
    if config.secrets.key_file.as_ref().is_some_and(|file| file.starts_with(config.backups())) {
        report(
            "secrets.key_file",
            "lies among the backups, which it opens".into(),
            "put it elsewhere, so that a copy of the backups alone opens nothing".into(),
        );
    }
    let mut seen = HashSet::new();
    for (index, directory) in config.declared.iter().enumerate() {
        if !seen.insert(directory) {
            report(&format!("declared[{index}]"), "is listed twice".into(), "take one away".into());
        }
    }
}

fn routing(config: &Config, report: Report<'_>) {
    let prefixes = &config.routing.prefixes;
    if prefixes.is_empty() {
        report("routing.prefixes", "is empty".into(), "name at least one, such as \"start_realty_\"".into());
    }
    let mut seen = HashSet::new();
    for (index, prefix) in prefixes.iter().enumerate() {
        let key = format!("routing.prefixes[{index}]");
        let plain = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '-';
        if prefix.is_empty() || prefix.len() > 64 || !prefix.chars().all(plain) {
            report(
                &key,
                format!("\"{prefix}\" cannot begin a link"),
                "use 1 to 64 of a-z, 0-9, _ and -".into(),
            );
        } else if prefix.ends_with(|char: char| char.is_ascii_digit()) {
            report(
                &key,
                format!("\"{prefix}\" ends in a digit, which would run into the tenant's number"),
                format!("write \"{prefix}_\""),
            );
        }
        if !seen.insert(prefix.to_ascii_lowercase()) {
            report(&key, format!("\"{prefix}\" is listed twice"), "links ignore case; take one away".into());
        }
    }
    if config.routing.notice.len() > 4096 {
        report("routing.notice", "is longer than 4096 bytes".into(), "shorten it".into());
    }
}

/// Each is compared as browsers write it, so it must be written so.
fn cors(origins: &[String], report: Report<'_>) {
    let mut seen = HashSet::new();
    for (index, origin) in origins.iter().enumerate() {
        let key = format!("http.cors_origins[{index}]");
        let exact = url::Url::parse(origin)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .map(|url| url.origin().ascii_serialization());
        match exact {
            _ if origin.contains('*') => report(
                &key,
                format!("\"{origin}\" would let pages of any site in"),
                "name each origin whose pages may use the API, such as \"https://crm.example.com\"".into(),
            ),
            None => report(
                &key,
                format!("\"{origin}\" is no origin"),
                "write scheme and host, and the port where there is one: \"https://crm.example.com\"".into(),
            ),
            Some(exact) if exact != *origin => report(
                &key,
                format!("\"{origin}\" is not written as browsers write origins"),
                format!("write \"{exact}\""),
            ),
            Some(_) if !seen.insert(origin) => {
                report(&key, format!("\"{origin}\" is listed twice"), "take one away".into());
            }
            Some(_) => {}
        }
    }
}

fn waha(waha: &config::Waha, report: Report<'_>) {
    let addresses = [("waha.base_url", &waha.base_url), ("waha.webhook_url", &waha.webhook_url)];
    for (key, address) in addresses {
        let Some(address) = address else { continue };
        let fits = url::Url::parse(address).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
        });
        if !fits {
            let action = "write it as \"http://127.0.0.1:3000\"";
            report(key, format!("\"{address}\" is not an http address"), action.into());
        }
    }
    let mut within = |key: &str, value: u64, least: u64, most: u64| {
        if value < least || value > most {
            report(key, format!("is {value}"), format!("write a number from {least} to {most}"));
        }
    };
    const WEEK_MS: u64 = 7 * 86_400_000;
    within("waha.watch_every_ms", waha.watch_every_ms, 0, 86_400_000);
    within("waha.silent_ms", waha.silent_ms, 10, WEEK_MS);
    within("waha.starting_ms", waha.starting_ms, 10, WEEK_MS);
    within("waha.restart_backoff_ms", waha.restart_backoff_ms, 1, WEEK_MS);
    at_most(
        report,
        ("waha.restart_backoff_ms", waha.restart_backoff_ms),
        ("waha.restart_backoff_max_ms", waha.restart_backoff_max_ms),
    );
}

fn numbers(config: &Config, report: Report<'_>) {
    let Config { http, retention, turns, delivery, policy, limits, routing, .. } = config;
    let mut within = |key: &str, value: u64, least: u64, most: u64| {
        if value < least || value > most {
            let action = format!("write a number from {least} to {most}");
            report(key, format!("is {value}"), action);
        }
    };
    within("drain_timeout_ms", config.drain_timeout_ms, 0, 600_000);
    within("routing.notice_every_hours", routing.notice_every_hours.into(), 1, 24 * 365);
    within("http.max_connections", http.max_connections as u64, 1, 1_000_000);
    within("http.connections_per_peer", http.connections_per_peer as u64, 1, 1_000_000);
    within("http.failed_keys_per_minute", http.failed_keys_per_minute.into(), 1, 1_000_000);
    within("http.header_timeout_ms", http.header_timeout_ms, 50, 600_000);
    within("http.body_timeout_ms", http.body_timeout_ms, 50, 600_000);
    within("http.write_timeout_ms", http.write_timeout_ms, 50, 600_000);
    within("http.webhook_body_bytes", http.webhook_body_bytes as u64, 1 << 10, 256 * MIB);
    within("http.upload_body_bytes", http.upload_body_bytes as u64, 64 << 10, 1024 * MIB);
    within("http.unproven_memory_bytes", http.unproven_memory_bytes as u64, MIB, 1 << 40);
    within("http.webhook_memory_bytes", http.webhook_memory_bytes as u64, MIB, 1 << 40);
    within("http.upload_memory_bytes", http.upload_memory_bytes as u64, MIB, 1 << 40);
    // A provider repeats a webhook for up to 7 days; what is forgotten sooner would be handled twice.
    within("retention.dedup_days", retention.dedup_days.into(), 8, 3650);
    within("retention.history_days", retention.history_days.into(), 1, 36_500);
    within("retention.ended_days", retention.ended_days.into(), 1, 36_500);
    within("retention.journal_days", retention.journal_days.into(), 1, 36_500);
    within("retention.audit_days", retention.audit_days.into(), 1, 36_500);
    within("retention.template_log_days", retention.template_log_days.into(), 1, 36_500);
    within("templates.sync_minutes", config.templates.sync_minutes.into(), 0, 7 * 24 * 60);
    within("turns.concurrent", turns.concurrent as u64, 1, 10_000);
    within("turns.per_tenant", turns.per_tenant as u64, 1, 10_000);
    within("turns.attempts", turns.attempts.into(), 1, 1000);
    within("turns.backoff_ms", turns.backoff_ms, 1, 86_400_000);
    within("delivery.concurrent", delivery.concurrent as u64, 1, 100_000);
    within("delivery.per_sender", delivery.per_sender as u64, 1, 100_000);
    within("delivery.per_tenant", delivery.per_tenant as u64, 1, 100_000);
    within("delivery.give_up_after_minutes", delivery.give_up_after_minutes.into(), 1, 60 * 24 * 30);
    within("delivery.backoff_ms", delivery.backoff_ms, 1, 86_400_000);
    within("delivery.connect_timeout_ms", delivery.connect_timeout_ms, 10, 600_000);
    within("delivery.timeout_ms", delivery.timeout_ms, 10, 600_000);
    within("policy.tenant_per_second", policy.tenant_per_second.into(), 0, 1_000_000);
    within("policy.pair_every_ms", policy.pair_every_ms, 1, 600_000);
    within("policy.pair_burst", policy.pair_burst.into(), 1, 10_000);
    within("policy.loop_turns", policy.loop_turns.into(), 0, 100_000);
    within("policy.loop_minutes", policy.loop_minutes.into(), 1, 24 * 60);
    within("policy.loop_answer_ms", policy.loop_answer_ms, 100, 600_000);
    within("limits.fuel", limits.fuel, 100_000, u64::MAX / 2);
    within("limits.wall_time_ms", limits.wall_time_ms, 1, 600_000);
    within("limits.memory_bytes", limits.memory_bytes, MIB, 4096 * MIB);
    within("limits.actions", limits.actions.into(), 1, 10_000);
    within("limits.text_bytes", limits.text_bytes, 1, MIB);
    within("limits.state_bytes", limits.state_bytes, 2, 64 * MIB);
    within("limits.host_calls", limits.host_calls.into(), 0, 1_000_000);
    within("limits.log_bytes", limits.log_bytes, 0, 64 * MIB);
    within("limits.coalesce_ms", limits.coalesce_ms, 0, 600_000);
    within("turns.timer_floor_ms", turns.timer_floor_ms, 1, 3_600_000);
    let webhook = ("http.webhook_body_bytes", http.webhook_body_bytes);
    at_most(report, webhook, ("http.unproven_memory_bytes", http.unproven_memory_bytes));
    at_most(report, webhook, ("http.webhook_memory_bytes", http.webhook_memory_bytes));
    let upload = ("http.upload_body_bytes", http.upload_body_bytes);
    at_most(report, upload, ("http.upload_memory_bytes", http.upload_memory_bytes));
    at_most(report, ("turns.backoff_ms", turns.backoff_ms), ("turns.backoff_max_ms", turns.backoff_max_ms));
    at_most(
        report,
        ("delivery.backoff_ms", delivery.backoff_ms),
        ("delivery.backoff_max_ms", delivery.backoff_max_ms),
    );
}

fn backup(backup: &config::Backup, report: Report<'_>) {
    for (key, value, least, most) in [
        ("backup.every_hours", u64::from(backup.every_hours), 0, 24 * 365),
        ("backup.keep", backup.keep as u64, 1, 10_000),
        ("backup.keep_by_hand", backup.keep_by_hand as u64, 1, 10_000),
    ] {
        if value < least || value > most {
            report(key, format!("is {value}"), format!("write a number from {least} to {most}"));
        }
    }
}

fn store(store: &StoreConfig, report: Report<'_>) {
    for (key, value, least, most) in [
        ("store.cache_bytes", store.cache_bytes as u64, MIB, 1 << 40),
        ("store.queue", store.queue as u64, 1, 10_000_000),
        ("store.reserve_bytes", store.reserve_bytes, 0, 1 << 40),
        ("store.compact_hour", store.compact_hour.into(), 0, 23),
    ] {
        if value < least || value > most {
            report(key, format!("is {value}"), format!("write a number from {least} to {most}"));
        }
    }
}

fn quotas(quotas: &Quotas, report: Report<'_>) {
    for kind in Kind::ALL {
        let ((least, most), value) = (kind.range(), quotas.of(*kind));
        if value < least || value > most {
            report(kind.own_key(), format!("is {value}"), format!("write a number from {least} to {most}"));
        }
    }
}

fn brains(brains: &Brains, report: Report<'_>) {
    for (key, value, least, most) in [
        ("brains.compilers", brains.compilers as u64, 0, 1000),
        // The engine itself takes some tens of MiB.
        ("brains.compile_memory_bytes", brains.compile_memory_bytes, 64 * MIB, 1 << 40),
        ("brains.compile_seconds", brains.compile_seconds, 1, 3_600),
        ("brains.tenant_compile_seconds", brains.tenant_compile_seconds, 1, 3_600_000),
        ("brains.tenant_uploads", brains.tenant_uploads as u64, 1, 1000),
        ("brains.upload_memory_bytes", brains.upload_memory_bytes as u64, 4 * MIB, 1 << 40),
    ] {
        if value < least || value > most {
            report(key, format!("is {value}"), format!("write a number from {least} to {most}"));
        }
    }
}

fn media(config: &Config, report: Report<'_>) {
    let media = &config.media;
    for (key, value, least, most) in [
        ("media.max_bytes", media.max_bytes, 1 << 10, 4096 * MIB),
        ("media.keep_days", media.keep_days.into(), 1, 36_500),
        ("media.concurrent", media.concurrent as u64, 1, 1000),
        ("media.per_sender", media.per_sender as u64, 1, 1000),
        ("media.timeout_ms", media.timeout_ms, 50, 3_600_000),
        ("media.give_up_after_minutes", media.give_up_after_minutes.into(), 1, 60 * 24 * 30),
        ("media.backoff_ms", media.backoff_ms, 1, 86_400_000),
        ("media.wait_ms", media.wait_ms, 0, 600_000),
        ("media.inline_bytes", media.inline_bytes, 1 << 10, 256 * MIB),
        ("media.link_minutes", media.link_minutes.into(), 1, 60 * 24 * 7),
    ] {
        if value < least || value > most {
            report(key, format!("is {value}"), format!("write a number from {least} to {most}"));
        }
    }
    at_most(report, ("media.backoff_ms", media.backoff_ms), ("media.backoff_max_ms", media.backoff_max_ms));
    let Some(public) = &config.http.public_url else { return };
    let address = url::Url::parse(public).ok().filter(|url| {
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        plain && url.password().is_none() && url.has_host() && matches!(url.scheme(), "https" | "http")
    });
    if address.is_none() {
        let action = "write how the world reaches this gateway, such as \"https://gateway.example.com\"";
        report("http.public_url", format!("\"{public}\" is no address"), action.into());
    }
}

fn at_most<T: PartialOrd + Display>(report: Report<'_>, low: (&str, T), high: (&str, T)) {
    if low.1 > high.1 {
        report(
            high.0,
            format!("is {}, less than {} = {}", high.1, low.0, low.1),
            format!("raise it, or lower {}", low.0),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::config::document::Document;

    fn problems(text: &str) -> String {
        match Config::parse(&Document::new("/etc/sb/switchboard.toml", text)) {
            Ok(_) => String::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        }
    }

    #[test]
    fn mistakes_are_told_by_place_and_key() {
        let cases = [
            ("", ""),
            ("listen = \"127.0.0.1:9000\"\n[http]\nmax_connections = 10\n", ""),
            (
                "lisen = \"127.0.0.1:9000\"",
                "/etc/sb/switchboard.toml:1:1: lisen: there is no such key; did you mean `listen`?",
            ),
            (
                "listen = \"localhost\"",
                "/etc/sb/switchboard.toml:1:10: listen: is not an address; write an address and a port, such as \"127.0.0.1:8000\"",
            ),
            (
                "[log]\nformat = \"xml\"\nlevel = \"info\"\n",
                "/etc/sb/switchboard.toml:2:10: log.format: \"xml\" is not known; one of: human, json",
            ),
            (
                "[http]\nmax_connections = 0\nbody_timeout_ms = -1\n[retention]\ndedup_days = 2\n",
                "/etc/sb/switchboard.toml:2:19: http.max_connections: is 0; write a number from 1 to 1000000\n\
                 /etc/sb/switchboard.toml:3:19: http.body_timeout_ms: is integer `-1`; write a whole number, 0 or more\n\
                 /etc/sb/switchboard.toml:5:14: retention.dedup_days: is 2; write a number from 8 to 3650",
            ),
            (
                "[routing]\nprefixes = [\"go_\", \"GO_\", \"x1\", \"a b\"]\n",
                "/etc/sb/switchboard.toml:2:20: routing.prefixes[1]: \"GO_\" is listed twice; links ignore case; take one away\n\
                 /etc/sb/switchboard.toml:2:27: routing.prefixes[2]: \"x1\" ends in a digit, which would run into the tenant's number; write \"x1_\"\n\
                 /etc/sb/switchboard.toml:2:33: routing.prefixes[3]: \"a b\" cannot begin a link; use 1 to 64 of a-z, 0-9, _ and -",
            ),
            (
                "[turns]\nbackoff_ms = 5000\nbackoff_max_ms = 1000\n",
                "/etc/sb/switchboard.toml:3:18: turns.backoff_max_ms: is 1000, less than turns.backoff_ms = 5000; raise it, or lower turns.backoff_ms",
            ),
            (
                "[http]\npublic_url = \"gateway.example.com\"\n[media]\nkeep_days = 0\n",
                "/etc/sb/switchboard.toml:2:14: http.public_url: \"gateway.example.com\" is no address; write how the world reaches this gateway, such as \"https://gateway.example.com\"\n\
                 /etc/sb/switchboard.toml:4:13: media.keep_days: is 0; write a number from 1 to 36500",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(problems(text), expected, "{text}");
        }
    }

    #[test]
    fn paths_start_at_the_file() {
        let text = "data = \"../run\"\nplugins = \"../../plugins\"\ndeclared = [\".\", \"/srv/more\"]\n";
        let config = Config::parse(&Document::new("/nowhere/data/demo/switchboard.toml", text));
        let config = config.expect("it is valid");
        assert_eq!(config.data.to_str(), Some("/nowhere/data/run"));
        assert_eq!(config.plugins.to_str(), Some("/nowhere/plugins"));
        assert_eq!(config.declared[0].to_str(), Some("/nowhere/data/demo"));
        assert_eq!(config.declared[1].to_str(), Some("/srv/more"));
    }

    #[test]
    fn the_defaults_are_valid() {
        let mut said = Vec::new();
        super::check(&Config::default(), &mut |key, what, _| said.push(format!("{key} {what}")));
        assert_eq!(said, Vec::<String>::new());
    }
}
