//! The console: pages for operators. They are rendered on the server and work without a script.
//!
//! A page is data for a template in `templates/console/`. An action is a form with the session's CSRF token. Pages ask for confirmation before they change
//! a run, and the audit log records each action. Personal data is masked until an operator reveals it, and is never part of a URL.

mod actions;
mod audit;
mod form;
mod guard;
mod login;
mod lost;
mod overview;
mod pages;
mod parked;
mod pipeline;
mod routes;
mod run;
mod runs;
mod session;
pub(crate) mod words;

pub(crate) use lost::{is_console, lost};
pub use pages::PALETTE;
pub(crate) use routes::routes;
pub(crate) use session::{SessionKey, Sessions, Token};
