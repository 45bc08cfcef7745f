//! A conflict: a second order with the same key but different content.

use std::fmt;
use std::sync::Arc;

use oms_core::effects::RunInfo;
use oms_core::value::{Differences, differences};

use crate::plan::OrderPlan;

/// An order whose key belongs to the run of another order. It contains the names of members but
/// never their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The key.
    pub key: Arc<str>,
    /// The id of the run with this key.
    pub run: Arc<str>,
    /// Where the orders differ.
    pub comparison: Comparison,
}

/// The result of comparing two orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The members in which the orders differ.
    Differences(Differences),
    /// The accepted order is no longer stored.
    NotStored,
    /// The stored data of the accepted order is damaged.
    Unreadable,
}

impl Conflict {
    /// Compares an order with the accepted one, whose bytes are `stored` if they are still kept.
    /// Returns `None` if both are the same order. Their digests can differ nevertheless, if the
    /// schema has changed since the first one was accepted.
    pub fn between(order: &OrderPlan, refused: &RunInfo, stored: Option<&[u8]>) -> Option<Self> {
        let comparison = match stored.map(|stored| compare(order, stored, &refused.body)) {
            Some(Some(differences)) if differences.count == 0 => return None,
            Some(Some(differences)) => Comparison::Differences(differences),
            Some(None) => Comparison::Unreadable,
            None => Comparison::NotStored,
        };
        Some(Self { key: Arc::clone(&refused.key), run: Arc::clone(&refused.id), comparison })
    }

    /// Returns the members in which the orders differ, if they are known.
    pub const fn differences(&self) -> Option<&Differences> {
        match &self.comparison {
            Comparison::Differences(differences) => Some(differences),
            Comparison::NotStored | Comparison::Unreadable => None,
        }
    }
}

/// Compares two orders as typed values. Both matched the schema when they were received, so they
/// are not validated again. Returns `None` if one of them cannot be read, because its data is
/// damaged.
fn compare(order: &OrderPlan, stored: &[u8], refused: &[u8]) -> Option<Differences> {
    let read = |body| order.schema().read_accepted(body);
    let (stored, refused) = (read(stored).ok()?, read(refused).ok()?);
    Some(differences(&stored.canonical, &refused.canonical))
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, run, comparison } = self;
        write!(f, "the key `{key}` belongs to another order, accepted as run {run}; ")?;
        match comparison {
            Comparison::NotStored => {
                f.write_str("that order is no longer stored, so the differences are unknown")
            }
            Comparison::Unreadable => {
                f.write_str("that order cannot be read, so the differences are unknown")
            }
            Comparison::Differences(Differences { pointers, count }) => {
                f.write_str("the orders differ at ")?;
                for (position, pointer) in pointers.iter().enumerate() {
                    // The sender chooses the names of members, so they can contain any character.
                    let separator = if position == 0 { "" } else { ", " };
                    write!(f, "{separator}{}", pointer.escape_debug())?;
                }
                match count.saturating_sub(pointers.len()) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
        }
    }
}
