//! Erases a customer's personal data: the orders with all their results except amounts, and the
//! customer's rows in tables.
//!
//! The pipeline declares which members of an order and which columns identify a customer
//! (`x-customer`, `customer`). No other fields are used. The key and digest of an erased run stay,
//! as after [`prune`](Runner::prune), so that the same order is still recognized as a duplicate.

use std::collections::BTreeMap;
use std::sync::Arc;

use oms_engine::plan::Plan;
use oms_engine::run::{RunState, run_id};
use oms_engine::schema::CustomerMembers;
use oms_engine::table::{Customer, EraseMode, Identity, RowCounts, TableUse};
use oms_sqlite::{Error, Reader, RunRow, TableCustomers, erasure, personal_lines};
use serde::{Deserialize, Serialize};

use crate::bundles::Bundles;
use crate::operations::find_customer::{add_emails, find_customer};
use crate::run::run_locks::RunLock;
use crate::runner::Runner;

/// Maximum number of runs that one transaction deletes.
const RUNS: usize = 500;
/// Maximum number of keys of erased runs that are listed.
const KEYS_MAX: usize = 20;
/// Maximum number of customers that are listed if the argument only occurs within their personal
/// data.
pub const CANDIDATES_MAX: usize = 20;

/// The result of a request to erase a customer's personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForgetResult {
    /// The pipeline does not declare what identifies a customer.
    Undeclared,
    /// No declared field has the value. The listed customers have personal data that contains it.
    Unknown(Vec<Candidate>),
    /// The customer was found.
    Found(ErasedData),
}

/// A customer to whom the argument may refer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The customer's id. `None` if only an e-mail address identifies the customer.
    pub customer: Option<String>,
    /// The key of one of the customer's orders that contains the argument.
    pub order: Option<String>,
}

/// The data that is erased for a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedData {
    /// The customer's ids.
    pub customers: Vec<String>,
    /// Number of deleted runs.
    pub runs: u64,
    /// The first keys of these runs.
    pub keys: Vec<String>,
    /// Number of rows that are deleted or lose their personal columns, by table.
    pub rows: RowCounts,
    /// The runs that are kept because they have not ended. While such runs exist, the customer's
    /// own rows are also kept.
    #[serde(rename = "left")]
    pub kept: Vec<KeptRun>,
    /// Tables with personal data and without a column that identifies a customer. Only rows that
    /// the deleted runs wrote are erased in them.
    pub unlinked: Vec<String>,
}

/// A run that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRun {
    /// The order's key.
    pub key: String,
    /// The run's state.
    pub state: RunState,
}

impl ErasedData {
    /// Returns the data of a customer, without runs and rows.
    pub fn of(customer: &Customer, plan: &Plan) -> Self {
        let unlinked =
            plan.tables().iter().filter(|table| table.is_personal() && !table.names_customers());
        Self {
            customers: customer.ids().iter().cloned().collect(),
            unlinked: unlinked.map(|table| table.name.to_string()).collect(),
            ..Self::default()
        }
    }

    /// Adds deleted runs by their keys.
    pub fn add_runs<'k>(&mut self, keys: impl IntoIterator<Item = &'k String>) {
        for key in keys {
            self.runs += 1;
            if self.keys.len() < KEYS_MAX {
                self.keys.push(key.clone());
            }
        }
    }

    /// Adds erased rows.
    pub fn add(&mut self, rows: RowCounts) {
        for (table, count) in rows.into_iter().filter(|(_, count)| *count > 0) {
            *self.rows.entry(table).or_default() += count;
        }
    }
}

/// Returns whether a run has ended. A parked run has not ended, because it can be retried.
const fn has_ended(state: RunState) -> bool {
    matches!(state, RunState::Completed | RunState::Cancelled)
}

impl Runner {
    /// Returns what would be erased for the customer with the given id or e-mail address.
    ///
    /// # Errors
    /// Returns an error if a database cannot be read.
    pub async fn would_forget(&self, who: &str) -> Result<ForgetResult, Error> {
        let plan = self.plan();
        let customer = match self.customer_named(&plan, who).await? {
            Ok(customer) => customer,
            Err(unknown) => return Ok(unknown),
        };
        let (ended, mut erased) = self.runs_of(&plan, &customer)?;
        let runs: Vec<i64> = ended.iter().map(|row| row.id).collect();
        erased.add(match &self.driver.remote {
            None => {
                self.read(|reader, _| erasure::count_of_runs(reader, &plan.table_uses(), &runs))?
            }
            Some(_) => self.erase_remote_runs(&plan, &ended, EraseMode::Count).await?,
        });
        if erased.kept.is_empty() {
            erased.add(match &self.driver.remote {
                None => self.read(|reader, _| {
                    erasure::count_of_customer(reader, &plan.table_uses(), &customer)
                })?,
                Some(_) => self.erase_remote_customer(&plan, &customer, EraseMode::Count).await?,
            });
        }
        Ok(ForgetResult::Found(erased))
    }

