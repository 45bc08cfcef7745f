//! A pipeline that is deployed on AWS Lambda.

#[cfg(feature = "aws")]
mod deployed;
#[cfg(not(feature = "aws"))]
mod not_built;

use std::path::PathBuf;

use oms_engine::step::StepKind;

use crate::exit::Usage;
#[cfg(feature = "aws")]
pub(crate) use crate::targets::stack::deployed::{FoundCustomer, Stack};
#[cfg(not(feature = "aws"))]
pub(crate) use crate::targets::stack::not_built::{FoundCustomer, Stack};
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

/// A deployed pipeline that was not opened yet.
pub(crate) struct StackPlace {
    /// The file with the AWS resources, if it was given.
    pub(crate) resources: Option<PathBuf>,
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
    /// Returns the deployed pipeline, or `None` if the orders ran on this machine.
    ///
    /// # Errors
    /// Returns an error if an option has no effect.
    pub(crate) fn place(&self) -> anyhow::Result<Option<StackPlace>> {
        match self.place {
            RunPlace::Local if self.resources.is_some() => {
                Err(Usage("`--resources` is for `--target lambda`".to_owned()).into())
            }
            RunPlace::Local => Ok(None),
            RunPlace::Lambda => Ok(Some(StackPlace { resources: self.resources.clone() })),
        }
    }
}

impl StackPlace {
    /// Opens the deployed pipeline. Returns `None` if the pipeline file has findings, which were
    /// printed.
    ///
    /// # Errors
    /// Returns an error if this program was built without AWS, no pipeline file was given, or the
    /// resources cannot be read.
    pub(crate) fn open(
        &self,
        found: &ResolvedState,
        kinds: &[StepKind],
    ) -> anyhow::Result<Option<Stack>> {
        Stack::open(found, self.resources.as_deref(), kinds)
    }
}
