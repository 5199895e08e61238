//! Tests wait for what they want to see, never for time to pass: a sleep is too long on a good day and too short on a
//! bad one.

use super::Finding;
use super::source::group_after;
use super::workspace::Workspace;
use proc_macro2::{Delimiter, TokenTree};

/// File, and why it must sleep.
const ALLOWED: &[(&str, &str)] = &[
    ("crates/server/tests/attacks/bodies.rs", "a client that is slow on purpose paces itself"),
    ("crates/server/tests/attacks/heads.rs", "a client that is slow on purpose paces itself"),
    ("crates/server/tests/attacks/slow_readers.rs", "a client that does not read asks in steps"),
];

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    check_but(workspace, ALLOWED)
}

fn check_but(workspace: &Workspace, allowed: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &workspace.sources {
        if allowed.iter().any(|(path, _)| *path == source.path) {
            continue;
        }
        source.each_token(&mut |tokens| {
            let TokenTree::Ident(name) = &tokens[0] else { return };
            let line = name.span().start().line;
            let sleeps = name == "sleep" && group_after(tokens, 1, &[Delimiter::Parenthesis]).is_some();
            if sleeps && source.is_test(line) {
                findings.push(Finding {
                    path: source.path.clone(),
                    line,
                    what: "a test sleeps".to_owned(),
                    why: "it is slow always and wrong sometimes",
                    what_to_do: "poll for the event with a deadline, or step virtual time \
                                 (a last resort with its reason: ALLOWED in xtask/src/tidy/sleep.rs)",
                });
            }
        });
    }
    for (path, _) in allowed.iter().filter(|(path, _)| !workspace.files.contains_key(*path)) {
        findings.push(Finding {
            path: "xtask/src/tidy/sleep.rs".to_owned(),
            line: 1,
            what: format!("ALLOWED names `{path}`, which is not there"),
            why: "an exception without its case hides the next one",
            what_to_do: "remove it",
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(path: &str, text: &str) -> Workspace {
        let manifest = ("crates/a/Cargo.toml", "[package]\nname = \"a\"");
        let root = ("crates/a/src/lib.rs", "#[cfg(test)] mod tests;");
        let files = [manifest, root, (path, text)];
        Workspace::new(
            files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect(),
        )
    }

    #[test]
    fn a_sleeping_test_is_found_wherever_tests_are() {
        let sleeping = [
            ("crates/a/tests/whole.rs", "fn f() { std::thread::sleep(x) }"),
            ("crates/a/src/tests.rs", "async fn f() { tokio::time::sleep(x).await }"),
            ("crates/a/src/lib.rs", "#[cfg(test)] mod tests { fn f() { sleep(x); } }"),
            ("crates/a/tests/whole.rs", "proptest! { fn f() { sleep(x); } }"),
        ];
        for (path, text) in sleeping {
            assert_eq!(check_but(&workspace(path, text), &[]).len(), 1, "{path}: {text}");
        }
        let served = workspace("crates/a/src/lib.rs", "fn f() { sleep(x); }");
        assert_eq!(check_but(&served, &[]).len(), 0);
    }

    #[test]
    fn an_exception_counts_for_its_file_only_and_not_longer_than_it() {
        let (path, text) = ("crates/a/tests/whole.rs", "fn f() { sleep(x); }");
        assert_eq!(check_but(&workspace(path, text), &[(path, "reason")]).len(), 0);
        assert_eq!(
            check_but(&workspace(path, text), &[("crates/a/tests/gone.rs", "reason")]).len(),
            2
        );
    }
}
