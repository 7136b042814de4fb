//! The text of a run: a tree with a line for each call, for tests and terminals.

use std::fmt::{self, Write as _};

use super::budget::BudgetLimit;
use super::repeats::LOOP;
use super::reply::Sums;
use super::said::Note;
use super::tree::{Node, RolledUp, Run, kind_name};
use crate::families::Outcome;
use crate::json;

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Tree::of(self).write(f)
    }
}

/// The calls around a line of the text by which it is indented at most. Deeper ones stand there too, behind an arrow: of 2,000
/// nested calls the indentation alone would take megabytes.
const DEEPEST_INDENT: usize = 64;

/// The text of a run.
struct Tree<'r> {
    run: &'r Run,
    /// Of each node, its children and the rolled-up calls under it.
    children: Vec<Vec<Child<'r>>>,
}

#[derive(Clone, Copy)]
enum Child<'r> {
    Node(usize),
    RolledUp(&'r RolledUp),
    Note(&'r Note),
}

impl<'r> Tree<'r> {
    fn of(run: &'r Run) -> Self {
        let mut children = vec![Vec::new(); run.nodes.len()];
        for (at, node) in run.nodes.iter().enumerate() {
            if let Some(siblings) = node.parent().and_then(|parent| children.get_mut(parent)) {
                siblings.push(Child::Node(at));
            }
        }
        for note in &run.notes {
            if let Some(siblings) = children.get_mut(note.node()) {
                // Siblings are in the order of their begin so far.
                let is_after = |child: &Child<'_>| match *child {
                    Child::Node(at) => run.nodes[at].start > note.at,
                    Child::Note(_) | Child::RolledUp(_) => false,
                };
                let at = siblings.iter().position(is_after).unwrap_or(siblings.len());
                siblings.insert(at, Child::Note(note));
            }
        }
        for calls in &run.rolled_up {
            if let Some(siblings) = children.get_mut(calls.parent()) {
                siblings.push(Child::RolledUp(calls));
            }
        }
        Self { run, children }
    }

    /// Writes without recursion, since a tree may be as deep as it has nodes.
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut open = vec![(Child::Node(0), 0, String::new(), String::new())];
        while let Some((child, depth, before, inside)) = open.pop() {
            if !matches!(child, Child::Node(0)) {
                f.write_str("\n")?;
            }
            f.write_str(&before)?;
            let Child::Node(at) = child else {
                self.write_line(f, child)?;
                continue;
            };
            self.write_line(f, child)?;
            let children = self.children.get(at).map(Vec::as_slice).unwrap_or_default();
            for (nth, child) in children.iter().enumerate().rev() {
                let is_last = nth + 1 == children.len();
                let (branch, below) = match (depth < DEEPEST_INDENT, is_last) {
                    (true, true) => ("└─ ", "   "),
                    (true, false) => ("├─ ", "│  "),
                    (false, _) => ("→ ", ""),
                };
                open.push((*child, depth + 1, format!("{inside}{branch}"), format!("{inside}{below}")));
            }
        }
        Ok(())
    }

    fn write_line(&self, f: &mut fmt::Formatter<'_>, child: Child<'_>) -> fmt::Result {
        match child {
            Child::Node(at) => {
                let node = &self.run.nodes[at];
                write_node(f, node)?;
                match node.model() {
                    _ if at == 0 => {
                        write_tags(f, self.run)?;
                        write_totals(f, &self.run.sums())
                    }
                    Some(call) => write_sums(f, &call.sums()),
                    None => Ok(()),
                }
            }
            Child::Note(note) => {
                f.write_str("• ")?;
                write_on_one_line(f, note.text())?;
                if f.alternate() { write!(f, " at {:.1?}", note.at) } else { Ok(()) }
            }
            Child::RolledUp(group) => {
                let RolledUp { kind, name, calls, failures, .. } = group;
                write!(f, "{} ", kind_name(*kind))?;
                write_on_one_line(f, name)?;
                write!(f, " × {calls}")?;
                if *failures > 0 {
                    write!(f, ", {failures} failed")?;
                }
                write_sums(f, &group.sums())
            }
        }
    }
}

