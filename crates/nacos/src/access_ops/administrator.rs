//! The first administrator, while there is none: `POST /v1/auth/users/admin`, open to everyone until then.

use super::change::outcome;
use crate::{
    Answer, Ask, Password,
    fault::{Fault, Shape},
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation},
    reply::Rendered,
};
use access::{ADMINISTRATOR, Change, Outcome};
use http::StatusCode;
use serde::Serialize;

/// Characters of a password that a person sets.
pub(crate) const PASSWORD_CHARS_MIN: usize = 8;
/// Bytes that bcrypt looks at.
pub(crate) const PASSWORD_BYTES_MAX: usize = 72;

#[derive(Debug)]
pub(crate) struct CreateAdministrator {
    password: Password,
}

/// A new password as a person may set it.
pub(crate) fn new_password(text: &str) -> Result<Password, Fault> {
    if text.chars().count() < PASSWORD_CHARS_MIN || text.len() > PASSWORD_BYTES_MAX {
        return Err(Fault::caused(format!(
            "invalid password: {PASSWORD_CHARS_MIN} characters to {PASSWORD_BYTES_MAX} bytes are taken"
        )));
    }
    Ok(Password(text.to_owned()))
}

impl CreateAdministrator {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let password = form.get("password").unwrap_or_default();
        Ok(Self { password: new_password(password)? }.into())
    }
}

fn conflict() -> Next {
    let text = "have admin user cannot use it";
    Next::Fault(Fault::new(Shape::Caused, StatusCode::CONFLICT, 409, text))
}

impl Operate for CreateAdministrator {
    fn need(&self) -> Need {
        Need::Ready
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let exists = context.views.access().administrators().next().is_some();
        // Looked at before the password is hashed: hashing is dear, and this path is open.
        if exists { conflict() } else { Next::Ask(Ask::Hash(self.password.clone())) }
    }

    fn resume(&mut self, _: &mut Context<'_>, event: Event) -> Next {
        #[derive(Serialize)]
        struct Created<'a> {
            username: &'a str,
            password: &'a str,
        }
        if let Event::Answer(Answer::Hashed(password_hash)) = event {
            let change = Change::CreateAdministrator { password_hash };
            return Next::Ask(Ask::Access(access::Request::Change(change)));
        }
        match outcome(event) {
            Ok(Outcome::Changed) => Next::Reply(Rendered::json(&Created {
                username: ADMINISTRATOR,
                password: &self.password.0,
            })),
            Ok(
                Outcome::Unchanged
                | Outcome::Exists(_)
                | Outcome::Unknown(_)
                | Outcome::LastAdministrator
                | Outcome::Full { .. },
            ) => conflict(),
            Err(fault) => Next::Fault(fault),
        }
    }
}
