//! Lines written with the `log` or the `tracing` crate reach the gateway's log, with tenant and
//! conversation beside them.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::span;

use crate::host;
use crate::level::Level;

/// Takes both crates' output; a second call changes nothing.
pub(crate) fn install() {
    if log::set_logger(&Lines).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
    }
    // Refused only where another subscriber is installed, as a test may have done.
    let _ = tracing::subscriber::set_global_default(Lines);
}

struct Lines;

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let level = match record.level() {
            log::Level::Error => Level::Error,
            log::Level::Warn => Level::Warn,
            log::Level::Info => Level::Info,
            log::Level::Debug => Level::Debug,
            log::Level::Trace => Level::Trace,
        };
        host::log(level, &record.args().to_string());
    }

    fn flush(&self) {}
}

impl tracing::Subscriber for Lines {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        // Spans carry nothing the gateway does not know: it adds tenant and conversation itself.
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            tracing::Level::DEBUG => Level::Debug,
            tracing::Level::TRACE => Level::Trace,
        };
        let mut line = Line::default();
        event.record(&mut line);
        line.message.push_str(&line.fields);
        host::log(level, &line.message);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// `message key=value key=value`.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            name => {
                let _ = write!(self.fields, " {name}={value}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{Sources, with_sources};

    #[test]
    fn both_crates_reach_the_log() {
        install();
        let ((), lines) = with_sources(Sources::default(), || {
            log::warn!("the price {} is odd", 12);
            tracing::info!(area = "Marina", homes = 3, "searched");
        });
        assert_eq!(
            lines,
            [
                (Level::Warn, "the price 12 is odd".to_owned()),
                (Level::Info, "searched area=Marina homes=3".to_owned()),
            ]
        );
    }
}
