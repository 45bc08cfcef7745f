//! Erases a customer's personal data from a deployed pipeline.
//!
//! The orders are only in S3, so this reads every stored order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use oms_aws::S3Objects;
use oms_engine::effects::{
    Erase as _, ListedOrder, OrderLocation, Orders as _, StepError, StoredOrder,
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
const AT_ONCE: usize = 64;

/// A stored order that names a customer.
struct NamingOrder {
    object: String,
    key: String,
    identity: Identity,
    /// Whether its personal data contains the argument of the command.
    mentions: bool,
}

impl Stack {
    /// Erases a customer's personal data, or counts what would be erased: the stored orders with
    /// their earlier versions, and rows. The notes, claims and keys stay.
    ///
    /// # Errors
    /// Returns an error if a service fails. The call can be repeated.
    pub(crate) fn forget(&self, who: &str, mode: EraseMode) -> anyhow::Result<ForgetResult> {
        if self.plan.order().schema().customer().is_empty() {
            return Ok(ForgetResult::Undeclared);
        }
        let objects = S3Objects::new(&self.cloud.session, self.cloud.resources.buckets.clone());
        let erasure = SqlErasure::new(Arc::clone(&self.database) as _);
        let tables = self.plan.table_uses();
        let (customer, orders) = runtime::current_thread()?.block_on(async {
            let orders = self.naming_orders(&objects, who).await?;
            let each_order = |each: &mut dyn FnMut(&Identity)| {
                orders.iter().for_each(|order| each(&order.identity));
                Ok::<_, StepError>(())
            };
            let rows = erasure.identities(&tables, &Customer::named(who)).await?;
            let mut customer = find_customer(who, &rows, each_order)?;
            if let Some(customer) = &mut customer {
                let rows = erasure.identities(&tables, customer).await?;
                add_emails(customer, &rows, each_order)?;
            }
            Ok::<_, StepError>((customer, orders))
        })?;
        let Some(customer) = customer else {
            return Ok(ForgetResult::Unknown(candidates(&orders)));
        };
        let owned = orders.iter().filter(|order| customer.owns(&order.identity));
        let mut erased = ErasedData::of(&customer, &self.plan);
        let mut ended = Vec::new();
        for order in owned {
            let one = NoteFilter { key: Some(&order.key), limit: 1, ..NoteFilter::default() };
            let (key, state) = (order.key.clone(), self.state_of(&self.query(one)?));
            match state {
                RunState::Completed | RunState::Cancelled => ended.push(order),
                RunState::InProgress | RunState::Waiting | RunState::Parked => {
                    erased.kept.push(KeptRun { key, state });
                }
            }
        }
        erased.add_runs(ended.iter().map(|order| &order.key));
        runtime::current_thread()?.block_on(async {
            let run = |order: &&NamingOrder| run_id(self.plan.name(), &order.key);
            let runs: Vec<String> = ended.iter().map(run).collect();
            erased.add(erasure.erase_runs(&tables, &runs, mode).await?);
            if mode == EraseMode::Erase {
                self.erase_orders(&objects, &ended, &runs).await?;
            }
            if erased.kept.is_empty() {
                erased.add(erasure.erase_customer(&tables, &customer, mode).await?);
            }
            anyhow::Ok(())
        })?;
        Ok(ForgetResult::Found(erased))
    }

    /// Reads all stored orders. Returns those that name a customer, or whose personal data contains
    /// a text.
    async fn naming_orders(
        &self,
        objects: &S3Objects,
        text: &str,
    ) -> Result<Vec<NamingOrder>, StepError> {
        let text = text.to_lowercase();
        let (mut naming, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = objects.list(&self.choreography.bucket, after.as_deref()).await?;
            let Some(last) = page.last() else { return Ok(naming) };
            after = Some(last.object.clone());
            let read = page.into_iter().map(|listed| self.naming_order(objects, listed, &text));
            let found = futures_util::stream::iter(read).buffered(AT_ONCE);
            let found: Vec<Option<NamingOrder>> = found.try_collect().await?;
            naming.extend(found.into_iter().flatten());
        }
    }

    async fn naming_order(
        &self,
        objects: &S3Objects,
        ListedOrder { object, .. }: ListedOrder,
        text: &str,
    ) -> Result<Option<NamingOrder>, StepError> {
        let place = OrderLocation {
            bucket: self.cloud.resources.bucket(&self.choreography.bucket),
            key: object,
            version: None,
        };
        let stored = objects.fetch(&place).await?;
        let Some(stored) = stored.filter(|stored| !stored.is_erased) else { return Ok(None) };
        let schema = self.plan.order().schema();
        let identity = schema.customer().read(&stored.body);
        let mut lines = String::new();
        personal_lines(schema.ty(), &stored.body, &mut lines);
        let mentions = lines.to_lowercase().contains(text);
        if identity == Identity::default() && !mentions {
            return Ok(None);
        }
        let key = self.key_of(&stored, &place.key);
        Ok(Some(NamingOrder { object: place.key, key, identity, mentions }))
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
    async fn erase_orders(
        &self,
        objects: &S3Objects,
        orders: &[&NamingOrder],
        runs: &[String],
    ) -> anyhow::Result<()> {
        oms_sql::erase_mail_records(&*self.database, runs).await?;
        let names: BTreeSet<&str> = orders.iter().map(|order| order.object.as_str()).collect();
        for handler in self.cloud.resources.dead_letters.keys() {
            self.delete_dead_letters(handler, &names).await?;
        }
        for order in orders {
            objects.erase(&self.choreography.bucket, &order.object).await?;
        }
        Ok(())
    }
}

/// Returns the customers whose personal data contains the argument.
fn candidates(orders: &[NamingOrder]) -> Vec<Candidate> {
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
