//! The counts of an invocation of `oms run`.

use std::collections::BTreeMap;
use std::sync::Arc;

use oms_engine::run::RunState;
use oms_runtime::WorkResult;
use serde::Serialize;

/// The counts. `read = accepted + duplicates + conflicts + rejected`, and
/// `accepted + resumed = completed + parked + waiting + cancelled + in_progress`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) accepted: u64,
    pub(crate) duplicates: u64,
    pub(crate) conflicts: u64,
    pub(crate) rejected: u64,
    pub(crate) resumed: u64,
    pub(crate) completed: u64,
    pub(crate) parked: u64,
    pub(crate) cancelled: u64,
    /// Runs that wait for their next attempt.
    pub(crate) waiting: u64,
    /// For each cause, the number of parked runs and the key of one of them.
    pub(crate) causes: BTreeMap<String, (u64, Arc<str>)>,
    /// Completed runs in which a catch step handled a failure. They are also counted in
    /// `completed`.
    pub(crate) caught: u64,
    /// For each caught cause, the number of these runs and the key of one of them.
    pub(crate) caught_causes: BTreeMap<String, (u64, Arc<str>)>,
    /// The key of a completed run.
    pub(crate) example: Option<Arc<str>>,
}

/// The counts as `--format json` prints them, on one line.
#[derive(Serialize)]
pub(crate) struct TallyJson<'a> {
    format_version: u32,
    pipeline: &'a str,
    read: u64,
    accepted: u64,
    duplicates: u64,
    conflicts: u64,
    rejected: u64,
    resumed: u64,
    completed: u64,
    parked: u64,
    waiting: u64,
    cancelled: u64,
    in_progress: u64,
    caught: u64,
    seconds: f64,
    orders_per_second: f64,
}

impl Tally {
    /// Adds the result of an order or a run.
    pub(crate) fn add(&mut self, result: &WorkResult) {
        match result {
            WorkResult::Rejected => self.rejected += 1,
            WorkResult::Duplicate => self.duplicates += 1,
            WorkResult::Conflict => self.conflicts += 1,
            WorkResult::Waiting { resumed } => {
                self.waiting += 1;
                self.accepted += u64::from(!resumed);
            }
            WorkResult::Resumed { resumed } => {
                self.waiting = self.waiting.saturating_sub(1);
                self.accepted = self.accepted.saturating_sub(u64::from(!resumed));
            }
            WorkResult::Run { key, state, cause, resumed, .. } => {
                self.add_run(key, *state, cause.as_deref(), *resumed)
            }
            WorkResult::OnlyWaiting { .. } => {}
        }
    }

    fn add_run(&mut self, key: &Arc<str>, state: RunState, cause: Option<&str>, resumed: bool) {
        self.accepted += u64::from(!resumed);
        match state {
            RunState::Completed => {
                self.completed += 1;
                self.example.get_or_insert_with(|| Arc::clone(key));
                if let Some(causes) = cause {
                    self.caught += 1;
                    count(&mut self.caught_causes, causes, key);
                }
            }
            RunState::Parked => {
                self.parked += 1;
                count(&mut self.causes, cause.unwrap_or_default(), key);
            }
            RunState::Cancelled => self.cancelled += 1,
            RunState::InProgress | RunState::Waiting => {}
        }
    }

    /// Returns the number of orders that were read.
    pub(crate) const fn read(&self) -> u64 {
        self.accepted + self.duplicates + self.conflicts + self.rejected
    }

    /// Returns the number of runs that completed or were parked.
    pub(crate) const fn ended(&self) -> u64 {
        self.completed + self.parked
    }

    /// Returns whether an order was rejected or in conflict, or a run was parked.
    pub(crate) const fn has_findings(&self) -> bool {
        self.conflicts + self.rejected + self.parked > 0
    }

    /// Returns the runs per second, or 0 if no time has passed.
    pub(crate) fn rate(&self, seconds: f64) -> f64 {
        if seconds > 0.0 { self.ended() as f64 / seconds } else { 0.0 }
    }

    /// Returns the counts for `--format json`.
    pub(crate) fn to_json<'a>(&self, pipeline: &'a str, seconds: f64) -> TallyJson<'a> {
        let known = self.completed + self.parked + self.waiting + self.cancelled;
        TallyJson {
            format_version: 1,
            pipeline,
            read: self.read(),
            accepted: self.accepted,
            duplicates: self.duplicates,
            conflicts: self.conflicts,
            rejected: self.rejected,
            resumed: self.resumed,
            completed: self.completed,
            parked: self.parked,
            waiting: self.waiting,
            cancelled: self.cancelled,
            in_progress: (self.accepted + self.resumed).saturating_sub(known),
            caught: self.caught,
            seconds: (seconds * 1000.0).round() / 1000.0,
            orders_per_second: (self.rate(seconds) * 10.0).round() / 10.0,
        }
    }
}

/// Counts a run under each of its causes.
fn count(counts: &mut BTreeMap<String, (u64, Arc<str>)>, causes: &str, key: &Arc<str>) {
    for cause in causes.split(',').filter(|cause| !cause.is_empty()) {
        counts.entry(cause.to_owned()).or_insert_with(|| (0, Arc::clone(key))).0 += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(key: &str, state: RunState, cause: Option<&str>, resumed: bool) -> WorkResult {
        let (key, cause) = (Arc::from(key), cause.map(str::to_owned));
        WorkResult::Run { key, resumed, state, cause, caught: 0 }
    }

    #[test]
    fn every_order_is_counted_once() {
        let mut tally = Tally { resumed: 1, ..Tally::default() };
        for result in [
            run("a", RunState::Completed, None, false),
            run("b", RunState::Parked, Some("no_rate,no_row"), false),
            run("c", RunState::Parked, Some("no_rate"), true),
            run("d", RunState::Completed, Some("timeout"), false),
            WorkResult::Rejected,
            WorkResult::Duplicate,
            WorkResult::Conflict,
            WorkResult::Waiting { resumed: false },
        ] {
            tally.add(&result);
        }
        assert_eq!((tally.read(), tally.accepted, tally.ended()), (7, 4, 4));
        assert_eq!((tally.completed, tally.parked, tally.waiting), (2, 2, 1));
        assert!(tally.has_findings());
        assert_eq!(tally.causes["no_rate"], (2, Arc::from("b")));
        assert_eq!(tally.causes["no_row"], (1, Arc::from("b")));
        assert_eq!((tally.caught, &tally.caught_causes["timeout"].1), (1, &Arc::from("d")));
        assert_eq!(tally.example.as_deref(), Some("a"));
        let json = serde_json::to_value(tally.to_json("shop", 2.0)).unwrap();
        assert_eq!((&json["in_progress"], &json["orders_per_second"]), (&0.into(), &2.0.into()));
    }

    #[test]
    fn a_run_that_continues_after_a_wait_is_accepted_once() {
        let mut tally = Tally::default();
        tally.add(&WorkResult::Waiting { resumed: false });
        tally.add(&WorkResult::Resumed { resumed: false });
        tally.add(&run("a", RunState::Completed, None, false));
        assert_eq!((tally.read(), tally.waiting, tally.completed), (1, 0, 1));
        assert!(!tally.has_findings());
    }

    #[test]
    fn without_time_the_rate_is_zero() {
        let tally = Tally { completed: 3, ..Tally::default() };
        assert_eq!((tally.rate(0.0), tally.rate(1.5)), (0.0, 2.0));
    }
}
