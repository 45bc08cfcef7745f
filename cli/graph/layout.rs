//! The layout of a layered graph: layers by the longest path from the top, vertices for lines that
//! cross a layer, an order with few crossings, then coordinates. The input consists of sizes and
//! edges; the output is a [`Layout`]. This module does not depend on steps or SVG.
//!
//! Every index into the vectors of this module was checked in [`layout`] or created here.

mod coordinates;
mod crossings;

/// Space between two boxes next to each other in a layer.
const GAP_NODES: f64 = 34.0;
/// Space on each side of a line that crosses a layer.
const GAP_LINES: f64 = 16.0;
/// Space between two layers, and the maximum extra space for lines that run far sideways.
const GAP_LAYERS: f64 = 46.0;
const GAP_LAYERS_EXTRA: f64 = 60.0;

/// Approximate maximum number of vertex moves in all passes, which limits the time for large
/// graphs.
const MOVES_MAX: usize = 600_000;

/// Returns the number of passes over all vertices: up to `most` for small graphs, and at least
/// `least`.
fn rounds(vertices: usize, least: usize, most: usize) -> usize {
    (MOVES_MAX / vertices.max(1)).clamp(least, most)
}

/// The size of a box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The positions of all boxes and lines. The origin is the top left corner.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) size: Size,
    /// The center of the top side of each box.
    pub(super) boxes: Vec<(f64, f64)>,
    /// A line for each edge, or `None` for an edge from a node to itself.
    pub(super) lines: Vec<Option<Line>>,
}

/// A line from the bottom side of a box to the top side of a box below it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    /// The vertical segments of the line, from top to bottom: x, top y, bottom y. Between two
    /// segments, the line may move sideways.
    pub(super) stretches: Vec<(f64, f64, f64)>,
    /// Whether the edge points upwards. This happens only in a cycle.
    pub(super) upwards: bool,
}

/// A box, or the point at which a line crosses a layer.
struct Vertex {
    layer: usize,
    size: Size,
    is_box: bool,
    x: f64,
    above: Vec<usize>,
    below: Vec<usize>,
}

/// Arranges boxes of the given sizes.
pub(super) fn layout(sizes: &[Size], edges: &[(usize, usize)]) -> Layout {
    let valid = |&(from, to): &(usize, usize)| from != to && from.max(to) < sizes.len();
    let mut downwards: Vec<(usize, usize)> = edges.iter().copied().filter(valid).collect();
    let reversed = reverse_circles(sizes.len(), &mut downwards);
    let layers = longest_paths(sizes.len(), &downwards);
    let mut vertices: Vec<Vertex> =
        sizes.iter().zip(layers).map(|(size, layer)| Vertex::new(layer, *size, true)).collect();
    let chains: Vec<Vec<usize>> =
        downwards.iter().map(|&(from, to)| chain(&mut vertices, from, to)).collect();
    let rows = crossings::order(&vertices);
    coordinates::place(&mut vertices, &rows);
    let (tops, height) = heights(&vertices, &rows);
    let width = vertices.iter().map(|v| v.x + v.size.width / 2.0).fold(0.0, f64::max);

    let boxes: Vec<(f64, f64)> = vertices
        .iter()
        .take(sizes.len())
        .map(|v| (v.x, tops[v.layer].0 + (tops[v.layer].1 - v.size.height) / 2.0))
        .collect();
    let ports = Ports::new(&vertices, &chains);
    let mut drawn = chains.iter().zip(reversed).enumerate().map(|(number, (chain, upwards))| {
        let stretches = stretches(number, chain, &vertices, &boxes, &tops, &ports);
        Line { stretches, upwards }
    });
    let lines = edges.iter().map(|edge| valid(edge).then(|| drawn.next()).flatten()).collect();
    Layout { size: Size { width, height }, boxes, lines }
}

impl Vertex {
    fn new(layer: usize, size: Size, is_box: bool) -> Self {
        Self { layer, size, is_box, x: 0.0, above: Vec::new(), below: Vec::new() }
    }
}

