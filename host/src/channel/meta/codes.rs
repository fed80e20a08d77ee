//! What Meta's error codes mean, as data. The same codes come in answers, in failure reports, and
//! through resellers of the Cloud API. Meta asks to decide by the code and not by the HTTP status.
//!
//! Source: the Cloud API's page of error codes, as two well-used clients have it (pywa, courier).

use crate::message::Fate;

/// A code, or codes next to each other, and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    pub first: i64,
    pub last: i64,
    pub fate: Fate,
    /// What the operator can do; empty where there is nothing to do.
    pub advice: &'static str,
}

const fn one(code: i64, fate: Fate, advice: &'static str) -> Rule {
    Rule { first: code, last: code, fate, advice }
}

const fn all(first: i64, last: i64, fate: Fate, advice: &'static str) -> Rule {
    Rule { first, last, fate, advice }
}

const TOKEN: &str = "give the sender a new api_key: a token with the permission whatsapp_business_messaging";
const NUMBER_LIMIT: &str = "the whole number sends too fast; lower the sender's rate_per_second";
const APP_LIMIT: &str = "the app makes too many calls";
const TEMPLATE: &str = "compare the template with what Meta approved: `switchboard template list`";
const ACCOUNT: &str = "see the account's status in Meta's WhatsApp manager";

/// The first that fits counts.
pub const RULES: &[Rule] = &[
    // Throttling: nothing went out.
    one(4, Fate::Retry, APP_LIMIT),
    one(17, Fate::Retry, APP_LIMIT),
    one(613, Fate::Retry, APP_LIMIT),
    one(80007, Fate::Retry, "the business account makes too many calls"),
    one(80008, Fate::Retry, "the business account makes too many calls"),
    one(130429, Fate::Retry, NUMBER_LIMIT),
    one(131048, Fate::Retry, "too many contacts blocked or reported the number; see its quality at Meta"),
    one(131056, Fate::Retry, "too many messages to this one contact"),
    one(133016, Fate::Retry, "the number was registered too often"),
    // Trouble at Meta that goes away by itself.
    one(2, Fate::Retry, ""),
    one(131000, Fate::Retry, ""),
    one(131016, Fate::Retry, ""),
    one(131053, Fate::Retry, "Meta could not take the file; is its address public and its type allowed?"),
    one(131057, Fate::Retry, "the account is in maintenance"),
    one(133004, Fate::Retry, ""),
    // The token: everything waits until it is replaced.
    one(0, Fate::KeyRefused, TOKEN),
    one(3, Fate::KeyRefused, TOKEN),
    one(10, Fate::KeyRefused, TOKEN),
    one(190, Fate::KeyRefused, TOKEN),
    all(200, 299, Fate::KeyRefused, TOKEN),
    one(131005, Fate::KeyRefused, TOKEN),
    // More than 24 hours since the contact wrote.
    one(470, Fate::WindowClosed, "only an approved template may go out now"),
    one(131047, Fate::WindowClosed, "only an approved template may go out now"),
    // The contact switched marketing messages off.
    one(131050, Fate::OptedOut, "the contact wants no marketing messages"),
    // This contact, or this message to this contact.
    one(130472, Fate::Permanent, "the contact takes part in an experiment of Meta's"),
    one(130497, Fate::Permanent, "the account may not write to contacts in this country"),
    one(131021, Fate::Permanent, "the contact is the sender's own number"),
    one(131026, Fate::Permanent, "the contact is not on WhatsApp, or cannot take this"),
    one(131030, Fate::Permanent, "a test number writes only to numbers on its list at Meta"),
    one(131049, Fate::Permanent, "Meta keeps the number of marketing messages to a contact small"),
    one(131062, Fate::Permanent, "an authentication template needs a contact's phone number"),
    // The account.
    one(33, Fate::Permanent, "the number is not at Meta any more; check the sender's account"),
    one(368, Fate::Permanent, ACCOUNT),
    one(131031, Fate::Permanent, ACCOUNT),
    one(131037, Fate::Permanent, "the number's display name is not approved yet"),
    one(131042, Fate::Permanent, "see the account's payment method at Meta"),
    one(131045, Fate::Permanent, "register the number at Meta"),
    one(133010, Fate::Permanent, "register the number at Meta"),
    // The request.
    one(100, Fate::Permanent, ""),
    one(131008, Fate::Permanent, ""),
    one(131009, Fate::Permanent, ""),
    one(131051, Fate::Permanent, ""),
    one(131052, Fate::Permanent, ""),
    one(131055, Fate::Permanent, ""),
    // The template.
    one(132015, Fate::Permanent, "Meta paused the template, because contacts did not like it"),
    one(132016, Fate::Permanent, "Meta disabled the template for good"),
    all(132000, 132999, Fate::Permanent, TEMPLATE),
];

/// What is known of a code.
pub fn rule(code: i64) -> Option<&'static Rule> {
    RULES.iter().find(|rule| (rule.first..=rule.last).contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row() {
        for (fate, codes) in [
            (Some(Fate::Retry), vec![4, 17, 613, 80007, 80008, 130429, 131048, 131056, 133016]),
            (Some(Fate::Retry), vec![2, 131000, 131016, 131053, 131057, 133004]),
            (Some(Fate::KeyRefused), vec![0, 3, 10, 190, 200, 250, 299, 131005]),
            (Some(Fate::WindowClosed), vec![470, 131047]),
            (Some(Fate::OptedOut), vec![131050]),
            (Some(Fate::Permanent), vec![130472, 130497, 131021, 131026, 131030, 131049, 131062]),
            (Some(Fate::Permanent), vec![33, 368, 131031, 131037, 131042, 131045, 133010]),
            (Some(Fate::Permanent), vec![100, 131008, 131009, 131051, 131052, 131055]),
            (Some(Fate::Permanent), vec![132000, 132001, 132005, 132012, 132015, 132016, 132068]),
            (None, vec![-1, 1, 5, 199, 300, 131999, 131046, 133000, i64::MAX, i64::MIN]),
        ] {
            for code in codes {
                assert_eq!(rule(code).map(|rule| rule.fate), fate, "{code}");
            }
        }
    }

    /// A row that is never reached says something else than it seems to.
    #[test]
    fn every_row_is_reached() {
        for wanted in RULES {
            assert_eq!(rule(wanted.first), Some(wanted));
            assert_eq!(rule(wanted.last), Some(wanted));
        }
    }
}
