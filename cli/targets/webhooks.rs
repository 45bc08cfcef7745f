//! The secrets of webhooks.

use anyhow::Context as _;
use oms_engine::intake::SignatureVerifier;
use oms_engine::plan::Plan;

use crate::targets::secret;

/// Reads the secrets of `intake.verify`, and returns the verifier of the signatures.
///
/// # Errors
/// Returns an error if a secret does not exist or cannot be used.
pub(crate) fn verifier(plan: &Plan) -> anyhow::Result<Option<SignatureVerifier>> {
    let Some(section) = plan.intake().and_then(|intake| intake.verify.as_ref()) else {
        return Ok(None);
    };
    let names = &section.secret.0;
    let read = names.iter().map(|name| secret::read(name)).collect::<anyhow::Result<Vec<_>>>();
    let secrets = read.context("cannot read `intake.verify.secret`")?;
    let verifier = SignatureVerifier::new(section, &secrets).map_err(|(position, error)| {
        let name = names.get(position).map(String::as_str).unwrap_or_default();
        anyhow::Error::new(error).context(format!("cannot use the secret `{name}`"))
    })?;
    Ok(Some(verifier))
}
