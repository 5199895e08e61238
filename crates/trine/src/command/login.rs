//! `trine login`, `trine logout`.

use crate::{
    cli::Global,
    client::{self, Call, Client},
    output::{self, Format},
    problem::Failure,
};
use console::shape::{Credentials, Token};
use http::Method;
use std::{
    fs,
    io::{self, BufRead, IsTerminal},
    path::{Path, PathBuf},
};

#[derive(clap::Args, Debug)]
pub(crate) struct LoginArgs {
    /// The user
    #[arg(default_value = "nacos")]
    user: String,
    /// A file with the password; without it, it is asked for, or read from standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(crate) async fn login(global: &Global, args: LoginArgs) -> Result<(), Failure> {
    let password = password(&args)?;
    let client = Client::anonymous(global);
    let credentials = Credentials { username: args.user.into(), password };
    let call = Call::new(Method::POST, &["v1", "login"]).json(&credentials).anonymous();
    let token: Token = client.call(call).await?;
    if global.output == Format::Json {
        output::json(&token);
    }
    let said = format!("logged in as {} until {}", token.username, token.expires_at);
    let path = client::store(&global.server, token)?;
    output::say(&format!("{said}; the token is in {}", path.display()));
    Ok(())
}

pub(crate) fn logout(global: &Global) -> Result<(), Failure> {
    let found = client::forget(&global.server)?;
    output::say(if found { "logged out" } else { "there was no login for this server" });
    Ok(())
}

fn password(args: &LoginArgs) -> Result<String, Failure> {
    let (source, read) = match &args.password_file {
        Some(path) => (path.display().to_string(), first_line_of(path)),
        None if io::stdin().is_terminal() => {
            let prompt = format!("password of {}: ", args.user);
            ("the terminal".to_owned(), rpassword::prompt_password(prompt))
        }
        None => ("standard input".to_owned(), first_line(&mut io::stdin().lock())),
    };
    match read {
        Ok(password) if !password.is_empty() => Ok(password),
        Ok(_) => Err(unread(&source, "it is empty")),
        Err(error) => Err(unread(&source, &error.to_string())),
    }
}

fn unread(source: &str, why: &str) -> Failure {
    Failure::usage(
        "there is no password",
        format!("{source}: {why}"),
        "give one with --password-file, on standard input, or at the prompt",
    )
}

fn first_line_of(path: &Path) -> io::Result<String> {
    first_line(&mut io::BufReader::new(fs::File::open(path)?))
}

/// Editors end a file with a line break, which is no part of the password; blanks may be.
fn first_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_as_it_is() {
        for (text, password) in [("a b \r\nc", "a b "), ("x", "x"), ("\n", ""), ("", "")] {
            assert_eq!(first_line(&mut text.as_bytes()).expect("in memory"), password);
        }
    }
}
