//! Names of senders, tenants and the like as labels: the first so many keep theirs, and the rest are one. What is
//! shown of them is bounded, however many there are.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::glyph;

/// Of a name so much is shown.
const BYTES: usize = 64;

/// What all beyond the bound are called.
pub const OTHER: &str = "other";

/// Those that have a name of their own, until the next start.
#[derive(Debug)]
pub struct Few {
    most: usize,
    named: Mutex<BTreeSet<String>>,
}

impl Few {
    pub fn new(most: usize) -> Self {
        Few { most, named: Mutex::default() }
    }

    pub fn label(&self, name: &str) -> String {
        let name = &fit(name);
        // Nothing under this lock can leave it half-changed.
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.contains(name) {
            return name.to_owned();
        }
        if named.len() >= self.most {
            return OTHER.to_owned();
        }
        named.insert(name.to_owned());
        name.to_owned()
    }
}

/// What is written into the text as it is: nothing in it ends a label, and it is no longer than somebody reads.
fn fit(name: &str) -> String {
    glyph::shown(name, BYTES).replace('\\', "/").replace('"', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_holds_nothing_that_would_end_it() {
        let few = Few::new(9);
        for wrong in ["a\"b", "a\\", "a\nb", "\u{202e}", &"x".repeat(9999)] {
            let label = few.label(wrong);
            assert!(!label.contains(['"', '\\', '\n']) && label.len() <= 2 * BYTES, "{label:?}");
        }
    }

    #[test]
    fn the_first_keep_their_names() {
        let few = Few::new(2);
        for (name, label) in [("a", "a"), ("b", "b"), ("c", OTHER), ("a", "a"), ("d", OTHER), ("b", "b")] {
            assert_eq!(few.label(name), label, "{name}");
        }
    }
}
