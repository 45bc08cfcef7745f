//! Updated exchange rates. An order is always billed with the rates that were current when it was
//! accepted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use oms_clock::SystemClock;
use oms_engine::effects::{Clock as _, RateFile, StepError, cause};
use oms_engine::plan::Plan;

use crate::bundle::Bundle;

/// Time for which the intake caches the current version.
const CACHE_TIME: Duration = Duration::from_secs(60);
/// Maximum number of plans that a handler caches, one per version. Recent orders rarely use more
/// versions.
const PLANS_MAX: usize = 3;

/// Determines the version of the exchange rates for accepted orders.
pub struct Pin {
    file: Arc<dyn RateFile>,
    known: Mutex<Option<(Timestamp, Option<Arc<str>>)>>,
}

impl Pin {
    /// Creates a pin for a file.
    pub fn new(file: Arc<dyn RateFile>) -> Self {
        Self { file, known: Mutex::default() }
    }

    /// Returns the version of the rates, which may be up to a minute old, or `None` for the
    /// embedded rates.
    ///
    /// # Errors
    /// Returns an error if the version cannot be read.
    pub(crate) async fn version(&self) -> Result<Option<Arc<str>>, StepError> {
        let now = SystemClock.now();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, version)) = known {
            let age = Duration::try_from(now.duration_since(at)).unwrap_or(CACHE_TIME);
            if age < CACHE_TIME {
                return Ok(version);
            }
        }
        let version: Option<Arc<str>> = self.file.version().await?.map(Arc::from);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((now, version.clone()));
        Ok(version)
    }
}

/// The plans of a handler, by version of the rates.
pub struct Plans {
    bundle: Bundle,
    file: Arc<dyn RateFile>,
    known: Mutex<BTreeMap<Arc<str>, Arc<Plan>>>,
}

impl Plans {
    /// Creates an empty cache for the plans of a bundle.
    pub fn new(bundle: Bundle, file: Arc<dyn RateFile>) -> Self {
        Self { bundle, file, known: Mutex::default() }
    }

    /// Returns the plan with a version of the rates.
    ///
    /// # Errors
    /// Returns an error if the rates cannot be read or no longer exist.
    pub(crate) async fn with(&self, version: &Arc<str>) -> Result<Arc<Plan>, StepError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(version).cloned();
        if let Some(plan) = known {
            return Ok(plan);
        }
        let Some(rates) = self.file.read(version).await? else {
            let message = "the exchange rates with which the order was accepted no longer exist";
            return Err(StepError::permanent(cause::NO_RATE, message));
        };
        let (plan, _) = self.bundle.plan_with(Some(&rates)).map_err(|error| {
            let message = "the exchange rates with which the order was accepted are invalid";
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
