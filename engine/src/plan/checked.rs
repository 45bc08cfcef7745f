//! The checked graph.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::isolation::DependentUpsert;
use super::order::OrderPlan;
use super::semantics::Semantics;
use crate::effects::TableNames;
use crate::expression::Compiled;
use crate::pipeline::{Allow, IntakeSection, RetrySection};
use crate::step::{Effect, ErasedStep, InputPlan, MailSettings, OnUnknown, Port, RateSource, Verb};
use crate::table::TableDef;
use crate::time_zone::TimeZone;
use crate::value::{Digest, JsonNode, Type};

/// A pipeline that was proved right.
pub struct Plan {
    pub(super) name: Arc<str>,
    pub(super) description: Option<String>,
    pub(super) time_zone: TimeZone,
    pub(super) order: OrderPlan,
    pub(super) intake: Option<IntakeSection>,
    pub(super) tables: Vec<Arc<TableDef>>,
    pub(super) seeds: Vec<Seed>,
    pub(super) rates: Vec<Arc<RateSource>>,
    pub(super) mail: Option<Arc<MailSettings>>,
    pub(super) steps: Vec<PlannedStep>,
    pub(super) handlers: Vec<Handler>,
    pub(super) samples: Vec<String>,
    pub(super) files: BTreeMap<String, Arc<[u8]>>,
    pub(super) digest: Digest,
    pub(super) contended: TableNames,
    pub(super) dependent_upserts: Vec<DependentUpsert>,
    pub(super) semantics: Semantics,
}

impl Plan {
    /// Returns the pipeline's name.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Returns what the pipeline is for.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Returns the time zone in which instants have their days.
    pub const fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// Returns what an order is.
    pub const fn order(&self) -> &OrderPlan {
        &self.order
    }

    /// Returns where orders come in over HTTP.
    pub const fn intake(&self) -> Option<&IntakeSection> {
        self.intake.as_ref()
    }

    /// Returns the tables in the order of the file.
    pub fn tables(&self) -> &[Arc<TableDef>] {
        &self.tables
    }

    /// Tells whether a step writes to a table.
    pub fn writes_to(&self, table: &str) -> bool {
        let effects = self.steps.iter().flat_map(|step| &step.effects);
        let mut tables = effects.filter(|effect| effect.port == Port::Tables);
        tables.any(|effect| effect.verb != Verb::Get && *effect.resource == *table)
    }

    /// Tells whether the keys of a bucket's objects may contain personal data. They do not if every
    /// step that stores there has a key without it.
    pub fn has_personal_keys(&self, bucket: &str) -> bool {
        let stores = |effect: &Effect| {
            effect.port == Port::Objects && effect.verb == Verb::Put && *effect.resource == *bucket
        };
        let mut storing = self.steps.iter().filter(|step| step.effects.iter().any(stores));
        let is_personal = |step: &PlannedStep| {
            let input = step.input.ty();
            let mut fields = input.as_record().into_iter().flat_map(|record| record.fields());
            // A kind of another program may form the key from any of its inputs.
            let key = fields.find(|field| &*field.name == "key");
            key.map_or_else(|| input.holds_pii(), |field| field.ty.holds_pii())
        };
        let first = storing.next();
        self.order.key_is_personal() || first.is_none_or(is_personal) || storing.any(is_personal)
    }

    /// Returns the tables that steps read and steps write, so that a row may change between a read
    /// and what depends on it.
    pub const fn contended_tables(&self) -> &TableNames {
        &self.contended
    }

    /// Returns the reads of rows on which an upsert of the same table depends.
    pub fn dependent_upserts(&self) -> &[DependentUpsert] {
        &self.dependent_upserts
    }

    /// Counts tables as contended that steps of the same pipeline write or read elsewhere.
    pub fn contend(&mut self, tables: impl IntoIterator<Item = Arc<str>>) {
        Arc::make_mut(&mut self.contended).extend(tables);
    }

    /// Returns the seed files.
    pub fn seeds(&self) -> &[Seed] {
        &self.seeds
    }

    /// Returns the rate tables.
    pub fn rates(&self) -> &[Arc<RateSource>] {
        &self.rates
    }

    /// Returns who sends mail.
    pub fn mail(&self) -> Option<&Arc<MailSettings>> {
        self.mail.as_ref()
    }

    /// Returns the steps in the order of the file.
    pub fn steps(&self) -> &[PlannedStep] {
        &self.steps
    }

    /// Returns the position of a step.
    pub fn step(&self, id: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.id.as_ref() == id)
    }

    /// Returns the handlers: which steps run together on AWS Lambda.
    pub fn handlers(&self) -> &[Handler] {
        &self.handlers
    }

    /// Returns the sample files, relative to the pipeline.
    pub fn samples(&self) -> &[String] {
        &self.samples
    }

    /// Returns the bundle: the pipeline file and every file that the plan was made from, by path.
    pub const fn files(&self) -> &BTreeMap<String, Arc<[u8]>> {
        &self.files
    }

    /// Returns the rules by which its runs are replayed.
    pub const fn semantics(&self) -> Semantics {
        self.semantics
    }

    /// Returns the digest of the bundle.
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

/// A file of rows that are there from the start.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Their table.
    pub table: Arc<TableDef>,
    /// The file, relative to the pipeline.
    pub path: String,
}

/// A step that is ready to run.
pub struct PlannedStep {
    /// Its id.
    pub id: Arc<str>,
    /// Its kind.
    pub kind: &'static str,
    /// What it needs.
    pub needs: Vec<Need>,
    /// Its condition.
    pub when: Option<Compiled>,
    /// Over what it runs.
    pub for_each: Option<ForEach>,
    /// How it is repeated.
    pub retry: Retry,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// The step that runs when it fails for good.
    pub caught_by: Option<usize>,
    /// The step whose failure it is run for, if it is a catch step.
    pub catches: Option<usize>,
    /// How its input is computed.
    pub input: InputPlan,
    /// What it does.
    pub step: Arc<dyn ErasedStep>,
    /// The type of one attempt's output: an element's, with `for_each`.
    pub output: Type,
    /// How an output reads back from the journal.
    pub stored: JsonNode,
    /// What it touches.
    pub effects: Vec<Effect>,
}

impl PlannedStep {
    /// Returns what an attempt whose outcome is not known means; nothing if its repetition does no
    /// harm.
    pub fn on_unknown(&self) -> Option<OnUnknown> {
        self.effects.iter().filter_map(Effect::on_unknown).min()
    }
}

/// A step that must have ended before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Its position.
    pub step: usize,
    /// Ends besides success that are fine.
    pub allow: Vec<Allow>,
}

/// Over what a step runs.
#[derive(Clone, Debug)]
pub struct ForEach {
    /// The list.
    pub items: Compiled,
    /// Elements at the same time at the most.
    pub max_concurrency: u32,
}

/// How a failed attempt is repeated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// Attempts in all.
    pub attempts: u32,
    /// The waits between them.
    pub waits: RetrySection,
}

/// Steps that run together on AWS Lambda.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    /// Its name.
    pub name: Arc<str>,
    /// Its steps.
    pub steps: Vec<usize>,
}
