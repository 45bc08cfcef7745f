//! Folders whose files are watched.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::Context as _;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::commands::run::STACK_BYTES;

/// Editors save a file in several steps; what comes this soon after another change belongs to it.
const TOGETHER: Duration = Duration::from_millis(15);
/// Changes that are waited for at the most.
const TOGETHER_MAX: u32 = 20;

/// Calls `changed` whenever something in the folders has changed, on a thread of its own, as long as the result is held. What it returns
/// is watched from then on.
///
/// # Errors
/// When the folders cannot be watched.
pub(super) fn changes(
    folders: &BTreeSet<PathBuf>,
    mut changed: impl FnMut() -> BTreeSet<PathBuf> + Send + 'static,
) -> anyhow::Result<Watching> {
    let (news, changes) = channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| concerns(&event)) {
            // The one who listens ends with the program.
            let _unheard = news.send(());
        }
    })?;
    let mut watched = BTreeSet::new();
    watch(&mut watcher, folders, &mut watched)?;
    let thread = std::thread::Builder::new().name("oms-preview".to_owned()).stack_size(STACK_BYTES);
    let thread = thread.spawn(move || {
        while changes.recv().is_ok() {
            quiet(&changes);
            let folders = changed();
            // A folder that is not there is watched once it is named by a pipeline that is right.
            let _unwatched = watch(&mut watcher, &folders, &mut watched);
        }
    })?;
    Ok(Watching { _thread: thread })
}

/// Watches as long as it is held.
pub(super) struct Watching {
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
            .with_context(|| format!("`{}` cannot be watched", folder.display()))?;
        watched.insert(folder.clone());
    }
    Ok(())
}

/// Tells whether an event can change what is shown: not if a file was only read, nor in the state of somebody's runs.
fn concerns(event: &notify::Event) -> bool {
    let state = |path: &PathBuf| path.components().any(|part| part.as_os_str() == ".oms");
    !event.kind.is_access() && !event.paths.iter().all(state)
}

/// Waits until nothing more comes.
fn quiet(changes: &Receiver<()>) {
    // A file that is written all the time must not keep the page from showing the others.
    for _ in 0..TOGETHER_MAX {
        if changes.recv_timeout(TOGETHER).is_err() {
            return;
        }
    }
}

/// Returns the folder that a file is in.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
