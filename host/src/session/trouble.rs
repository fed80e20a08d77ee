//! What is wrong with a session, and how WAHA's answers tell.

use crate::channel::waha::session::Session;
use crate::channel::waha::settings::Fault;
use crate::event::session::Status;
use crate::message::Timestamp;

/// What is wrong with a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It lost its settings, or somebody changed them.
    Settings(Vec<Fault>),
    Failed,
    /// And nobody has asked for that here.
    Stopped,
    /// It does not get beyond its start.
    Starting,
    /// WAHA has messages that did not come here.
    Unheard,
    /// WAHA gets no answer from WhatsApp, or gives none itself.
    Deaf,
    /// Silent, and WAHA cannot say why.
    Silent,
}

/// What helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    PutRight,
    Start,
    Restart,
}

impl Trouble {
    /// What a status says by itself.
    pub fn of(session: &Session) -> Option<Self> {
        match session.status {
            Status::Failed => Some(Trouble::Failed),
            Status::Stopped => Some(Trouble::Stopped),
            _ => None,
        }
    }

    /// For the log.
    pub fn what(&self) -> String {
        match self {
            Trouble::Settings(faults) => Fault::told(faults),
            Trouble::Failed => "the WhatsApp session failed".into(),
            Trouble::Stopped => "the WhatsApp session was stopped, and not from here".into(),
            Trouble::Starting => "the WhatsApp session does not get beyond its start".into(),
            Trouble::Unheard => "the WhatsApp session works, but messages at WAHA never came here".into(),
            Trouble::Deaf => "the WhatsApp session works, but does not reach WhatsApp".into(),
            Trouble::Silent => "the WhatsApp session works, but nothing was heard of it".into(),
        }
    }

    pub fn counted_as(&self) -> &'static str {
        match self {
            Trouble::Settings(_) => "settings",
            Trouble::Failed => "failed",
            Trouble::Stopped => "stopped",
            Trouble::Starting => "starting",
            Trouble::Unheard => "unheard",
            Trouble::Deaf => "deaf",
            Trouble::Silent => "silent",
        }
    }

    pub fn remedy(&self) -> Remedy {
        match self {
            Trouble::Settings(_) => Remedy::PutRight,
            Trouble::Stopped => Remedy::Start,
            Trouble::Failed | Trouble::Starting | Trouble::Unheard | Trouble::Deaf | Trouble::Silent => {
                Remedy::Restart
            }
        }
    }
}

/// What WAHA says to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<T> {
    Yes(T),
    /// It is not asked, or has no such call.
    Nothing,
    /// The call failed.
    Failure,
    /// The session is in another status by now, or the question was not asked.
    Changed,
}

/// What a silence comes to, by what WAHA says of it.
pub fn judge(
    heard: Timestamp,
    late_ms: i64,
    written: Said<Option<i64>>,
    reached: Said<()>,
) -> Option<Trouble> {
    match (written, reached) {
        (Said::Changed, _) | (_, Said::Changed) => None,
        (Said::Yes(Some(at_ms)), _) if at_ms > heard.plus_ms(late_ms).as_ms() => Some(Trouble::Unheard),
        (Said::Failure, _) | (_, Said::Failure) => Some(Trouble::Deaf),
        (Said::Nothing, Said::Nothing) => Some(Trouble::Silent),
        (Said::Yes(_), _) | (_, Said::Yes(())) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_judged_by_what_waha_says() {
        let heard = Timestamp::from_ms(1_000_000);
        let at = |ms| Said::Yes(Some(ms));
        for (case, written, reached, expected) in [
            ("a quiet night", at(900_000), Said::Yes(()), None),
            ("no chats at all", Said::Yes(None), Said::Yes(()), None),
            ("a message on its way", at(1_050_000), Said::Yes(()), None),
            ("messages that never came", at(1_060_001), Said::Yes(()), Some(Trouble::Unheard)),
            ("the same, and more", at(1_060_001), Said::Failure, Some(Trouble::Unheard)),
            ("WhatsApp is out of reach", at(900_000), Said::Failure, Some(Trouble::Deaf)),
            ("its store fails", Said::Failure, Said::Yes(()), Some(Trouble::Deaf)),
            ("an engine that keeps no chats", Said::Nothing, Said::Yes(()), None),
            ("the same, out of reach", Said::Nothing, Said::Failure, Some(Trouble::Deaf)),
            ("a WAHA that cannot check numbers", at(900_000), Said::Nothing, None),
            ("nothing vouches for it", Said::Nothing, Said::Nothing, Some(Trouble::Silent)),
            ("it stopped meanwhile", at(1_060_001), Said::Changed, None),
            ("it stopped even before", Said::Changed, Said::Failure, None),
        ] {
            assert_eq!(judge(heard, 60_000, written, reached), expected, "{case}");
        }
    }
}
