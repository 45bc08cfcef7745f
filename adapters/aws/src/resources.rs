//! What the pipeline's names stand for on AWS.

use std::collections::BTreeMap;
#[cfg(feature = "rdsdata")]
use std::time::Duration;

use serde::Deserialize;

#[cfg(feature = "rdsdata")]
use crate::data_api::Cluster;

/// What the pipeline's names stand for on AWS: handlers get it from their template, the command line from a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Buckets by the pipeline's names of them. A name that is not there is the bucket's own.
    #[serde(default)]
    pub buckets: BTreeMap<String, String>,
    /// ARNs of topics by the pipeline's names of them.
    #[serde(default)]
    pub topics: BTreeMap<String, String>,
    /// The ARN of the Aurora cluster.
    cluster: Option<String>,
    /// The ARN of the secret to use it with.
    secret: Option<String>,
    /// The database's name there.
    database: Option<String>,
    /// The configuration set of SES, whose events tell what became of mails.
    pub configuration_set: Option<String>,
    /// ARNs of the secrets with the handlers' roles in the database, by handler.
    #[serde(default)]
    pub roles: BTreeMap<String, String>,
    /// URLs of the queues with the handlers' orders, by handler.
    #[serde(default)]
    pub queues: BTreeMap<String, String>,
    /// URLs of the queues with the orders that handlers could not work on, by handler.
    #[serde(default)]
    pub dead_letters: BTreeMap<String, String>,
}

/// The resources do not say which cluster there is.
#[cfg(feature = "rdsdata")]
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("`cluster`, `secret` and `database` have to be said")]
pub struct NoCluster;

/// How long it is waited for a cluster that was paused: it takes about 15 seconds.
#[cfg(feature = "rdsdata")]
const RESUME_MAX: Duration = Duration::from_secs(40);

impl Resources {
    /// Reads them from JSON.
    ///
    /// # Errors
    /// When something is missing, or is not known.
    pub fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json))
    }

    /// Returns the real name of a bucket.
    pub fn bucket(&self, name: &str) -> String {
        self.buckets.get(name).map_or(name, String::as_str).to_owned()
    }

    /// Returns the cluster.
    ///
    /// # Errors
    /// When they do not say which one, and who asks it.
    #[cfg(feature = "rdsdata")]
    pub fn cluster(&self) -> Result<Cluster, NoCluster> {
        match (&self.cluster, &self.secret, &self.database) {
            (Some(cluster), Some(secret), Some(database)) => Ok(Cluster {
                cluster: cluster.clone(),
                secret: secret.clone(),
                database: database.clone(),
                resume_max: RESUME_MAX,
            }),
            _ => Err(NoCluster),
        }
    }
}
