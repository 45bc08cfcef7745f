//! The AWS account of a pipeline.

use anyhow::Context as _;

use crate::exit::Usage;
use crate::runtime;

/// An AWS session and the resources of a pipeline.
pub(crate) struct Cloud {
    pub(crate) session: oms_aws::Session,
    pub(crate) resources: oms_aws::Resources,
}

impl Cloud {
    /// Reads the resources and loads the session.
    ///
    /// # Errors
    /// Returns an error if the file is not given or is invalid.
    pub(crate) fn open(resources: Option<&std::path::Path>) -> anyhow::Result<Self> {
        let path = resources.ok_or_else(|| {
            Usage("the AWS resources are missing; add `--resources FILE`".to_owned())
        })?;
        let shown = path.display();
        let text = std::fs::read(path).with_context(|| format!("cannot read `{shown}`"))?;
        let resources = oms_aws::Resources::read(&text)
            .with_context(|| format!("`{shown}` is not a valid file of AWS resources"))?;
        let session = oms_aws::Session::load_in(resources.region());
        let session = runtime::current_thread()?.block_on(session);
        Ok(Self { session, resources })
    }
}
