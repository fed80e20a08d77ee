//! Findings of one kind, told once: a server that is down is one thing to mend, however many numbers it has.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Finding, Severity};
use crate::repeats::some_of;

/// Fewer than this stand each for itself.
const MANY: usize = 3;

/// Where an action has the name of what it is about.
pub const NAME: &str = "NAME";

/// What one finding has in common with others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kin {
    /// Where all of them are: `waha at http://127.0.0.1:3000`.
    pub place: String,
    /// `senders`.
    pub things: &'static str,
    pub name: String,
}

/// The worst first, and of the equally bad what more are about.
pub fn together(findings: Vec<Finding>) -> Vec<Finding> {
    let (mut alone, mut kinds) = (Vec::new(), BTreeMap::<_, Vec<Finding>>::new());
    for finding in findings {
        match &finding.kin {
            None => alone.push(finding),
            Some(kin) => {
                // In what way something is well need not be told of many.
                let what =
                    if finding.severity == Severity::Good { String::new() } else { finding.what.clone() };
                let kind = (kin.place.clone(), kin.things, finding.severity, what, finding.action.clone());
                kinds.entry(kind).or_default().push(finding);
            }
        }
    }
    for ((place, things, severity, what, action), of_one_kind) in kinds {
        if of_one_kind.len() < MANY {
            alone.extend(of_one_kind.into_iter().map(named));
            continue;
        }
        let names: Vec<&str> =
            of_one_kind.iter().filter_map(|one| one.kin.as_ref().map(|kin| kin.name.as_str())).collect();
        let count = names.len();
        let what = if what.is_empty() { "well".to_owned() } else { what };
        let what = format!("{count} {things}: {what} ({})", some_of(&names));
        alone.push(Finding { severity, subject: place, what, action, count, kin: None });
    }
    alone.sort_by_key(|finding| (Reverse(finding.severity), Reverse(finding.count)));
    alone
}

/// One by itself: what to do has its name.
fn named(mut finding: Finding) -> Finding {
    if let Some(kin) = &finding.kin {
        finding.action = finding.action.replace(NAME, &kin.name);
    }
    finding
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, finding: Finding) -> Finding {
        let kin = Kin { place: "waha at http://127.0.0.1:3000".into(), things: "senders", name: name.into() };
        Finding { kin: Some(kin), ..finding }
    }

    #[test]
    fn a_server_that_is_down_is_one_line_however_many_numbers_it_has() {
        let down = |name: &str| {
            of(
                name,
                Finding::error(
                    format!("sender {name}"),
                    "waha cannot be asked",
                    "`switchboard sender status NAME`",
                ),
            )
        };
        let mut findings: Vec<Finding> = (0..300).map(|n| down(&format!("n{n}"))).collect();
        findings.push(Finding::good("store", "it takes commits"));
        findings.push(Finding::warning("backups", "late", "`switchboard backup`"));
        let told = together(findings);
        assert_eq!(told.len(), 3, "{told:#?}");
        assert_eq!((told[0].severity, told[0].count), (Severity::Error, 300));
        assert_eq!(told[0].subject, "waha at http://127.0.0.1:3000");
        assert_eq!(told[0].what, "300 senders: waha cannot be asked (n0, n1, n2, n3, n4 and 295 more)");
        assert_eq!(told[0].action, "`switchboard sender status NAME`");
        assert_eq!((told[1].subject.as_str(), told[2].subject.as_str()), ("backups", "store"));
    }

    #[test]
    fn few_stand_for_themselves_with_their_own_command() {
        let scan = |name: &str| {
            of(name, Finding::error(format!("sender {name}"), "scan", "`switchboard sender connect NAME`"))
        };
        let told = together(vec![scan("a"), scan("b")]);
        let actions: Vec<&str> = told.iter().map(|finding| finding.action.as_str()).collect();
        assert_eq!(actions, ["`switchboard sender connect a`", "`switchboard sender connect b`"]);
        let well = (0..4).map(|n| of(&n.to_string(), Finding::good("sender", format!("works as {n}"))));
        assert_eq!(together(well.collect())[0].what, "4 senders: well (0, 1, 2, 3)");
    }
}
