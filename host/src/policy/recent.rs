//! A memory of what was used lately, in bounded space: two generations, of which the older one is
//! forgotten when the younger one is full. What is used keeps its place in the younger one.

use std::collections::HashMap;
use std::hash::Hash;

#[derive(Debug)]
pub struct Recent<K, V> {
    capacity: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Clone + Eq + Hash, V: Default> Recent<K, V> {
    /// Remembers the last `capacity` keys at least, and twice as many at most.
    pub fn new(capacity: usize) -> Self {
        Recent { capacity: capacity.max(1), young: HashMap::new(), old: HashMap::new() }
    }

    /// What is remembered under this key; the default where nothing is.
    pub fn at(&mut self, key: &K) -> &mut V {
        if !self.young.contains_key(key) {
            let value = self.old.remove(key).unwrap_or_default();
            if self.young.len() >= self.capacity {
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert(key.clone(), value);
        }
        self.young.get_mut(key).expect("it is there since the line above at the latest")
    }

    pub fn forget(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_is_remembered_and_the_rest_is_forgotten_in_time() {
        let mut recent: Recent<u32, u32> = Recent::new(10);
        for n in 0..1_000 {
            *recent.at(&n) = n;
            // Used all the time.
            *recent.at(&0) += 1;
            assert!(recent.young.len() + recent.old.len() <= 20);
        }
        assert_eq!((*recent.at(&999), *recent.at(&990), *recent.at(&0)), (999, 990, 1_000));
        assert_eq!(*recent.at(&900), 0, "forgotten");
        recent.forget(&0);
        assert_eq!(*recent.at(&0), 0);
    }
}
