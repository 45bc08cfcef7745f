//! Graphs as self-contained SVG images: readable in light and dark surroundings, without scripts or
//! embedded fonts.

use super::layout::{self, Layout, Line, Size};
use super::{EdgeStyle, Graph, Node};

mod text;

use text::{Font, escape, fitted, width};

/// Margin of the image.
const MARGIN: f64 = 28.0;
/// Space between a box and its text, on the left and on the right.
const PADDING: f64 = 18.0;
const BOX_WIDTH_MIN: f64 = 112.0;
/// Height of a box with two lines, and of a box with a note.
const BOX_HEIGHT: f64 = 54.0;
const BOX_HEIGHT_NOTE: f64 = 72.0;
const TITLE_HEIGHT: f64 = 44.0;
const LEGEND_ROW: f64 = 22.0;
/// Maximum width of a row of the legend if the image is narrower.
const LEGEND_WIDTH_MIN: f64 = 300.0;
/// Number of tints. Further branches reuse them.
const TINTS: usize = 6;
/// Length of an arrowhead.
const HEAD: f64 = 8.0;

const STYLE: &str = include_str!("svg/style.css");

/// Returns the image. Boxes of the same branch have the same tint, which the legend below explains.
pub fn svg(graph: &Graph) -> String {
    let sizes: Vec<Size> = graph.nodes.iter().map(size).collect();
    let edges: Vec<(usize, usize)> = graph.edges.iter().map(|edge| (edge.from, edge.to)).collect();
    let layout = layout::layout(&sizes, &edges);
    let title_width = width(&fitted(&graph.title, Font::Title), Font::Title);
    let inner = layout.size.width.max(title_width);
    let legend = Legend::new(graph, inner.max(LEGEND_WIDTH_MIN));
    let inner = inner.max(legend.width);
    let left = MARGIN + ((inner - layout.size.width) / 2.0).round();
    let top = MARGIN + TITLE_HEIGHT;
    let legend_top = top + layout.size.height + MARGIN;
    let total = Size {
        width: inner + 2.0 * MARGIN,
        height: legend_top + legend.height + if legend.height > 0.0 { MARGIN } else { 0.0 },
    };
    frame(graph, total)
        + &format!("<g transform=\"translate({left} {top})\">\n")
        + &lines(graph, &layout)
        + &boxes(graph, &layout, &sizes)
        + "</g>\n"
        + &legend.draw(MARGIN, legend_top)
        + "</svg>\n"
}

fn frame(graph: &Graph, Size { width: w, height: h }: Size) -> String {
    let title = escape(&graph.title);
    let shown = escape(&fitted(&graph.title, Font::Title));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"oms-graph\" role=\"img\" \
         aria-label=\"{title}\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n\
         <rect class=\"page\" width=\"{w}\" height=\"{h}\" rx=\"12\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"{}\">{shown}</text>\n",
        MARGIN + 14.0
    )
}

fn size(node: &Node) -> Size {
    let parts = [
        (Some(&node.id), Font::Id),
        (Some(&node.kind), Font::Kind),
        (node.note.as_ref(), Font::Note),
    ];
    let widest = parts
        .into_iter()
        .filter_map(|(text, font)| text.map(|text| width(&fitted(text, font), font)))
        .fold(0.0, f64::max);
    let height = if node.note.is_some() { BOX_HEIGHT_NOTE } else { BOX_HEIGHT };
    Size { width: (widest + 2.0 * PADDING).ceil().max(BOX_WIDTH_MIN), height }
}

fn boxes(graph: &Graph, layout: &Layout, sizes: &[Size]) -> String {
    let branches = graph.branches();
    let tint = |node: &Node| -> Option<usize> {
        let name = node.branch.as_deref()?;
        Some(branches.iter().position(|branch| *branch == name)? % TINTS)
    };
    let mut text = String::new();
    for ((node, size), (x, y)) in graph.nodes.iter().zip(sizes).zip(&layout.boxes) {
        let class = class(tint(node), node.catch);
        let Size { width, height } = size;
        let left = x - width / 2.0;
        text += &format!(
            "<g class=\"{class}\" data-step=\"{}\"><title>{}</title>",
            escape(&node.id),
            escape(&described(node))
        );
        text += &format!(
            "<rect x=\"{left}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"9\"/>"
        );
        let mut line = |class: &str, below: f64, words: &str, font: Font| {
            text += &format!(
                "<text class=\"{class}\" x=\"{x}\" y=\"{}\">{}</text>",
                y + below,
                escape(&fitted(words, font))
            );
        };
        line("id", 23.0, &node.id, Font::Id);
        line("kind", 41.0, &node.kind, Font::Kind);
        if let Some(note) = &node.note {
            line("note", 59.0, note, Font::Note);
        }
        text += "</g>\n";
    }
    text
}

