//! User names and passwords in AWS Secrets Manager.

use aws_sdk_secretsmanager::Client;
use oms_core::effects::{StepError, cause};
use serde::Deserialize;

use crate::failure::classify;
use crate::session::Session;

/// Credentials for a database ("Secret structure of AWS Secrets Manager database credentials").
#[derive(Clone, Deserialize)]
pub struct Login {
    /// The name of the role.
    pub username: String,
    /// The password.
    pub password: String,
}

impl Login {
    /// Reads a secret by its ARN.
    ///
    /// # Errors
    /// Returns an error if the secret cannot be read or contains no credentials.
    pub async fn read(session: &Session, secret: &str) -> Result<Self, StepError> {
        let found = Client::new(&session.0).get_secret_value().secret_id(secret).send().await;
        let found = found.map_err(|error| classify("Secrets Manager", error))?;
        let text = found.secret_string.unwrap_or_default();
        serde_json::from_str(&text).map_err(|_| {
            StepError::permanent(cause::ENVIRONMENT, "a secret has no `username` or `password`")
        })
    }
}
