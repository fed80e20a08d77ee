//! Templates at 360dialog: `v1/configs/templates`. They are written as at Meta and listed in a form of
//! 360dialog's own. They are deleted by name, all languages at once, and not replaced.

use http::{HeaderMap, Method};
use serde_json::Value;

use crate::channel::dialog360::{ANSWERING, api};
use crate::channel::json;
use crate::channel::meta::{graph, outcome, templates as meta};
use crate::channel::templates::{Api, Page, Submitted};
use crate::channel::{EncodeError, Outcome, Request};
use crate::template::Template;
use crate::tenant::Sender;

const PATH: &str = "v1/configs/templates";

/// Of one page.
const PAGE: usize = 500;

#[derive(Debug)]
pub struct Templates;

impl Api for Templates {
    fn submit(&self, sender: &Sender, template: &Template) -> Result<Request, EncodeError> {
        api::call(sender, Method::POST, PATH, &meta::body(template))
    }

    fn update(&self, _sender: &Sender, _id: &str, template: &Template) -> Result<Request, EncodeError> {
        Err(EncodeError(format!(
            "360dialog replaces no template; give {} another name, or delete it first: `switchboard template delete`",
            template.name
        )))
    }

    fn delete(
        &self,
        sender: &Sender,
        _id: Option<&str>,
        template: &Template,
    ) -> Result<Request, EncodeError> {
        let name = graph::id(&template.name)
            .ok_or_else(|| EncodeError(format!("{:?} is no name of a template", template.name)))?;
        let mut request = api::get(sender, &format!("{PATH}/{name}"))?;
        request.method = Method::DELETE;
        Ok(request)
    }

    /// `after`: how many were seen.
    fn list(&self, sender: &Sender, after: Option<&str>) -> Result<Request, EncodeError> {
        let seen: usize = match after.map(str::parse) {
            None => 0,
            Some(Ok(seen)) => seen,
            Some(Err(_)) => return Err(EncodeError("a page of templates begins at a number".into())),
        };
        api::get(sender, &format!("{PATH}?limit={PAGE}&offset={seen}&sort=id"))
    }

    fn submitted(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Submitted, Outcome> {
        meta::taken(&ANSWERING, status, headers, body)
    }

    fn deleted(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<(), Outcome> {
        match outcome::success(&ANSWERING, status, headers, body) {
            Ok(_) => Ok(()),
            Err(_) if status == 404 => Ok(()),
            Err(outcome) => Err(outcome),
        }
    }

    fn deletes_all_languages(&self) -> bool {
        true
    }

    fn listed(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Page, Outcome> {
        let answer = outcome::success(&ANSWERING, status, headers, body)?;
        let Some(templates) = json::field(&answer, "waba_templates").and_then(Value::as_array) else {
            return Err(meta::unreadable(&ANSWERING, "a list of templates"));
        };
        let number = |name: &str| json::number(json::field(&answer, name)?);
        let seen = number("offset").unwrap_or(0.0) + templates.len() as f64;
        let more = !templates.is_empty() && number("total").is_some_and(|total| seen < total);
        Ok(Page {
            templates: templates.iter().filter_map(Value::as_object).filter_map(meta::listed).collect(),
            next: more.then(|| format!("{seen:.0}")),
        })
    }
}
