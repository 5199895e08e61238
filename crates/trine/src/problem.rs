//! Failures: exit codes, and the four parts of an error.

use crate::output::Format;
use console::shape::Problem;
use std::process::ExitCode;

/// How the program ends; documented in `trine --help`. Whoever interrupts it sees 130, which is the shell's word for a
/// signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Failed,
    Usage,
    NotFound,
    Denied,
    Conflict,
    Unavailable,
    TimedOut,
}

impl Exit {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 8] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::NotFound,
        Self::Denied,
        Self::Conflict,
        Self::Unavailable,
        Self::TimedOut,
    ];

    /// The code that the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Denied => 4,
            Self::Conflict => 5,
            Self::Unavailable => 6,
            Self::TimedOut => 7,
        }
    }

    /// What an HTTP status of the API means for the shell.
    fn of_status(status: u16) -> Self {
        match status {
            400 | 405 | 413 | 415 | 422 => Self::Usage,
            401 | 403 => Self::Denied,
            404 => Self::NotFound,
            409 | 412 => Self::Conflict,
            429 | 502 | 503 | 507 => Self::Unavailable,
            408 | 504 => Self::TimedOut,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not do what was asked: what, where, why, and what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    problem: Box<Problem>,
}

impl Failure {
    /// A failure of this side of the wire.
    pub(crate) fn new(
        exit: Exit,
        code: &str,
        what: impl Into<String>,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        let what = what.into();
        let problem = Problem {
            kind: format!("urn:trine:problem:{code}"),
            title: what.clone(),
            status: 0,
            code: code.to_owned(),
            what,
            place: "this command".to_owned(),
            why: why.into(),
            next: next.into(),
        };
        Self { exit, problem: Box::new(problem) }
    }

    /// Something given is not as it must be.
    pub(crate) fn usage(
        what: impl Into<String>,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self::new(Exit::Usage, "usage", what, why, next)
    }

    /// What a server said.
    pub(crate) fn of(problem: Problem) -> Self {
        Self { exit: Exit::of_status(problem.status), problem: Box::new(problem) }
    }

    /// The same, with another place.
    pub(crate) fn at(mut self, place: impl Into<String>) -> Self {
        self.problem.place = place.into();
        self
    }

    /// Short and stable.
    pub(crate) fn code(&self) -> &str {
        &self.problem.code
    }

    /// For what reason.
    pub(crate) fn why(&self) -> &str {
        &self.problem.why
    }

    /// Tells it on standard error.
    pub(crate) fn print(&self, format: Format) {
        match format {
            Format::Table => eprint!("{self}"),
            Format::Json => eprintln!(
                "{}",
                serde_json::to_string_pretty(&self.problem)
                    .expect("a problem is texts and numbers")
            ),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Problem { code, what, place, why, next, .. } = &*self.problem;
        writeln!(f, "error[{code}]: {what}")?;
        writeln!(f, "  where    {place}")?;
        writeln!(f, "  because  {why}")?;
        writeln!(f, "  next     {next}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16) -> Problem {
        Problem {
            kind: "urn:trine:problem:no-leader".to_owned(),
            title: "nothing was written".to_owned(),
            status,
            code: "no-leader".to_owned(),
            what: "nothing was written".to_owned(),
            place: "PUT /v1/configs/app on n3".to_owned(),
            why: "no leader is known".to_owned(),
            next: "try another node".to_owned(),
        }
    }

    #[test]
    fn an_error_has_four_parts() {
        assert_eq!(
            Failure::of(problem(503)).to_string(),
            "error[no-leader]: nothing was written\n  where    PUT /v1/configs/app on n3\n  \
             because  no leader is known\n  next     try another node\n"
        );
    }

    #[test]
    fn each_status_has_its_exit_code() {
        let table = [
            (400, 2),
            (401, 4),
            (403, 4),
            (404, 3),
            (409, 5),
            (412, 5),
            (413, 2),
            (429, 6),
            (500, 1),
            (503, 6),
            (504, 7),
            (507, 6),
        ];
        for (status, code) in table {
            assert_eq!(Failure::of(problem(status)).exit.code(), code, "{status}");
        }
    }
}
