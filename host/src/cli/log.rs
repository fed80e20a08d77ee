//! The log: one line an event, on standard error. Whatever is in an event, its line is one line, bounded,
//! and shows nothing that a terminal would obey: no text that a guest, contact or stranger wrote can pass
//! for a line of ours. Who logs waits for nothing: a thread of its own writes. A line that cannot be written,
//! or that finds too many waiting, is lost and counted, and nothing else happens (what is usual is lost first: it leaves
//! room for what goes wrong): a full disk, a reader that
//! went away or one that reads no more stops no gateway.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use prometheus_client::metrics::counter::Counter;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::cli::Result;
use crate::config::{self, LogFormat};
use crate::glyph;

/// The most that one field of a line takes, its message too.
const FIELD_BYTES: usize = glyph::Shown::MOST;

/// So many lines wait to be written; one more is lost.
const WAITING: usize = 16_384;

/// Beyond so many, what is no warning is lost: thousands of messages a second must not drown what goes wrong.
const USUAL: usize = WAITING / 2;

/// Lines that wait are written together, up to so many bytes.
const TOGETHER: usize = 64 << 10;

/// At the end, what waits has this long to be written.
const LAST: Duration = Duration::from_secs(1);

/// Log lines go to standard error from here on, panics as well, until what is returned is dropped.
pub fn start(settings: &config::Log) -> Result<Log> {
    // The watcher of the plugins directory warns of every directory that is replaced; we say what
    // became of it ourselves. `log.level` can still name it.
    let directives = format!("notify=error,{}", settings.level);
    let filter = EnvFilter::try_new(directives).map_err(|error| anyhow!("log.level: {error}"))?;
    let log = Log::start(io::stderr());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(log.lines.clone())
        .with_ansi(io::stderr().is_terminal())
        .log_internal_errors(false)
        .event_format(Line(settings.format));
    lines.try_init().map_err(|error| anyhow!("the log cannot be set up: {error}"))?;
    log_panics();
    Ok(log)
}

/// The thread that writes.
#[derive(Clone)]
pub struct Log {
    pub lost: Arc<Lost>,
    lines: Lines,
    written: Arc<Mutex<Receiver<()>>>,
}

impl Log {
    fn start(mut to: impl io::Write + Send + 'static) -> Self {
        let lost = Arc::new(Lost::default());
        let (queue, waiting) = mpsc::sync_channel::<Task>(WAITING);
        let (tell, written) = mpsc::sync_channel(1);
        let queued = Arc::new(AtomicUsize::new(0));
        let (uncounted, left) = (lost.clone(), queued.clone());
        let write = move || {
            let mut together = Vec::with_capacity(TOGETHER);
            while let Ok(first) = waiting.recv() {
                let (mut lines, mut told) = (0, false);
                for task in std::iter::once(first).chain(waiting.try_iter()) {
                    match task {
                        Task::Line(line) => {
                            together.extend_from_slice(&line);
                            lines += 1;
                        }
                        Task::Tell => told = true,
                    }
                    if told || together.len() >= TOGETHER {
                        break;
                    }
                }
                left.fetch_sub(lines, Ordering::Relaxed);
                if to.write_all(&together).and_then(|()| to.flush()).is_err() {
                    uncounted.count(lines as u64);
                }
                together.clear();
                if told {
                    tell.try_send(()).ok();
                }
            }
        };
        // Without the thread every line is lost, and counted.
        thread::Builder::new().name("log".into()).spawn(write).ok();
        let lines = Lines { queue, queued, lost: lost.clone(), is_usual: false };
        Log { lost, lines, written: Arc::new(Mutex::new(written)) }
    }

    /// Waits until what was said is written, but not for long.
    pub fn flush(&self) {
        if self.lines.queue.try_send(Task::Tell).is_ok() {
            let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            written.recv_timeout(LAST).ok();
        }
    }
}

enum Task {
    Line(Vec<u8>),
    /// Everything before is written.
    Tell,
}

/// A panic is a line like any other; its backtrace, where one is asked for, follows as it is.
fn log_panics() {
    let backtrace = std::env::var_os("RUST_BACKTRACE").is_some();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload_as_str().unwrap_or("(no message)");
        let place = panic.location().map(ToString::to_string);
        let thread = std::thread::current();
        tracing::error!(panic = message, place, thread = thread.name(), "a part of the gateway panicked");
        if backtrace {
            before(panic);
        }
    }));
}

