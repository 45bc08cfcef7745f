//! The pipeline file as Rust types. References are still names.
//!
//! The types contain the documentation of the file format. [`schema`] generates its JSON Schema
//! from them. [`read`] validates documents against the same schema that editors use, so an editor
//! and `oms validate` cannot disagree.

mod duration;
mod file;
mod mail;
mod read;
mod schema;
mod schema_fault;
mod sections;
mod services;
mod settings;
mod shape_help;
mod step;
mod webhooks;

pub use duration::parse_duration;
pub use file::{Handlers, IntakeMode, IntakeSection, OrderSection, SchemaSource};
pub use mail::{MailSection, SettingSource, SmtpSection};
pub use read::{Pipeline, STEPS_MAX, Section, read};
pub use schema::{KindSchema, pipeline_schema};
pub use sections::{ColumnSection, FixedQuote, RatesSection, RatesSource, TableSection};
pub use services::{
    AuthSection, BasicSection, HeaderSection, IdempotencySection, RateSection, SecretRef,
    ServiceSection,
};
pub use settings::{SettingDefault, SettingSection, SettingType};
pub use step::{Allow, Catch, ForEachSection, Jitter, NeedSection, RetrySection, StepSection};
pub use webhooks::{
    AcceptSection, HmacAlgorithm, SignatureEncoding, VerifyScheme, VerifySecrets, VerifySection,
};
