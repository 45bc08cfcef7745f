//! Graphs for the tests of this module.

use super::{Edge, EdgeStyle, Graph, Node};

pub(super) fn node(id: &str, kind: &str, note: Option<&str>, branch: Option<&str>) -> Node {
    Node {
        id: id.into(),
        kind: kind.into(),
        note: note.map(str::to_owned),
        branch: branch.map(str::to_owned),
        catch: false,
    }
}

pub(super) fn needs(pairs: &[(usize, usize)]) -> Vec<Edge> {
    pairs.iter().map(|&(from, to)| Edge { from, to, style: EdgeStyle::Needs }).collect()
}

pub(super) fn storefront() -> Graph {
    let (billing, mail) = (Some("initiate-billing"), Some("customer-communications"));
    Graph {
        title: "storefront".into(),
        nodes: vec![
            node("store", "object.put", None, None),
            node("captured", "topic.publish", None, None),
            node("convert", "money.convert", None, billing),
            node("bill", "table.insert", None, billing),
            node("contact", "table.get", None, mail),
            node("confirm", "email.send", Some("when steps.contact.email != null"), mail),
        ],
        edges: needs(&[(0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (2, 5)]),
    }
}

pub(super) fn diamond_with_catch() -> Graph {
    let mut graph = Graph {
        title: "diamond".into(),
        nodes: vec![
            node("reserve", "table.insert", None, None),
            node("charge", "http.request", None, None),
            node("notify", "email.send", Some("for each order.items"), None),
            node("close", "table.upsert", None, None),
            node("release", "table.upsert", None, None),
        ],
        edges: needs(&[(0, 1), (0, 2), (1, 3)]),
    };
    graph.nodes[4].catch = true;
    graph.edges.push(Edge { from: 2, to: 3, style: EdgeStyle::Allows });
    graph.edges.push(Edge { from: 1, to: 4, style: EdgeStyle::Catches });
    graph
}

/// Returns a graph of `count` nodes in which each node waits for one or two of the nodes shortly
/// before it.
pub(super) fn random_graph(count: usize) -> Graph {
    let mut graph = Graph { title: format!("{count} steps"), ..Graph::default() };
    let mut state = 88_172_645_463_325_252_u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    for at in 0..count {
        let branch = (at > 3).then(|| format!("branch-{}", at % 4));
        graph.nodes.push(node(&format!("step_{at}"), "value.compute", None, branch.as_deref()));
        for _ in 0..if at == 0 { 0 } else { 1 + draw(3) / 2 } {
            let from = at - 1 - draw(at.min(9));
            if !graph.edges.iter().any(|edge| (edge.from, edge.to) == (from, at)) {
                graph.edges.extend(needs(&[(from, at)]));
            }
        }
    }
    graph
}
