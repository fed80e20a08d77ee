//! Declared data as it lies there now: what a start would say of it.

use super::{Finding, Patient};
use crate::declared::{self, Surroundings};

/// So many mistakes are told one by one.
const SHOWN: usize = 20;

pub async fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let around = Surroundings {
        private: patient.config.is_private(),
        directory: (*patient.store.directory()).clone(),
        ..Surroundings::default()
    };
    let (problems, means) = match declared::load_over(patient.store, &patient.config.declared, around).await {
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
