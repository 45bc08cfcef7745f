//! Graphs in the DOT language of Graphviz.

use super::{Edge, EdgeStyle, Graph, Node};

/// Returns a directed graph from top to bottom. Steps of the same branch are in the same cluster.
pub fn dot(graph: &Graph) -> String {
    let title = quoted(&graph.title);
    let mut text = format!("digraph {title} {{\n  label={title};\n  labelloc=t;\n  rankdir=TB;\n");
    text += "  fontname=\"Helvetica\";\n";
    text += "  node [shape=box, style=rounded, fontname=\"Helvetica\"];\n";
    for (at, node) in graph.nodes_of(None) {
        text += &format!("  {}\n", declaration(at, node));
    }
    for (number, branch) in graph.branches().into_iter().enumerate() {
        text += &format!("  subgraph cluster_{number} {{\n    label={};\n", quoted(branch));
        text += "    style=\"rounded,dashed\";\n    color=gray;\n";
        for (at, node) in graph.nodes_of(Some(branch)) {
            text += &format!("    {}\n", declaration(at, node));
        }
        text += "  }\n";
    }
    for Edge { from, to, style } in graph.edges_drawn() {
        let look = match style {
            EdgeStyle::Needs => "",
            EdgeStyle::Allows => " [style=dashed]",
            EdgeStyle::Catches => " [style=dashed, color=\"#c2564b\", label=\"on failure\"]",
        };
        text += &format!("  n{from} -> n{to}{look};\n");
    }
    text + "}\n"
}

fn declaration(at: usize, node: &Node) -> String {
    let lines = [Some(&node.id), Some(&node.kind), node.note.as_ref()];
    let label: Vec<String> = lines.into_iter().flatten().map(|line| escaped(line)).collect();
    let look = if node.catch { ", style=\"rounded,dashed\", color=\"#c2564b\"" } else { "" };
    format!("n{at} [label=\"{}\"{look}];", label.join("\\n"))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Escapes a text for a quoted string. Backslashes are doubled, because labels interpret sequences
/// such as `\n` and `\N`. Ampersands become entities, because labels interpret entities.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, letter| {
        match letter {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '&' => escaped.push_str("&amp;"),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_storefront_is_a_digraph_with_a_cluster_for_each_handler() {
        let expected = r#"digraph "storefront" {
  label="storefront";
  labelloc=t;
  rankdir=TB;
  fontname="Helvetica";
  node [shape=box, style=rounded, fontname="Helvetica"];
  n0 [label="store\nobject.put"];
  n1 [label="captured\ntopic.publish"];
  subgraph cluster_0 {
    label="initiate-billing";
    style="rounded,dashed";
    color=gray;
    n2 [label="convert\nmoney.convert"];
    n3 [label="bill\ntable.insert"];
  }
  subgraph cluster_1 {
    label="customer-communications";
    style="rounded,dashed";
    color=gray;
    n4 [label="contact\ntable.get"];
    n5 [label="confirm\nemail.send\nwhen steps.contact.email != null"];
  }
  n0 -> n1;
  n1 -> n2;
  n2 -> n3;
  n1 -> n4;
  n4 -> n5;
  n2 -> n5;
}
"#;
        assert_eq!(dot(&samples::storefront()), expected);
    }

    #[test]
    fn texts_are_escaped_in_strings() {
        let cases = [("a\"b", r#"a\"b"#), ("a\\", r"a\\"), ("&lt;", "&amp;lt;"), ("a\nb", "a b")];
        for (text, expected) in cases {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn catch_steps_and_lenient_needs_are_dashed() {
        let text = dot(&samples::diamond_with_catch());
        assert!(text.contains("  n2 -> n3 [style=dashed];\n"), "{text}");
        assert!(text.contains("  n1 -> n4 [style=dashed, color"), "{text}");
        assert!(
            text.contains("n4 [label=\"release\\ntable.upsert\", style=\"rounded,dashed\""),
            "{text}"
        );
    }
}