    /// Erases the personal data of the customer with the given id or e-mail address.
    ///
    /// # Errors
    /// Returns an error if a database fails. The call can be repeated.
    pub async fn forget(&self, who: &str) -> Result<ForgetResult, Error> {
        let plan = self.plan();
        let customer = match self.customer_named(&plan, who).await? {
            Ok(customer) => customer,
            Err(unknown) => return Ok(unknown),
        };
        let (ended, found) = self.runs_of(&plan, &customer)?;
        let mut erased = ErasedData { runs: 0, keys: Vec::new(), ..found };
        // The index is rebuilt without the runs.
        self.driver.store.discard_index()?;
        for batch in ended.chunks(RUNS) {
            self.delete_chunk(&plan, batch, &mut erased).await?;
        }
        // A search may have added the runs to the index again in the meantime.
        self.driver.store.discard_index()?;
        // A run in progress needs the customer's rows. They may also be its only link to the
        // customer's e-mail address.
        let customer = erased.kept.is_empty().then_some(customer);
        if let (Some(customer), Some(_)) = (&customer, &self.driver.remote) {
            erased.add(self.erase_remote_customer(&plan, customer, EraseMode::Erase).await?);
        }
        let local = customer.filter(|_| !self.is_remote());
        erased.add(self.driver.store.erase_customer(local, plan.table_uses()).await?);
        Ok(ForgetResult::Found(erased))
    }

    /// Deletes runs, and erases the personal data in rows that they wrote and that name no
    /// customer.
    async fn delete_chunk(
        &self,
        plan: &Arc<Plan>,
        batch: &[RunRow],
        erased: &mut ErasedData,
    ) -> Result<(), Error> {
        // Prevents retries of these runs in the meantime.
        let locks: Vec<RunLock> =
            batch.iter().filter_map(|row| self.run_locks.try_lock(row.id)).collect();
        let ids: Vec<i64> = locks.iter().map(RunLock::id).collect();
        let mut chunk = self.read(|reader, _| RunRow::load_all(reader, &ids))?;
        chunk.retain(|row| has_ended(row.state));
        let busy = batch.iter().filter(|row| !chunk.iter().any(|known| known.id == row.id));
        let busy = busy.map(|row| KeptRun { key: row.key.clone(), state: RunState::InProgress });
        erased.kept.extend(busy);
        erased.add_runs(chunk.iter().map(|row| &row.key));
        if self.driver.remote.is_some() {
            erased.add(self.erase_remote_runs(plan, &chunk, EraseMode::Erase).await?);
        }
        let ids: Vec<i64> = chunk.iter().map(|row| row.id).collect();
        erased.add(self.driver.store.delete_runs(ids, self.local_tables(plan)).await?);
        Ok(())
    }

    /// Finds the customer that an id or an e-mail address identifies.
    async fn customer_named(
        &self,
        plan: &Arc<Plan>,
        who: &str,
    ) -> Result<Result<Customer, ForgetResult>, Error> {
        if plan.order().schema().customer().is_empty() {
            return Ok(Err(ForgetResult::Undeclared));
        }
        let orders = |each: &mut dyn FnMut(&Identity)| {
            self.each_order(plan, |_, identity, _| each(identity))
        };
        let rows = self.identities(plan, &Customer::named(who)).await?;
        let Some(mut customer) = find_customer(who, &rows, orders)? else {
            return Ok(Err(ForgetResult::Unknown(self.candidates(plan, who)?)));
        };
        let rows = self.identities(plan, &customer).await?;
        add_emails(&mut customer, &rows, orders)?;
        Ok(Ok(customer))
    }

    async fn identities(&self, plan: &Plan, customer: &Customer) -> Result<Vec<Identity>, Error> {
        match &self.driver.remote {
            None => {
                self.read(|reader, _| erasure::identities(reader, &plan.table_uses(), customer))
            }
            Some(remote) => remote
                .personal
                .identities(&plan.table_uses(), customer)
                .await
                .map_err(|source| Error::RemoteTables { name: remote.name, source }),
        }
    }

