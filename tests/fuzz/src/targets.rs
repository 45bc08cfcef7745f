//! The list of the targets.

use crate::{expression, http, order, pipeline, template};

/// A fuzz target.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name, which is also that of the corpus folder.
    pub name: &'static str,
    /// Runs the target on one input.
    pub run: fn(&[u8]),
}

/// All fuzz targets.
pub const ALL: &[Target] = &[
    Target { name: "expression", run: expression::run },
    Target { name: "http", run: http::run },
    Target { name: "order", run: order::run },
    Target { name: "pipeline", run: pipeline::run },
    Target { name: "template", run: template::run },
];

/// Runs the target with a name on one input.
///
/// # Panics
/// If `oms` breaks a promise, or no target has the name.
pub fn run(name: &str, data: &[u8]) {
    let target = ALL.iter().find(|target| target.name == name);
    (target.expect("the target exists").run)(data);
}
