//! A check that runs at a lower priority while others run.

use std::fs::File;
use std::process::Child;
use std::time::Instant;

use anyhow::Context as _;
use xtask::workspace::{command, say, scratch};

/// A running check. Its output goes to a file, so that it does not mix with that of others.
pub(crate) struct Background {
    name: &'static str,
    child: Child,
    begun: Instant,
}

impl Background {
    /// Starts `cargo xtask NAME`.
    #[expect(clippy::disallowed_methods, reason = "the time is only printed")]
    pub(crate) fn start(name: &'static str) -> anyhow::Result<Self> {
        let path = scratch("background").join(format!("{name}.log"));
        std::fs::create_dir_all(scratch("background"))?;
        say(&format!("$ cargo xtask {name} (in the background, output in {})", path.display()));
        let output = File::create(path)?;
        // The build of the workspace may have replaced this program. The lower priority is for the
        // checks in the foreground, which measure deadlines.
        let child = command("nice", &["-n", "10", "target/debug/xtask", name])
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("`nice` cannot be started")?;
        Ok(Self { name, child, begun: Instant::now() })
    }

    /// Waits for the check and prints its output. Returns an error if it failed.
    pub(crate) fn wait(mut self) -> anyhow::Result<()> {
        let status = self.child.wait()?;
        let path = scratch("background").join(format!("{}.log", self.name));
        say(&String::from_utf8_lossy(&std::fs::read(path)?));
        anyhow::ensure!(status.success(), "`cargo xtask {}` failed", self.name);
        say(&format!("{} took {} s", self.name, self.begun.elapsed().as_secs()));
        Ok(())
    }
}
