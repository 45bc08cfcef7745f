//! Counts of recently accepted orders per second. They come from the database, so they survive a restart.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use oms_local::{Connection, Error, RunRow};

/// The period of the counts in seconds: half an hour.
const SECONDS: i64 = 30 * 60;
/// The period of the rate in seconds.
const RATE_SECONDS: i64 = 10;

#[derive(Default)]
struct Counts {
    /// The last row that was counted.
    last: Option<i64>,
    /// Counts by second of Unix time.
    seconds: BTreeMap<i64, u64>,
}

/// The counts of recently accepted orders.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Counts>);

/// The orders that were accepted in a minute.
pub(crate) struct Minute {
    /// Minutes since 1970.
    pub(crate) minute: i64,
    /// Number of orders.
    pub(crate) count: u64,
}

impl Recent {
    /// Counts the orders that were accepted since the last call.
    pub(crate) fn catch_up(&self, connection: &Connection, now: Timestamp) -> Result<(), Error> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = now.as_second() - SECONDS;
        let last = match counts.last {
            Some(last) => last,
            None => {
                let instant = Timestamp::from_second(oldest).unwrap_or(Timestamp::UNIX_EPOCH);
                RunRow::before(connection, instant)?.max(0)
            }
        };
        let (found, last) = RunRow::accepted_after(connection, last)?;
        counts.last = Some(last);
        for (second, count) in found {
            *counts.seconds.entry(second).or_default() += count;
        }
        counts.seconds = counts.seconds.split_off(&oldest);
        Ok(())
    }

    /// Returns the average number of orders per second over the last ten seconds.
    pub(crate) fn per_second(&self, now: Timestamp) -> f64 {
        let from = now.as_second() - RATE_SECONDS;
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum: u64 = counts.seconds.range(from + 1..).map(|(_, count)| count).sum();
        u32::try_from(sum).map_or(f64::INFINITY, f64::from) / 10.0
    }

    /// Returns the last thirty minutes, oldest first.
    pub(crate) fn minutes(&self, now: Timestamp) -> Vec<Minute> {
        let last = now.as_second() / 60;
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |minute: i64| {
            let seconds = counts.seconds.range(minute * 60..(minute + 1) * 60);
            Minute { minute, count: seconds.map(|(_, count)| count).sum() }
        };
        (last - 29..=last).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(connection: &Connection, row: i64, second: i64) {
        let insert = "insert into oms_runs (id, accepted_at) values (?1, ?2)";
        connection.execute(insert, [row, second * 1_000]).unwrap();
    }

    #[test]
    fn runs_are_counted_once_and_old_counts_are_dropped() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute("create table oms_runs (id integer primary key, accepted_at)", [])
            .unwrap();
        for (row, second) in [(1, 0), (2, 1), (3, 1), (4, 2_000), (5, 2_005), (6, 2_005)] {
            accepted(&connection, row, second);
        }
        let at = |second| Timestamp::from_second(second).unwrap();
        let recent = Recent::default();
        let count = || -> u64 { recent.minutes(at(2_006)).iter().map(|minute| minute.count).sum() };
        for _ in 0..2 {
            recent.catch_up(&connection, at(2_006)).unwrap();
            assert_eq!((recent.minutes(at(2_006)).len(), count()), (30, 3));
        }
        assert!((recent.per_second(at(2_006)) - 0.3).abs() < 1e-9);
        accepted(&connection, 7, 2_006);
        recent.catch_up(&connection, at(2_006)).unwrap();
        assert_eq!(count(), 4);
        recent.catch_up(&connection, at(3_806)).unwrap();
        assert_eq!(count(), 1, "only the run of second 2006 is left");
    }
}
