//! PyPI packages that checks use, in separate environments below `target/`.

use std::path::PathBuf;

use crate::workspace::{has, root, run as execute, say, scratch, variable};

/// An environment: its folder below `target/`, and its requirements with fixed versions.
#[derive(Clone, Copy)]
pub struct Environment {
    folder: &'static str,
    requirements: &'static [&'static str],
    /// The task that is skipped without the environment.
    purpose: &'static str,
}

/// The test mail server and the AWS emulator.
pub const SERVERS: Environment = Environment {
    folder: "python",
    requirements: &["tests/smtp/requirements.txt", "tests/emulator/requirements.txt"],
    purpose: "the tests of SMTP and AWS",
};
/// The tests of `oms serve`.
pub const SERVE: Environment = Environment {
    folder: "python-serve",
    requirements: &["tests/serve/requirements.txt"],
    purpose: "the tests of oms serve",
};
/// Another implementation of JSON Schema.
pub const SCHEMA: Environment = Environment {
    folder: "python-schema",
    requirements: &["tests/schema/requirements.txt"],
    purpose: "the comparison of order schemas",
};
/// The time zone database for the comparison of dates.
pub const TIME_ZONES: Environment = Environment {
    folder: "python-time-zones",
    requirements: &["tests/time_zones/requirements.txt"],
    purpose: "the comparison of time zones",
};
/// Another implementation of the Unicode Bidirectional Algorithm.
pub const BIDI: Environment = Environment {
    folder: "python-bidi",
    requirements: &["tests/mails/requirements.txt"],
    purpose: "the comparison of text in both directions",
};
/// AWS's linters and deployment tools.
pub const SAM: Environment = Environment {
    folder: "python-sam",
    requirements: &["tests/lambda/requirements-sam.txt"],
    purpose: "cfn-lint, sam validate, and the deployment by the generated README",
};
/// Linters for the GitHub workflows and the Dockerfile.
pub const WORKFLOWS: Environment = Environment {
    folder: "python-workflows",
    requirements: &["tests/workflows/requirements.txt"],
    purpose: "the linters of the workflows and the Dockerfile",
};
/// A linter whose requirements conflict with the others.
pub const CHECKOV: Environment = Environment {
    folder: "python-checkov",
    requirements: &["tests/lambda/requirements-checkov.txt"],
    purpose: "checkov",
};

/// Creates an environment or updates it to its requirements, and returns its folder. Without
/// Python, it reports that the task is skipped; in CI that is an error.
pub fn environment(wanted: Environment) -> anyhow::Result<Option<PathBuf>> {
    let Environment { folder, requirements, purpose } = wanted;
    if !has("python3", &["-m", "venv", "--help"]) {
        let ci = variable("CI").is_some_and(|value| value == "true");
        anyhow::ensure!(!ci, "{purpose} needs python3 with venv");
        say(&format!("skipped: {purpose}, because python3 with venv is not installed"));
        return Ok(None);
    }
    let folder = scratch(folder);
    let made_of = folder.join("requirements.txt");
    let mut required = String::new();
    for file in requirements {
        required.push_str(&std::fs::read_to_string(root().join(file))?);
    }
    if std::fs::read_to_string(&made_of).is_ok_and(|made_of| made_of == required) {
        return Ok(Some(folder));
    }
    let shown = folder.to_string_lossy();
    execute("python3", &["-m", "venv", "--clear", &shown])?;
    let pip = folder.join("bin/pip");
    let quiet = ["install", "--quiet", "--disable-pip-version-check"];
    let files: Vec<&str> = requirements.iter().flat_map(|file| ["--requirement", file]).collect();
    execute(&pip.to_string_lossy(), &[&quiet[..], &files].concat())?;
    std::fs::write(made_of, required)?;
    Ok(Some(folder))
}
