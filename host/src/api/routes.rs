//! Every route of the API, once: its method and address, who may use it, what its parameters name, and who
//! handles it. The router is made of this table and of nothing else, and so is the test that tries every
//! route with what is another tenant's.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, Request, State};
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, post, put};

use super::auth::Caller;
use super::error::Result;
use super::{
    App, audit, brains, chat, contacts, conversations, doctor, explain, health, mapping, media, messages,
    opt_outs, outbox, quotas, reload, secrets, senders, templates, tenants, turns, upkeep, users, whatsapp,
};

/// Who may use a route. Asked before the body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever can reach the gateway.
    Anyone,
    Operator,
    /// The operator, and the tenant that the address names. To another tenant it does not exist.
    ThatTenant,
    /// Everybody with a key. A tenant is shown what is its own.
    Own,
}

/// What a parameter names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    Tenant,
    Organization,
    /// A contact in any form: a phone number, a hidden id, a user id.
    Contact,
    /// A file by its handle.
    File,
    Collection,
    Turn,
    Reply,
    /// By any of its names, or of a reply's to it.
    Message,
    Sender,
    Package,
    /// A version of a brain.
    Digest,
    /// A key of the API, or one that secrets are sealed with.
    Key,
    Template,
    Language,
    /// A signed address.
    Token,
    /// No thing of anybody's: a number, a switch, a text.
    Value,
}

/// What is sent along.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    None,
    /// A JSON object with these keys.
    Json(&'static [(&'static str, Names)]),
    /// A JSON object whose keys name contacts and whose values name tenants.
    Mapping,
    Bytes,
}

pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub who: Who,
    pub query: &'static [(&'static str, Names)],
    pub body: Body,
    handler: MethodRouter<Arc<App>>,
}

impl Route {
    /// What the parameters of its address name, in order.
    pub fn path_names(&self) -> Vec<(&'static str, Names)> {
        let inside = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        inside.map(|name| (name, named(name))).collect()
    }

    fn query(mut self, query: &'static [(&'static str, Names)]) -> Self {
        self.query = query;
        self
    }

    fn json(mut self, keys: &'static [(&'static str, Names)]) -> Self {
        self.body = Body::Json(keys);
        self
    }

    fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }
}

/// A parameter's name in an address tells what it names.
fn named(parameter: &str) -> Names {
    match parameter {
        "tenant" => Names::Tenant,
        "organization" => Names::Organization,
        "contact" => Names::Contact,
        "file" => Names::File,
        "collection" => Names::Collection,
        "turn" => Names::Turn,
        "reply" => Names::Reply,
        "message" => Names::Message,
        "sender" => Names::Sender,
        "package" => Names::Package,
        "key" => Names::Key,
        "template" => Names::Template,
        "language" => Names::Language,
        "token" => Names::Token,
        _ => Names::Value,
    }
}

fn route(method: Method, path: &'static str, who: Who, handler: MethodRouter<Arc<App>>) -> Route {
    Route { method, path, who, query: &[], body: Body::None, handler }
}

const PAGE: &[(&str, Names)] = &[("limit", Names::Value)];
const SPAN: &[(&str, Names)] = &[("after", Names::Value), ("before", Names::Value), ("limit", Names::Value)];

const THROUGH: &[(&str, Names)] = &[("sender", Names::Sender)];
const NARROW: &[(&str, Names)] = &[
    ("tenant", Names::Tenant),
    ("contact", Names::Contact),
    ("sender", Names::Value),
    ("state", Names::Value),
    ("error", Names::Value),
    ("older_than_minutes", Names::Value),
    ("limit", Names::Value),
    ("after", Names::Value),
];
const MANY: &[(&str, Names)] = &[("tenant", Names::Tenant), ("contact", Names::Contact)];
const VERSION: &[(&str, Names)] = &[("digest", Names::Digest)];
const SAID: &[(&str, Names)] = &[("id", Names::Value), ("from", Names::Contact), ("text", Names::Value)];
const PHONE: &[(&str, Names)] = &[("phone", Names::Contact)];

/// All of them.
pub fn table() -> Vec<Route> {
    let mut all = of_everybody();
    for more in
        [of_contacts(), of_tenants(), of_conversations(), of_templates(), of_senders(), of_operators()]
    {
        all.extend(more);
    }
    all
}