/// Lines that could not be written.
#[derive(Default)]
pub struct Lost {
    unseen: AtomicU64,
    counter: OnceLock<Counter>,
}

impl Lost {
    /// From here on they are counted there, those of before included.
    pub fn count_in(&self, counter: Counter) {
        let counter = self.counter.get_or_init(|| counter);
        counter.inc_by(self.unseen.swap(0, Ordering::Relaxed));
    }

    fn count(&self, lines: u64) {
        match self.counter.get() {
            Some(counter) => {
                counter.inc_by(lines);
            }
            None => {
                self.unseen.fetch_add(lines, Ordering::Relaxed);
            }
        }
    }
}

/// A writer that never fails and never waits. The subscriber hands over one line at a time.
#[derive(Clone)]
struct Lines {
    queue: SyncSender<Task>,
    /// Lines in it.
    queued: Arc<AtomicUsize>,
    lost: Arc<Lost>,
    /// No warning and no error.
    is_usual: bool,
}

impl MakeWriter<'_> for Lines {
    type Writer = Lines;

    fn make_writer(&self) -> Self::Writer {
        self.clone()
    }

    fn make_writer_for(&self, event: &Metadata<'_>) -> Self::Writer {
        Lines { is_usual: *event.level() > Level::WARN, ..self.clone() }
    }
}

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Counted before it is sent: the thread may be quicker than this one.
        let before = self.queued.fetch_add(1, Ordering::Relaxed);
        let is_lost =
            self.is_usual && before >= USUAL || self.queue.try_send(Task::Line(line.to_vec())).is_err();
        if is_lost {
            self.queued.fetch_sub(1, Ordering::Relaxed);
            self.lost.count(1);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How an event becomes a line.
struct Line(LogFormat);

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        match self.0 {
            LogFormat::Human => human(writer, *metadata.level(), &fields),
            LogFormat::Json => json(writer, *metadata.level(), metadata.target(), fields),
        }
    }
}

/// What an event says, each text a bounded line already.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        let name = field.name();
        // Where a line of another library's comes from; its target is enough.
        if !name.starts_with("log.") {
            self.others.push((name.strip_prefix("r#").unwrap_or(name), value));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = glyph::shown(format_args!("{value:?}"), FIELD_BYTES);
        if field.name() == "message" { self.message = text } else { self.put(field, text.into()) }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let text = glyph::shown(value, FIELD_BYTES);
        if field.name() == "message" { self.message = text } else { self.put(field, text.into()) }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

/// `2026-11-30T10:00:00.000000Z  WARN what happened tenant=2 error="what others say of it"`.
fn human(mut writer: Writer<'_>, level: Level, fields: &Fields) -> fmt::Result {
    let ansi = writer.has_ansi_escapes();
    let (dim, end) = if ansi { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
    writer.write_str(dim)?;
    SystemTime.format_time(&mut writer)?;
    writer.write_str(end)?;
    let colour = match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    };
    let colour = if ansi { colour } else { "" };
    write!(writer, " {colour}{:>5}{end} {}", level.as_str(), fields.message)?;
    for (name, value) in &fields.others {
        write!(writer, " {dim}{name}={end}")?;
        match value {
            Value::String(text) if is_one_word(text) => writer.write_str(text)?,
            Value::String(text) => write!(writer, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))?,
            other => write!(writer, "{other}")?,
        }
    }
    writeln!(writer)
}

/// What needs no quotes to be told from the fields around it.
fn is_one_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '='))
}

