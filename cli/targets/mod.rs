//! Where a command works: the state directory, the target of the effects, the destination of the
//! e-mails, and the process that owns the state.

#[cfg(feature = "aws")]
pub(crate) mod cloud;
pub(crate) mod effect_target;
pub(crate) mod email_destination;
pub(crate) mod external;
pub(crate) mod operation;
pub(crate) mod run_options;
mod secret;
pub(crate) mod services;
pub(crate) mod stack;
pub(crate) mod state;
pub(crate) mod webhooks;
