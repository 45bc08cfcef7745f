//! Replaces the access to deployed pipelines in a program that was built without AWS.

use std::path::Path;

use jiff::Timestamp;
use oms_engine::step::StepKind;
use oms_engine::table::EraseMode;
use oms_runtime::ForgetResult;
use oms_sql::NoteFilter;

use crate::exit::Usage;
use crate::output::Format;
use crate::targets::stack::RetrySelection;
use crate::targets::state::ResolvedState;

/// A deployed pipeline, which this program cannot open.
pub(crate) enum Stack {}

/// A customer of such a pipeline.
pub(crate) enum FoundCustomer {}

impl Stack {
    pub(crate) fn open(
        _: &ResolvedState,
        _: Option<&Path>,
        _: &[StepKind],
    ) -> anyhow::Result<Option<Self>> {
        Err(Usage::not_built("aws").into())
    }

    pub(crate) fn list(&self, _: NoteFilter<'_>, _: Format) -> anyhow::Result<u8> {
        match *self {}
    }

    pub(crate) fn show(&self, _: &str, _: Format) -> anyhow::Result<u8> {
        match *self {}
    }

    pub(crate) fn retry(&self, _: &RetrySelection<'_>, _: Format) -> anyhow::Result<u8> {
        match *self {}
    }

    pub(crate) fn cancel(&self, _: &[String]) -> anyhow::Result<(u64, u64)> {
        match *self {}
    }

    pub(crate) fn prune(&self, _: Timestamp) -> anyhow::Result<u64> {
        match *self {}
    }

    pub(crate) fn find_customer(
        &self,
        _: &str,
    ) -> anyhow::Result<Result<FoundCustomer, ForgetResult>> {
        match *self {}
    }

    pub(crate) fn forget(&self, _: &FoundCustomer, _: EraseMode) -> anyhow::Result<ForgetResult> {
        match *self {}
    }
}
