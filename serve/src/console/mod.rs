//! The console: pages for operators. They are rendered on the server and work without a script.
//!
//! A page is data for a template in `templates/console/`. An action is a form with the session's CSRF token. Pages ask for confirmation before they change
//! a run, and the audit log records each action. Personal data is masked until an operator reveals it, and is never part of a URL.

mod actions;
mod audit;
mod form;
pub(crate) mod format;
mod guard;
mod login;
mod not_found;
mod overview;
mod pages;
mod parked;
mod pipeline;
mod routes;
mod run;
mod runs;

pub(crate) use not_found::{is_console, lost};
pub(crate) use routes::routes;
