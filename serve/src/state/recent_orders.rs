//! Counts of recently accepted orders per second. They come from the database, so they survive a
//! restart.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use oms_sqlite::{Error, Reader, RunRow};

/// The period of the counts in seconds: half an hour.
const PERIOD_SECONDS: i64 = 30 * 60;
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
pub(crate) struct RecentOrders(Mutex<Counts>);

/// The orders that were accepted in a minute.
pub(crate) struct Minute {
    /// Minutes since 1970.
    pub(crate) minute: i64,
    /// Number of orders.
    pub(crate) count: u64,
}

impl RecentOrders {
    /// Counts the orders that were accepted since the last call.
    pub(crate) fn catch_up(&self, reader: &Reader, now: Timestamp) -> Result<(), Error> {
        let last = |oldest| Ok(RunRow::before(reader, oldest)?.max(0));
        self.add(now, last, |last| RunRow::accepted_after(reader, last))
    }

    /// Adds the orders after the last row that was counted. The first call starts after the row
    /// that `first` returns for the start of the period.
    fn add(
        &self,
        now: Timestamp,
        first: impl FnOnce(Timestamp) -> Result<i64, Error>,
        after: impl FnOnce(i64) -> Result<(Vec<(i64, u64)>, i64), Error>,
    ) -> Result<(), Error> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = now.as_second() - PERIOD_SECONDS;
        let last = match counts.last {
            Some(last) => last,
            None => first(Timestamp::from_second(oldest).unwrap_or(Timestamp::UNIX_EPOCH))?,
        };
        let (found, last) = after(last)?;
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

    #[test]
    fn each_run_is_counted_once_and_old_counts_are_dropped() {
        let mut rows = vec![(1, 0), (2, 1), (3, 1), (4, 2_000), (5, 2_005), (6, 2_005)];
        let at = |second| Timestamp::from_second(second).unwrap();
        let recent = RecentOrders::default();
        let catch_up = |rows: &[(i64, i64)], now: i64| {
            let after = |last: i64| {
                let new = rows.iter().filter(|(row, _)| *row > last);
                let counts = new.map(|(_, second)| (*second, 1)).collect();
                Ok((counts, rows.iter().map(|(row, _)| *row).max().unwrap_or(last)))
            };
            recent.add(at(now), |_| Ok(0), after).unwrap();
        };
        let count = || -> u64 { recent.minutes(at(2_006)).iter().map(|minute| minute.count).sum() };
        for _ in 0..2 {
            catch_up(&rows, 2_006);
            assert_eq!((recent.minutes(at(2_006)).len(), count()), (30, 3));
        }
        assert!((recent.per_second(at(2_006)) - 0.3).abs() < 1e-9);
        rows.push((7, 2_006));
        catch_up(&rows, 2_006);
        assert_eq!(count(), 4);
        catch_up(&rows, 3_806);
        assert_eq!(count(), 1, "orders of another second than 2006 are counted");
    }
}
