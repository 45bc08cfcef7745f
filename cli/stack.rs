//! A pipeline that is deployed on AWS Lambda, and what is asked about it.

#[cfg(feature = "aws")]
mod deployed;

use std::path::PathBuf;

use oms_engine::step::StepKind;
use oms_sql::Wanted;

use crate::commands::Format;
use crate::exit::Usage;
use crate::state::Found;

/// The options that say where the orders ran.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct StackOption {
    /// Where the orders ran: `local` for `oms run`, `lambda` for the handlers that `oms generate lambda` made
    #[arg(long = "target", value_enum, default_value = "local")]
    place: Ran,
    /// What is what on AWS, for `--target lambda`: the output `OmsResources` of the stack, as a file
    #[arg(long, value_name = "FILE")]
    resources: Option<PathBuf>,
}

/// Where orders ran.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// On this machine
    Local,
    /// On AWS Lambda
    Lambda,
}

/// What is asked.
#[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "read where AWS is built in"))]
pub(crate) enum Asked<'a> {
    /// Which orders there are.
    List(Wanted<'a>),
    /// What became of an order.
    Show(&'a str),
    /// To tell handlers again of what they parked.
    Retry(Again<'a>),
}

/// Which parked orders handlers are told of again.
#[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "read where AWS is built in"))]
pub(crate) struct Again<'a> {
    /// Those with these keys; without any, all.
    pub(crate) keys: &'a [String],
    /// Those with this cause.
    pub(crate) cause: Option<&'a str>,
    /// Whether mails were sent of which that was not known, as a person found out.
    pub(crate) sent: Option<bool>,
}

impl StackOption {
    /// Says that the orders ran on AWS Lambda.
    pub(crate) const fn lambda(resources: Option<PathBuf>) -> Self {
        Self { place: Ran::Lambda, resources }
    }

    /// Asks the deployed pipeline, if the orders ran there, and returns the exit code; nothing if they ran here.
    ///
    /// # Errors
    /// When this program was built without AWS, or something there does not answer.
    pub(crate) fn asked(
        &self,
        asked: &Asked<'_>,
        found: &Found,
        format: Format,
        kinds: &[StepKind],
    ) -> anyhow::Result<Option<u8>> {
        match self.place {
            Ran::Local if self.resources.is_some() => {
                Err(Usage("`--resources` is for `--target lambda`".to_owned()).into())
            }
            Ran::Local => Ok(None),
            Ran::Lambda => self.deployed(asked, found, format, kinds).map(Some),
        }
    }

    #[cfg(feature = "aws")]
    fn deployed(
        &self,
        asked: &Asked<'_>,
        found: &Found,
        format: Format,
        kinds: &[StepKind],
    ) -> anyhow::Result<u8> {
        use crate::exit::FINDINGS;
        use crate::world::Cloud;

        let cloud = Cloud::open(self.resources.as_deref())?;
        let Some(stack) = deployed::Stack::open(found, cloud, kinds)? else { return Ok(FINDINGS) };
        match asked {
            Asked::List(wanted) => stack.list(*wanted, format),
            Asked::Show(key) => stack.show(key, format),
            Asked::Retry(again) => stack.retry(again, format),
        }
    }

    #[cfg(not(feature = "aws"))]
    #[expect(clippy::unused_self, reason = "as where it is built in")]
    fn deployed(&self, _: &Asked<'_>, _: &Found, _: Format, _: &[StepKind]) -> anyhow::Result<u8> {
        Err(crate::world::not_built("aws").into())
    }
}
