//! The composition root: opens every part, hands each what it needs, runs the loops, and stops them
//! in order. Nothing is decided here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use axum::Router;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::auth::OwnMachine;
use crate::api::failed_keys::FailedKeys;
use crate::api::health::Readiness;
use crate::api::threads::Threads;
use crate::api::under_way::UnderWay;
use crate::api::uploads::Uploads;
use crate::api::{ApiStore, App};
use crate::backup;
use crate::body::{Bounds, Memory};
use crate::brain::{self, Brains};
use crate::config::Config;
use crate::declared;
use crate::delivery::{DeliveryLoop, DeliveryStore};
use crate::doubt::{DoubtStore, Doubts};
use crate::egress::Egress;
use crate::egress::circuits::Circuits;
use crate::http::{self, control};
use crate::keyring;
use crate::media::{Media, MediaStore};
use crate::metrics::Metrics;
use crate::presence;
use crate::refused_keys::RefusedKeys;
use crate::reload::{Reload, ReloadStore};
use crate::retry::Backoff;
use crate::schedule::Limits;
use crate::seal::Ring;
use crate::session::pulse::Pulse;
use crate::session::{self, SessionStore, Sessions};
use crate::store::embedded::space::{Ask, Reserve};
use crate::store::embedded::{self, Embedded, OpenError};
use crate::store::upkeep::StoreFile;
use crate::store::{self, Retention, Store};
use crate::template_sync::{Desk, DeskStore};
use crate::tenant::HouseWaha;
use crate::turn::running::Running;
use crate::turn::{TurnLoop, TurnStore};
use crate::vitals::Vitals;
use crate::webhook::hearing::{Hearing, HearingStore};
use crate::webhook::{Webhook, WebhookStore};

use self::upkeep::PruneStore;

mod upkeep;

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The store as each part asks for it: every part is handed its own view of the one that is open.
pub trait GatewayStore:
    ApiStore
    + DeliveryStore
    + DeskStore
    + DoubtStore
    + HearingStore
    + MediaStore
    + PruneStore
    + ReloadStore
    + SessionStore
    + TurnStore
    + WebhookStore
{
}

impl<T: Store> GatewayStore for T {}

/// Every part of a gateway, opened.
pub struct Gateway {
    pub config: Arc<Config>,
    pub store: Arc<dyn GatewayStore>,
    /// What the store lies in.
    pub file: Arc<dyn StoreFile>,
    pub brains: Arc<Brains>,
    pub metrics: Arc<Metrics>,
    pub egress: Egress,
    /// The same for what is asked of providers by way of the API.
    asked: Egress,
    pub templates: Arc<Desk>,
    pub media: Arc<Media>,
    pub sessions: Arc<Sessions>,
    pulse: Arc<Pulse>,
    /// Reads what files declare.
    pub reload: Arc<Reload>,
    refused_keys: Arc<RefusedKeys>,
    threads: Arc<Threads>,
    vitals: Arc<Vitals>,
    /// Set while the gateway stops: `/ready` says so.
    pub draining: Arc<AtomicBool>,
}

