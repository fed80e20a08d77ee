//! Switchboard: one WhatsApp number, a thousand businesses behind it.
//!
//! # The way of a message
//!
//! ```text
//!  provider ──POST──▶ webhook ▶ channel adapter ▶ route ▶ store.accept ── 200 ──▶ provider
//!                     verify     decode            decide   dedup + lock + inbox, one durable commit
//!                                                               │ wake
//!                          turn loop:  claim ▶ brain (wasm) ▶ store.commit_turn
//!                                      FIFO per conversation    memory + outbox + journal + inbox ack,
//!                                      fair between tenants     one durable commit
//!                                                               │ wake
//!                          delivery loop:  claim due ▶ policy ▶ channel encode ▶ POST ▶ settle
//!                                          window, opt-out, rate      sent | later | dead | unknown
//! ```
//!
//! A webhook never waits for a brain. A brain never waits for a provider's answer to its replies.
//! One message's way can be followed by one number: [`way`] in the log, [`store::ways`] in the store.
//! Read the files in the order of the arrows: [`webhook`], [`channel`], [`route`], [`store`],
//! [`turn`], [`brain`], [`delivery`], [`policy`]. [`gateway`] builds them all and hands each what it needs.
//!
//! Beside the way stand [`media`] (the files that messages bring and show), [`presence`] (read marks and
//! typing), [`doubt`] (replies of unknown outcome), [`session`] (WAHA numbers: log in, watch, look hidden ids up), [`template_sync`] (what
//! providers say of templates), [`reload`] (what files declare) and [`doctor`]. Every request to a provider leaves
//! through [`egress`], which admits it: whoever does not answer, or refuses its key, is not asked by everybody.
//!
//! # Guarantees
//!
//! 1. **Acknowledged means kept.** A 2xx to a provider comes after a durable commit.
//! 2. **One effect per message.** (provider, account, message id) is unique; a duplicate gets the
//!    first answer again.
//! 3. **One winner.** Two deep links of one contact at the same time give one lock.
//! 4. **Order.** One conversation runs one turn at a time; its replies leave in order.
//! 5. **No byte crosses tenants.** A fresh instance per turn; every key carries its tenant.
//! 6. **Every reply is sent, failed or unknown**, visibly. Unknown is never sent again by itself.
//! 7. **A brain's failure costs one turn.**
//! 8. **Reload loses nothing.** Turns end on the version they began with.
//! 9. **Counters are true**, after a crash too.
//! 10. **Everything an administrator does is in the audit log.**
//!
//! # Floors
//!
//! Imports point down, and neighbours on one floor do not import each other. Inside a module no files import each
//! other in a circle either; a file and those in its folder are none:
//!
//! ```text
//! main > cli > gateway > http > {webhook, turn, delivery, api} > {doctor, doubt, presence, media, session, template_sync, reload}
//!      > {metrics, declared, keyring, backup} > {repeats} > {store, brain, explain, egress}
//!      > {refused_keys} > {channel, route, retry, schedule, policy, offer} > {config, body, seal} > {tenant, conversation, template}
//!      > {identity, deep_link, opt_out, event, clock, way, signed_address} > {message, glyph, internet, regular_file, ownership, priority, vitals, whatsapp_limits}
//! ```

pub mod api;
pub mod backup;
pub mod body;
pub mod brain;
pub mod channel;
pub mod cli;
pub mod clock;
pub mod config;
pub mod conversation;
pub mod declared;
pub mod deep_link;
pub mod delivery;
pub mod doctor;
pub mod doubt;
pub mod egress;
pub mod event;
pub mod explain;
pub mod gateway;
pub mod glyph;
pub mod http;
pub mod identity;
pub mod internet;
pub mod keyring;
pub mod media;
pub mod message;
pub mod metrics;
pub mod offer;
pub mod opt_out;
pub mod ownership;
pub mod policy;
pub mod presence;
pub mod priority;
pub mod refused_keys;
pub mod regular_file;
pub mod reload;
pub mod repeats;
pub mod retry;
pub mod route;
pub mod schedule;
pub mod seal;
pub mod session;
pub mod signed_address;
pub mod store;
pub mod template;
pub mod template_sync;
pub mod tenant;
pub mod turn;
pub mod vitals;
pub mod way;
pub mod webhook;
pub mod whatsapp_limits;
