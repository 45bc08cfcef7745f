//! The x coordinate of each vertex within its layer.
//!
//! Lines pull their ends together like springs, and neighbors keep their order and distance. The
//! energy is minimized layer by layer: with the other layers fixed, each vertex should be at the
//! weighted mean of its neighbors. The nearest positions in order are an isotonic regression, which
//! merging neighbors into blocks solves exactly (Best and Chakravarti 1990).

use super::{GAP_LINES, GAP_NODES, Vertex, rounds};

/// Minimum and maximum number of passes over the layers, down and up.
const ROUNDS: (usize, usize) = (4, 160);

/// Sets `x` of every vertex. The leftmost vertex starts at zero.
pub(super) fn place(vertices: &mut [Vertex], rows: &[Vec<usize>]) {
    for row in rows {
        let offsets = offsets(vertices, row);
        let middle = offsets.last().copied().unwrap_or(0.0) / 2.0;
        for (at, offset) in row.iter().zip(offsets) {
            vertices[*at].x = offset - middle;
        }
    }
    for round in 0..rounds(vertices.len(), ROUNDS.0, ROUNDS.1) {
        for step in 0..rows.len() {
            let layer = if round % 2 == 0 { step } else { rows.len() - 1 - step };
            relax(vertices, &rows[layer]);
        }
    }
    let left = vertices.iter().map(|v| v.x - v.size.width / 2.0).fold(f64::INFINITY, f64::min);
    for vertex in vertices {
        vertex.x = (vertex.x - left).round();
    }
}

/// Returns the minimum distance of each vertex from the first one.
fn offsets(vertices: &[Vertex], row: &[usize]) -> Vec<f64> {
    let mut offset = 0.0;
    let mut previous: Option<&Vertex> = None;
    row.iter()
        .map(|at| {
            let vertex = &vertices[*at];
            if let Some(previous) = previous {
                let both = previous.is_box && vertex.is_box;
                let gap = if both { GAP_NODES } else { GAP_LINES };
                offset += (previous.size.width + vertex.size.width) / 2.0 + gap;
            }
            previous = Some(vertex);
            offset
        })
        .collect()
}

/// Returns the strength of a line's pull. Parts that do not end at a box pull most, so that long
/// lines are straight.
fn pull(a: &Vertex, b: &Vertex) -> f64 {
    match (a.is_box, b.is_box) {
        (true, true) => 1.0,
        (false, false) => 8.0,
        _ => 2.0,
    }
}

/// Moves the vertices of a layer so that its lines are as short as possible.
fn relax(vertices: &mut [Vertex], row: &[usize]) {
    struct Block {
        weight: f64,
        wanted: f64,
        length: usize,
    }
    let offsets = offsets(vertices, row);
    let mut blocks: Vec<Block> = Vec::with_capacity(row.len());
    for (at, offset) in row.iter().zip(&offsets) {
        let vertex = &vertices[*at];
        // A small weight keeps a vertex without lines in place.
        let (mut weight, mut sum) = (0.01, 0.01 * vertex.x);
        for other in vertex.above.iter().chain(&vertex.below).map(|other| &vertices[*other]) {
            let pull = pull(vertex, other);
            weight += pull;
            sum += pull * other.x;
        }
        let mut block = Block { weight, wanted: sum / weight - offset, length: 1 };
        while let Some(left) = blocks.pop_if(|left| left.wanted > block.wanted) {
            let weight = left.weight + block.weight;
            let wanted = (left.weight * left.wanted + block.weight * block.wanted) / weight;
            block = Block { weight, wanted, length: left.length + block.length };
        }
        blocks.push(block);
    }
    let wanted = blocks.iter().flat_map(|block| std::iter::repeat_n(block.wanted, block.length));
    for ((at, offset), wanted) in row.iter().zip(offsets).zip(wanted) {
        vertices[*at].x = wanted + offset;
    }
}
