//! Packages of PyPI that checks use, in an environment of their own below `target/`.

use crate::workspace::{has, root, run as execute, say, scratch, variable};

/// What the test mail server needs, each in one version.
const REQUIREMENTS: &str = "tests/smtp/requirements.txt";

/// Makes the environment, or brings it up to what is required; where there is no Python it says what is skipped, but not in CI.
pub(crate) fn environment() -> anyhow::Result<()> {
    if !has("python3", &["-m", "venv", "--help"]) {
        let ci = variable("CI").is_some_and(|value| value == "true");
        anyhow::ensure!(!ci, "the tests of SMTP need python3 with venv");
        say("skipped: the tests of SMTP, since python3 with venv is not installed");
        return Ok(());
    }
    let folder = scratch("python");
    let made_of = folder.join("requirements.txt");
    let required = std::fs::read_to_string(root().join(REQUIREMENTS))?;
    if std::fs::read_to_string(&made_of).is_ok_and(|made_of| made_of == required) {
        return Ok(());
    }
    let shown = folder.to_string_lossy();
    execute("python3", &["-m", "venv", "--clear", &shown])?;
    let pip = folder.join("bin/pip");
    let quiet =
        ["install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS];
    execute(&pip.to_string_lossy(), &quiet)?;
    std::fs::write(made_of, required)?;
    Ok(())
}
