//! The demo's switch: makes the first model of every chain fail, so that fallback can be
//! seen.
//!
//! Owns the list of faults, the two handlers, and the order that goes to whoever can spoil
//! models; who that is, it does not know. It is there only where somebody takes the
//! orders. The one rule: an answer is given when the order has been obeyed, so a request
//! made after it meets the fault.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;

use super::super::error::{ApiError, id_of};
use super::super::{Api, body};
use crate::domain::{FailureCode, ModelId};
use crate::tasks::FieldProblem;

/// Whoever takes orders does so at once; an order that waits longer is withdrawn.
const ORDER_TIME: Duration = Duration::from_secs(2);

/// What a model does in place of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    #[default]
    None,
    /// It refuses every call for want of capacity.
    Throttle,
    /// It takes calls and says nothing.
    Stall,
    /// It breaks off in the middle of its answer.
    Cut,
}

/// Wish that these models fail so, and no others.
#[derive(Debug)]
pub struct FaultOrder {
    pub fault: Fault,
    pub models: Vec<ModelId>,
    obeyed: oneshot::Sender<()>,
}

impl FaultOrder {
    /// Whether somebody still waits for it. One that was withdrawn must not be obeyed.
    pub fn stands(&self) -> bool {
        !self.obeyed.is_closed()
    }

    /// Says that it is so now.
    pub fn obeyed(self) {
        // Whoever gave the order may have left.
        let _sent = self.obeyed.send(());
    }
}

/// Gives orders. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FaultSwitch(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    orders: mpsc::Sender<FaultOrder>,
    /// Held while an order is under way, so that orders come one after the other.
    current: Mutex<Fault>,
}

/// The switch, and the orders that whoever can spoil models has to take.
pub fn fault_switch() -> (FaultSwitch, mpsc::Receiver<FaultOrder>) {
    let (orders, taken) = mpsc::channel(1);
    (FaultSwitch(Arc::new(Shared { orders, current: Mutex::default() })), taken)
}

impl FaultSwitch {
    async fn set(&self, fault: Fault, models: Vec<ModelId>) -> Result<(), ApiError> {
        let mut current = self.0.current.lock().await;
        let (obeyed, done) = oneshot::channel();
        let gone = |_| ApiError::new(FailureCode::ShuttingDown);
        self.0.orders.send(FaultOrder { fault, models, obeyed }).await.map_err(|_| gone(()))?;
        done.await.map_err(|_| gone(()))?;
        *current = fault;
        Ok(())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    fault: Fault,
}

#[derive(Debug, Serialize)]
struct InEffect {
    /// None where nobody takes orders: there is no switch, and the page shows none.
    fault: Option<Fault>,
}

pub(in crate::http) async fn fault(State(api): State<Api>) -> Response {
    let fault = match &api.0.settings.faults {
        Some(switch) => Some(*switch.0.current.lock().await),
        None => None,
    };
    Json(InEffect { fault }).into_response()
}

pub(in crate::http) async fn set_fault(State(api): State<Api>, request: Request) -> Response {
    let id = id_of(&request);
    let set = match &api.0.settings.faults {
        Some(switch) => change(switch, &api, request).await,
        None => Err(ApiError::new(FailureCode::NotFound)),
    };
    match set {
        Ok(fault) => Json(InEffect { fault: Some(fault) }).into_response(),
        Err(error) => error.response(&id),
    }
}

async fn change(switch: &FaultSwitch, api: &Api, request: Request) -> Result<Fault, ApiError> {
    let (parts, body) = request.into_parts();
    let (members, _held) = body::read_object(&parts.headers, body, api).await?;
    let Wanted { fault } = serde_json::from_value(Value::Object(members)).map_err(|_unknown| {
        let detail = "`fault` must be `none`, `throttle`, `stall` or `cut`, and stand alone.";
        ApiError::invalid(vec![FieldProblem { pointer: "/fault".to_owned(), detail: detail.to_owned() }])
    })?;
    match timeout(ORDER_TIME, switch.set(fault, first_models(api))).await {
        Ok(set) => set.map(|()| fault),
        Err(_elapsed) => Err(ApiError::new(FailureCode::Internal)),
    }
}

/// The models that chains ask first.
fn first_models(api: &Api) -> Vec<ModelId> {
    let live = api.0.pipeline.live();
    let stages = live.catalogue.chains.values().filter_map(|chain| chain.stages.first());
    stages.flat_map(|stage| &stage.targets).map(|one| one.target.model.id.clone()).collect()
}