impl Gateway {
    /// Opens the store and the brains. Nothing runs yet.
    pub async fn open(config: Config) -> Result<Self> {
        // Fails only if one is there already, which is as good.
        rustls::crypto::ring::default_provider().install_default().ok();
        private_dir(&config.data)?;
        backup::refuse_half_restored(&config.data)?;
        let keys = keyring::read(&config)?;
        let vitals = Arc::new(Vitals::default());
        let settings =
            embedded::Settings { vitals: vitals.clone(), ..store_settings(&config, keys.ring.clone()) };
        // Checking a large file takes its time.
        let opened = tokio::task::spawn_blocking(move || Embedded::open(settings))
            .await
            .context("opening the store panicked")?;
        let opened = opened.map_err(|error| explained(error, &keys))?;
        backup::remove_unfinished(&config.backups());
        let waha = session_settings(&config)?;
        let (base_url, api_key) = (waha.waha.base_url.clone(), waha.api_key.clone());
        let opened = Arc::new(opened);
        let (store, file): (Arc<dyn GatewayStore>, Arc<dyn StoreFile>) = (opened.clone(), opened);
        store.lend_waha(HouseWaha { base_url, api_key }).await?;
        keyring::settle(&config, &*store, keys.ring).await?;
        let settings = brain::Settings {
            plugins: config.plugins.clone(),
            cache: config.brains_dir(),
            limits: config.limits,
            concurrent: config.turns.concurrent,
            compiling: config.brains.clone(),
            program: config.brains.program.clone().unwrap_or_else(|| brain::THIS_PROGRAM.into()),
            vitals: vitals.clone(),
        };
        let tenants = store.clone();
        let brains =
            Brains::open(settings, move |tenant| Some(tenants.directory().tenant(tenant)?.brain.clone()))
                .await
                .with_context(|| format!("cannot read the plugins directory {}", config.plugins.display()))?;
        let delivery = &config.delivery;
        let backoff = Backoff { base_ms: delivery.backoff_ms, max_ms: delivery.backoff_max_ms };
        let refused_keys = Arc::new(RefusedKeys::new(backoff));
        let circuits = Circuits::new(delivery, &config.media);
        let egress = || {
            Egress::new(delivery, circuits.clone(), refused_keys.clone())
                .context("cannot set up the HTTP client")
        };
        // A connection lives on the threads that opened it: no delivery goes out over one of the API's.
        let (egress, asked) = (egress()?, egress()?.for_people());
        let (metrics, pulse) = (Arc::new(Metrics::new()), Arc::new(Pulse::default()));
        let media = Media::open(&config, store.clone(), egress.clone(), metrics.clone())
            .with_context(|| format!("cannot use the directory {}", config.media_dir().display()))?;
        let sessions = Sessions::new(store.clone(), asked.clone(), metrics.clone(), pulse.clone(), waha);
        let templates = Desk::new(store.clone(), asked.clone(), config.templates.clone());
        let config = Arc::new(config);
        Ok(Gateway {
            reload: Arc::new(Reload::new(config.clone(), store.clone(), brains.clone())),
            refused_keys,
            egress,
            asked,
            templates,
            media,
            sessions,
            pulse,
            threads: Arc::new(Threads::start().context("cannot start the API's threads")?),
            vitals,
            config,
            store,
            file,
            brains,
            metrics,
            draining: Arc::default(),
        })
    }

    /// Every door of this gateway.
    pub fn router(&self) -> Router {
        let http = &self.config.http;
        let timeout = Duration::from_millis(http.body_timeout_ms);
        let memory = Memory::new(http.webhook_memory_bytes, "http.webhook_memory_bytes");
        let unproven = Memory::new(http.unproven_memory_bytes, "http.unproven_memory_bytes");
        let unproven = Bounds { bytes: http.webhook_body_bytes, timeout, memory: unproven };
        let private = self.config.is_private();
        let hearing = Hearing::new(self.store.clone(), private, unproven, memory);
        let app = Arc::new(App {
            config: self.config.clone(),
            store: self.store.clone(),
            file: self.file.clone(),
            brains: self.brains.clone(),
            media: self.media.clone(),
            metrics: self.metrics.clone(),
            egress: self.asked.clone(),
            sessions: self.sessions.clone(),
            reload: self.reload.clone(),
            refused_keys: self.refused_keys.clone(),
            templates: self.templates.clone(),
            draining: self.draining.clone(),
            vitals: self.vitals.clone(),
            uploads: Uploads::new(http),
            threads: self.threads.clone(),
            under_way: UnderWay::default(),
            readiness: Readiness::default(),
            failed_keys: FailedKeys::default(),
        });
        let webhook = Webhook {
            store: self.store.clone(),
            metrics: self.metrics.clone(),
            pulse: self.pulse.clone(),
            hearing: Arc::new(hearing),
        };
        http::router(app, Arc::new(webhook))
    }

    /// Runs everything until `stop`: the loops, the listener, and the control socket for this
    /// machine's command line.
    pub async fn serve(&self, listener: TcpListener, stop: CancellationToken) -> Result<()> {
        let socket = self.config.control_socket();
        let control = control::listen(&socket)
            .with_context(|| format!("cannot listen on the control socket {}", socket.display()))?;
        let settings = http::Settings::new(&self.config);
        let router = self.router();
        let own = router.clone().layer(axum::Extension(OwnMachine));
        let metrics = &self.metrics;
        let world = http::serve(listener, router, settings.clone(), metrics.clone(), stop.clone());
        let own = http::serve(control, own, settings, metrics.clone(), stop.clone());
        let doors = [
            tokio::spawn(self.vitals.clone().needed("the listener", stop.clone(), world)),
            tokio::spawn(self.vitals.clone().needed("the control socket", stop.clone(), own)),
        ];
        let result = self.run(stop.clone()).await;
        // A gateway that cannot go on leaves nothing to serve.
        stop.cancel();
        for door in doors {
            door.await.ok();
        }
        std::fs::remove_file(&socket).ok();
        result
    }

