//! How much of a list one answer holds: as many entries as were asked for, and about so many bytes.

use serde::Deserialize;

use crate::api::error::{Error, Result};

/// Of what is kept, so much goes into one answer; one entry does however large it is.
pub const BYTES: usize = 1 << 20;

/// How many entries somebody asks for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub struct Limit(usize);

impl Default for Limit {
    fn default() -> Self {
        Limit(100)
    }
}

impl Limit {
    /// `most`, if more are asked for.
    pub fn up_to(self, most: usize) -> Result<usize> {
        if self.0 == 0 {
            return Err(Error::malformed(
                "limit: is 0",
                "write a number from 1 on, or leave it out for a hundred",
            ));
        }
        Ok(self.0.min(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_at_all_cannot_be_asked_for() {
        assert!(Limit(0).up_to(1000).is_err());
        for (asked, most, got) in [(1, 1000, 1), (1001, 1000, 1000), (Limit::default().0, 1000, 100)] {
            assert_eq!(Limit(asked).up_to(most).ok(), Some(got));
        }
    }
}
