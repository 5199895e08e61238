//! The pages that every reader looks for come together, or not yet at all.

use super::Finding;
use super::workspace::Workspace;

const PAGES: &[&str] = &["README.md", "README.zh-CN.md", "CHANGELOG.md"];

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let there =
        |page: &&&str| workspace.files.get(**page).is_some_and(|text| !text.trim().is_empty());
    if PAGES.iter().filter(there).count() == 0 {
        return Vec::new();
    }
    let missing = PAGES.iter().filter(|page| !there(page));
    missing
        .map(|page| Finding {
            path: page.to_string(),
            line: 1,
            what: "the page is missing or empty".to_owned(),
            why: "README in both languages and CHANGELOG are read together",
            what_to_do: "write it, the others are there",
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn a_missing_page_is_found_once_there_is_one() {
        assert_eq!(found(check, &[("Cargo.toml", "")]).len(), 0);
        assert_eq!(found(check, &[("README.md", "# Trine"), ("CHANGELOG.md", "\n")]).len(), 2);
        let all = [("README.md", "# a"), ("README.zh-CN.md", "# a"), ("CHANGELOG.md", "# a")];
        assert_eq!(found(check, &all).len(), 0);
    }
}
