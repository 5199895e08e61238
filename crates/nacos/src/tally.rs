//! What a session counts for its host: taken after each step, so that nothing grows.

use base::{Duration, Limit};

/// Something that a session counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It refused a request at this limit.
    Rejected(Limit),
    /// It let somebody not in.
    Denied(Denial),
    /// A client confirmed what it was sent on its stream.
    Acknowledged {
        /// Of which plane.
        plane: Pushing,
        /// From sending it to its confirmation.
        waited: Duration,
    },
    /// What a client was sent on its stream was not confirmed in time.
    Unacknowledged(Pushing),
}

/// Which plane sends on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushing {
    /// Lists of services.
    Registry,
    /// Changes of configs.
    Config,
}

/// Why somebody was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// No name and no token.
    NoCredential,
    /// The name or its password is wrong.
    WrongPassword,
    /// The token's time is over.
    TokenExpired,
    /// The token is not one of ours.
    TokenInvalid,
    /// The name is right and may not do this.
    NoRight,
    /// Too many failures before.
    TooManyFailures,
}

impl Denial {
    /// All of them, in their order.
    pub const ALL: [Self; 6] = [
        Self::NoCredential,
        Self::WrongPassword,
        Self::TokenExpired,
        Self::TokenInvalid,
        Self::NoRight,
        Self::TooManyFailures,
    ];

    /// What it is called in metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::NoCredential => "no_credential",
            Self::WrongPassword => "wrong_password",
            Self::TokenExpired => "token_expired",
            Self::TokenInvalid => "token_invalid",
            Self::NoRight => "no_right",
            Self::TooManyFailures => "too_many_failures",
        }
    }
}
