//! A function fits a screen, a file fits a head.

use super::Finding;
use super::code::{counted_lines, functions};
use super::workspace::Workspace;

/// Lines of code (`code` says what counts).
const FUNCTION_LINES_MAX: usize = 70;
/// Lines of code.
const FILE_LINES_MAX: usize = 800;

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &workspace.sources {
        for function in functions(source) {
            if function.lines_count > FUNCTION_LINES_MAX {
                findings.push(Finding {
                    path: source.path.clone(),
                    line: function.line,
                    what: format!("`{}` has {} lines of code", function.name, function.lines_count),
                    why: "a function of more than 70 is not read at one glance",
                    what_to_do: "keep the decisions here and move their pure leaves out",
                });
            }
        }
        let lines_count = counted_lines(source).len();
        if lines_count > FILE_LINES_MAX {
            findings.push(Finding {
                path: source.path.clone(),
                line: 1,
                what: format!("the file has {lines_count} lines of code"),
                why: "a file of more than 800 is about several things",
                what_to_do: "give each of them a file of its own",
            });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    const MANIFEST: (&str, &str) = ("crates/a/Cargo.toml", "[package]\nname = \"a\"");

    fn function(lines_count: usize) -> String {
        format!("fn f() {{\n{}}}\n", "    g();\n".repeat(lines_count - 2))
    }

    #[test]
    fn a_long_function_is_found_and_a_full_one_is_not() {
        let count = |text: &str, path| found(check, &[MANIFEST, (path, text)]).len();
        assert_eq!(count(&function(70), "crates/a/src/lib.rs"), 0);
        assert_eq!(count(&function(71), "crates/a/src/lib.rs"), 1);
        assert_eq!(count(&function(71), "crates/a/tests/whole.rs"), 0);
        assert_eq!(count(&format!("// @generated\n{}", function(71)), "crates/a/src/lib.rs"), 0);
    }

    #[test]
    fn a_long_file_is_found_and_a_full_one_is_not() {
        let count = |text: &str| found(check, &[MANIFEST, ("crates/a/src/lib.rs", text)]).len();
        assert_eq!(count(&function(50).repeat(16)), 0);
        assert_eq!(count(&(function(50).repeat(16) + "struct S;")), 1);
        assert_eq!(
            count(&(function(50).repeat(16) + "\n// words\n#[cfg(test)]\nmod tests {}\n")),
            0
        );
    }
}
