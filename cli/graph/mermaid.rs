//! Graphs as Mermaid text, which GitHub, GitLab and many editors render in Markdown.

use super::{Edge, EdgeStyle, Graph, Node};

/// Returns a flowchart from top to bottom. Steps of the same branch are in the same frame.
pub fn mermaid(graph: &Graph) -> String {
    let mut text = format!("---\ntitle: {}\n---\nflowchart TD\n", title(&graph.title));
    for (at, node) in graph.nodes_of(None) {
        text += &format!("  {}\n", declaration(at, node));
    }
    for (number, branch) in graph.branches().into_iter().enumerate() {
        text += &format!("  subgraph b{number}[\"{}\"]\n", escape(branch));
        for (at, node) in graph.nodes_of(Some(branch)) {
            text += &format!("    {}\n", declaration(at, node));
        }
        text += "  end\n";
    }
    for Edge { from, to, style } in graph.edges_drawn() {
        let arrow = match style {
            EdgeStyle::Needs => "-->",
            EdgeStyle::Allows => "-.->",
            EdgeStyle::Catches => "-. on failure .->",
        };
        text += &format!("  n{from} {arrow} n{to}\n");
    }
    let catches: Vec<String> = (0..)
        .zip(&graph.nodes)
        .filter(|(_, node)| node.catch)
        .map(|(at, _): (usize, _)| format!("n{at}"))
        .collect();
    if !catches.is_empty() {
        text += "  classDef catch stroke:#c2564b,stroke-dasharray:4 3\n";
        text += &format!("  class {} catch\n", catches.join(","));
    }
    text
}

/// Declares a node. Its name is its position, because an id such as `end` is a keyword of Mermaid.
fn declaration(at: usize, node: &Node) -> String {
    let mut label = format!("<b>{}</b><br>{}", escape(&node.id), escape(&node.kind));
    if let Some(note) = &node.note {
        label += &format!("<br><i>{}</i>", escape(note));
    }
    format!("n{at}(\"{label}\")")
}

/// Returns the title as a quoted YAML scalar. JSON strings are valid YAML scalars.
fn title(title: &str) -> String {
    serde_json::Value::from(title).to_string()
}

/// Replaces characters that could end a label, or have a meaning in it, with Mermaid's entity
/// codes.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, letter| {
        match letter {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' | ';' | '*' | '_' | '$' => {
                escaped.push_str(&format!("#{};", u32::from(letter)));
            }
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
    fn the_storefront_is_a_flowchart_with_a_frame_for_each_handler() {
        let expected = r#"---
title: "storefront"
---
flowchart TD
  n0("<b>store</b><br>object.put")
  n1("<b>captured</b><br>topic.publish")
  subgraph b0["initiate-billing"]
    n2("<b>convert</b><br>money.convert")
    n3("<b>bill</b><br>table.insert")
  end
  subgraph b1["customer-communications"]
    n4("<b>contact</b><br>table.get")
    n5("<b>confirm</b><br>email.send<br><i>when steps.contact.email != null</i>")
  end
  n0 --> n1
  n1 --> n2
  n2 --> n3
  n1 --> n4
  n4 --> n5
  n2 --> n5
"#;
        assert_eq!(mermaid(&samples::storefront()), expected);
    }

    #[test]
    fn catch_steps_and_lenient_needs_are_dashed() {
        let text = mermaid(&samples::diamond_with_catch());
        for line in ["  n2 -.-> n3", "  n1 -. on failure .-> n4", "  class n4 catch"] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn texts_are_escaped_in_labels() {
        let nasty = "end\"]; click <b>#quot; `\n%%{init}%%";
        let mut graph = Graph { title: "a\"\n---".into(), ..Graph::default() };
        graph.nodes.push(samples::node(nasty, nasty, Some(nasty), Some(nasty)));
        graph.edges = samples::needs(&[(0, 7)]);
        let text = mermaid(&graph);
        let safe = "end#34;]#59; click #60;b#62;#35;quot#59; #96; %%{init}%%";
        let expected = format!(
            "---\ntitle: \"a\\\"\\n---\"\n---\nflowchart TD\n  subgraph b0[\"{safe}\"]\n    \
             n0(\"<b>{safe}</b><br>{safe}<br><i>{safe}</i>\")\n  end\n"
        );
        assert_eq!(text, expected);
    }
}
