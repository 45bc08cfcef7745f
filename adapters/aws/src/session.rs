//! What all clients share: credentials, region, time-outs.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};

/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// How long one attempt may take.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
/// How long a call may take with all its attempts.
const OPERATION_MAX: Duration = Duration::from_secs(25);

/// A session of the AWS SDK.
#[derive(Clone, Debug)]
pub struct Session(pub(crate) SdkConfig);

impl Session {
    /// Looks up credentials and region by the SDK's default chain, and sets the time-outs, which the SDK leaves open.
    pub async fn load() -> Self {
        Self::of(aws_config::defaults(BehaviorVersion::latest())).await
    }

    /// Looks up what a loader does not say, and sets the time-outs.
    pub async fn of(loader: ConfigLoader) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_MAX)
            .operation_attempt_timeout(ATTEMPT_MAX)
            .operation_timeout(OPERATION_MAX)
            .build();
        Self(loader.timeout_config(timeouts).retry_config(RetryConfig::standard()).load().await)
    }
}
