//! Operations on the server itself, one file each.

mod health_check;

pub(crate) use health_check::HealthCheck;
