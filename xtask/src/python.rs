//! Packages of PyPI that checks use, in an environment of their own below `target/`.

use crate::workspace::{has, root, run as execute, say, scratch, variable};

/// What the test mail server and the emulator of AWS need, each in one version.
const REQUIREMENTS: [&str; 2] = ["tests/smtp/requirements.txt", "tests/emulator/requirements.txt"];

/// Makes the environment, or brings it up to what is required; where there is no Python it says what is skipped, but not in CI.
pub(crate) fn environment() -> anyhow::Result<()> {
    if !has("python3", &["-m", "venv", "--help"]) {
        let ci = variable("CI").is_some_and(|value| value == "true");
        anyhow::ensure!(!ci, "the tests of SMTP and AWS need python3 with venv");
        say("skipped: the tests of SMTP and AWS, since python3 with venv is not installed");
        return Ok(());
    }
    let folder = scratch("python");
    let made_of = folder.join("requirements.txt");
    let mut required = String::new();
    for file in REQUIREMENTS {
        required.push_str(&std::fs::read_to_string(root().join(file))?);
    }
    if std::fs::read_to_string(&made_of).is_ok_and(|made_of| made_of == required) {
        return Ok(());
    }
    let shown = folder.to_string_lossy();
    execute("python3", &["-m", "venv", "--clear", &shown])?;
    let pip = folder.join("bin/pip");
    let quiet = ["install", "--quiet", "--disable-pip-version-check"];
    let files = REQUIREMENTS.map(|file| ["--requirement", file]).concat();
    execute(&pip.to_string_lossy(), &[&quiet[..], &files].concat())?;
    std::fs::write(made_of, required)?;
    Ok(())
}
