//! Programs of Debian that checks use.

use crate::workspace::{has, run as execute};

/// Tells whether a program is there, after getting these packages if it is not and they can be got.
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
