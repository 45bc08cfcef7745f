//! The mail section: the sender's address.

use std::sync::Arc;

use super::sink::Sink;
use crate::diagnostic::{Finding, Place, Route, codes};
use crate::mail::Mailbox;
use crate::pipeline::Pipeline;
use crate::step::{MailSettings, Resources};

pub(super) fn check(pipeline: &Pipeline, sink: &mut Sink<'_>, resources: &mut Resources) {
    let Some(section) = &pipeline.mail else { return };
    match Mailbox::parse(&section.from) {
        Ok(from) => {
            resources.mail = Some(Arc::new(MailSettings {
                from,
                templates: Arc::from(section.templates.trim_end_matches('/')),
                locale: Arc::from(section.locale.as_str()),
            }));
        }
        Err(error) => {
            let place = Place::value(Route::root().key("mail").key("from"));
            sink.add(
                Finding::error(
                    codes::VALUE_NOT_ALLOWED,
                    place,
                    format!("the sender cannot be used: {error}"),
                )
                .help("write `Orders <orders@example.com>`".to_owned()),
            );
        }
    }
}
