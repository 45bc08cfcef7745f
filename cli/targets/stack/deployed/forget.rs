//! Erases a customer's personal data from a deployed pipeline.
//!
//! The orders are only in S3, so this reads every stored order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use oms_aws::S3Objects;
use oms_clock::SystemClock;
use oms_engine::effects::{
    Clock as _, Erase as _, ListedOrder, Orders as _, StepError, StoredOrder,
};
use oms_engine::run::{RunState, accept, run_id};
use oms_engine::table::{Customer, EraseMode, Identity};
use oms_runtime::{
    CANDIDATES_MAX, Candidate, ErasedData, ForgetResult, KeptRun, add_emails, find_customer,
};
use oms_sql::{NoteFilter, SqlErasure};
use oms_sqlite::personal_lines;

use super::Stack;
use crate::runtime;

/// Number of orders that are read at once.
const CONCURRENCY: usize = 64;

/// Maximum age of erased orders whose erasure is completed, in case it was interrupted.
const REPEATED: SignedDuration = SignedDuration::from_hours(24 * 7);

/// A customer with the orders and the data that were found.
pub(crate) struct FoundCustomer {
    customer: Customer,
    /// The customer's orders.
    orders: Vec<CustomerOrder>,
    /// The objects of orders that were erased recently. Earlier versions may remain, if that was
    /// interrupted.
    erased: Vec<String>,
}

/// A stored order that names a customer.
struct CustomerOrder {
    object: String,
    key: String,
    accepted_at: Timestamp,
    identity: Identity,
    /// Whether its personal data contains the argument of the command.
    mentions: bool,
}

/// The orders in a bucket.
#[derive(Default)]
struct StoredOrders {
    naming: Vec<CustomerOrder>,
    erased: Vec<String>,
}

impl Stack {
    /// Finds a customer. Reads all stored orders.
    ///
    /// # Errors
    /// Returns an error if a service fails, or the handlers do not know erased orders.
    pub(crate) fn find_customer(
        &self,
        who: &str,
    ) -> anyhow::Result<Result<FoundCustomer, ForgetResult>> {
        self.settled_days()?;
        if self.plan.order().schema().customer().is_empty() {
            return Ok(Err(ForgetResult::Undeclared));
        }
        let (erasure, tables) = (self.erasure(), self.plan.table_uses());
        runtime::current_thread()?.block_on(async {
            let StoredOrders { mut naming, erased } = self.stored_orders(who).await?;
            let orders = |each: &mut dyn FnMut(&Identity)| {
                naming.iter().for_each(|order| each(&order.identity));
                Ok::<_, StepError>(())
            };
            let rows = erasure.identities(&tables, &Customer::named(who)).await?;
            let Some(mut customer) = find_customer(who, &rows, orders)? else {
                return Ok(Err(ForgetResult::Unknown(candidates(&naming))));
            };
            let rows = erasure.identities(&tables, &customer).await?;
            add_emails(&mut customer, &rows, orders)?;
            naming.retain(|order| customer.owns(&order.identity));
            Ok(Ok(FoundCustomer { customer, orders: naming, erased }))
        })
    }

    /// Erases the personal data of a customer, or counts what would be erased: the stored orders
    /// with their earlier versions, and rows. The notes, claims and keys stay.
    ///
    /// # Errors
    /// Returns an error if a service fails. The call can be repeated.
    pub(crate) fn forget(
        &self,
        found: &FoundCustomer,
        mode: EraseMode,
    ) -> anyhow::Result<ForgetResult> {
        let FoundCustomer { customer, orders, erased: done } = found;
        let (erasure, tables) = (self.erasure(), self.plan.table_uses());
        let mut erased = ErasedData::of(customer, &self.plan);
        let days = SignedDuration::from_hours(24 * i64::from(self.settled_days()?));
        let settled = SystemClock.now() - days;
        let mut ended = Vec::new();
        for order in orders {
            let one = NoteFilter { key: Some(&order.key), limit: 1, ..NoteFilter::default() };
            let state = self.state_of(&self.query(one)?);
            match has_ended(state, order.accepted_at, settled) {
                true => ended.push(order),
                false => erased.kept.push(KeptRun { key: order.key.clone(), state }),
            }
        }
        erased.add_runs(ended.iter().map(|order| &order.key));
        let run = |order: &&CustomerOrder| run_id(self.plan.name(), &order.key);
        let runs: Vec<String> = ended.iter().map(run).collect();
        let erasing = runtime::current_thread()?.block_on(async {
            erased.add(erasure.erase_runs(&tables, &runs, mode).await?);
            if erased.kept.is_empty() {
                erased.add(erasure.erase_customer(&tables, customer, mode).await?);
            }
            if mode == EraseMode::Erase {
                let objects = ended.iter().map(|order| order.object.as_str());
                let objects: BTreeSet<&str> =
                    objects.chain(done.iter().map(String::as_str)).collect();
                self.erase_orders(&objects, &runs).await?;
            }
            anyhow::Ok(())
        });
        erasing.with_context(|| {
            let ids: Vec<&str> = customer.ids().iter().map(String::as_str).collect();
            let ids = if ids.is_empty() { String::new() } else { format!(" {}", ids.join(", ")) };
            format!("the customer{ids} may be erased only in part; run the command again")
        })?;
        Ok(ForgetResult::Found(erased))
    }

