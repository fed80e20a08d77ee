//! What providers tell of a template, and what that makes of it.

use super::{Category, Change, Key, Registered, Status, Template};
use crate::event::TemplateChange;
use crate::message::{SenderName, TenantId, Timestamp};

/// Changes that are kept of a template.
pub const CHANGES: usize = 20;

/// What a provider says of a template. `None`: nothing about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    pub provider_id: Option<String>,
    pub status: Option<Status>,
    pub category: Option<Category>,
    pub reason: Option<String>,
    /// By the provider's clock, from a webhook. What is older than what was told before is no news.
    pub told_at: Option<Timestamp>,
}

impl News {
    /// From a webhook. A word that is not known here is kept as the reason.
    pub fn of(change: &TemplateChange) -> Self {
        let status = change.status.as_deref().map(Status::parse);
        let strange = change.status.as_ref().filter(|_| status == Some(Status::Unknown));
        News {
            provider_id: change.template_id.clone(),
            status,
            category: change.category.as_deref().and_then(Category::parse),
            reason: change.reason.clone().or_else(|| strange.map(|word| format!("the provider says {word}"))),
            told_at: Some(change.at).filter(|at| *at != Timestamp::ZERO),
        }
    }
}

impl Registered {
    /// As its tenant wrote it, known to nobody else.
    pub fn draft(tenant: TenantId, sender: SenderName, template: Template, now: Timestamp) -> Self {
        Registered {
            tenant,
            sender,
            template,
            status: Status::Draft,
            provider_id: None,
            reason: None,
            category: None,
            changed_at: now,
            synced_at: None,
            told_at: None,
            changes: Vec::new(),
        }
    }

    pub fn key(&self) -> Key {
        Key {
            tenant: self.tenant,
            sender: self.sender.clone(),
            name: self.template.name.clone(),
            language: self.template.language.clone(),
        }
    }

    /// The category that counts: the provider's word, where it gave one.
    pub fn category_in_force(&self) -> Category {
        self.category.unwrap_or(self.template.category)
    }

    /// Does the provider know it, as far as we know?
    pub fn is_submitted(&self) -> bool {
        !matches!(self.status, Status::Draft | Status::Deleted)
    }

    /// Takes up what a provider says. Whether its status or category became another one.
    pub fn hear(&mut self, news: &News, now: Timestamp) -> bool {
        if let (Some(told), Some(before)) = (news.told_at, self.told_at)
            && told < before
        {
            return false;
        }
        self.told_at = news.told_at.or(self.told_at);
        if news.provider_id.is_some() {
            self.provider_id.clone_from(&news.provider_id);
        }
        let mut changed = false;
        if let Some(status) = news.status {
            // A word nobody here knows is no reason to stop sending what was approved.
            let strange = status == Status::Unknown && self.status == Status::Approved;
            if status != self.status && !strange {
                let what = format!("status: {}, then {status}", self.status);
                self.note(what, news.reason.clone(), now);
                (self.status, self.changed_at, changed) = (status, now, true);
            }
            self.reason.clone_from(&news.reason);
        } else if news.reason.is_some() {
            self.reason.clone_from(&news.reason);
        }
        if let Some(category) = news.category {
            let before = self.category_in_force();
            if category != before {
                let what = format!("category: {}, then {}", before.word(), category.word());
                self.note(what, news.reason.clone(), now);
                changed = true;
            }
            self.category = Some(category);
        }
        changed
    }

    /// It goes to the provider with this content, and waits for its word.
    pub fn begin(&mut self, template: Template, now: Timestamp) {
        if !self.is_submitted() {
            // What is new there gets a new id.
            self.provider_id = None;
        }
        if self.template != template {
            (self.template, self.category) = (template, None);
            self.note("content: replaced".into(), None, now);
        }
        self.hear(&News { status: Some(Status::Pending), ..News::default() }, now);
        self.changed_at = now;
    }

