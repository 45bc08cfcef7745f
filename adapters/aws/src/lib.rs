//! Implementations of the ports on AWS.
//!
//! Each service has its own feature, so that a handler links only the services that its steps use.
//! Credentials, region and endpoints come from the SDK's default chain and the standard AWS
//! environment variables.

#[cfg(feature = "rdsdata")]
mod data_api;
#[cfg(feature = "sdk")]
mod failure;
#[cfg(feature = "sesv2")]
mod mailer;
#[cfg(feature = "s3")]
mod objects;
#[cfg(feature = "s3")]
mod orders;
#[cfg(feature = "sqs")]
mod queue;
#[cfg(feature = "s3")]
mod rates;
#[cfg(feature = "sdk")]
mod resources;
#[cfg(feature = "secretsmanager")]
mod secret;
#[cfg(feature = "sdk")]
mod session;
#[cfg(feature = "sns")]
mod topics;

#[cfg(feature = "rdsdata")]
pub use data_api::{Cluster, DataApi};
#[cfg(feature = "sesv2")]
pub use mailer::SesMailer;
#[cfg(feature = "s3")]
pub use objects::S3Objects;
#[cfg(feature = "sqs")]
pub use queue::SqsQueue;
#[cfg(feature = "s3")]
pub use rates::S3Rates;
#[cfg(feature = "rdsdata")]
pub use resources::NoCluster;
#[cfg(feature = "sdk")]
pub use resources::Resources;
#[cfg(feature = "secretsmanager")]
pub use secret::Login;
#[cfg(feature = "sdk")]
pub use session::Session;
#[cfg(feature = "sns")]
pub use topics::SnsTopics;
