//! Finds YAML flow style, `{ }` or `[ ]`, without the YAML reader, which has stopped with an error.

/// Returns whether a list or a map in flow style is open at the end of a text.
pub(super) fn is_open(text: &str) -> bool {
    let mut depth = 0_usize;
    // The indentation of a block scalar's key, while its lines follow.
    let mut block: Option<usize> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        if let Some(of_key) = block {
            if indent > of_key || line.trim().is_empty() {
                continue;
            }
            block = None;
        }
        depth = depth_after(line, depth);
        let content = line.split(" #").next().unwrap_or_default().trim_end();
        let begins_block = ["|", ">", "|-", ">-", "|+", ">+"]
            .iter()
            .any(|sign| content.strip_suffix(sign).is_some_and(|key| key.ends_with([' ', ':'])));
        if depth == 0 && begins_block {
            block = Some(indent);
        }
    }
    depth > 0
}

/// Returns whether a text is exactly one list or map in flow style.
pub(super) fn is_whole(text: &str) -> bool {
    let text = text.trim_end();
    let Some(before) = text.strip_suffix(['}', ']']) else { return false };
    text.starts_with(['{', '[']) && !text.starts_with("{{") && is_open(before) && !is_open(text)
}

/// Returns the number of open brackets after a line. An opening bracket counts at the beginning of
/// a value, and anywhere within another bracket.
fn depth_after(line: &str, depth: usize) -> usize {
    let mut depth = depth;
    let mut at = 0;
    let mut begins_value = true;
    while let Some(letter) = line.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = line.get(at..).unwrap_or_default();
        let braces = [("${{", "}}"), ("{{", "}}"), ("${", "}")];
        let opened = braces.iter().find(|(open, _)| rest.starts_with(open));
        if let Some((open, close)) = opened {
            let inner = rest.get(open.len()..).unwrap_or_default();
            at += inner.find(close).map_or(rest.len(), |end| open.len() + end + close.len());
            begins_value = false;
            continue;
        }
        match letter {
            '"' | '\'' if begins_value => {
                let inner = rest.get(1..).unwrap_or_default();
                at += inner.find(letter).map_or(rest.len(), |end| end + 2);
                begins_value = false;
                continue;
            }
            '#' if at == 0 || line.get(..at).is_some_and(|before| before.ends_with(' ')) => break,
            '{' | '[' if begins_value || depth > 0 => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        begins_value = match letter {
            '{' | '[' | ',' | ':' | '-' => true,
            ' ' => begins_value,
            _ => false,
        };
        at += letter.len_utf8();
    }
    depth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_brackets_are_found_across_lines() {
        for (text, open) in [
            ("a: 1\nb: {\n", true),
            ("a: [\n  b,\n", true),
            ("a: { b: \"}\" }\n", false),
            ("a: { b: ${{ c }},\n", true),
            ("a: x { y\n", false),
            ("# {\na: it's {\n", false),
            ("a: |\n  {\n  b\nc: 1\n", false),
            ("a: { b: [1, 2]\n", true),
        ] {
            assert_eq!(is_open(text), open, "{text}");
        }
        assert!(is_whole("{ b: {{order.id}} }") && is_whole("[1, {{x}}]"));
        assert!(!is_whole("[x] {{order.id}}") && !is_whole("{{x}}") && !is_whole("{a} and {{b}}"));
    }
}