/// Reverses the edges that close a cycle, and returns which edges were reversed.
fn reverse_circles(count: usize, edges: &mut [(usize, usize)]) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut leaving: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (number, &(from, _)) in edges.iter().enumerate() {
        leaving[from].push(number);
    }
    let mut states = vec![State::New; count];
    let mut reversed = vec![false; edges.len()];
    for start in 0..count {
        if states[start] != State::New {
            continue;
        }
        states[start] = State::Open;
        let mut path = vec![(start, 0)];
        while let Some((node, next)) = path.last_mut() {
            let Some(&number) = leaving[*node].get(*next) else {
                states[*node] = State::Done;
                path.pop();
                continue;
            };
            *next += 1;
            let to = edges[number].1;
            match states[to] {
                State::New => {
                    states[to] = State::Open;
                    path.push((to, 0));
                }
                State::Open => reversed[number] = true,
                State::Done => {}
            }
        }
    }
    for (edge, _) in edges.iter_mut().zip(&reversed).filter(|(_, reversed)| **reversed) {
        *edge = (edge.1, edge.0);
    }
    reversed
}

/// Returns the layer of each node: one below the lowest of its predecessors. A node without
/// predecessors is directly above its highest successor.
fn longest_paths(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut waiting = vec![0_usize; count];
    for &(from, to) in edges {
        below[from].push(to);
        waiting[to] += 1;
    }
    let sources: Vec<usize> = (0..count).filter(|node| waiting[*node] == 0).collect();
    let mut layers = vec![0; count];
    let mut ready = sources.clone();
    while let Some(node) = ready.pop() {
        for &to in &below[node] {
            layers[to] = layers[to].max(layers[node] + 1);
            waiting[to] -= 1;
            if waiting[to] == 0 {
                ready.push(to);
            }
        }
    }
    for node in sources {
        if let Some(nearest) = below[node].iter().map(|to| layers[*to]).min() {
            layers[node] = nearest - 1;
        }
    }
    layers
}

/// Connects two boxes through a new vertex in each layer between them.
fn chain(vertices: &mut Vec<Vertex>, from: usize, to: usize) -> Vec<usize> {
    let mut chain = vec![from];
    for layer in vertices[from].layer + 1..vertices[to].layer {
        chain.push(vertices.len());
        vertices.push(Vertex::new(layer, Size { width: 0.0, height: 0.0 }, false));
    }
    chain.push(to);
    for pair in chain.windows(2) {
        vertices[pair[0]].below.push(pair[1]);
        vertices[pair[1]].above.push(pair[0]);
    }
    chain
}

/// Returns the top and the height of each layer, and the total height.
fn heights(vertices: &[Vertex], rows: &[Vec<usize>]) -> (Vec<(f64, f64)>, f64) {
    let mut top = 0.0;
    let mut tops = Vec::with_capacity(rows.len());
    let mut end = 0.0;
    for row in rows {
        let height = row.iter().map(|at| vertices[*at].size.height).fold(0.0, f64::max);
        tops.push((top, height));
        end = top + height;
        let sideways = row.iter().flat_map(|at| {
            vertices[*at].below.iter().map(|to| (vertices[*to].x - vertices[*at].x).abs())
        });
        let extra = (sideways.fold(0.0, f64::max) * 0.1).min(GAP_LAYERS_EXTRA);
        top = end + GAP_LAYERS + extra;
    }
    (tops, end)
}

/// The points at which lines leave and reach boxes, ordered by the position of the other end.
struct Ports {
    leaving: Vec<Vec<(f64, usize)>>,
    reaching: Vec<Vec<(f64, usize)>>,
}

impl Ports {
    /// Distance between two lines at a box, if there is enough space.
    const GAP: f64 = 16.0;
    /// Minimum distance of a line from the corner of a box.
    const CORNER: f64 = 14.0;

