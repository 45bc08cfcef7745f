//! Events of e-mails, such as bounces.

use std::sync::Arc;

use oms_core::effects::{Io, MailAttempt, MailEvent, MailEvents};

use crate::database::Database;
use crate::statement::Statement;

/// The events of e-mails in a database.
pub struct SqlMailEvents {
    database: Arc<dyn Database>,
}

impl SqlMailEvents {
    /// Returns the events in a database whose tables were created by
    /// [`migrate`](crate::migrate()).
    pub fn new(database: Arc<dyn Database>) -> Self {
        Self { database }
    }
}

impl MailEvents for SqlMailEvents {
    /// A repeated call changes nothing. A claim that a user has released since, but that no other
    /// attempt has taken, is settled, too. The e-mail was sent, so it must not be sent again.
    fn record<'a>(
        &'a self,
        event: MailEvent,
        MailAttempt { key, attempt, provider_id }: &'a MailAttempt,
        detail: &'a str,
    ) -> Io<'a, ()> {
        Box::pin(async move {
            let statement = match event {
                MailEvent::Sent => Statement::default()
                    .sql("update oms_claims set state = 'done', provider_id = ")
                    .text(provider_id)
                    .sql(" where state <> 'done' and key = ")
                    .text(key)
                    .sql(" and attempt = ")
                    .text(attempt),
                MailEvent::Bounced | MailEvent::Complained | MailEvent::Rejected => {
                    Statement::default()
                        .sql("insert into oms_mail_events (event, key, attempt, detail) values (")
                        .text(event.as_str())
                        .sql(", ")
                        .text(key)
                        .sql(", ")
                        .text(attempt)
                        .sql(", ")
                        .text(detail)
                        .sql(") on conflict do nothing")
                }
            };
            self.database.run(&statement).await.map(drop)
        })
    }
}
