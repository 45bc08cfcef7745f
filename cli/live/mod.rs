//! `render-email preview --serve`: a local page that shows the current e-mails and updates when a
//! file is saved.

mod current;
mod server;
mod watch;

pub(crate) use server::{ADDRESS, Subject, serve};
