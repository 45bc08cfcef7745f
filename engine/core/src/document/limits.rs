//! What a pipeline file may be at the most. The limits keep the time and memory of reading any file small.

/// Bytes of a pipeline file.
pub const BYTES_MAX: usize = 1 << 20;
/// YAML nodes, counted after aliases are expanded.
pub const NODES_MAX: usize = 50_000;
/// Nesting of lists and maps.
pub const DEPTH_MAX: usize = 64;
/// Uses of anchors.
pub const ALIASES_MAX: usize = 1_000;
