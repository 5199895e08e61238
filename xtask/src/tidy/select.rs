//! `select!` polls in an order that is written down.

use super::Finding;
use super::source::group_after;
use super::workspace::Workspace;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

const BRACKETS: &[Delimiter] = &[Delimiter::Brace, Delimiter::Parenthesis, Delimiter::Bracket];

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &workspace.sources {
        source.each_token(&mut |tokens| {
            if let [TokenTree::Ident(name), TokenTree::Punct(bang), ..] = tokens
                && name == "select"
                && bang.as_char() == '!'
                && group_after(tokens, 2, BRACKETS).is_some_and(|branches| !is_biased(branches))
            {
                findings.push(Finding {
                    path: source.path.clone(),
                    line: name.span().start().line,
                    what: "`select!` without `biased;`".to_owned(),
                    why: "which of two ready branches runs would be chance",
                    what_to_do: "write `biased;` first and put the branch that must not starve on top",
                });
            }
        });
    }
    findings
}

fn is_biased(branches: TokenStream) -> bool {
    let mut first = branches.into_iter();
    let word = matches!(first.next(), Some(TokenTree::Ident(word)) if word == "biased");
    word && matches!(first.next(), Some(TokenTree::Punct(end)) if end.as_char() == ';')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn a_select_of_chance_is_found_even_inside_of_a_macro() {
        let manifest = ("crates/server/Cargo.toml", "[package]\nname = \"server\"");
        let at = "crates/server/src/lib.rs";
        let count = |text: &str| found(check, &[manifest, (at, text)]).len();
        assert_eq!(count("fn f() { tokio::select! { biased; a = b => {} } }"), 0);
        assert_eq!(count("fn f() { tokio::select! { a = b => {} } }"), 1);
        assert_eq!(count("fn f() { x!({ select!(a = b => {}) }) }"), 1);
        assert_eq!(count("fn f() { select(); }"), 0);
    }
}