fn json(mut writer: Writer<'_>, level: Level, target: &str, fields: Fields) -> fmt::Result {
    let mut at = String::new();
    SystemTime.format_time(&mut Writer::new(&mut at))?;
    let mut line: Map<String, Value> =
        fields.others.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    for (name, value) in [
        ("timestamp", at.as_str()),
        ("level", level.as_str()),
        ("message", &fields.message),
        ("target", target),
    ] {
        line.insert(name.into(), value.into());
    }
    writeln!(writer, "{}", Value::Object(line))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Takes what is written.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("whole").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written while `what` runs.
    fn written(format: LogFormat, what: impl FnOnce()) -> String {
        let to = Written::default();
        let log = Log::start(to.clone());
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_writer(log.lines.clone())
            .with_ansi(false)
            .event_format(Line(format))
            .finish();
        tracing::subscriber::with_default(subscriber, what);
        log.flush();
        let bytes = to.0.lock().expect("whole").clone();
        String::from_utf8(bytes).expect("text")
    }

    const FORGED: &str = "hi\n2026-11-30T10:00:00Z ERROR the store failed\r\u{202E}\u{1b}[2J\u{85}\u{2028}x";

    fn misused() {
        tracing::warn!(text = FORGED, shown = %FORGED, debug = ?FORGED, "{FORGED}");
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        for format in [LogFormat::Human, LogFormat::Json] {
            let log = written(format, misused);
            let line = log.strip_suffix('\n').expect("a whole line");
            assert_eq!(line, glyph::shown(line, usize::MAX), "nothing in it misleads");
            assert!(line.contains("WARN"), "{line}");
        }
    }

    #[test]
    fn what_others_wrote_is_told_from_the_fields_around_it() {
        let log = written(LogFormat::Human, || {
            tracing::error!(tenant = 2, word = "one", error = %"no\" tenant=3 \\\" x", empty = "", up = true, "it failed");
        });
        assert!(
            log.contains(
                r#" ERROR it failed tenant=2 word=one error="no\" tenant=3 \\\" x" empty="" up=true"#
            ),
            "{log}"
        );
        let log = written(LogFormat::Json, || tracing::error!(tenant = 2, level = "none", "it failed"));
        let line: Value = serde_json::from_str(&log).expect("JSON");
        assert_eq!(line["level"], "ERROR", "a field cannot pass for ours");
        assert_eq!((&line["tenant"], &line["message"]), (&2.into(), &"it failed".into()));
        assert!(line["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')), "{line}");
    }

    #[test]
    fn a_line_is_bounded() {
        for format in [LogFormat::Human, LogFormat::Json] {
            let log =
                written(format, || tracing::info!(text = "y".repeat(1 << 20), "{}", "x".repeat(1 << 20)));
            assert!(log.len() < 3 * FIELD_BYTES, "{}", log.len());
        }
    }

    #[test]
    fn a_line_that_cannot_be_written_is_counted() {
        struct Full;
        impl io::Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let log = Log::start(Full);
        let subscriber = tracing_subscriber::fmt().with_writer(log.lines.clone()).finish();
        let counter = Counter::default();
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!("one");
            log.flush();
            log.lost.count_in(counter.clone());
            tracing::error!("two");
        });
        log.flush();
        assert_eq!(counter.get(), 2);
    }

    #[test]
    fn who_logs_waits_for_no_reader() {
        /// Takes one line, and nothing more until it is let.
        struct Stalled(mpsc::Receiver<()>);
        impl io::Write for Stalled {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.recv().ok();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (_never, stalled) = mpsc::channel();
        let log = Log::start(Stalled(stalled));
        let subscriber = tracing_subscriber::fmt().with_writer(log.lines.clone()).finish();
        let counter = Counter::default();
        log.lost.count_in(counter.clone());
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..2 * WAITING {
                tracing::error!("again");
            }
        });
        // Of those that were not lost the thread has some by now: as many as it found when it began to write.
        let lost = counter.get();
        assert!((WAITING as u64 / 2..=WAITING as u64).contains(&lost), "{lost}");
        log.flush();
    }

    #[test]
    fn what_is_usual_leaves_room_for_what_goes_wrong() {
        /// Takes what it is given first, and never comes back from the second.
        struct Stalled(bool, mpsc::Receiver<()>);
        impl io::Write for Stalled {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    self.1.recv().ok();
                }
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (_never, stalled) = mpsc::channel();
        let log = Log::start(Stalled(false, stalled));
        let subscriber = tracing_subscriber::fmt().with_writer(log.lines.clone()).finish();
        let counter = Counter::default();
        log.lost.count_in(counter.clone());
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..2 * WAITING {
                tracing::info!("a message");
            }
            let lost = counter.get();
            assert!(lost > 0, "more than there is room for");
            for _ in 0..USUAL / 2 {
                tracing::warn!("it goes wrong");
            }
            assert_eq!(counter.get(), lost, "there is room for all of it");
        });
    }
}