fn class(tint: Option<usize>, catch: bool) -> String {
    let tint = tint.map(|tint| format!(" t{tint}")).unwrap_or_default();
    let catch = if catch { " catch" } else { "" };
    format!("step{tint}{catch}")
}

/// Returns the tooltip of a box: its complete texts.
fn described(node: &Node) -> String {
    let mut text = format!("{}: {}", node.id, node.kind);
    let branch = node.branch.as_ref().map(|branch| format!("handler {branch}"));
    let catch = node.catch.then(|| "runs only after a failure".to_owned());
    for part in [node.note.clone(), branch, catch].into_iter().flatten() {
        text += &format!(", {part}");
    }
    text
}

fn lines(graph: &Graph, layout: &Layout) -> String {
    graph
        .edges
        .iter()
        .zip(&layout.lines)
        .filter_map(|(edge, line)| Some((edge.style, line.as_ref()?)))
        .map(|(style, line)| format!("<g class=\"{}\">{}</g>\n", edge_class(style), path(line)))
        .collect()
}

const fn edge_class(style: EdgeStyle) -> &'static str {
    match style {
        EdgeStyle::Needs => "edge",
        EdgeStyle::Allows => "edge allows",
        EdgeStyle::Catches => "edge catches",
    }
}

/// Draws a line as vertical segments with curves between them, and its arrowhead.
fn path(line: &Line) -> String {
    let (Some(&(first_x, first_y, _)), Some(&(last_x, _, last_y))) =
        (line.stretches.first(), line.stretches.last())
    else {
        return String::new();
    };
    // The line ends within the arrowhead, so that its blunt end is not visible next to the tip.
    let (start, end) =
        if line.upwards { (first_y + HEAD - 1.0, last_y) } else { (first_y, last_y - HEAD + 1.0) };
    let last = line.stretches.len() - 1;
    let mut path = format!("M{first_x} {start}");
    let mut from = (first_x, start);
    for (at, &(x, top, bottom)) in line.stretches.iter().enumerate() {
        // Curves end before the arrowhead, so that the line reaches it straight.
        let top = if at == last { top.min(end) } else { top };
        let bottom = if at == last { end } else { bottom.max(start) };
        if x != from.0 {
            let middle = (from.1 + top) / 2.0;
            path += &format!("V{}C{} {middle} {x} {middle} {x} {top}", from.1, from.0);
        }
        from = (x, bottom);
    }
    path += &format!("V{end}");
    let (tip_x, tip_y, back) =
        if line.upwards { (first_x, first_y, HEAD) } else { (last_x, last_y, -HEAD) };
    let (left, right, base) = (tip_x - 4.5, tip_x + 4.5, tip_y + back);
    format!(
        "<path d=\"{path}\"/><path class=\"head\" d=\"M{tip_x} {tip_y}L{left} {base}H{right}Z\"/>"
    )
}

/// The legend of the tints and dashes that the image uses.
struct Legend {
    /// The entries with their positions, relative to the top left of the legend.
    entries: Vec<(f64, f64, Sign, String)>,
    width: f64,
    height: f64,
}

#[derive(Clone, Copy)]
enum Sign {
    Box(Option<usize>, bool),
    Line(EdgeStyle),
}

impl Legend {
    const SIGN: f64 = 24.0;

