//! Debian programs that checks use.

use xtask::workspace::{has, run as execute};

/// Returns whether a program is installed. If it is missing, tries to install these packages first.
pub(crate) fn installed(program: &str, arguments: &[&str], packages: &[&str]) -> bool {
    if has(program, arguments) {
        return true;
    }
    let install = [&["install", "-qq", "--yes"], packages].concat();
    has("apt-get", &["--version"])
        && execute("apt-get", &["update", "-qq"]).is_ok()
        && execute("apt-get", &install).is_ok()
        && has(program, arguments)
}