    fn new(vertices: &[Vertex], chains: &[Vec<usize>]) -> Self {
        let mut leaving = vec![Vec::new(); vertices.len()];
        let mut reaching = vec![Vec::new(); vertices.len()];
        for (number, chain) in chains.iter().enumerate() {
            if let [from, next, ..] = chain.as_slice() {
                leaving[*from].push((vertices[*next].x, number));
            }
            if let [.., previous, to] = chain.as_slice() {
                reaching[*to].push((vertices[*previous].x, number));
            }
        }
        for ports in leaving.iter_mut().chain(&mut reaching) {
            ports.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        Self { leaving, reaching }
    }

    /// Returns the distance of a line from the center of a side with this width.
    fn shift(ports: &[(f64, usize)], number: usize, width: f64) -> f64 {
        let gaps = ports.len().saturating_sub(1) as f64;
        if gaps == 0.0 {
            return 0.0;
        }
        let gap = Self::GAP.min((width - 2.0 * Self::CORNER).max(0.0) / gaps);
        let place = ports.iter().position(|port| port.1 == number).unwrap_or(0);
        (place as f64 - gaps / 2.0) * gap
    }
}

fn stretches(
    number: usize,
    chain: &[usize],
    vertices: &[Vertex],
    boxes: &[(f64, f64)],
    tops: &[(f64, f64)],
    ports: &Ports,
) -> Vec<(f64, f64, f64)> {
    let last = chain.len() - 1;
    let stretch = |(place, at): (usize, &usize)| {
        let vertex = &vertices[*at];
        let (top, height) = tops[vertex.layer];
        let width = vertex.size.width;
        if place == 0 {
            let x = vertex.x + Ports::shift(&ports.leaving[*at], number, width);
            (x, boxes[*at].1 + vertex.size.height, top + height)
        } else if place == last {
            let x = vertex.x + Ports::shift(&ports.reaching[*at], number, width);
            (x, top, boxes[*at].1)
        } else {
            (vertex.x, top, top + height)
        }
    };
    chain.iter().enumerate().map(stretch).collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    const SIZE: Size = Size { width: 80.0, height: 40.0 };

    fn random_layout(count: usize) -> (Layout, Vec<(usize, usize)>) {
        let graph = samples::random_graph(count);
        let edges: Vec<_> = graph.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        (layout(&vec![SIZE; count], &edges), edges)
    }

    #[test]
    fn boxes_do_not_overlap_and_are_within_the_image() {
        let (layout, _) = random_layout(120);
        assert_eq!(layout.boxes.len(), 120);
        for (at, (x, y)) in layout.boxes.iter().enumerate() {
            assert!(*x >= 40.0 && x + 40.0 <= layout.size.width, "{at}");
            assert!(*y >= 0.0 && y + 40.0 <= layout.size.height, "{at}");
            for (other_x, other_y) in &layout.boxes[at + 1..] {
                assert!((x - other_x).abs() >= 80.0 || (y - other_y).abs() >= 40.0, "{at}");
            }
        }
    }

    #[test]
    fn lines_run_downwards_from_box_to_box_and_cross_no_box() {
        let (layout, edges) = random_layout(120);
        assert_eq!(layout.lines.len(), edges.len());
        assert!(edges.len() >= 119, "only {} edges", edges.len());
        for ((from, to), line) in edges.iter().zip(&layout.lines) {
            let stretches = &line.as_ref().unwrap().stretches;
            let (begin, end) = (stretches.first().unwrap(), stretches.last().unwrap());
            assert!((begin.0 - layout.boxes[*from].0).abs() < 40.0);
            assert_eq!(begin.1, layout.boxes[*from].1 + 40.0);
            assert!((end.0 - layout.boxes[*to].0).abs() < 40.0);
            assert_eq!(end.2, layout.boxes[*to].1);
            assert!(stretches.windows(2).all(|pair| pair[0].2 < pair[1].1));
            for (x, top, bottom) in stretches {
                let hit = layout.boxes.iter().any(|(box_x, box_y)| {
                    (x - box_x).abs() < 40.0 && *top < box_y + 40.0 && box_y < bottom
                });
                assert!(!hit, "{from} -> {to}");
            }
        }
    }

    #[test]
    fn a_cycle_has_one_line_upwards() {
        let layout = layout(&[SIZE; 3], &[(0, 1), (1, 2), (2, 0), (1, 1), (1, 9)]);
        let upwards: Vec<Option<bool>> =
            layout.lines.iter().map(|line| line.as_ref().map(|line| line.upwards)).collect();
        assert_eq!(upwards, [Some(false), Some(false), Some(true), None, None]);
    }

    #[test]
    fn a_chain_is_straight_and_an_empty_graph_has_no_size() {
        let chain = layout(&[SIZE; 3], &[(0, 1), (1, 2)]);
        assert!(chain.boxes.iter().all(|(x, _)| *x == 40.0), "{chain:?}");
        assert_eq!(layout(&[], &[]).size, Size { width: 0.0, height: 0.0 });
    }
}
