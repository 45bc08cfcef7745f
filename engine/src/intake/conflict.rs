//! A conflict: a second order with the same key but different content.

use std::fmt;
use std::sync::Arc;

use oms_core::effects::RunInfo;
use oms_core::value::{Differences, Digest, differences};

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

/// What is known about an accepted order.
#[derive(Clone, Copy, Debug)]
pub enum Accepted<'a> {
    /// Its bytes.
    Order(&'a [u8]),
    /// It was deleted.
    Deleted {
        /// Its digest without the ignored members, if it was stored.
        reduced: Option<Digest>,
    },
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
    /// Compares an order with the accepted one. Returns `None` if both are the same order. Their
    /// digests can differ nevertheless: in ignored members, or because the schema has changed since
    /// the first one was accepted.
    pub fn between(order: &OrderPlan, refused: &RunInfo, accepted: Accepted<'_>) -> Option<Self> {
        let comparison = match accepted {
            Accepted::Order(stored) => match compare(order, stored, &refused.body) {
                Some(differences) if differences.count == 0 => return None,
                Some(differences) => Comparison::Differences(differences),
                None => Comparison::Unreadable,
            },
            Accepted::Deleted { reduced } if reduced.is_some() && reduced == refused.reduced => {
                return None;
            }
            Accepted::Deleted { .. } => Comparison::NotStored,
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

/// Compares two orders as typed values, without the ignored members. Both matched the schema when
/// they were received, so they are not validated again. Returns `None` if one of them cannot be
/// read, because its data is damaged.
fn compare(order: &OrderPlan, stored: &[u8], refused: &[u8]) -> Option<Differences> {
    let read = |body| order.schema().read_accepted(body);
    let (stored, refused) = (read(stored).ok()?, read(refused).ok()?);
    Some(differences(&stored.canonical, &refused.canonical, order.ignored()))
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
