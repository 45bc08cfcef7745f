//! Requests to a pipeline that is deployed on AWS Lambda.

#[cfg(feature = "aws")]
mod deployed;

use std::path::PathBuf;

use oms_engine::step::StepKind;
use oms_sql::NoteFilter;

use crate::exit::Usage;
use crate::output::Format;
use crate::targets::state::ResolvedState;

/// The options for the place where the orders ran.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct StackOption {
    /// Place where the orders ran
    #[arg(long = "target", value_enum, default_value = "local")]
    place: RunPlace,
    /// File with the AWS resources for `--target lambda`: the output `OmsResources` of the stack
    #[arg(long, value_name = "FILE")]
    resources: Option<PathBuf>,
}

/// The place where orders ran.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunPlace {
    /// This machine, with `oms run` or `oms serve`
    Local,
    /// AWS Lambda, with the handlers of `oms generate lambda`
    Lambda,
}

/// A request.
#[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "used with the feature `aws`"))]
pub(crate) enum StackRequest<'a> {
    /// List orders.
    List(NoteFilter<'a>),
    /// Show an order.
    Show(&'a str),
    /// Retry parked orders.
    Retry(RetrySelection<'a>),
}

/// The parked orders to retry.
#[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "used with the feature `aws`"))]
pub(crate) struct RetrySelection<'a> {
    /// Only orders with these keys. If the list is empty, all orders.
    pub(crate) keys: &'a [String],
    /// Only orders with this cause.
    pub(crate) cause: Option<&'a str>,
    /// The user's decision whether e-mails with an unknown outcome were sent.
    pub(crate) sent: Option<bool>,
}

impl StackOption {
    /// Returns the options for orders that ran on AWS Lambda.
    pub(crate) const fn lambda(resources: Option<PathBuf>) -> Self {
        Self { place: RunPlace::Lambda, resources }
    }

    /// Executes a request if the orders ran on AWS Lambda, and returns the exit code. Returns
    /// `None` if they ran on this machine.
    ///
    /// # Errors
    /// Returns an error if this program was built without AWS, or a service does not respond.
    pub(crate) fn send(
        &self,
        request: &StackRequest<'_>,
        found: &ResolvedState,
        format: Format,
        kinds: &[StepKind],
    ) -> anyhow::Result<Option<u8>> {
        match self.place {
            RunPlace::Local if self.resources.is_some() => {
                Err(Usage("`--resources` is for `--target lambda`".to_owned()).into())
            }
            RunPlace::Local => Ok(None),
            RunPlace::Lambda => self.deployed(request, found, format, kinds).map(Some),
        }
    }

    #[cfg(feature = "aws")]
    fn deployed(
        &self,
        request: &StackRequest<'_>,
        found: &ResolvedState,
        format: Format,
        kinds: &[StepKind],
    ) -> anyhow::Result<u8> {
        use crate::exit::FINDINGS;
        use crate::targets::cloud::Cloud;

        let cloud = Cloud::open(self.resources.as_deref())?;
        let Some(stack) = deployed::Stack::open(found, cloud, kinds)? else { return Ok(FINDINGS) };
        match request {
            StackRequest::List(wanted) => stack.list(*wanted, format),
            StackRequest::Show(key) => stack.show(key, format),
            StackRequest::Retry(selection) => stack.retry(selection, format),
        }
    }

    #[cfg(not(feature = "aws"))]
    #[expect(clippy::unused_self, reason = "same signature as with the feature")]
    fn deployed(
        &self,
        _: &StackRequest<'_>,
        _: &ResolvedState,
        _: Format,
        _: &[StepKind],
    ) -> anyhow::Result<u8> {
        Err(Usage::not_built("aws").into())
    }
}
