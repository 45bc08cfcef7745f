//! Step kinds: the trait for implementing a kind, and the registry of kinds.
//!
//! A kind is a Rust type that implements [`Step`]. It has three associated types:
//!
//! * [`Step::Config`]: the settings in the file under `with:`.
//! * [`Step::Input`]: the settings with all expressions evaluated.
//! * [`Step::Output`]: the output, which other steps refer to as `steps.<id>`.
//!
//! It has two main functions:
//!
//! * [`Step::plan`] turns settings into a planned step. It has no effects: it checks names and
//!   types against the [`PlanContext`] and declares the step's [`Effect`]s as data. Settings with
//!   their own grammar are parsed here.
//! * [`Step::run`] runs an attempt. It has effects only through [`StepContext::effects`]. If it is
//!   repeated with the same [`crate::effects::Call::key`], the repetition must not change anything.
//!
//! To use your own kind, write a crate that lists it next to the shipped kinds and calls the same
//! `main`: see `examples/custom-kind`. `CONTRIBUTING.md` describes how to add a kind to `oms`. The engine stores kinds in type-erased form, as [`StepKind`]s in a
//! [`Registry`].

mod context;
mod data_schema;
mod effect;
mod expr;
mod fault;
mod headers;
mod kind;
mod late;
mod registry;
mod service;
mod settings;
mod written_item;

pub use context::{InputPlan, MailSettings, PlanContext, RateSource, Resources, StepContext};
pub use data_schema::DataSchema;
pub use effect::{Effect, OnUnknown, Port, Safety, Verb};
pub use expr::Expr;
pub use fault::{Fault, Faults};
pub use headers::header_fault;
pub use kind::{ErasedStep, Planned, PlannedKind, Step, StepKind};
pub use late::{CapturedValues, Captures};
pub use registry::{DuplicateKind, Registry};
pub use service::{Idempotency, Service, ServiceAuth};
pub use settings::Settings;
pub use written_item::WrittenItem;
