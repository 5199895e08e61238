//! No tracked file speaks of the machine it was written on, or of where that machine gets its packages.

use super::Finding;
use super::workspace::Workspace;

/// First folders that are one machine's own.
const FOLDERS: &[&str] = &["root", "work", "home", "Users"];

/// Public places that a lock file or a manifest may name.
const HOSTS: &[&str] = &[
    "crates.io",
    "docs.rs",
    "github.com",
    "maven.apache.org",
    "opencollective.com",
    "registry.npmjs.org",
    "repo.maven.apache.org",
    "tidelift.com",
    "www.apache.org",
    "www.patreon.com",
    "www.w3.org",
];

/// Files that say where packages come from, by the end of their path.
const PACKAGE_FILES: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    ".cargo/config.toml",
    ".npmrc",
    "go.mod",
    "go.sum",
    "package-lock.json",
    "package.json",
    "pip.conf",
    "pom.xml",
    "requirements.txt",
    "settings.xml",
];

/// Words in a host's name that say it is somebody's own mirror, in whatever file.
const MIRROR_WORDS: &[&str] = &["artifactory", "nexus", "mirror", "mirrors", "internal", "corp"];

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in &workspace.files {
        let package_file =
            PACKAGE_FILES.iter().any(|name| path == name || path.ends_with(&format!("/{name}")));
        for (index, line) in text.lines().enumerate() {
            if let Some(folder) = folder(line) {
                findings.push(Finding {
                    path: path.clone(),
                    line: index + 1,
                    what: format!("a path of one machine (/{folder})"),
                    why: "it exists nowhere else",
                    what_to_do: "say it from the root of the repository, or as a setting",
                });
            }
            for host in hosts(line).filter(|host| is_foreign(host, package_file)) {
                findings.push(Finding {
                    path: path.clone(),
                    line: index + 1,
                    what: format!("packages from `{host}`"),
                    why: "a clean clone elsewhere cannot reach it",
                    what_to_do: "name the public registry (or add a public host in xtask/src/tidy/machine.rs)",
                });
            }
        }
    }
    findings
}

/// The machine's folder in an absolute path on this line.
fn folder(line: &str) -> Option<&'static str> {
    let absolute = |start: usize| {
        !line[..start].ends_with(|c: char| c.is_alphanumeric() || "._-)}/*$]".contains(c))
    };
    for (start, _) in line.match_indices('/').filter(|(start, _)| absolute(*start)) {
        let rest = &line[start + 1..];
        let end =
            rest.find(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').unwrap_or(rest.len());
        if let Some(folder) = FOLDERS.iter().find(|folder| **folder == &rest[..end]) {
            return Some(folder);
        }
    }
    None
}

/// The hosts of all addresses on this line. A checksum may hold `://` too, so the scheme must be there.
fn hosts(line: &str) -> impl Iterator<Item = &str> {
    let after = line.match_indices("://").filter(|(at, _)| {
        ["http", "https", "ftp"].iter().any(|scheme| line[..*at].ends_with(scheme))
    });
    after.map(|(at, separator)| {
        let rest = &line[at + separator.len()..];
        let authority =
            rest.split(|c: char| !c.is_ascii_alphanumeric() && !".-:@_".contains(c)).next();
        let host = authority.unwrap_or_default().rsplit('@').next().unwrap_or_default();
        host.split(':').next().unwrap_or_default()
    })
}

fn is_foreign(host: &str, package_file: bool) -> bool {
    let mirror = host.split(['.', '-']).any(|word| MIRROR_WORDS.contains(&word));
    mirror || (package_file && !host.is_empty() && !HOSTS.contains(&host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    fn count(path: &str, text: &str) -> usize {
        found(check, &[(path, text)]).len()
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        for folder in FOLDERS {
            for text in [
                format!("see /{folder}/trine"),
                format!("\"/{folder}\""),
                format!("A=/{folder}/x:/y"),
            ] {
                assert_eq!(count("docs/a.md", &text), 1, "{text}");
            }
        }
        for text in
            ["/workspace", "crates/work/x", "$PWD/work", "https://x.org/work", "./home", "and/or"]
        {
            assert_eq!(count("docs/a.md", text), 0, "{text}");
        }
    }

    #[test]
    fn mirrors_are_found() {
        let elsewhere = "\"resolved\": \"https://npm.example.org:8443/a.tgz\"";
        assert_eq!(count("conformance/node/package-lock.json", elsewhere), 1);
        assert_eq!(count("docs/a.md", elsewhere), 0);
        assert_eq!(count("conformance/go/go.sum", "h1:okPTz/Y=://c83e2Do="), 0);
        let public = "\"resolved\": \"https://registry.npmjs.org/a.tgz\"";
        assert_eq!(count("conformance/node/package-lock.json", public), 0);
        let mirror = ["https", "me:secret@pypi.mirror.example.org/simple"].join("://");
        assert_eq!(count(".ci/run", &mirror), 1);
    }
}
