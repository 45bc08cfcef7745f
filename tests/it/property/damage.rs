//! Faults in a generated pipeline, each with the line in which it must be reported.

use super::chance::Chance;

/// The lines of a pipeline with a fault.
pub(super) struct Damaged {
    pub(super) lines: Vec<String>,
    /// The index of the line that must be reported, from 0.
    pub(super) at: usize,
}

/// Number of different faults.
const SORTS: usize = 10;

/// Puts a random fault into a random line, or into the next line that allows it. Returns `None` if
/// no line allows any fault.
pub(super) fn damage(lines: &[String], chance: &mut Chance) -> Option<Damaged> {
    let first = chance.below(lines.len());
    let sort = chance.below(SORTS);
    (0..SORTS).find_map(|next| {
        let sort = (sort + next) % SORTS;
        (first..lines.len()).chain(0..first).find_map(|at| damage_line(lines, at, sort))
    })
}

fn damage_line(lines: &[String], at: usize, sort: usize) -> Option<Damaged> {
    let line = lines.get(at)?;
    let rename = |from: &str, to: &str| line.contains(from).then(|| line.replacen(from, to, 1));
    let changed = match sort {
        0 => line.strip_prefix("    uses: ").map(|kind| format!("    uses: {kind}x")),
        1 => rename("template: s", "template: q"),
        2 => rename("table: t_s", "table: q_"),
        3 => rename("needs: [s", "needs: [q"),
        4 if line.starts_with("  key") => None,
        4 => rename("order.id", "order.nowhere"),
        5 => rename("steps.s", "steps.q"),
        6 => return circle(lines, at),
        // A list is invalid in every column.
        7 => column(line).map(|name| format!("        {name}: \"${{{{ [1] }}}}\"")),
        8 => return drop_column(lines, at),
        _ => remove_guard(lines, at),
    }?;
    let mut lines = lines.to_vec();
    lines[at] = changed;
    Some(Damaged { lines, at })
}

/// Returns the column that a line of a row sets.
fn column(line: &str) -> Option<&str> {
    let name = line.strip_prefix("        ")?.split(':').next()?;
    let number = name.strip_prefix('c')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(name)
}

/// Returns the lines of the step that contains a line: the line of its id, and the end of its
/// block.
fn block(lines: &[String], at: usize) -> Option<(usize, usize)> {
    let is_id = |line: &String| line.starts_with("  ") && !line.starts_with("   ");
    let begin = (0..=at).rev().find(|at| is_id(&lines[*at]))?;
    let end = (begin + 1..lines.len()).find(|at| is_id(&lines[*at])).unwrap_or(lines.len());
    Some((begin, end))
}

/// Creates a cycle: the step that is needed in this line now needs the step of this line.
fn circle(lines: &[String], at: usize) -> Option<Damaged> {
    let needed = lines[at].strip_prefix("    needs: [s")?.strip_suffix(']')?;
    let (begin, _) = block(lines, at)?;
    let step = lines[begin].trim().strip_suffix(':')?;
    let id = format!("  s{needed}:");
    let (begin, end) = block(lines, lines.iter().position(|line| *line == id)?)?;
    if lines[begin..end].iter().any(|line| line.starts_with("    needs:")) {
        return None;
    }
    let mut lines = lines.to_vec();
    let at = begin + 2;
    lines.insert(at, format!("    needs: [{step}]"));
    Some(Damaged { lines, at })
}

/// Removes the declaration of the column that a line sets.
fn drop_column(lines: &[String], at: usize) -> Option<Damaged> {
    let name = column(&lines[at])?;
    let (begin, end) = block(lines, at)?;
    let table = lines[begin..end].iter().find_map(|line| line.strip_prefix("      table: "))?;
    let declared = lines.iter().position(|line| line.starts_with(&format!("  {table}: ")))?;
    let (before, rest) = lines[declared].split_once(&format!(", {name}: \""))?;
    let (_, after) = rest.split_once('"')?;
    let line = format!("{before}{after}");
    let mut lines = lines.to_vec();
    lines[declared] = line;
    Some(Damaged { lines, at })
}

/// Removes the guard of a value that may be missing, unless another expression in the step guards
/// it or the expression accepts null.
fn remove_guard(lines: &[String], at: usize) -> Option<String> {
    let line = &lines[at];
    column(line)?;
    let (head, rest) = line.split_once(" != null ? ")?;
    let (path, rest) = rest.split_once(" : ")?;
    let (_, after) = rest.split_once(')')?;
    let (before, guards) = head.rsplit_once('(')?;
    let (begin, end) = block(lines, at)?;
    let elsewhere = guards.split(" && ").any(|guard| {
        let path = guard.trim_end_matches(" != null");
        let guard = format!("{path} != null");
        lines[begin..end].iter().map(|line| line.matches(&guard).count()).sum::<usize>() > 1
    });
    // A comparison accepts null.
    let compared = line.contains("==");
    (!elsewhere && !compared).then(|| format!("{before}{path}{after}"))
}
