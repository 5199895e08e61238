//! "Is my connection still known?", asked by idle gRPC clients.

use crate::{
    fault::Fault,
    operation::{Context, Need, Next, Operate, Operation},
    reply::Nothing,
};

#[derive(Debug)]
pub(crate) struct HealthCheck;

impl HealthCheck {
    pub(crate) fn from_grpc(_: &[u8]) -> Result<Operation, Fault> {
        Ok(Self.into())
    }
}

impl Operate for HealthCheck {
    fn need(&self) -> Need {
        Need::Nothing
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        Next::Reply(context.door.ok(Nothing {}))
    }
}
