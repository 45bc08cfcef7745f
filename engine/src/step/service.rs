//! The HTTP services of a pipeline, as a plan uses them.

use std::sync::Arc;
use std::time::Duration;

use crate::pipeline::{SecretRef, SettingSource};

/// A service that `http.request` calls. The process reads the URL, the credentials and the limits
/// when it starts. Runs of earlier versions of the pipeline use them as well.
#[derive(Clone, Debug)]
pub struct Service {
    /// The name in the pipeline.
    pub name: Arc<str>,
    /// The URL, without a slash at its end.
    pub base_url: String,
    /// The credentials.
    pub auth: Option<ServiceAuth>,
    /// The headers of every request.
    pub headers: Vec<(String, String)>,
    /// Maximum duration of a request.
    pub timeout: Duration,
    /// Maximum number of concurrent requests of a process.
    pub max_concurrency: u32,
    /// Maximum number of requests of a process per second.
    pub per_second: Option<u32>,
    /// How the service recognizes repeated requests.
    pub idempotency: Option<Idempotency>,
}

/// The credentials of a service. Secrets are only named.
#[derive(Clone, Debug)]
pub enum ServiceAuth {
    /// A bearer token.
    Bearer(SecretRef),
    /// A user and a password.
    Basic {
        /// The user.
        user: SettingSource,
        /// The password.
        password: Option<SecretRef>,
    },
    /// A header with a secret value.
    Header {
        /// The name of the header.
        name: String,
        /// Its value.
        value: SecretRef,
    },
}

/// How a service recognizes repeated requests.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// The header with the key.
    pub header: String,
    /// How long the service keeps a key.
    pub keeps: Duration,
}
