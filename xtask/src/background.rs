//! Checks that run while others run.

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
    /// Starts `cargo xtask NAME` at a lower priority, because checks in the foreground measure
    /// deadlines.
    pub(crate) fn start(name: &'static str) -> anyhow::Result<Self> {
        // The build of the workspace may have replaced this program.
        Self::run(name, "nice", &["-n", "10", "target/debug/xtask", name])
    }

    /// Starts a program as the check `name`.
    #[expect(clippy::disallowed_methods, reason = "the time is only printed")]
    pub(crate) fn run(name: &'static str, program: &str, words: &[&str]) -> anyhow::Result<Self> {
        let path = scratch("background").join(format!("{name}.log"));
        std::fs::create_dir_all(scratch("background"))?;
        let shown = words.join(" ");
        say(&format!("$ {program} {shown} (in the background, output in {})", path.display()));
        let output = File::create(path)?;
        let child = command(program, words)
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("`{program}` cannot be started"))?;
        Ok(Self { name, child, begun: Instant::now() })
    }

    /// Waits for the check and prints its output. Returns an error if it failed.
    pub(crate) fn wait(mut self) -> anyhow::Result<()> {
        let status = self.child.wait()?;
        let path = scratch("background").join(format!("{}.log", self.name));
        say(&String::from_utf8_lossy(&std::fs::read(path)?));
        anyhow::ensure!(status.success(), "the check `{}` failed", self.name);
        say(&format!("{} took {} s", self.name, self.begun.elapsed().as_secs()));
        Ok(())
    }
}
