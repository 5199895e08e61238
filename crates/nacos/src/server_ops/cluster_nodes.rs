//! The nodes of the cluster as this one knows them: `GET /v1/core/cluster/nodes`, `/v2/core/cluster/node/list`,
//! `/v2/core/cluster/node/self` and its `health`.
//!
//! A node on its own knows itself.

use crate::{
    NodeState,
    fault::Fault,
    form::Form,
    operation::{Context, Need, Next, Operate, Operation},
    reply::Rendered,
    server_ops::SPOKEN_VERSION,
};
use access::Resource;
use base::Consistency;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClusterNodes {
    List,
    Own,
    Health,
}

impl ClusterNodes {
    pub(crate) fn list(_: &Form) -> Result<Operation, Fault> {
        Ok(Self::List.into())
    }

    pub(crate) fn own(_: &Form) -> Result<Operation, Fault> {
        Ok(Self::Own.into())
    }

    pub(crate) fn health(_: &Form) -> Result<Operation, Fault> {
        Ok(Self::Health.into())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    ip: String,
    port: u16,
    state: &'static str,
    extend_info: Extended,
    address: String,
    fail_access_cnt: u32,
    grpc_report_enabled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Extended {
    ready_to_upgrade: bool,
    support_gray_model: bool,
    version: &'static str,
}

fn state(state: NodeState) -> &'static str {
    match state {
        NodeState::Starting => "STARTING",
        NodeState::Ready => "UP",
        NodeState::Draining => "DOWN",
    }
}

impl Operate for ClusterNodes {
    fn need(&self) -> Need {
        Need::read(Resource::Server, Consistency::Stale)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        #[derive(Serialize)]
        struct Result<T> {
            code: u16,
            message: Option<&'static str>,
            data: T,
        }
        let local = context.facts.local;
        let state = state(context.views.state());
        let own = || Member {
            ip: local.ip().to_canonical().to_string(),
            port: local.port(),
            state,
            extend_info: Extended {
                ready_to_upgrade: true,
                support_gray_model: true,
                version: SPOKEN_VERSION,
            },
            address: local.to_string(),
            fail_access_cnt: 0,
            grpc_report_enabled: true,
        };
        Next::Reply(match self {
            Self::List if context.door.is_wrapped() => Rendered::json(&[own()]),
            Self::List => Rendered::json(&Result { code: 200, message: None, data: [own()] }),
            Self::Own => Rendered::json(&own()),
            Self::Health => Rendered::text(state),
        })
    }
}
