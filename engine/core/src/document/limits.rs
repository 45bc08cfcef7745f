//! Limits of a pipeline file. They bound the time and memory that reading any file takes.

/// Maximum size of a pipeline file in bytes.
pub const BYTES_MAX: usize = 1 << 20;
/// Maximum number of YAML nodes, counted after aliases are expanded.
pub const NODES_MAX: usize = 50_000;
/// Maximum nesting depth of lists and maps.
pub const DEPTH_MAX: usize = 64;
/// Maximum number of aliases, that is, uses of anchors.
pub const ALIASES_MAX: usize = 1_000;
