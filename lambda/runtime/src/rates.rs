//! Exchange rates that are brought up to date: an order is billed with those that were there when it was accepted, whenever that happens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use oms_clock::SystemClock;
use oms_engine::effects::{Clock as _, RateFile, StepError, cause};
use oms_engine::plan::Plan;

use crate::bundle::Bundle;

/// How long the intake takes a version for the newest one.
const FRESH: Duration = Duration::from_secs(60);
/// Versions that a handler keeps plans for: orders of yesterday and today.
const PLANS_MAX: usize = 3;

/// What an order is accepted with.
pub struct Pin {
    file: Arc<dyn RateFile>,
    known: Mutex<Option<(Timestamp, Option<Arc<str>>)>>,
}

impl Pin {
    /// Gets ready to say which version there is.
    pub fn new(file: Arc<dyn RateFile>) -> Self {
        Self { file, known: Mutex::default() }
    }

    /// Returns the version that there is now, or was a minute ago; nothing for the embedded rates.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(crate) async fn version(&self) -> Result<Option<Arc<str>>, StepError> {
        let now = SystemClock.now();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, version)) = known {
            let age = Duration::try_from(now.duration_since(at)).unwrap_or(FRESH);
            if age < FRESH {
                return Ok(version);
            }
        }
        let version: Option<Arc<str>> = self.file.version().await?.map(Arc::from);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((now, version.clone()));
        Ok(version)
    }
}

/// The plans of a handler, by the version of their rates.
pub struct Plans {
    bundle: Bundle,
    file: Arc<dyn RateFile>,
    known: Mutex<BTreeMap<Arc<str>, Arc<Plan>>>,
}

impl Plans {
    /// Gets ready to plan a pipeline with other rates.
    pub fn new(bundle: Bundle, file: Arc<dyn RateFile>) -> Self {
        Self { bundle, file, known: Mutex::default() }
    }

    /// Returns the plan with a version of the rates.
    ///
    /// # Errors
    /// When they cannot be read, or are gone.
    pub(crate) async fn with(&self, version: &Arc<str>) -> Result<Arc<Plan>, StepError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(version).cloned();
        if let Some(plan) = known {
            return Ok(plan);
        }
        let Some(rates) = self.file.read(version).await? else {
            let message = "the exchange rates that the order was accepted with are gone";
            return Err(StepError::permanent(cause::NO_RATE, message));
        };
        let (plan, _) = self.bundle.plan_with(Some(&rates)).map_err(|error| {
            let message = "the exchange rates that the order was accepted with cannot be used";
            StepError::permanent(cause::NO_RATE, message).caused_by(error)
        })?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= PLANS_MAX {
            known.clear();
        }
        known.insert(Arc::clone(version), Arc::clone(&plan));
        Ok(plan)
    }
}
