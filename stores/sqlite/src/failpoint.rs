//! Places where a test can kill the process, like a crash. They do nothing without the feature
//! `failpoints`.

/// Kills the process at the n-th call for a place if `OMS_FAILPOINT` is `place:n`.
#[cfg(feature = "failpoints")]
#[expect(
    clippy::disallowed_methods,
    reason = "only tests build this, and they configure it with an environment variable"
)]
pub(crate) fn hit(place: &str) {
    use std::collections::HashMap;
    use std::sync::{Mutex, OnceLock, PoisonError};

    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static SEEN: OnceLock<Mutex<HashMap<String, u64>>> = OnceLock::new();
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("OMS_FAILPOINT").ok()?;
        let (place, count) = text.split_once(':')?;
        Some((place.to_owned(), count.parse().ok()?))
    });
    let Some((name, count)) = wanted else { return };
    if name != place {
        return;
    }
    let mut seen = SEEN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let times = seen.entry(place.to_owned()).or_insert(0);
    *times += 1;
    if times == count {
        // Sends SIGKILL, so that no handler or destructor runs. If `kill` cannot be started, there
        // is no fallback.
        let _status = std::process::Command::new("kill")
            .args(["-9", &std::process::id().to_string()])
            .status();
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}

/// Does nothing.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn hit(_: &str) {}