fn of_everybody() -> Vec<Route> {
    use Who::{Anyone, Own};
    vec![
        route(Method::GET, "/health", Anyone, get(health::health)),
        route(Method::GET, "/ready", Anyone, get(health::ready)),
        route(Method::GET, "/metrics", Anyone, get(health::metrics)),
        route(Method::GET, "/media/{token}", Anyone, get(media::linked)),
        route(Method::GET, "/qr/{token}", Anyone, get(whatsapp::linked_qr)),
        route(Method::GET, "/api/tenants", Own, get(tenants::list)),
        route(Method::GET, "/api/messages/{message}", Own, get(messages::show)),
        route(Method::GET, "/api/turns", Own, get(turns::list)).query(NARROW),
        route(Method::GET, "/api/turns/{turn}", Own, get(turns::show)),
        route(Method::POST, "/api/turns/retry", Own, post(turns::retry_many)).json(MANY),
        route(Method::POST, "/api/outbox/retry", Own, post(outbox::retry_many)).json(MANY),
        route(Method::POST, "/api/outbox/drop", Own, post(outbox::drop_many)).json(MANY),
        route(Method::POST, "/api/turns/{turn}/retry", Own, post(turns::retry)),
        route(Method::GET, "/api/outbox", Own, get(outbox::list)).query(NARROW),
        route(Method::GET, "/api/outbox/{reply}", Own, get(outbox::show)),
        route(Method::POST, "/api/outbox/{reply}/retry", Own, post(outbox::retry)),
        route(Method::POST, "/api/outbox/{reply}/drop", Own, post(outbox::drop)),
    ]
}

fn of_contacts() -> Vec<Route> {
    use Who::Operator;
    vec![
        route(Method::GET, "/api/gateway/stats", Operator, get(users::stats)),
        route(Method::GET, "/api/gateway/user/{contact}/tenant", Operator, get(users::tenant_of)),
        route(Method::DELETE, "/api/gateway/user/{contact}/mapping", Operator, delete(users::unlock)),
        route(Method::GET, "/api/mapping/export", Operator, get(mapping::export)),
        route(Method::POST, "/api/mapping/import", Operator, post(mapping::import))
            .query(&[("dry_run", Names::Value)])
            .body(Body::Mapping),
        route(Method::GET, "/api/contacts/{contact}", Operator, get(contacts::show)),
        route(Method::POST, "/api/contacts/{contact}/merge", Operator, post(contacts::merge))
            .json(&[("into", Names::Contact)]),
        route(Method::POST, "/api/contacts/{contact}/unmerge", Operator, post(contacts::unmerge)),
    ]
}

fn of_tenants() -> Vec<Route> {
    use Who::{Operator, ThatTenant};
    vec![
        route(Method::GET, "/api/tenants/{tenant}", ThatTenant, get(tenants::show)),
        route(Method::PUT, "/api/tenants/{tenant}", Operator, put(tenants::put)).json(&[
            ("name", Names::Value),
            ("organization", Names::Organization),
            ("brain", Names::Package),
        ]),
        route(Method::GET, "/api/tenants/{tenant}/quotas", ThatTenant, get(quotas::show)),
        route(
            Method::GET,
            "/api/tenants/{tenant}/collections/{collection}",
            ThatTenant,
            get(tenants::collection),
        ),
        route(
            Method::PUT,
            "/api/tenants/{tenant}/collections/{collection}",
            ThatTenant,
            put(tenants::put_collection),
        )
        .body(Body::Bytes),
        route(Method::GET, "/api/tenants/{tenant}/media", ThatTenant, get(media::list)).query(PAGE),
        route(Method::POST, "/api/tenants/{tenant}/media", ThatTenant, post(media::put))
            .query(&[("filename", Names::Value)])
            .body(Body::Bytes),
        route(Method::GET, "/api/tenants/{tenant}/media/{file}", ThatTenant, get(media::show)),
        route(Method::GET, "/api/tenants/{tenant}/brain", ThatTenant, get(brains::of_tenant)),
        route(Method::PUT, "/api/tenants/{tenant}/brain", ThatTenant, put(brains::push)).body(Body::Bytes),
        route(Method::POST, "/api/tenants/{tenant}/brain/forget", Operator, post(brains::forget)),
        route(
            Method::POST,
            "/api/tenants/{tenant}/brain/rollback",
            ThatTenant,
            post(brains::rollback_of_tenant),
        )
        .json(VERSION),
        route(Method::PUT, "/api/tenants/{tenant}/personality", ThatTenant, put(brains::push_personality))
            .body(Body::Bytes),
        route(Method::POST, "/api/tenants/{tenant}/whatsapp/connect", ThatTenant, post(whatsapp::connect))
            .json(&[("session", Names::Value)]),
        route(Method::GET, "/api/tenants/{tenant}/whatsapp/status", ThatTenant, get(whatsapp::status)),
        route(
            Method::POST,
            "/api/tenants/{tenant}/whatsapp/disconnect",
            ThatTenant,
            post(whatsapp::disconnect),
        ),
        route(Method::GET, "/api/tenants/{tenant}/whatsapp/qr", ThatTenant, get(whatsapp::qr))
            .query(&[("format", Names::Value)]),
        route(
            Method::POST,
            "/api/tenants/{tenant}/whatsapp/pairing-code",
            ThatTenant,
            post(whatsapp::pairing_code),
        )
        .json(PHONE),
    ]
}

