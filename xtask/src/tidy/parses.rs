//! Every Rust file and manifest can be read: what no check can read, no check has checked.

use super::Finding;
use super::workspace::Workspace;

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, line, error) in &workspace.unparsed {
        findings.push(Finding {
            path: path.clone(),
            line: *line,
            what: format!("not Rust for tidy's parser ({error})"),
            why: "no rule is checked in this file",
            what_to_do: "mend it, or raise the version of `syn` in the root's Cargo.toml",
        });
    }
    if workspace.sources.is_empty() && workspace.unparsed.is_empty() {
        findings.push(Finding {
            path: "Cargo.toml".to_owned(),
            line: 1,
            what: "no Rust file belongs to any package".to_owned(),
            why: "a check of nothing always passes",
            what_to_do: "keep packages in crates/<name>, or teach xtask where they are",
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn broken_and_missing_sources_are_found() {
        let manifest = ("crates/a/Cargo.toml", "[package]\nname = \"a\"");
        let findings = found(check, &[manifest, ("crates/a/src/lib.rs", "fn a() {}\nfn {")]);
        assert!(findings[0].starts_with("crates/a/src/lib.rs:"), "{findings:?}");
        assert_eq!(found(check, &[manifest]).len(), 1);
        assert!(found(check, &[manifest, ("crates/a/src/lib.rs", "fn a() {}")]).is_empty());
    }
}
