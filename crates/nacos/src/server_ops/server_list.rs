//! The servers that an SDK with an "endpoint" may use: `GET /serverlist`, one `ip:port` per line, before any login.

use super::members::{self, Member};
use crate::{
    fault::Fault,
    form::Form,
    operation::{Context, Need, Next, Operate, Operation},
    reply::Rendered,
};

#[derive(Debug)]
pub(crate) struct ServerList;

impl ServerList {
    pub(crate) fn from_http(_: &Form) -> Result<Operation, Fault> {
        Ok(Self.into())
    }
}

impl Operate for ServerList {
    fn need(&self) -> Need {
        Need::Ready
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let members = members::listed(context);
        // In one order on all nodes: an SDK takes another order for a change.
        let lines = members.iter().filter(|member| member.may_serve()).filter_map(Member::line);
        Next::Reply(Rendered::text(lines.collect::<String>()))
    }
}
