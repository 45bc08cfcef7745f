//! The HTTP services of a pipeline, with their secrets.

use std::sync::Arc;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use oms_engine::effects::Services;
use oms_engine::plan::Plan;
use oms_engine::step::{Service, ServiceAuth};
use oms_http::{HttpServices, ServiceConfig};

use crate::targets::secret;

/// Creates clients for the services of a plan. If `is_traced` is set, their requests belong to the
/// traces of runs.
///
/// # Errors
/// Returns an error if a secret does not exist, or if a client cannot be created.
pub(crate) fn of_plan(plan: &Plan, is_traced: bool) -> anyhow::Result<Arc<dyn Services>> {
    let configs = plan.services().iter().map(|service| {
        config(service).with_context(|| format!("cannot use the service `{}`", service.name))
    });
    let configs = configs.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Arc::new(HttpServices::new(configs, is_traced)?))
}

fn config(service: &Service) -> anyhow::Result<ServiceConfig> {
    let header = service.idempotency.as_ref().map(|idempotency| idempotency.header.clone());
    Ok(ServiceConfig {
        name: Arc::clone(&service.name),
        base_url: service.base_url.clone(),
        headers: service.headers.clone(),
        credentials: service.auth.as_ref().map(credentials).transpose()?,
        timeout: service.timeout,
        max_concurrency: service.max_concurrency,
        per_second: service.per_second,
        idempotency_header: header,
    })
}

/// Returns the header with the credentials.
fn credentials(auth: &ServiceAuth) -> anyhow::Result<(String, String)> {
    const AUTHORIZATION: &str = "Authorization";
    Ok(match auth {
        ServiceAuth::Bearer(token) => {
            (AUTHORIZATION.to_owned(), format!("Bearer {}", secret::read(&token.secret)?))
        }
        ServiceAuth::Basic { user, password } => {
            let user = secret::read_source(user)?;
            let password = password.as_ref().map(|password| secret::read(&password.secret));
            let password = password.transpose()?.unwrap_or_default();
            (
                AUTHORIZATION.to_owned(),
                format!("Basic {}", BASE64.encode(format!("{user}:{password}"))),
            )
        }
        ServiceAuth::Header { name, value } => (name.clone(), secret::read(&value.secret)?),
    })
}
