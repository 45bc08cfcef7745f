//! The console: pages for operators. They are rendered on the server and work without a script.
//!
//! A page is data for a template in `templates/console/`. An action is a form with the session's
//! CSRF token. Pages ask for confirmation before they change a run, and the audit log records each
//! action. Personal data is masked until an operator reveals it, and is never part of a URL.

pub(crate) mod actions;
pub(crate) mod assets;
pub(crate) mod audit;
mod causes;
mod form;
pub(crate) mod login;
pub(crate) mod not_found;
pub(crate) mod overview;
mod page;
pub(crate) mod parked;
pub(crate) mod pipeline;
pub(crate) mod run;
mod run_filter;
pub(crate) mod runs;
mod templates;
mod visit;

pub(crate) use visit::redirect;
