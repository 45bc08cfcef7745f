//! Watches the files in folders.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::Context as _;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::runtime;

/// Editors save a file in several steps. Changes within this time belong together.
const DEBOUNCE: Duration = Duration::from_millis(15);
/// Maximum number of changes that are combined.
const DEBOUNCED_MAX: u32 = 20;

/// Calls `changed` on a separate thread whenever a file in the folders has changed, until the
/// process ends. From then on, also watches the folders that `changed` returns.
///
/// # Errors
/// Returns an error if the folders cannot be watched.
pub(super) fn on_change(
    folders: &BTreeSet<PathBuf>,
    mut changed: impl FnMut() -> BTreeSet<PathBuf> + Send + 'static,
) -> anyhow::Result<WatchHandle> {
    let (news, changes) = channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| is_relevant(&event)) {
            // The receiver lives as long as the program.
            let _unheard = news.send(());
        }
    })?;
    let mut watched = BTreeSet::new();
    watch(&mut watcher, folders, &mut watched)?;
    let thread =
        std::thread::Builder::new().name("oms-preview".to_owned()).stack_size(runtime::STACK_BYTES);
    let thread = thread.spawn(move || {
        while changes.recv().is_ok() {
            debounce(&changes);
            let folders = changed();
            // After the next change, a missing folder is watched if it exists then.
            let _unwatched = watch(&mut watcher, &folders, &mut watched);
        }
    })?;
    Ok(WatchHandle { _thread: thread })
}

/// The thread that watches the folders.
pub(super) struct WatchHandle {
    _thread: std::thread::JoinHandle<()>,
}

fn watch(
    watcher: &mut RecommendedWatcher,
    folders: &BTreeSet<PathBuf>,
    watched: &mut BTreeSet<PathBuf>,
) -> anyhow::Result<()> {
    for folder in folders {
        if watched.contains(folder) {
            continue;
        }
        watcher
            .watch(folder, RecursiveMode::Recursive)
            .with_context(|| format!("cannot watch `{}`", folder.display()))?;
        watched.insert(folder.clone());
    }
    Ok(())
}

/// Returns whether an event can change the page. Reads, and changes in a state directory, cannot.
fn is_relevant(event: &notify::Event) -> bool {
    let state = |path: &PathBuf| path.components().any(|part| part.as_os_str() == ".oms");
    !event.kind.is_access() && !event.paths.iter().all(state)
}

/// Waits until no more changes arrive.
fn debounce(changes: &Receiver<()>) {
    // A file that is written constantly must not delay the changes of other files.
    for _ in 0..DEBOUNCED_MAX {
        if changes.recv_timeout(DEBOUNCE).is_err() {
            return;
        }
    }
}

/// Returns the folder of a file.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