    /// Runs the loops until `stop`, then lets what has begun come to its end, for at most
    /// `drain_timeout_ms`. What has not ended by then is claimed again after the next start.
    pub async fn run(&self, stop: CancellationToken) -> Result<()> {
        let delivery = DeliveryLoop::new(
            self.store.clone(),
            self.metrics.clone(),
            self.config.delivery.clone(),
            self.config.policy,
            self.egress.clone(),
            self.media.clone(),
        );
        let (presence, signs) = presence::new(self.egress.clone(), self.metrics.clone());
        let turns = TurnLoop::new(
            self.store.clone(),
            self.brains.clone(),
            self.media.clone(),
            self.metrics.clone(),
            self.config.turns.clone(),
            self.config.policy,
            presence,
        );
        // Replies of the last turns still go out: turns end first, then deliveries.
        let stop_delivery = CancellationToken::new();
        let file = self.config.data.join("running");
        let running = Running::open(&file).with_context(|| format!("cannot use {}", file.display()))?;
        let vitals = &self.vitals;
        let turns =
            vitals.clone().needed("the turn loop", stop.clone(), turns.run(running.clone(), stop.clone()));
        let delivery = delivery.run(stop_delivery.clone());
        let delivery = vitals.clone().needed("the delivery loop", stop_delivery.clone(), delivery);
        let (turns, delivery) = (tokio::spawn(turns), tokio::spawn(delivery));
        let background = self.background(signs, &stop);
        // A gateway that has lost a part of the way must not go on acknowledging messages.
        let lost = tokio::select! {
            // The loops end because of `stop`: then it is ready too.
            biased;
            () = stop.cancelled() => None,
            lost = vitals.lost() => Some(lost),
        };
        self.draining.store(true, Ordering::Relaxed);
        if let Some(part) = lost {
            drop(background);
            turns.abort();
            delivery.abort();
            bail!(
                "{part} ended by itself; the log says why. Nothing acknowledged is lost: start the gateway again"
            );
        }
        let drain = Duration::from_millis(self.config.drain_timeout_ms);
        let drained = tokio::time::timeout(drain, async {
            turns.await.ok();
            stop_delivery.cancel();
            delivery.await.ok();
        })
        .await;
        drop(background);
        running.clear();
        if let Some(part) = vitals.is_lost() {
            bail!("{part} ended by itself while the gateway stopped; the log says why");
        }
        match drained {
            Ok(()) => tracing::info!("stopped; nothing was left in mid-air"),
            Err(_) => tracing::warn!(
                after_ms = self.config.drain_timeout_ms,
                "stopped before everything had ended; turns run again after the next start, and sends \
                 in mid-air are listed as unknown"
            ),
        }
        Ok(())
    }

    /// What runs beside the loops, and begins anew where it ends. Dropping it ends it.
    fn background(&self, signs: presence::Worker, stop: &CancellationToken) -> JoinSet<()> {
        let (store, file, config) = (self.store.clone(), self.file.clone(), self.config.clone());
        let stopping = (self.media.clone(), stop.clone());
        let sessions = self.sessions.in_background();
        let parts = [
            part("packages", self.brains.clone(), |brains| brains.watch().boxed()),
            part("presence", Arc::new(signs), |signs| async move { signs.run().await }.boxed()),
            part("refused callers", self.metrics.clone(), |metrics| upkeep::sum_up(metrics).boxed()),
            part("templates", (self.templates.clone(), stop.clone()), |(it, stop)| it.run(stop).boxed()),
            part("files", stopping.clone(), |(media, stop)| media.run(stop).boxed()),
            part("old files", stopping, |(media, stop)| media.keep_house(stop).boxed()),
            part("WAHA sessions", sessions.clone(), |sessions| sessions.watch().boxed()),
            part("hidden ids", sessions, |sessions| sessions.look_up().boxed()),
            part("doubts", Doubts::new(store.clone(), self.asked.clone()), |doubts| doubts.run().boxed()),
            part("retention", (store.clone(), retention(&config)), |(it, days)| {
                upkeep::prune(it, days).boxed()
            }),
            part("tenants' packages", (store.clone(), self.brains.clone()), |(it, brains)| {
                upkeep::remember_packages(it, brains).boxed()
            }),
            part("backups", (file.clone(), config.clone()), |(it, config)| {
                upkeep::back_up(it, config).boxed()
            }),
            part("compaction", (store, file, config), |(it, file, config)| {
                upkeep::compact(it, file, config).boxed()
            }),
        ];
        let mut all = JoinSet::new();
        for (name, begin) in parts {
            all.spawn(self.vitals.clone().keep(name, stop.clone(), begin));
        }
        all
    }
}