fn of_conversations() -> Vec<Route> {
    use Who::ThatTenant;
    const CONVERSATION: &str = "/api/tenants/{tenant}/conversations/{contact}";
    const OPT_OUT: &str = "/api/tenants/{tenant}/opt-outs/{contact}";
    const AFTER: &[(&str, Names)] = &[("after", Names::Contact), ("limit", Names::Value)];
    vec![
        route(Method::POST, "/api/tenants/{tenant}/chat", ThatTenant, post(chat::say)).json(SAID),
        route(Method::GET, CONVERSATION, ThatTenant, get(conversations::show)),
        route(
            Method::GET,
            "/api/tenants/{tenant}/conversations/{contact}/messages",
            ThatTenant,
            get(conversations::messages),
        )
        .query(SPAN),
        route(
            Method::GET,
            "/api/tenants/{tenant}/conversations/{contact}/journal",
            ThatTenant,
            get(conversations::journal),
        )
        .query(SPAN),
        route(
            Method::POST,
            "/api/tenants/{tenant}/conversations/{contact}/handoff",
            ThatTenant,
            post(conversations::take_over),
        ),
        route(
            Method::POST,
            "/api/tenants/{tenant}/conversations/{contact}/handback",
            ThatTenant,
            post(conversations::hand_back),
        ),
        route(Method::GET, "/api/tenants/{tenant}/opt-outs", ThatTenant, get(opt_outs::list)).query(AFTER),
        route(Method::GET, OPT_OUT, ThatTenant, get(opt_outs::show)),
        route(Method::PUT, OPT_OUT, ThatTenant, put(opt_outs::add)).json(&[("reason", Names::Value)]),
        route(Method::DELETE, OPT_OUT, ThatTenant, delete(opt_outs::remove)),
    ]
}

fn of_templates() -> Vec<Route> {
    use Who::ThatTenant;
    const TEMPLATES: &str = "/api/tenants/{tenant}/templates";
    const TEMPLATE: &str = "/api/tenants/{tenant}/templates/{template}/{language}";
    const CONTENT: &[(&str, Names)] = &[
        ("name", Names::Template),
        ("language", Names::Language),
        ("category", Names::Value),
        ("body", Names::Value),
    ];
    vec![
        route(Method::GET, TEMPLATES, ThatTenant, get(templates::list)).query(THROUGH),
        route(Method::POST, TEMPLATES, ThatTenant, post(templates::create)).query(THROUGH).json(CONTENT),
        route(Method::POST, "/api/tenants/{tenant}/templates/sync", ThatTenant, post(templates::sync))
            .query(THROUGH),
        route(Method::GET, "/api/tenants/{tenant}/templates/log", ThatTenant, get(templates::log))
            .query(&[("before", Names::Value), ("limit", Names::Value)]),
        route(Method::GET, TEMPLATE, ThatTenant, get(templates::show)).query(THROUGH),
        route(Method::PUT, TEMPLATE, ThatTenant, put(templates::put)).query(THROUGH).json(CONTENT),
        route(Method::DELETE, TEMPLATE, ThatTenant, delete(templates::remove)).query(THROUGH),
        route(
            Method::POST,
            "/api/tenants/{tenant}/templates/{template}/{language}/submit",
            ThatTenant,
            post(templates::submit),
        )
        .query(THROUGH),
    ]
}