    fn new(graph: &Graph, width_max: f64) -> Self {
        let branches = graph.branches();
        let tints = branches
            .iter()
            .enumerate()
            .map(|(at, name)| (Sign::Box(Some(at % TINTS), false), fitted(name, Font::Kind)));
        let catch = graph.nodes.iter().any(|node| node.catch);
        let has = |style| graph.edges_drawn().any(|edge| edge.style == style);
        let meanings = [
            (catch, Sign::Box(None, true), "catch step"),
            (has(EdgeStyle::Allows), Sign::Line(EdgeStyle::Allows), "also after a skip or failure"),
            (has(EdgeStyle::Catches), Sign::Line(EdgeStyle::Catches), "on failure"),
        ];
        let meanings = meanings
            .into_iter()
            .filter(|(present, ..)| *present)
            .map(|(_, sign, text)| (sign, text.to_owned()));
        let mut legend = Self { entries: Vec::new(), width: 0.0, height: 0.0 };
        let (mut x, mut y) = (0.0, 0.0);
        for (sign, words) in tints.chain(meanings) {
            let needed = Self::SIGN + width(&words, Font::Kind);
            if x > 0.0 && x + needed > width_max {
                (x, y) = (0.0, y + LEGEND_ROW);
            }
            legend.entries.push((x, y, sign, words));
            legend.width = legend.width.max(x + needed);
            legend.height = y + LEGEND_ROW - 6.0;
            x += needed + 14.0;
        }
        legend
    }

    fn draw(&self, left: f64, top: f64) -> String {
        self.entries
            .iter()
            .map(|(x, y, sign, words)| {
                let (x, y) = (left + x, top + y);
                let sign = match sign {
                    Sign::Box(tint, catch) => format!(
                        "<g class=\"{}\"><rect x=\"{x}\" y=\"{y}\" width=\"16\" height=\"14\" rx=\"4\"/></g>",
                        class(*tint, *catch)
                    ),
                    Sign::Line(style) => format!(
                        "<g class=\"{}\"><path d=\"M{} {}H{}\"/></g>",
                        edge_class(*style),
                        x - 2.0,
                        y + 7.0,
                        x + 18.0
                    ),
                };
                let (x, y) = (x + Self::SIGN, y + 11.5);
                format!("{sign}<text class=\"legend\" x=\"{x}\" y=\"{y}\">{}</text>\n", escape(words))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn every_step_edge_and_branch_of_the_storefront_is_drawn() {
        let picture = svg(&samples::storefront());
        assert_eq!(picture.matches("<path class=\"head\"").count(), 6);
        for id in ["store", "captured", "convert", "bill", "contact", "confirm"] {
            assert_eq!(picture.matches(&format!(">{id}</text>")).count(), 1, "{id}");
        }
        // Two steps and one entry of the legend for each handler.
        for tint in ["\"step t0\"", "\"step t1\""] {
            assert_eq!(picture.matches(tint).count(), 3, "{tint}");
        }
        assert!(picture.contains(">initiate-billing</text>"));
        assert!(!picture.contains(">on failure</text>"));
        assert_eq!(picture, svg(&samples::storefront()));
    }

    #[test]
    fn the_legend_explains_only_the_dashes_in_use() {
        let picture = svg(&samples::diamond_with_catch());
        for text in ["catch step", "also after a skip or failure", "on failure"] {
            assert!(picture.contains(&format!(">{text}</text>")), "{text}");
        }
        assert_eq!(picture.matches("class=\"step catch\"").count(), 2);
    }

    #[test]
    fn texts_are_escaped_in_elements() {
        let nasty = "</text><script>\"&'\u{1b}\n\u{ffff}";
        let mut graph = Graph { title: nasty.into(), ..Graph::default() };
        graph.nodes.push(samples::node(nasty, nasty, Some(nasty), Some(nasty)));
        let picture = svg(&graph);
        assert!(!picture.contains("<script") && !picture.contains(['\u{1b}', '\u{ffff}']));
        assert!(picture.contains("&lt;/text&gt;&lt;script&gt;&quot;&amp;&#39;  "));
        assert_eq!(picture.matches("<text").count(), picture.matches("</text>").count());
    }

    #[test]
    fn a_long_text_is_cut_and_fits_its_box() {
        let long = "when steps.contact.email != null && order.amount > 100";
        let node = samples::node("confirm", "email.send", Some(long), None);
        let picture = svg(&Graph { nodes: vec![node.clone()], ..Graph::default() });
        assert!(
            picture.contains(">when steps.contact.email != null &amp;&amp; ord…</text>"),
            "{picture}"
        );
        assert!(picture.contains(&escape(long)), "the tooltip lacks the full text");
        assert!(size(&node).width > 40.0 * 0.62 * 11.0);
    }

    #[test]
    fn an_empty_graph_has_a_title() {
        let picture = svg(&Graph { title: "empty".into(), ..Graph::default() });
        assert!(picture.contains("<title>empty</title>"));
        assert!(!picture.contains("NaN") && !picture.contains("inf"));
    }
}
