//! The positions of the parts of a tag: the name, the parameters and the named values.

use std::ops::Range;

/// A call in a tag: `default order.note "none" size=3 as |x|`. It has the structure of Handlebars'
/// own tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    /// The name that is called or printed.
    pub(super) name: Range<usize>,
    /// The parameters, in order.
    pub(super) params: Vec<Argument>,
    /// The named values: their names and values.
    pub(super) named: Vec<(Range<usize>, Argument)>,
}

/// One parameter.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    /// Position of the whole parameter.
    pub(super) span: Range<usize>,
    /// The call, if the parameter is in parentheses.
    pub(super) call: Option<Box<Call>>,
}

struct Reader<'s> {
    content: &'s str,
    /// Start position of the content in the file.
    offset: usize,
    at: usize,
    depth_left: usize,
}

impl Call {
    /// Parses the content of a tag. Returns `None` if it is nested too deeply. Other invalid
    /// content is left for Handlebars' parser to reject.
    pub(super) fn parse(content: &str, offset: usize, depth_max: usize) -> Option<Self> {
        Reader { content, offset, at: 0, depth_left: depth_max }.call()
    }
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.content.get(self.at..).unwrap_or_default()
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn call(&mut self) -> Option<Call> {
        let mut call = Call { name: self.argument()?.span, ..Call::default() };
        loop {
            self.skip_spaces();
            if self.rest().is_empty() || self.rest().starts_with(')') {
                return Some(call);
            }
            if self.rest().starts_with('|') {
                // Block parameters come last, after `as`. Their positions are not needed.
                call.params.pop();
                self.at = self.content.len();
                return Some(call);
            }
            let argument = self.argument()?;
            self.skip_spaces();
            if self.rest().starts_with('=') {
                self.at += 1;
                let value = self.argument()?;
                call.named.push((argument.span, value));
            } else {
                call.params.push(argument);
            }
        }
    }

    fn argument(&mut self) -> Option<Argument> {
        self.skip_spaces();
        let start = self.at;
        let mut call = None;
        if self.rest().starts_with('(') {
            self.depth_left = self.depth_left.checked_sub(1)?;
            self.at += 1;
            call = Some(Box::new(self.call()?));
            self.skip_spaces();
            if self.rest().starts_with(')') {
                self.at += 1;
            }
            self.depth_left += 1;
        } else {
            self.at += word_length(self.rest(), self.depth_left)?;
        }
        if self.at == start {
            // Skip an unexpected character. Handlebars' parser rejects it.
            self.at += self.rest().chars().next().map_or(0, char::len_utf8);
        }
        Some(Argument { span: self.offset + start..self.offset + self.at, call })
    }
}

/// Returns the length of a path or a literal, or `None` if it is nested too deeply.
fn word_length(rest: &str, depth_max: usize) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    let mut depth = 0usize;
    for (at, char) in rest.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if char == '\\' => escaped = true,
            Some(open) if char == open => {
                quote = None;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            Some(_) => {}
            None => match char {
                '"' | '\'' if depth > 0 || at == 0 => quote = Some(char),
                '[' | '{' => {
                    depth += 1;
                    if depth > depth_max {
                        return None;
                    }
                }
                ']' | '}' => depth = depth.saturating_sub(1),
                '(' | ')' | '=' | '|' | '"' | '\'' if depth == 0 => return Some(at),
                _ if depth == 0 && char.is_whitespace() => return Some(at),
                _ => {}
            },
        }
    }
    Some(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_tag_are_found() {
        let text = r#"default (or a.b [x y].c) "d e" f='g h' i = (j k) as |l|"#;
        let call = Call::parse(text, 0, 9).unwrap();
        let shown = |range: &Range<usize>| text.get(range.clone()).unwrap().to_owned();
        assert_eq!(shown(&call.name), "default");
        let params: Vec<_> = call.params.iter().map(|p| shown(&p.span)).collect();
        assert_eq!(params, ["(or a.b [x y].c)", "\"d e\""]);
        let inner = call.params[0].call.as_ref().unwrap();
        let params: Vec<_> = inner.params.iter().map(|p| shown(&p.span)).collect();
        assert_eq!(params, ["a.b", "[x y].c"]);
        let named: Vec<_> =
            call.named.iter().map(|(n, v)| format!("{}: {}", shown(n), shown(&v.span))).collect();
        assert_eq!(named, ["f: 'g h'", "i: (j k)"]);
    }
}
