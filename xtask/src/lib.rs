//! What `cargo xtask` shares with its program `xtask-engine`.

pub mod python;
pub mod workspace;
