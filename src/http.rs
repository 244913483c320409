//! The edge: HTTP in, JSON or a stream out. The only user of axum and status codes.
//!
//! Routes stand on one screen below, layers in order in `layers.rs`, every error
//! in one table in `error.rs`, one encoder per dialect under `dialect/`. A handler
//! parses, hands over to `pipeline` and folds what comes back; it decides nothing
//! about models.

mod body;
mod body_buffers;
mod catalogue;
mod chat;
mod client_modules;
mod compat;
mod connection;
mod cors;
mod dialect;
mod edge;
mod entity_tag;
mod error;
mod health;
mod intake;
mod layers;
mod measure;
mod meta;
pub mod openapi;
mod own_tasks;
mod playground;
mod query;
mod representation;
mod server;
mod stream_clock;
mod submission;
mod task_routes;
mod whole;
mod wire;
mod write_clock;

pub use catalogue::catalogue;
pub use error::describe_problem;
pub use health::Readiness;
pub use playground::{Fault, FaultOrder, FaultSwitch, fault_switch};
pub use server::{Ending, ServeError, Server, ServerSettings, ShutdownPolicy};

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use body_buffers::BodyBuffers;

use crate::documents::Extractor;
use crate::domain::TaskKind;
use crate::pipeline::admission::AdmissionPolicy;
use crate::pipeline::{Live, Pipeline};
use crate::tasks::Wanted;
use crate::telemetry::Metrics;

/// What the edge needs to know.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Silence on a stream before a heartbeat is sent.
    pub heartbeat: Duration,
    /// Of JSON.
    pub max_body_bytes: usize,
    /// Of a file, alone or in a form.
    pub max_file_bytes: usize,
    /// Bytes of all bodies whose requests do not run yet.
    pub max_buffered_bytes: usize,
    /// How long a client may take to send a body.
    pub body_read_timeout: Duration,
    /// Origins of pages that may call from a browser; empty means none but our own.
    pub allowed_origins: Vec<String>,
    /// The header that names the tenant of a request; `None` when nobody is to be believed.
    pub tenant_header: Option<String>,
    /// Whether the page to try the tasks is served.
    pub playground: bool,
    /// Makes models fail for the page; only where a simulator stands behind the service.
    pub faults: Option<FaultSwitch>,
}

/// What every handler shares. Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Shared>);

struct Shared {
    pipeline: Pipeline,
    settings: HttpSettings,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    /// It tells of the tasks that there are, and is made when it is first asked for.
    openapi_json: Mutex<Option<Arc<str>>>,
    body_buffers: Arc<BodyBuffers>,
    extractor: Extractor,
}

impl Api {
    /// Puts the edge together.
    pub fn new(
        pipeline: Pipeline,
        extractor: Extractor,
        settings: HttpSettings,
        metrics: Arc<Metrics>,
        readiness: Arc<Readiness>,
    ) -> Self {
        readiness.set(health::RUNNING, None);
        let body_buffers = BodyBuffers::new(settings.max_buffered_bytes);
        Self(Arc::new(Shared {
            pipeline,
            settings,
            metrics,
            readiness,
            openapi_json: Mutex::default(),
            body_buffers,
            extractor,
        }))
    }
}

impl Api {
    /// The contract, as JSON.
    fn openapi_json(&self) -> Arc<str> {
        let mut made = self.0.openapi_json.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(made.get_or_insert_with(|| openapi::json(&self.0.pipeline.live().own_tasks).into()))
    }

    /// Lets requests that begin from now on go by another configuration. Those that
    /// run keep theirs, and nobody who waits is sent away.
    pub fn replace(&self, live: Live, admission: AdmissionPolicy) {
        let other_tasks = live.own_tasks != self.0.pipeline.live().own_tasks;
        self.0.pipeline.replace(live);
        if other_tasks {
            // Only now: whoever asks makes it of the tasks that the pipeline has.
            *self.0.openapi_json.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        self.0.pipeline.set_admission(admission);
    }

    /// The service is about to stop: probes say so, and no new work is taken.
    pub fn close(&self) {
        self.0.readiness.set(health::RUNNING, Some("the service is about to stop".to_owned()));
        self.0.pipeline.close();
    }

    /// Ends whatever is still worked on, with the news that the service stops.
    pub fn cut(&self) {
        self.0.pipeline.cut();
    }
}

/// The public routes.
pub fn routes(api: Api) -> Router {
    use TaskKind::{Expand, Rephrase, Summarize};
    use Wanted::OnText;
    let router = Router::new()
        // Writing tasks
        .route("/v1/summarize", post(|api, request| task_routes::run(OnText(Summarize), api, request)))
        .route("/v1/rephrase", post(|api, request| task_routes::run(OnText(Rephrase), api, request)))
        .route("/v1/expand", post(|api, request| task_routes::run(OnText(Expand), api, request)))
        // Their answers, changed
        .route("/v1/refine", post(|api, request| task_routes::run(Wanted::Refine, api, request)))
        // Generators
        .route("/v1/generate/blog-post", post(task_routes::blog_post))
        .route("/v1/generate/product-description", post(task_routes::product_description))
        .route("/v1/generate/social-posts", post(task_routes::social_posts))
        // Tasks from files
        .route("/v1/tasks/{name}", post(own_tasks::run))
        // The same tasks for clients of OpenAI's
        .route("/v1/chat/completions", post(chat::run))
        // The same tasks for older clients
        .route("/api/summarize", post(|api, request| compat::run(Summarize, api, request)))
        .route("/api/rephrase", post(|api, request| compat::run(Rephrase, api, request)))
        .route("/api/expand", post(|api, request| compat::run(Expand, api, request)))
        // What they would take
        .route("/v1/measure", post(measure::run))
        // What the service offers
        .route("/v1/models", get(meta::models))
        .route("/v1/capabilities", get(meta::capabilities))
        .route("/version", get(meta::version))
        .route("/openapi.json", get(meta::openapi))
        .route("/problems/{code}", get(meta::problem))
        // Modules for pages
        .route("/client.js", get(client_modules::client))
        .route("/polyfill.js", get(client_modules::polyfill))
        // Probes
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/healthz", get(health::readyz))
        // The page to try all this, where it is wanted; no part of the contract
        .merge(playground::routes(&api));
    layers::apply(router, &api).with_state(api)
}

/// The routes of the operator's port.
pub fn ops_routes(api: Api) -> Router {
    Router::new()
        .route("/metrics", get(meta::metrics))
        .route("/version", get(meta::version))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/healthz", get(health::readyz))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(api)
}