    /// The provider's answer to that; `before`: as it was, where nothing was changed there. What a webhook
    /// told meanwhile is newer than the answer, though it came first.
    pub fn end(&mut self, news: &News, before: Option<&Registered>, now: Timestamp) {
        let mut news = news.clone();
        if let Some(before) = before {
            self.template.clone_from(&before.template);
            self.category = self.category.or(before.category);
            self.provider_id = self.provider_id.take().or_else(|| before.provider_id.clone());
            news.status = Some(before.status);
        }
        if self.status != Status::Pending {
            (news.status, news.category) = (None, self.category.is_none().then_some(news.category).flatten());
        }
        self.hear(&news, now);
    }

    fn note(&mut self, what: String, reason: Option<String>, at: Timestamp) {
        self.changes.push(Change { at, what, reason });
        let old = self.changes.len().saturating_sub(CHANGES);
        self.changes.drain(..old);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn draft() -> Registered {
        let template = serde_json::from_value(serde_json::json!({
            "name": "hello", "language": "en", "category": "utility", "body": "Hello.",
        }));
        let tenant = TenantId::new(2).unwrap();
        Registered::draft(tenant, SenderName::new("main"), template.unwrap(), Timestamp::ZERO)
    }

    fn news(status: &str, category: Option<&str>, at: i64) -> News {
        News::of(&TemplateChange {
            provider: crate::message::Provider::Meta,
            account: None,
            template_id: Some("17".into()),
            name: None,
            language: None,
            status: Some(status.into()).filter(|status: &String| !status.is_empty()),
            category: category.map(str::to_owned),
            reason: None,
            at: Timestamp::from_ms(at),
        })
    }

    #[test]
    fn what_is_told_is_taken_up_in_the_order_of_the_provider() {
        let rows = [
            (news("PENDING", None, 10), true, Status::Pending, Category::Utility),
            (news("APPROVED", None, 30), true, Status::Approved, Category::Utility),
            // Late: it was pending before it was approved.
            (news("PENDING", None, 20), false, Status::Approved, Category::Utility),
            (news("APPROVED", None, 30), false, Status::Approved, Category::Utility),
            (news("", Some("MARKETING"), 40), true, Status::Approved, Category::Marketing),
            (news("SOMETHING_NEW", None, 50), false, Status::Approved, Category::Marketing),
            (news("PAUSED", None, 60), true, Status::Paused, Category::Marketing),
            (news("SOMETHING_NEW", None, 70), true, Status::Unknown, Category::Marketing),
            (news("APPROVED", Some("MARKETING"), 0), true, Status::Approved, Category::Marketing),
        ];
        let mut template = draft();
        for (at, (news, changed, status, category)) in rows.into_iter().enumerate() {
            let now = Timestamp::from_ms(1_000 + at as i64);
            assert_eq!(template.hear(&news, now), changed, "row {at}: {news:?}");
            assert_eq!((template.status, template.category_in_force()), (status, category), "row {at}");
        }
        assert_eq!(template.provider_id.as_deref(), Some("17"));
        let told: Vec<&str> = template.changes.iter().map(|change| change.what.as_str()).collect();
        assert_eq!(
            told,
            [
                "status: draft, then pending",
                "status: pending, then approved",
                "category: UTILITY, then MARKETING",
                "status: approved, then paused",
                "status: paused, then unknown",
                "status: unknown, then approved",
            ]
        );
        assert_eq!(template.template.category, Category::Utility, "what the tenant wrote stays");
    }

    #[test]
    fn the_list_of_changes_does_not_grow() {
        let mut template = draft();
        for at in 0..100 {
            let status = if at % 2 == 0 { "APPROVED" } else { "PAUSED" };
            template.hear(&news(status, None, 0), Timestamp::from_ms(at));
        }
        assert_eq!(template.changes.len(), CHANGES);
        assert_eq!(template.changes.last().unwrap().at, Timestamp::from_ms(99));
    }
}
