//! What all changes of the access tables share.

use crate::{
    Answer,
    fault::{Fault, Shape},
    operation::{Event, failure},
};
use access::{Outcome, Reply};
use http::StatusCode;

/// Turns the answer to a change into what it came to.
///
/// # Errors
/// The change was refused, or its outcome is not known.
pub(crate) fn outcome(event: Event) -> Result<Outcome, Fault> {
    match event {
        Event::Answer(Answer::Access(Reply::Outcome(outcome))) => match outcome {
            Outcome::Changed | Outcome::Unchanged | Outcome::Exists(_) | Outcome::Unknown(_) => {
                Ok(outcome)
            }
            Outcome::LastAdministrator => {
                Err(refused("the last administrator cannot be removed: make another one first"))
            }
            Outcome::Full { what, limit } => {
                Err(refused(format!("there are {limit} {what} already: nothing was changed")))
            }
        },
        Event::Answer(Answer::Access(Reply::Refused(text))) => Err(refused(text)),
        event => Err(failure(event)),
    }
}

pub(crate) fn refused(text: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::new(Shape::Caused, StatusCode::BAD_REQUEST, 400, text)
}
