//! Steps: how a kind is written, and how the engine holds it.
//!
//! A kind is one Rust type that implements [`Step`]. It says how it is configured
//! ([`Step::Config`], what the file has under `with:`), what it takes when it runs
//! ([`Step::Input`], the configuration with every expression evaluated) and what it gives
//! ([`Step::Output`], which other steps refer to as `steps.<id>`). Two functions do the work:
//!
//! * [`Step::plan`] turns a configuration into a ready step. It is pure: it checks names and types against the
//! [`PlanContext`] and declares the step's [`Effect`]s as data. Everything that has a grammar of
//! its own is parsed here.
//! * [`Step::run`] does it, through [`StepContext::effects`] only. It may be repeated with the same
//!   [`crate::effects::Call::key`], and must then change nothing more.
//!
//! A kind of one's own is a crate that lists it beside the shipped ones and calls the same `main`;
//! see `examples/custom-kind`. The engine holds kinds erased, as [`StepKind`]s in a [`Registry`];
//! no step sees that.

mod context;
mod effect;
mod expr;
mod fault;
mod kind;
mod registry;
mod target;

pub use context::{InputPlan, MailSettings, PlanContext, RateSource, Resources, StepContext};
pub use effect::{Effect, OnUnknown, Port, Safety, Verb};
pub use expr::Expr;
pub use fault::{Fault, Faults};
pub use kind::{ErasedStep, Planned, PlannedKind, Step, StepKind};
pub use registry::{DuplicateKind, Registry};
pub use target::Target;
