//! The order of the vertices in each layer. Every vertex is moved to the mean position of its
//! neighbors, layer by layer, down and up, and the order with the fewest crossings is kept.

use super::{Vertex, rounds};

/// Minimum and maximum number of passes over the layers. `order` makes fewer passes if no lines
/// cross any more.
const SWEEPS: (usize, usize) = (4, 24);

/// Returns the vertices of each layer from left to right.
pub(super) fn order(vertices: &[Vertex]) -> Vec<Vec<usize>> {
    let mut rows = depth_first(vertices);
    let mut places = vec![0; vertices.len()];
    rows.iter().for_each(|row| number(row, &mut places));
    let mut best = rows.clone();
    let mut fewest = crossings(vertices, &rows, &places);
    for sweep in 0..rounds(vertices.len(), SWEEPS.0, SWEEPS.1) {
        if fewest == 0 {
            break;
        }
        let downwards = sweep % 2 == 0;
        for step in 0..rows.len() {
            let layer = if downwards { step } else { rows.len() - 1 - step };
            sort(vertices, &mut rows[layer], &mut places, downwards);
        }
        let count = crossings(vertices, &rows, &places);
        if count < fewest {
            fewest = count;
            best.clone_from(&rows);
        }
    }
    best
}

/// Returns the initial order: that of a depth-first search from the top, so that connected vertices
/// are close together.
fn depth_first(vertices: &[Vertex]) -> Vec<Vec<usize>> {
    let layers = vertices.iter().map(|vertex| vertex.layer + 1).max().unwrap_or(0);
    let mut rows = vec![Vec::new(); layers];
    let mut met = vec![false; vertices.len()];
    let tops = (0..vertices.len()).filter(|at| vertices[*at].above.is_empty());
    let mut open: Vec<usize> = tops.collect();
    open.reverse();
    while let Some(at) = open.pop() {
        if std::mem::replace(&mut met[at], true) {
            continue;
        }
        rows[vertices[at].layer].push(at);
        open.extend(vertices[at].below.iter().rev());
    }
    rows
}

fn number(row: &[usize], places: &mut [usize]) {
    for (place, at) in row.iter().enumerate() {
        places[*at] = place;
    }
}

/// Sorts a layer by the mean position of the neighbors above or below. A vertex without such
/// neighbors keeps its position.
fn sort(vertices: &[Vertex], row: &mut [usize], places: &mut [usize], downwards: bool) {
    let mean = |at: usize| {
        let neighbours = if downwards { &vertices[at].above } else { &vertices[at].below };
        if neighbours.is_empty() {
            return places[at] as f64;
        }
        neighbours.iter().map(|other| places[*other] as f64).sum::<f64>() / neighbours.len() as f64
    };
    let mut keyed: Vec<(f64, usize)> = row.iter().map(|at| (mean(*at), *at)).collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (slot, (_, at)) in row.iter_mut().zip(keyed) {
        *slot = at;
    }
    number(row, places);
}

/// Counts the pairs of lines that cross, as inversions, with a Fenwick tree (Barth, Jünger, Mutzel
/// 2002).
fn crossings(vertices: &[Vertex], rows: &[Vec<usize>], places: &[usize]) -> usize {
    let mut count = 0;
    for row in rows {
        let mut ends: Vec<usize> = Vec::new();
        for at in row {
            let begin = ends.len();
            ends.extend(vertices[*at].below.iter().map(|to| places[*to]));
            ends[begin..].sort_unstable();
        }
        let width = ends.iter().max().map_or(0, |end| end + 1);
        let mut sums = vec![0_usize; width + 1];
        for (seen, end) in ends.into_iter().enumerate() {
            let mut not_right = 0;
            let mut slot = end + 1;
            while slot > 0 {
                not_right += sums[slot];
                slot &= slot - 1;
            }
            count += seen - not_right;
            let mut slot = end + 1;
            while slot <= width {
                sums[slot] += 1;
                slot += slot & slot.wrapping_neg();
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::super::Size;
    use super::*;

    /// Returns two layers with `upper` and `lower` vertices and edges between them.
    fn two_layers(upper: usize, lower: usize, edges: &[(usize, usize)]) -> Vec<Vertex> {
        let size = Size { width: 10.0, height: 10.0 };
        let mut vertices: Vec<Vertex> = (0..upper + lower)
            .map(|at| Vertex::new(usize::from(at >= upper), size, true))
            .collect();
        for &(from, to) in edges {
            vertices[from].below.push(upper + to);
            vertices[upper + to].above.push(from);
        }
        vertices
    }

    #[test]
    fn the_count_of_crossings_matches_a_comparison_of_all_pairs() {
        let edges = [(0, 2), (0, 0), (1, 1), (1, 2), (2, 0), (2, 1), (3, 0), (3, 3)];
        let slow = edges
            .iter()
            .enumerate()
            .flat_map(|(at, a)| edges[at + 1..].iter().map(move |b| (a, b)))
            .filter(|(a, b)| (a.0 < b.0 && a.1 > b.1) || (a.0 > b.0 && a.1 < b.1))
            .count();
        let vertices = two_layers(4, 4, &edges);
        let rows = [vec![0, 1, 2, 3], vec![4, 5, 6, 7]];
        assert_eq!(crossings(&vertices, &rows, &[0, 1, 2, 3, 0, 1, 2, 3]), slow);
    }

    #[test]
    fn planar_layers_have_no_crossings() {
        let vertices = two_layers(3, 3, &[(0, 2), (1, 1), (2, 0)]);
        let rows = order(&vertices);
        let mut places = vec![0; 6];
        rows.iter().for_each(|row| number(row, &mut places));
        assert_eq!(crossings(&vertices, &rows, &places), 0);
        assert_eq!(rows.concat().len(), 6);
    }
}
