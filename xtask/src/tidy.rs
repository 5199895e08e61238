//! Rules that no compiler knows, each in a file of its own, with samples that break it beside it.
//!
//! A check is a function from the workspace to findings. It sees texts only, never the disk, so that its tests can hand
//! it a workspace of two lines.

mod architecture;
mod code;
mod crate_roots;
mod dead_files;
mod documents;
mod engines;
mod files;
mod layers;
mod lints;
mod machine;
mod manifest;
mod module_tree;
mod names;
mod parses;
mod select;
mod size;
mod sleep;
mod source;
mod words;
mod workspace;

use std::fmt;
use std::path::Path;
use workspace::Workspace;

/// One broken rule at one place.
#[derive(Debug)]
pub struct Finding {
    /// From the root of the workspace, with `/`.
    path: String,
    /// From 1.
    line: usize,
    what: String,
    why: &'static str,
    what_to_do: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, what, why, what_to_do } = self;
        write!(f, "{path}:{line}: {what}, {why}, {what_to_do}")
    }
}

type Check = fn(&Workspace) -> Vec<Finding>;

const CHECKS: &[Check] = &[
    parses::check,
    layers::check,
    engines::check,
    crate_roots::check,
    lints::check,
    size::check,
    names::check,
    architecture::check,
    select::check,
    sleep::check,
    machine::check,
    documents::check,
    dead_files::check,
];

/// All findings in the workspace at `root`, by path and line.
pub fn run(root: &Path) -> Vec<Finding> {
    let workspace = Workspace::new(files::read(root));
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&workspace)).collect();
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    findings
}

/// Every finding of `check` in a workspace of these files, as text.
#[cfg(test)]
fn found(check: Check, files: &[(&str, &str)]) -> Vec<String> {
    let files = files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
    check(&Workspace::new(files)).iter().map(ToString::to_string).collect()
}