type Begin = Box<dyn FnMut() -> BoxFuture<'static, ()> + Send>;

/// What is begun with `of`, as often as need be.
fn part<T: Clone + Send + 'static>(
    name: &'static str,
    of: T,
    run: fn(T) -> BoxFuture<'static, ()>,
) -> (&'static str, Begin) {
    (name, Box::new(move || run(of.clone())))
}

/// Where the store lies.
pub fn store_file(config: &Config) -> PathBuf {
    config.data.join(embedded::backup::STORE)
}

/// Why the store does not open. Who misses a key is told where it was looked for.
pub fn explained(error: OpenError, keys: &keyring::Found) -> anyhow::Error {
    if let OpenError::NoKey { .. } = error {
        return anyhow!("{error}; {}. Put the key back from your copy of it", keys.told);
    }
    error.into()
}

pub fn store_settings(config: &Config, keys: Ring) -> embedded::Settings {
    let routing = &config.routing;
    embedded::Settings {
        path: store_file(config),
        backups: config.backups(),
        called: config.called.clone(),
        cache_bytes: config.store.cache_bytes,
        queue: config.store.queue,
        verify: config.store.verify_at_start,
        reserve: Reserve { ask: Ask::of(&store_file(config)), bytes: config.store.reserve_bytes },
        rules: store::shared::settings::Settings {
            prefixes: routing.prefixes.clone(),
            notice: (!routing.notice.is_empty()).then(|| routing.notice.clone()),
            notice_every_ms: i64::from(routing.notice_every_hours) * HOUR_MS,
            coalesce_ms: config.limits.coalesce_ms,
            quotas: config.quotas,
            timer_floor_ms: i64::try_from(config.turns.timer_floor_ms).unwrap_or(i64::MAX),
            turns_per_tenant: config.turns.per_tenant,
            sends: Limits {
                in_all: config.delivery.concurrent,
                per_group: config.delivery.per_sender,
                per_tenant: config.delivery.per_tenant,
            },
            fetches: Limits {
                in_all: config.media.concurrent,
                per_group: config.media.per_sender,
                per_tenant: config.media.concurrent,
            },
        },
        keys,
        vitals: Arc::default(),
    }
}

fn session_settings(config: &Config) -> Result<session::Settings> {
    let environment = |name: &str| std::env::var(name).ok();
    let api_key = declared::secret(&config.waha.api_key, &environment)
        .map_err(|(what, action)| anyhow!("waha.api_key: {what}; {action}"))?;
    let private = config.is_private();
    Ok(session::Settings { waha: config.waha.clone(), api_key, listen: config.listen, private })
}

fn retention(config: &Config) -> Retention {
    let days = |days: u32| i64::from(days) * DAY_MS;
    Retention {
        dedup_ms: days(config.retention.dedup_days),
        history_ms: days(config.retention.history_days),
        ended_ms: days(config.retention.ended_days),
        journal_ms: days(config.retention.journal_days),
        audit_ms: days(config.retention.audit_days),
        template_log_ms: days(config.retention.template_log_days),
    }
}

/// Message texts and secrets lie below it: nobody else may look.
pub fn private_dir(dir: &Path) -> Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot create the data directory {}", dir.display()))?;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
        .with_context(|| format!("cannot make the data directory {} private", dir.display()))
}
