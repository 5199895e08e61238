//! Where tokens are kept: one file of the user's, one token per server.

use super::Server;
use crate::problem::{Exit, Failure};
use console::shape::Token;
use std::{
    collections::BTreeMap,
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

type Tokens = BTreeMap<String, Token>;

/// The token to be sent: of the file that was named, or what `store` kept for this server.
pub(super) fn load(file: Option<&Path>, server: &Server) -> Result<Option<String>, Failure> {
    if let Some(path) = file {
        let text = fs::read_to_string(path).map_err(|error| {
            Failure::usage(
                "the token file cannot be read",
                format!("{}: {error}", path.display()),
                "name another with --token-file or TRINE_TOKEN_FILE, or use `trine login`",
            )
        })?;
        return Ok(Some(text.trim().to_owned()));
    }
    let Some(path) = path() else { return Ok(None) };
    Ok(read(&path)?.remove(&server.to_string()).map(|kept| kept.token))
}

/// Keeps the token for this server; says where.
pub(crate) fn store(server: &Server, token: Token) -> Result<PathBuf, Failure> {
    let path = path().ok_or_else(|| {
        Failure::usage(
            "there is no place for the token",
            "neither XDG_CONFIG_HOME nor HOME is set",
            "set one of them, or use -o json and keep the token yourself",
        )
    })?;
    let mut tokens = read(&path)?;
    tokens.insert(server.to_string(), token);
    write(&path, &tokens)?;
    Ok(path)
}

/// Forgets the token for this server; whether there was one.
pub(crate) fn forget(server: &Server) -> Result<bool, Failure> {
    let Some(path) = path() else { return Ok(false) };
    let mut tokens = read(&path)?;
    let found = tokens.remove(&server.to_string()).is_some();
    if found {
        write(&path, &tokens)?;
    }
    Ok(found)
}

/// `$XDG_CONFIG_HOME/trine/token` or `~/.config/trine/token`.
fn path() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|text| !text.is_empty()).map(PathBuf::from);
    let base = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(base.join("trine").join("token"))
}

fn read(path: &Path) -> Result<Tokens, Failure> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Tokens::new()),
        Err(error) => return Err(unusable(path, &error.to_string())),
    };
    serde_json::from_slice(&bytes).map_err(|error| unusable(path, &error.to_string()))
}

/// A new file takes the old one's place, so that no moment shows half of it, or shows it to others.
fn write(path: &Path, tokens: &Tokens) -> Result<(), Failure> {
    let failed = |error: std::io::Error| unusable(path, &error.to_string());
    let folder = path.parent().expect("the path ends in trine/token");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(failed)?;
    let text = serde_json::to_vec_pretty(tokens).expect("tokens are texts");
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&fresh, path).map_err(failed)
}

fn unusable(path: &Path, why: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        "token-store",
        "the file of tokens cannot be used",
        format!("{}: {why}", path.display()),
        "correct or remove it, or name a token with --token-file",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn tokens_are_kept_per_server_and_for_the_owner_only() {
        let folder = std::env::temp_dir().join(format!("trine-token-{}", std::process::id()));
        let path = folder.join("trine").join("token");
        let token = |text: &str| Token {
            token: text.to_owned(),
            username: "nacos".into(),
            expires_at: String::new(),
        };
        assert!(read(&path).expect("absent is empty").is_empty());
        let tokens = Tokens::from([("a".to_owned(), token("x")), ("b".to_owned(), token("y"))]);
        write(&path, &tokens).expect("a place");
        assert_eq!(read(&path).expect("written"), tokens);
        let mode = fs::metadata(&path).expect("written").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&path, "junk").expect("writable");
        assert_eq!(read(&path).expect_err("junk").exit, Exit::Failed);
        fs::remove_dir_all(&folder).expect("ours");
    }
}
