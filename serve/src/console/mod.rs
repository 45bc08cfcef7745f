//! The console: pages made here, which work without a script, for people who look after orders.
//!
//! A page is data for a template of `templates/console/`. Whoever does something does it by a form with the session's token, on a page that asks
//! first; what was done is in the audit log. Personal data is masked until it is asked for, and stands in no address.

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
pub(crate) use routes::routes;
pub(crate) use session::{SessionKey, Sessions, Token};
