//! Declared data as it lies there now: what a start would say of it.

use super::{Finding, Patient};
use crate::declared::{self, Surroundings};

/// So many mistakes are told one by one.
const SHOWN: usize = 20;

pub fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let has = |tenant, name: &str| patient.store.collection(tenant, name).is_ok_and(|kept| kept.is_some());
    let around = Surroundings {
        private: patient.config.is_private(),
        directory: (*patient.store.directory()).clone(),
        has_collection: Some(&has),
        ..Surroundings::default()
    };
    let (problems, means) = match declared::load(&patient.config.declared, around) {
        Ok(declared) => (declared.damaged, "its records stay as they were"),
        Err(problems) => (problems, "the next start is refused"),
    };
    let finding = |problem: &crate::config::document::Problem| {
        Finding::error(
            "declared data",
            format!("{problem}; {means}"),
            "mend the file; `switchboard check` tells all",
        )
    };
    problems.iter().take(SHOWN).map(finding).collect()
}