    fn erasure(&self) -> SqlErasure {
        SqlErasure::new(Arc::clone(&self.database) as _)
    }

    /// Reads all stored orders. Returns those that name a customer, or whose personal data contains
    /// a text, and those that were erased recently.
    async fn stored_orders(&self, text: &str) -> Result<StoredOrders, StepError> {
        let (objects, text) = (self.objects(), text.to_lowercase());
        let repeated = SystemClock.now() - REPEATED;
        let (mut found, mut after) = (StoredOrders::default(), None::<String>);
        loop {
            let page = objects.list(&self.choreography.bucket, after.as_deref()).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = Some(last.object.clone());
            let (empty, full): (Vec<ListedOrder>, Vec<ListedOrder>) =
                page.into_iter().partition(|listed| listed.is_empty);
            let recent = empty.into_iter().filter(|listed| listed.stored_at > repeated);
            found.erased.extend(recent.map(|listed| listed.object));
            let read = full.into_iter().map(|listed| self.read_order(&objects, listed, &text));
            let read = futures_util::stream::iter(read).buffered(CONCURRENCY);
            let read: Vec<Option<CustomerOrder>> = read.try_collect().await?;
            found.naming.extend(read.into_iter().flatten());
        }
    }

    async fn read_order(
        &self,
        objects: &S3Objects,
        ListedOrder { object, .. }: ListedOrder,
        text: &str,
    ) -> Result<Option<CustomerOrder>, StepError> {
        let Some(stored) = objects.fetch(&self.location(&object)).await? else { return Ok(None) };
        let schema = self.plan.order().schema();
        let identity = schema.customer().read(&stored.body);
        let mut lines = String::new();
        personal_lines(schema.ty(), &stored.body, &mut lines);
        let mentions = lines.to_lowercase().contains(text);
        if identity == Identity::default() && !mentions {
            return Ok(None);
        }
        let (key, accepted_at) = (self.key_of(&stored, &object), stored.accepted_at);
        Ok(Some(CustomerOrder { object, key, accepted_at, identity, mentions }))
    }

    /// Returns the key with which handlers note an order.
    fn key_of(&self, stored: &StoredOrder, object: &str) -> String {
        let found = self.choreography.object.as_ref().and_then(|known| known.run_key(object));
        let name = stored.name.as_deref().or(found).unwrap_or(object);
        match accept(&self.plan, &stored.body, name, Timestamp::UNIX_EPOCH) {
            Ok(run) => run.info.key.to_string(),
            // The object was not stored by the intake, or the schema has changed.
            Err(_) => name.to_owned(),
        }
    }

    /// Erases what remains of orders besides rows. The objects come last, because they lead to the
    /// other data if this is interrupted.
    async fn erase_orders(&self, objects: &BTreeSet<&str>, runs: &[String]) -> anyhow::Result<()> {
        oms_sql::erase_mail_records(&*self.database, runs).await?;
        for handler in self.cloud.resources.dead_letters.keys() {
            self.delete_dead_letters(handler, objects).await?;
        }
        let stored = self.objects();
        for object in objects {
            stored.erase(&self.choreography.bucket, object).await?;
        }
        Ok(())
    }
}

/// Returns whether an order has ended. If some notes are missing, because they were deleted or a
/// handler is new, an order that was accepted before `settled` has ended.
fn has_ended(state: RunState, accepted_at: Timestamp, settled: Timestamp) -> bool {
    match state {
        RunState::Completed | RunState::Cancelled => true,
        RunState::Waiting | RunState::Parked => false,
        RunState::InProgress => accepted_at < settled,
    }
}

/// Returns the customers whose personal data contains the argument.
fn candidates(orders: &[CustomerOrder]) -> Vec<Candidate> {
    let mut found = BTreeMap::new();
    for order in orders.iter().filter(|order| order.mentions) {
        let id = order.identity.id().map(str::to_owned);
        if found.len() < CANDIDATES_MAX || found.contains_key(&id) {
            found.entry(id).or_insert_with(|| order.key.clone());
        }
    }
    let candidate = |(customer, order)| Candidate { customer, order: Some(order) };
    found.into_iter().map(candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_order_without_notes_has_ended_and_a_parked_one_never() {
        let [old, settled, new] = [1, 2, 3].map(|second| Timestamp::from_second(second).unwrap());
        for (state, accepted_at, expected) in [
            (RunState::Completed, new, true),
            (RunState::Cancelled, new, true),
            (RunState::InProgress, new, false),
            (RunState::InProgress, old, true),
            (RunState::Parked, old, false),
            (RunState::Waiting, old, false),
        ] {
            assert_eq!(has_ended(state, accepted_at, settled), expected, "{state:?}");
        }
    }
}