    /// Calls `each` for every run, with its row, the identity in its order, and the order.
    fn each_order(
        &self,
        plan: &Plan,
        mut each: impl FnMut(i64, &Identity, &[u8]),
    ) -> Result<(), Error> {
        self.read(|reader, bundles| {
            let mut earlier = BTreeMap::new();
            RunRow::each_order(reader, |id, bundle, body| {
                let mut identity = plan.order().schema().customer().read(body);
                if identity == Identity::default() {
                    let members = earlier
                        .entry(bundle)
                        .or_insert_with(|| members_of(reader, bundles, bundle));
                    identity = members.read(body);
                }
                each(id, &identity, body);
            })
        })
    }

    /// Returns the customer's runs that have ended, and the report without row counts.
    fn runs_of(
        &self,
        plan: &Plan,
        customer: &Customer,
    ) -> Result<(Vec<RunRow>, ErasedData), Error> {
        let mut ids = Vec::new();
        self.each_order(plan, |id, identity, _| {
            if customer.owns(identity) {
                ids.push(id);
            }
        })?;
        let runs = self.read(|reader, _| RunRow::load_all(reader, &ids))?;
        let (ended, open): (Vec<RunRow>, Vec<RunRow>) =
            runs.into_iter().partition(|row| has_ended(row.state));
        let mut erased = ErasedData::of(customer, plan);
        erased.add_runs(ended.iter().map(|row| &row.key));
        erased.kept =
            open.into_iter().map(|row| KeptRun { key: row.key, state: row.state }).collect();
        Ok((ended, erased))
    }

    /// Finds customers whose personal data contains a text.
    fn candidates(&self, plan: &Plan, text: &str) -> Result<Vec<Candidate>, Error> {
        let mut found: BTreeMap<Option<String>, Option<i64>> = BTreeMap::new();
        if !self.is_remote() {
            let of_tables =
                self.read(|reader, _| TableCustomers::of(reader, &plan.table_uses(), text))?;
            found.extend(of_tables.found.into_iter().map(|known| (Some(known.id), None)));
        }
        let (text, mut lines) = (text.to_lowercase(), String::new());
        self.each_order(plan, |run, identity, body| {
            let id = identity.id().map(str::to_owned);
            let is_known = matches!(found.get(&id), Some(Some(_)));
            if is_known || (found.len() >= CANDIDATES_MAX && !found.contains_key(&id)) {
                return;
            }
            lines.clear();
            personal_lines(plan.order().schema().ty(), body, &mut lines);
            if lines.to_lowercase().contains(&text) {
                found.insert(id, Some(run));
            }
        })?;
        self.read(|reader, _| {
            let mut candidates = Vec::new();
            for (customer, run) in found {
                let runs: Vec<i64> = run.into_iter().collect();
                let order = RunRow::load_all(reader, &runs)?.pop().map(|row| row.key);
                candidates.push(Candidate { customer, order });
            }
            Ok(candidates)
        })
    }

    /// Returns the tables that are in this database.
    fn local_tables(&self, plan: &Plan) -> Vec<TableUse> {
        if self.is_remote() { Vec::new() } else { plan.table_uses() }
    }

    async fn erase_remote_runs(
        &self,
        plan: &Plan,
        runs: &[RunRow],
        erasing: EraseMode,
    ) -> Result<RowCounts, Error> {
        let Some(remote) = &self.driver.remote else { return Ok(RowCounts::new()) };
        let runs: Vec<String> = runs.iter().map(|row| run_id(plan.name(), &row.key)).collect();
        let counts = remote.personal.erase_runs(&plan.table_uses(), &runs, erasing).await;
        counts.map_err(|source| Error::RemoteTables { name: remote.name, source })
    }

    async fn erase_remote_customer(
        &self,
        plan: &Plan,
        customer: &Customer,
        erasing: EraseMode,
    ) -> Result<RowCounts, Error> {
        let Some(remote) = &self.driver.remote else { return Ok(RowCounts::new()) };
        let counts = remote.personal.erase_customer(&plan.table_uses(), customer, erasing).await;
        counts.map_err(|source| Error::RemoteTables { name: remote.name, source })
    }
}

/// Returns the members that identify a customer in the orders of an earlier bundle. If this program
/// cannot plan the bundle, the result is empty.
fn members_of(reader: &Reader, bundles: &Bundles, bundle: i64) -> CustomerMembers {
    let plan = bundles.plan(reader, bundle);
    plan.map_or_else(
        |_| CustomerMembers::default(),
        |plan| plan.order().schema().customer().clone(),
    )
}
