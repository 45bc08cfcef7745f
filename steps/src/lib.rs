//! The step kinds that `oms` ships, one file each.

#![warn(missing_docs)]

mod columns;
mod email_send;
mod http_body;
mod http_outcome;
mod http_request;
mod http_target;
mod members;
mod money_convert;
mod object_get;
mod object_key;
mod object_put;
mod one_line;
mod own_cause;
mod run_fail;
mod table_get;
mod table_insert;
mod table_update;
mod table_upsert;
mod topic_publish;
mod unique;
mod value_compute;

use oms_engine::step::StepKind;

pub use email_send::EmailSend;
pub use http_request::HttpRequest;
pub use money_convert::MoneyConvert;
pub use object_get::ObjectGet;
pub use object_put::ObjectPut;
pub use run_fail::RunFail;
pub use table_get::TableGet;
pub use table_insert::TableInsert;
pub use table_update::TableUpdate;
pub use table_upsert::TableUpsert;
pub use topic_publish::TopicPublish;
pub use value_compute::ValueCompute;

/// All shipped kinds, sorted by name.
pub static ALL: &[StepKind] = &[
    StepKind::of::<EmailSend>(),
    StepKind::of::<HttpRequest>(),
    StepKind::of::<MoneyConvert>(),
    StepKind::of::<ObjectGet>(),
    StepKind::of::<ObjectPut>(),
    StepKind::of::<RunFail>(),
    StepKind::of::<TableGet>(),
    StepKind::of::<TableInsert>(),
    StepKind::of::<TableUpdate>(),
    StepKind::of::<TableUpsert>(),
    StepKind::of::<TopicPublish>(),
    StepKind::of::<ValueCompute>(),
];