fn of_senders() -> Vec<Route> {
    use Who::Operator;
    const SENDER: &str = "/api/senders/{sender}";
    vec![
        route(Method::GET, "/api/senders", Operator, get(senders::list)),
        route(Method::GET, SENDER, Operator, get(senders::show)),
        route(Method::PUT, SENDER, Operator, put(senders::put)).json(&[
            ("provider", Names::Value),
            ("account", Names::Value),
            ("tenant", Names::Tenant),
        ]),
        route(Method::DELETE, SENDER, Operator, delete(senders::remove))
            .query(&[("drop_waiting", Names::Value)]),
        route(Method::POST, "/api/senders/{sender}/owner", Operator, post(senders::give))
            .json(&[("tenant", Names::Tenant), ("apply", Names::Value)]),
        route(Method::POST, "/api/senders/{sender}/whatsapp/connect", Operator, post(whatsapp::connect))
            .json(&[("session", Names::Value)]),
        route(Method::GET, "/api/senders/{sender}/whatsapp/status", Operator, get(whatsapp::status)),
        route(
            Method::POST,
            "/api/senders/{sender}/whatsapp/disconnect",
            Operator,
            post(whatsapp::disconnect),
        ),
        route(Method::GET, "/api/senders/{sender}/whatsapp/qr", Operator, get(whatsapp::qr))
            .query(&[("format", Names::Value)]),
        route(
            Method::POST,
            "/api/senders/{sender}/whatsapp/pairing-code",
            Operator,
            post(whatsapp::pairing_code),
        )
        .json(PHONE),
    ]
}

fn of_operators() -> Vec<Route> {
    use Who::Operator;
    vec![
        route(Method::GET, "/api/organizations", Operator, get(tenants::organizations)),
        route(Method::PUT, "/api/organizations/{organization}", Operator, put(tenants::put_organization))
            .json(&[("name", Names::Value)]),
        route(Method::GET, "/api/brains", Operator, get(brains::list)),
        route(Method::POST, "/api/brains/{package}/rollback", Operator, post(brains::rollback)).json(VERSION),
        route(Method::GET, "/api/keys", Operator, get(audit::keys)),
        route(Method::POST, "/api/keys", Operator, post(audit::make_key))
            .json(&[("tenant", Names::Tenant), ("name", Names::Value)]),
        route(Method::DELETE, "/api/keys/{key}", Operator, delete(audit::remove_key)),
        route(Method::GET, "/api/secrets", Operator, get(secrets::list)),
        route(Method::POST, "/api/secrets/rotate", Operator, post(secrets::rotate)),
        route(Method::DELETE, "/api/secrets/keys/{key}", Operator, delete(secrets::retire)),
        route(Method::GET, "/api/audit", Operator, get(audit::log)).query(PAGE),
        route(Method::GET, "/api/store", Operator, get(upkeep::show)),
        route(Method::POST, "/api/store/compact", Operator, post(upkeep::compact)),
        route(Method::POST, "/api/reload", Operator, post(reload::reload)),
        route(Method::POST, "/api/store/verify", Operator, post(upkeep::verify)),
        route(Method::POST, "/api/backup", Operator, post(audit::backup))
            .json(&[("to", Names::Value), ("files", Names::Value)]),
        route(Method::GET, "/api/doctor", Operator, get(doctor::examine)),
        route(Method::GET, "/api/route", Operator, get(super::route::route)).query(&[
            ("to", Names::Contact),
            ("from", Names::Contact),
            ("text", Names::Value),
        ]),
        route(Method::POST, "/api/webhook/explain", Operator, post(explain::explain))
            .query(&[("provider", Names::Value)])
            .body(Body::Bytes),
    ]
}

/// The routes for which a caller needs a key, and those for which nobody does.
pub fn routers(app: &Arc<App>) -> (Router<Arc<App>>, Router<Arc<App>>) {
    let (mut guarded, mut open) = (Router::new(), Router::new());
    for Route { path, who, handler, .. } in table() {
        if who == Who::Anyone {
            open = open.route(path, handler);
        } else {
            let asked = middleware::from_fn_with_state((app.clone(), who), allowed);
            guarded = guarded.route(path, handler.route_layer(asked));
        }
    }
    (guarded, open)
}

/// Lets through whom the route is for; the handler has its own look at what it shows.
async fn allowed(
    State((app, who)): State<(Arc<App>, Who)>,
    params: RawPathParams,
    request: Request,
    next: Next,
) -> Result<Response> {
    let caller = request.extensions().get::<Caller>();
    let caller = caller.ok_or_else(super::error::Error::unauthorized)?;
    match who {
        Who::Anyone | Who::Own => {}
        Who::Operator => caller.operator()?,
        Who::ThatTenant => {
            let tenant = params.iter().find(|(name, _)| *name == "tenant");
            // What is no number at all is told by the handler.
            if let Some(id) = tenant.and_then(|(_, value)| value.parse::<u32>().ok()) {
                caller.tenant(&app, id)?;
            }
        }
    }
    Ok(next.run(request).await)
}
