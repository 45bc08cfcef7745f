//! Where orders come in: API Gateway, and what stands behind it.

use oms_engine::pipeline::IntakeMode;
use oms_engine::plan::{Choreography, Plan};
use serde::Serialize;

use crate::iam::{self, Statement};

/// The intake, as the templates read it.
#[derive(Debug, Serialize)]
pub(crate) struct Intake {
    /// The path of API Gateway.
    path: String,
    /// The path in front of the key, without slashes around it.
    prefix: String,
    /// What stores orders without a handler.
    pub(crate) direct: Option<Direct>,
    /// What the pipeline's names stand for, with CloudFormation's places in it.
    resources: String,
    statements: Vec<Statement>,
}

/// API Gateway storing orders by itself.
#[derive(Debug, Serialize)]
pub(crate) struct Direct {
    /// Bucket and key of an order's object, with CloudFormation's place for the one and API Gateway's for the other.
    object: String,
    /// What it checks of an order: a JSON Schema of draft 4, as JSON.
    model: String,
}

impl Intake {
    /// `bucket` is the logical id, `store` says which step stores, `rates` whether the version of exchange rates is noted with each order.
    pub(crate) fn of(
        plan: &Plan,
        choreography: &Choreography,
        bucket: &str,
        resources: String,
        store: &str,
        rates: bool,
    ) -> Self {
        let intake = plan.intake();
        let path = intake.map(|intake| intake.path.as_str()).unwrap_or_default();
        let direct = intake.is_some_and(|intake| intake.mode == IntakeMode::Direct);
        let direct = choreography.object.as_ref().filter(|_| direct).map(|object| Direct {
            object: format!("${{{bucket}}}/{}{{key}}{}", object.before, object.after),
            // The checks found that there is one.
            model: plan.order().schema().model().unwrap_or_default().to_string(),
        });
        // A greedy part takes slashes, too, so that a handler can say what is wrong with them.
        let greedy = if direct.is_some() { "{key}" } else { "{key+}" };
        Self {
            path: path.replace("{key}", greedy),
            prefix: path.trim_end_matches("{key}").trim_matches('/').to_owned(),
            statements: match direct {
                Some(_) => iam::of_direct(bucket, store),
                None => iam::of_intake(bucket, store, rates),
            },
            direct,
            resources,
        }
    }
}
