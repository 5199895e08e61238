//! The files that belong to the repository, as text.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Folders of built things, for a copy of the sources without git.
const BUILT: &[&str] = &["target", "node_modules", "__pycache__"];

/// Path from the root → text. What is not UTF-8 is left out: no rule here is about it.
pub fn read(root: &Path) -> BTreeMap<String, String> {
    let paths = tracked(root).unwrap_or_else(|| {
        let mut paths = Vec::new();
        walk(root, "", &mut paths);
        paths
    });
    assert!(!paths.is_empty(), "{}: no files found; a check of nothing would pass", root.display());
    paths
        .into_iter()
        .filter_map(|path| fs::read_to_string(root.join(&path)).ok().map(|text| (path, text)))
        .collect()
}

/// What git tracks, and what it would if it were added now: a new file must not wait for its commit to be checked.
fn tracked(root: &Path) -> Option<Vec<String>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let listed = String::from_utf8(listed.stdout).ok()?;
    let paths: Vec<String> =
        listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    // Nothing tracked: the sources were unpacked into somebody else's repository that ignores them.
    if paths.is_empty() { None } else { Some(paths) }
}

fn walk(root: &Path, folder: &str, paths: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(root.join(folder)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if !entry.path().is_dir() {
            paths.push(path);
        } else if !BUILT.contains(&name.as_str()) && (!name.starts_with('.') || name == ".ci") {
            walk(root, &path, paths);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_without_git_has_the_same_sources() {
        let mut walked = Vec::new();
        walk(crate::root(), "", &mut walked);
        for path in read(crate::root()).keys().filter(|path| path.ends_with(".rs")) {
            assert!(walked.contains(path), "{path}");
        }
    }
}
