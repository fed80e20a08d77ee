//! The text is what OpenMetrics says: each family once, described before its samples, labels and values as they
//! must be, and an end.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// What is wrong with a text, by OpenMetrics' rules as far as we use them.
fn wrong(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let (mut kinds, mut closed, mut seen) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    let mut current = String::new();
    let lines: Vec<&str> = text.lines().collect();
    if lines.last() != Some(&"# EOF") || !text.ends_with('\n') {
        wrong.push("it does not end with # EOF".to_owned());
    }
    for line in &lines[..lines.len().saturating_sub(1)] {
        let mut say = |what: &str| wrong.push(format!("{what}: {line}"));
        if let Some(described) = line.strip_prefix("# ") {
            let mut words = described.splitn(3, ' ');
            let (Some(what), Some(name), Some(rest)) = (words.next(), words.next(), words.next()) else {
                say("no description");
                continue;
            };
            if name != current && !closed.insert(std::mem::replace(&mut current, name.to_owned())) {
                say("families are mixed");
            }
            if closed.contains(name) {
                say("described twice");
            }
            match what {
                "TYPE" => drop(kinds.insert(name.to_owned(), rest.to_owned())),
                "HELP" if rest.ends_with('.') => {}
                "UNIT" if name.ends_with(rest) => {}
                _ => say("wrong description"),
            }
            continue;
        }
        let Some((series, value)) = line.rsplit_once(' ') else {
            say("no value");
            continue;
        };
        let name = series.split('{').next().unwrap_or_default();
        let kind = kinds.get(&current).map_or("", String::as_str);
        let suffixes: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_sum", "_count", "_bucket"],
            "gauge" => &[""],
            _ => &[],
        };
        if !suffixes.iter().any(|suffix| name == format!("{current}{suffix}")) {
            say("a sample of another family, or without the ending of its kind");
        }
        if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
            say("no name");
        }
        if value.parse::<f64>().is_err() {
            say("no number");
        }
        if !seen.insert(series.to_owned()) {
            say("twice");
        }
    }
    wrong
}

/// Something of everything has happened.
fn used() -> Metrics {
    let metrics = Metrics::new();
    metrics.unreadable(Provider::Waha, Topic::Message);
    metrics.webhook_took(Duration::ZERO);
    metrics.whole_way(Duration::from_millis(80));
    metrics.turn(TenantId::from_stored(0), "dead", Duration::ZERO);
    metrics.turn_failed("a \"code\"\nof a \\ brain");
    metrics.send((&SenderName::new("n0"), Provider::Waha), "later", Duration::ZERO);
    metrics.send_failed(Provider::Meta, Fate::Retry);
    metrics.signal(Provider::Waha, "sent");
    metrics.file(Provider::Waha, "stored");
    metrics.session("unwatched");
    metrics.repeats.say(crate::repeats::Kind::KeyWrong, None);
    metrics
}

#[test]
fn the_text_is_open_metrics_whatever_is_called_what() {
    assert_eq!(wrong(&Metrics::new().render(&Kept::default())), [""; 0], "nothing has happened");
    let metrics = used();
    for n in 0..2 * NAMED {
        let id = TenantId::from_stored(u32::try_from(n).expect("small"));
        metrics.turn(id, "done", Duration::ZERO);
        metrics.send((&SenderName::new(format!("n{n}")), Provider::Waha), "sent", Duration::ZERO);
    }
    let text = metrics.render(&Kept::default());
    assert_eq!(wrong(&text), [""; 0], "{text}");
    let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(lines("switchboard_tenant_turns_total{"), NAMED + 2, "the rest are one; the first died once");
    assert_eq!(lines("switchboard_sender_sends_total{"), NAMED + 2);
    let rest = format!("switchboard_sender_sends_total{{sender=\"other\",outcome=\"sent\"}} {NAMED}");
    assert!(text.lines().any(|line| line == rest), "{text}");
}

/// What alerts and the table of metrics name is there, and the table names all that is there.
#[test]
fn the_docs_name_what_there_is() {
    let text = used().render(&Kept::full());
    assert_eq!(wrong(&text), [""; 0], "{text}");
    assert!(text.contains("switchboard_outbox_oldest_seconds{sender=\"main\"} 1.5\n"), "{text}");
    let described = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let kinds: BTreeMap<&str, &str> = described.filter_map(|rest| rest.split_once(' ')).collect();
    let named = |text: &str| -> BTreeSet<String> {
        let ends = |c: char| !(c.is_ascii_lowercase() || c == '_');
        let words =
            text.split("switchboard_").skip(1).map(|rest| rest.split(ends).next().unwrap_or_default());
        words.map(|word| format!("switchboard_{word}")).collect()
    };
    let family = |name: &str| {
        let of = |suffix: &str, kind: &str| {
            let base = name.strip_suffix(suffix)?;
            (kinds.get(base) == Some(&kind)).then(|| base.to_owned())
        };
        of("_total", "counter")
            .or_else(|| of("_bucket", "histogram"))
            .or_else(|| of("", "gauge"))
            .or_else(|| of("", "histogram"))
    };
    let (alerts, docs) =
        (include_str!("../../../docs/alerts.yml"), include_str!("../../../docs/operators.md"));
    let table =
        docs.split("### Metrics").nth(1).and_then(|rest| rest.split("### ").next()).expect("the table");
    for name in named(alerts).union(&named(table)) {
        assert!(family(name).is_some(), "{name} is told of in the docs, and is none");
    }
    let told: BTreeSet<String> = named(table).iter().filter_map(|name| family(name)).collect();
    let lacking: Vec<_> = kinds.keys().filter(|name| !told.contains(**name)).collect();
    assert_eq!(lacking, [&""; 0], "these are not in the table");
}

#[test]
fn what_is_no_open_metrics_is_found() {
    let good = "# HELP a_b Is.\n# TYPE a_b counter\na_b_total{x=\"y\"} 1\n# EOF\n";
    assert_eq!(wrong(good), [""; 0]);
    for bad in [
        "# HELP a_b Is.\n# TYPE a_b counter\na_b 1\n# EOF\n",
        "# HELP a_b Is.\n# TYPE a_b gauge\na_b x\n# EOF\n",
        "# HELP a_b Is.\n# TYPE a_b gauge\na_b 1\na_b 1\n# EOF\n",
        "# HELP a_b Is.\n# TYPE a_b gauge\na_b 1\n",
        "# HELP a Is.\n# TYPE a gauge\na 1\n# HELP b Is.\n# TYPE b gauge\nb 1\n# HELP a Is.\n# EOF\n",
        "a 1\n# EOF\n",
    ] {
        assert_ne!(wrong(bad), [""; 0], "{bad}");
    }
}
