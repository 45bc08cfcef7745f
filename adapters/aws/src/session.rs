//! The settings of all clients: credentials, region, timeouts.

use std::time::Duration;

use aws_config::meta::region::RegionProviderChain;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};

/// Timeout for establishing a connection.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// Timeout of one attempt.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
/// Timeout of a call, including all attempts.
const OPERATION_MAX: Duration = Duration::from_secs(25);

/// A session of the AWS SDK.
#[derive(Clone, Debug)]
pub struct Session(pub(crate) SdkConfig);

impl Session {
    /// Loads credentials and region from the SDK's default chain. Sets all timeouts, because by
    /// default the SDK limits only the time for establishing a connection.
    pub async fn load() -> Self {
        Self::load_in(None).await
    }

    /// Loads credentials and region from the SDK's default chain. If the chain has no region, uses
    /// `region`: a profile does not inherit the region of its `source_profile`.
    pub async fn load_in(region: Option<&str>) -> Self {
        let region = region.map(|region| Region::new(region.to_owned()));
        let region = RegionProviderChain::default_provider().or_else(region);
        Self::of(aws_config::defaults(BehaviorVersion::latest()).region(region)).await
    }

    /// Completes a configuration from the default chain, and sets timeouts.
    pub async fn of(loader: ConfigLoader) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_MAX)
            .operation_attempt_timeout(ATTEMPT_MAX)
            .operation_timeout(OPERATION_MAX)
            .build();
        Self(loader.timeout_config(timeouts).retry_config(RetryConfig::standard()).load().await)
    }
}
