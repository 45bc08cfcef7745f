//! Maps names in the pipeline to AWS resources.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
#[cfg(feature = "rdsdata")]
use std::time::Duration;

use serde::Deserialize;

#[cfg(feature = "rdsdata")]
use crate::data_api::Cluster;

/// The AWS resources for the names in the pipeline. Handlers get them from their deployment
/// template; the command line reads them from a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Buckets, by their names in the pipeline. A name without an entry is used as it is.
    #[serde(default)]
    pub buckets: BTreeMap<String, String>,
    /// ARNs of topics, by their names in the pipeline.
    #[serde(default)]
    pub topics: BTreeMap<String, String>,
    /// Names of the topics to which a bucket publishes its own notifications about stored orders.
    #[serde(default)]
    pub bucket_topics: BTreeSet<String>,
    /// The ARN of the Aurora cluster.
    cluster: Option<String>,
    /// The ARN of the secret with the credentials for the cluster.
    secret: Option<String>,
    /// The ARN of the secret of the database's owner, who migrates the tables. By default, this is
    /// `secret`.
    owner_secret: Option<String>,
    /// The name of the database in the cluster.
    database: Option<String>,
    /// The SES configuration set, whose events report the delivery of e-mails.
    pub configuration_set: Option<String>,
    /// Maximum age of lost orders in days, which `reconcile` sends to their handlers again.
    pub reconcile_days: Option<u32>,
    /// Maximum number of e-mails per second. It applies to all handlers together.
    pub mail_rate: Option<NonZeroU32>,
    /// ARNs of the secrets with the credentials of the database roles, by handler, and of the
    /// operator.
    #[serde(default)]
    pub roles: BTreeMap<String, String>,
    /// URLs of the handlers' order queues, by handler.
    #[serde(default)]
    pub queues: BTreeMap<String, String>,
    /// URLs of the handlers' dead-letter queues, by handler.
    #[serde(default)]
    pub dead_letters: BTreeMap<String, String>,
}

/// The resources do not name a cluster.
#[cfg(feature = "rdsdata")]
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("`cluster`, `secret` and `database` are required")]
pub struct NoCluster;

/// Maximum time to wait for a paused cluster, which resumes in about 15 seconds.
#[cfg(feature = "rdsdata")]
const RESUME_MAX: Duration = Duration::from_secs(40);

impl Resources {
    /// Reads the resources from JSON.
    ///
    /// # Errors
    /// Returns an error if the JSON is invalid or a member is unknown.
    pub fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json))
    }

    /// Returns the name of a bucket on AWS.
    pub fn bucket(&self, name: &str) -> String {
        self.buckets.get(name).map_or(name, String::as_str).to_owned()
    }

    /// Returns the region of the cluster, from its ARN.
    pub fn region(&self) -> Option<&str> {
        self.cluster.as_deref()?.split(':').nth(3).filter(|region| !region.is_empty())
    }

    /// Returns the cluster.
    ///
    /// # Errors
    /// Returns an error if the cluster, its secret or its database is missing.
    #[cfg(feature = "rdsdata")]
    pub fn cluster(&self) -> Result<Cluster, NoCluster> {
        self.cluster_as(self.secret.as_ref())
    }

    /// Returns the cluster with the credentials of the database's owner.
    ///
    /// # Errors
    /// Returns an error if the cluster, its secret or its database is missing.
    #[cfg(feature = "rdsdata")]
    pub fn owned_cluster(&self) -> Result<Cluster, NoCluster> {
        self.cluster_as(self.owner_secret.as_ref().or(self.secret.as_ref()))
    }

    #[cfg(feature = "rdsdata")]
    fn cluster_as(&self, secret: Option<&String>) -> Result<Cluster, NoCluster> {
        match (&self.cluster, secret, &self.database) {
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
