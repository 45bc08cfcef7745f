//! The HTTP services of a pipeline, with their secrets.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use oms_engine::effects::Services;
use oms_engine::plan::Plan;
use oms_engine::step::{Service, ServiceAuth};
use oms_http::{HttpServices, ServiceConfig};

use crate::targets::secret;

/// The services of a pipeline in a process that reads its file again. As long as their configuration
/// does not change, the clients stay the same, and with them their connections and limits.
pub(crate) struct ReloadedServices {
    is_traced: bool,
    current: Mutex<Option<Connected>>,
}

/// Clients, and the configuration from which they were created.
struct Connected {
    configs: Vec<ServiceConfig>,
    services: Arc<dyn Services>,
}

impl ReloadedServices {
    /// If `is_traced` is set, requests belong to the traces of runs.
    pub(crate) fn new(is_traced: bool) -> Self {
        Self { is_traced, current: Mutex::default() }
    }

    /// Returns clients for the services of a plan.
    ///
    /// # Errors
    /// Returns an error if a secret does not exist, or if a client cannot be created.
    pub(crate) fn of_plan(&self, plan: &Plan) -> anyhow::Result<Arc<dyn Services>> {
        let configs = configs(plan)?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = current.as_ref().filter(|known| known.configs == configs) {
            return Ok(Arc::clone(&known.services));
        }
        let services: Arc<dyn Services> =
            Arc::new(HttpServices::new(configs.clone(), self.is_traced)?);
        *current = Some(Connected { configs, services: Arc::clone(&services) });
        Ok(services)
    }
}

/// Creates clients for the services of a plan.
///
/// # Errors
/// Returns an error if a secret does not exist, or if a client cannot be created.
pub(crate) fn of_plan(plan: &Plan) -> anyhow::Result<Arc<dyn Services>> {
    Ok(Arc::new(HttpServices::new(configs(plan)?, false)?))
}

fn configs(plan: &Plan) -> anyhow::Result<Vec<ServiceConfig>> {
    let configs = plan.services().iter().map(|service| {
        config(service).with_context(|| format!("cannot use the service `{}`", service.name))
    });
    configs.collect()
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

#[cfg(test)]
mod tests {
    use oms_engine::document::MemoryFiles;
    use oms_engine::plan::Checker;
    use oms_engine::step::Registry;

    use super::*;

    fn plan(rate: u32) -> Plan {
        let text = format!(
            r#"oms: 1
name: shop
services: {{ stock: {{ base_url: "https://stock.example.com", rate: {{ per_second: {rate} }} }} }}
order: {{ schema: {{ type: object, required: [id], properties: {{ id: {{ type: string }} }} }}, key: "${{{{ order.id }}}}" }}
steps:
  reserve: {{ uses: http.request, with: {{ service: stock, method: PUT, path: "/orders/${{{{ order.id }}}}" }} }}
"#
        );
        let files = MemoryFiles::new([("shop.yaml".to_owned(), Arc::from(text.into_bytes()))]);
        let registry = Registry::new(oms_steps::ALL.iter().copied()).unwrap();
        let checked = Checker::new(registry).unwrap().check("shop.yaml", &files);
        checked.plan.unwrap_or_else(|| panic!("{:?}", checked.report.diagnostics()))
    }

    #[test]
    fn a_reload_keeps_the_limits_of_unchanged_services() {
        let services = ReloadedServices::new(false);
        let first = services.of_plan(&plan(5)).unwrap();
        assert!(Arc::ptr_eq(&first, &services.of_plan(&plan(5)).unwrap()));
        assert!(!Arc::ptr_eq(&first, &services.of_plan(&plan(6)).unwrap()));
    }
}
