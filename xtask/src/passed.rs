//! Records which checks have passed for the current files, so that a second run without changes is
//! short.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use xtask::workspace::{command, root, scratch, variable};

/// The state of the files that a check depends on: all files of the project, the compiler, and the
/// path of the large test data.
pub(crate) struct Inputs(Option<Vec<u8>>);

impl Inputs {
    /// Returns the present state. Without Git it is unknown, and every check runs.
    pub(crate) fn now() -> Self {
        Self(digest())
    }

    /// Returns whether a check has passed in this state.
    pub(crate) fn passed(&self, check: &str) -> bool {
        let Some(digest) = &self.0 else { return false };
        std::fs::read(record(check)).is_ok_and(|known| known == *digest)
    }

    /// Records that a check has passed. Files that changed during the check count as not checked.
    pub(crate) fn record(&self, check: &str) {
        let now = digest();
        if let (Some(before), Some(now)) = (&self.0, now)
            && *before == now
        {
            let path = record(check);
            // Without the record, the check runs again.
            let _created = path.parent().map(std::fs::create_dir_all);
            let _written = std::fs::write(path, now);
        }
    }
}

fn record(check: &str) -> PathBuf {
    scratch("passed").join(check.replace([' ', '/'], "-"))
}

fn digest() -> Option<Vec<u8>> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let files = command("git", &list).output().ok().filter(|output| output.status.success())?;
    let compiler = command("rustc", &["--version", "--verbose"]).output().ok()?;
    let shared = variable("OMS_SHARED").unwrap_or_default();
    let mut digest = Sha256::new();
    let mut add = |part: &[u8]| {
        // The length keeps the parts apart.
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    };
    add(&compiler.stdout);
    add(shared.as_bytes());
    for name in files.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = std::str::from_utf8(name).ok()?;
        add(name.as_bytes());
        // A deleted file is listed until the deletion is staged.
        add(&std::fs::read(root().join(name)).unwrap_or_default());
    }
    Some(digest.finalize().to_vec())
}
