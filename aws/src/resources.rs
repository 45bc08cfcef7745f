//! What the pipeline's names stand for on AWS.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

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
    cluster: String,
    /// The ARN of the secret to use it with.
    secret: String,
    /// The database's name there.
    database: String,
    /// The configuration set of SES, whose events tell what became of mails.
    pub configuration_set: Option<String>,
}

/// How long it is waited for a cluster that was paused: it takes about 15 seconds.
const RESUME_MAX: Duration = Duration::from_secs(40);

impl Resources {
    /// Reads them from JSON.
    ///
    /// # Errors
    /// When something is missing, or is not known.
    pub fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// Returns the cluster.
    pub fn cluster(&self) -> Cluster {
        Cluster {
            cluster: self.cluster.clone(),
            secret: self.secret.clone(),
            database: self.database.clone(),
            resume_max: RESUME_MAX,
        }
    }
}