fn write_node(f: &mut fmt::Formatter<'_>, node: &Node) -> fmt::Result {
    if node.parent.is_some() {
        write!(f, "{} ", node.kind())?;
    }
    let mark = match node.outcome {
        None => "…",
        Some(Outcome::Success) => "✓",
        Some(Outcome::Error) => "✗",
        Some(Outcome::Panic) => "✗ panic",
        Some(Outcome::Cancelled) => "⊘ cancelled",
    };
    write_on_one_line(f, node.name)?;
    write!(f, " {mark}")?;
    if f.alternate() {
        match node.duration {
            Some(duration) => write!(f, " {duration:.1?}")?,
            None => write!(f, " since {:.1?}", node.start)?,
        }
    }
    if let Some(error) = node.error() {
        f.write_str(" ")?;
        write_on_one_line(f, error)?;
    } else if node.is_judged() {
        f.write_str(" returned Ok")?;
    }
    if node.model().is_some_and(|call| call.is_refusal()) {
        f.write_str(" refused")?;
    }
    if node.attempt > 1 {
        write!(f, " attempt {}", node.attempt)?;
    }
    if let Some(reason) = node.retry_reason().filter(|reason| !reason.is_empty()) {
        f.write_str(" after ")?;
        write_on_one_line(f, reason)?;
    }
    if node.identical_calls() >= LOOP {
        write!(f, " ×{} identical", node.identical_calls())?;
    }
    write_limits(f, "over budget", node.passed_limits())?;
    write_limits(f, "budget unverifiable", node.unverifiable_limits())?;
    if node.items > 0 {
        write!(f, " {} items", node.items)?;
    }
    if node.is_detached { f.write_str(" detached") } else { Ok(()) }
}

/// Writes a badge with the names of limits, as ` over budget (cost, tokens)`.
fn write_limits(
    f: &mut fmt::Formatter<'_>,
    badge: &str,
    limits: impl Iterator<Item = BudgetLimit>,
) -> fmt::Result {
    let names: Vec<_> = limits.map(BudgetLimit::as_str).collect();
    if names.is_empty() { Ok(()) } else { write!(f, " {badge} ({})", names.join(", ")) }
}

/// Writes the tags of a run, each as ` [ticket=4711]`.
fn write_tags(f: &mut fmt::Formatter<'_>, run: &Run) -> fmt::Result {
    for (key, value) in run.tags() {
        f.write_str(" [")?;
        write_on_one_line(f, key)?;
        f.write_str("=")?;
        write_on_one_line(f, value)?;
        f.write_str("]")?;
    }
    Ok(())
}

/// Writes the tokens and the cost of model calls, as ` · 812 in, 96 out, $0.0012`. A call whose usage another one has counted has
/// none of its own.
fn write_sums(f: &mut fmt::Formatter<'_>, sums: &Sums) -> fmt::Result {
    let is_counted_elsewhere = sums.usage.tokens() == Some(0) && sums.cost.nanos() == Some(0);
    if sums.usage.calls() == 0 || is_counted_elsewhere { Ok(()) } else { write!(f, " · {sums}") }
}

/// Writes the sums of a run behind its outermost call.
fn write_totals(f: &mut fmt::Formatter<'_>, sums: &Sums) -> fmt::Result {
    match sums.usage.calls() {
        0 => Ok(()),
        1 => write!(f, " · 1 model call, {sums}"),
        calls => write!(f, " · {calls} model calls, {sums}"),
    }
}

/// Writes a text on one line: escapes control characters and those that the log lines escape as hidden.
fn write_on_one_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.chars().try_for_each(|char| match char {
        '\\' => f.write_str("\\\\"),
        _ if char.is_control() || json::is_hidden(char) => write!(f, "{}", char.escape_debug()),
        _ => f.write_char(char),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::families::CallKind;

    fn root() -> Node {
        Node::ended(None, CallKind::Agent, "root", Duration::ZERO)
    }

    #[test]
    fn names_show_on_one_line() {
        let mut run = Run::of_nodes(vec![root()]);
        run.rolled_up.push(RolledUp { calls: 2, ..RolledUp::new(0, CallKind::Skill, "", "a\u{1b}[2J\nb") });
        assert_eq!(run.to_string(), "root ✓\n└─ skill a\\u{1b}[2J\\nb × 2");
    }

    #[test]
    fn the_text_of_a_deep_tree_grows_by_its_lines() {
        let step = |parent| Node::ended(Some(parent), CallKind::Skill, "step", Duration::ZERO);
        let deep = (0..1_999).map(step);
        let run = Run::of_nodes([root()].into_iter().chain(deep).collect());
        let text = run.to_string();
        assert_eq!(text.lines().count(), 2_000);
        assert!(text.len() < 500_000, "{}", text.len());
        assert!(text.ends_with("   → skill step ✓"));
    }
}
