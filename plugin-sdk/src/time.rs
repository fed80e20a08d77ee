//! Points in time and spans between them. The clock is the turn's: nothing here reads another.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_ms(ms: i64) -> Self {
        Timestamp(ms)
    }

    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; nothing if it is before.
    pub fn since(self, earlier: Timestamp) -> Span {
        Span(self.0.saturating_sub(earlier.0).max(0))
    }
}

/// RFC 3339 in UTC: `2026-03-01T12:00:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff_bundled::Timestamp::from_millisecond(self.0) {
            Ok(at) => at.fmt(f),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl Add<Span> for Timestamp {
    type Output = Timestamp;

    fn add(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Timestamp;

    fn sub(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }
}

/// A length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(i64);

impl Span {
    pub const fn from_ms(ms: i64) -> Self {
        Span(ms)
    }

    pub const fn as_ms(self) -> i64 {
        self.0
    }
}

impl Add for Span {
    type Output = Span;

    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

pub const fn seconds(n: i64) -> Span {
    Span(n.saturating_mul(1_000))
}

pub const fn minutes(n: i64) -> Span {
    Span(n.saturating_mul(60_000))
}

pub const fn hours(n: i64) -> Span {
    Span(n.saturating_mul(3_600_000))
}

/// Days of 24 hours; for calendar days use a [`crate::Zone`].
pub const fn days(n: i64) -> Span {
    Span(n.saturating_mul(86_400_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_rfc_3339() {
        assert_eq!(Timestamp::from_ms(1_772_366_400_000).to_string(), "2026-03-01T12:00:00Z");
    }

    #[test]
    fn spans_add_up_and_stop_at_the_ends_of_time() {
        let noon = Timestamp::from_ms(1_772_366_400_000);
        assert_eq!((noon + hours(25)).since(noon), days(1) + hours(1));
        assert_eq!(noon.since(noon + hours(1)), Span::default());
        assert_eq!(Timestamp::from_ms(i64::MAX) + days(1), Timestamp::from_ms(i64::MAX));
    }
}
