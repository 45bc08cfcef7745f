//! The runtime of generated handlers. The handler of a branch receives an event, runs the steps of
//! the branch for every order in it, and returns a response.
//!
//! The `main` function of a handler only sets up its services and its pipeline. Everything else is
//! in this crate, so that tests can run it without AWS Lambda.

mod branch;
mod bundle;
mod dead_letters;
mod event;
mod intake;
mod log;
mod mail_events;
mod rates;
mod reconcile;
#[cfg(feature = "refresh")]
mod refresh;
mod serve;
mod world;

pub use branch::{BranchHandler, Outcome};
pub use bundle::{Bundle, BundleError};
pub use event::{Delivery, Message, messages};
pub use intake::IntakeHandler;
pub use lambda_runtime::Error;
pub use mail_events::MailEventHandler;
pub use oms_clock::SystemClock;
pub use oms_engine::step::StepKind;
pub use rates::{Pin, Plans};
pub use reconcile::{Comparison, ReconcileHandler, Window};
#[cfg(feature = "refresh")]
pub use refresh::{RefreshError, RefreshHandler};
#[cfg(feature = "refresh")]
pub use serve::serve_refresh;
pub use serve::{env_var, serve_branch, serve_intake, serve_mail_events, serve_reconcile};
pub use world::World;
