//! The nodes of the cluster as this one knows them: `GET /v1/core/cluster/nodes`, `/self`, `/health`, `/simple/nodes`,
//! `/v1/ns/operator/servers`, `/v2/core/cluster/node/list`, `/v2/core/cluster/node/self` and its `health`, the same under
//! `/v3/admin/core/cluster`, and `/v3/console/core/cluster/nodes`.

use super::{
    SPOKEN_VERSION,
    members::{self, Member},
};
use crate::{
    fault::{ErrorCode, Fault},
    form::Form,
    operation::{Context, Need, Next, Operate, Operation},
    reply::Rendered,
};
use access::Resource;
use base::Consistency;
use serde::Serialize;
use std::collections::BTreeMap;

/// Nacos keeps a Raft group for each of these; ours is one.
const GROUPS: [&str; 4] = [
    "naming_instance_metadata",
    "naming_persistent_service",
    "naming_persistent_service_v2",
    "naming_service_metadata",
];

/// What Nacos knows as states of a node.
const STATES: [&str; 5] = ["STARTING", "UP", "SUSPICIOUS", "DOWN", "ISOLATION"];

#[derive(Debug)]
pub(crate) enum ClusterNodes {
    List(Filter),
    Own,
    Health,
    Addresses,
    Servers { healthy: bool },
}

/// Which nodes are wanted.
#[derive(Debug)]
pub(crate) struct Filter {
    /// What their address begins with; empty for all.
    prefix: String,
    state: Option<&'static str>,
}

impl ClusterNodes {
    pub(crate) fn list(form: &Form) -> Result<Operation, Fault> {
        let prefix = form.some("keyword").or_else(|| form.some("address")).unwrap_or_default();
        let state = form.some("state").map(|asked| {
            STATES.into_iter().find(|state| state.eq_ignore_ascii_case(asked)).ok_or_else(|| {
                Fault::plain(format!("Illegal state: {asked}")).with(ErrorCode::StateIllegal)
            })
        });
        Ok(Self::List(Filter { prefix: prefix.to_owned(), state: state.transpose()? }).into())
    }

    pub(crate) fn own(_: &Form) -> Result<Operation, Fault> {
        Ok(Self::Own.into())
    }

    pub(crate) fn health(_: &Form) -> Result<Operation, Fault> {
        Ok(Self::Health.into())
    }

    pub(crate) fn addresses(_: &Form) -> Result<Operation, Fault> {
        Ok(Self::Addresses.into())
    }

    pub(crate) fn servers(form: &Form) -> Result<Operation, Fault> {
        Ok(Self::Servers { healthy: form.flag("healthy", false) }.into())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    ip: String,
    port: u16,
    state: &'static str,
    extend_info: Extended,
    address: String,
    fail_access_cnt: u32,
    abilities: Abilities,
    grpc_report_enabled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Extended {
    /// Only where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_refresh_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raft_meta_data: Option<RaftMetaData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raft_port: Option<String>,
    ready_to_upgrade: bool,
    support_gray_model: bool,
    version: &'static str,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct RaftMetaData {
    meta_data_map: BTreeMap<&'static str, Group>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    leader: Option<String>,
    raft_group_member: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Abilities {
    remote_ability: Remote,
    config_ability: Configs,
    naming_ability: Naming,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Remote {
    support_remote_connection: bool,
    grpc_report_enabled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Configs {
    support_remote_metrics: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Naming {
    support_jraft: bool,
}

/// v1's envelope.
#[derive(Serialize)]
struct Rest<T> {
    code: u16,
    message: Option<&'static str>,
    data: T,
}

impl Operate for ClusterNodes {
    fn need(&self) -> Need {
        Need::read(Resource::Server, Consistency::Stale)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let members = members::listed(context);
        let raft = raft(&members);
        let now_ms = context.now.unix_ms;
        let shown = |member: &Member| shown(member, &raft, now_ms);
        let own = || members.iter().find(|member| member.is_self).expect("this node is listed");
        let wrapped = context.door.is_wrapped();
        Next::Reply(match self {
            Self::List(filter) => {
                let wanted = members.iter().filter(|member| filter.wants(member));
                rest(wrapped, wanted.map(shown).collect::<Vec<_>>())
            }
            Self::Own => rest(wrapped, shown(own())),
            Self::Health if wrapped => Rendered::text(own().state),
            Self::Health => rest(false, own().state),
            Self::Addresses => {
                rest(wrapped, members.iter().map(Member::address).collect::<Vec<_>>())
            }
            Self::Servers { healthy } => {
                #[derive(Serialize)]
                struct Servers {
                    servers: Vec<Shown>,
                }
                let wanted = members.iter().filter(|member| !*healthy || member.state == "UP");
                Rendered::json(&Servers { servers: wanted.map(shown).collect() })
            }
        })
    }
}

impl Filter {
    fn wants(&self, member: &Member) -> bool {
        member.address().starts_with(&self.prefix)
            && self.state.is_none_or(|state| state == member.state)
    }
}

/// v2 is wrapped at the door.
fn rest(wrapped: bool, data: impl Serialize) -> Rendered {
    if wrapped {
        return Rendered::json(&data);
    }
    Rendered::json(&Rest { code: 200, message: None, data })
}

/// Who decides, if that is known.
fn raft(members: &[Member]) -> Option<RaftMetaData> {
    let place = |member: &Member| member.peer.as_ref().map(ToString::to_string);
    let voters = members.iter().filter(|member| member.votes);
    let raft_group_member: Vec<String> = voters.filter_map(place).collect();
    let leader = members.iter().find(|member| member.leads).and_then(place);
    if raft_group_member.is_empty() {
        return None;
    }
    let group = Group { leader, raft_group_member };
    Some(RaftMetaData { meta_data_map: GROUPS.map(|name| (name, group.clone())).into() })
}

fn shown(member: &Member, raft: &Option<RaftMetaData>, now_ms: u64) -> Shown {
    Shown {
        ip: member.host().to_owned(),
        port: member.port(),
        state: member.state,
        extend_info: Extended {
            last_refresh_time: member.heard.then_some(now_ms),
            raft_meta_data: raft.clone(),
            raft_port: member.peer.as_ref().map(|place| place.port.to_string()),
            ready_to_upgrade: true,
            support_gray_model: true,
            version: SPOKEN_VERSION,
        },
        address: member.address(),
        fail_access_cnt: 0,
        abilities: Abilities {
            remote_ability: Remote { support_remote_connection: true, grpc_report_enabled: true },
            config_ability: Configs { support_remote_metrics: false },
            naming_ability: Naming { support_jraft: true },
        },
        grpc_report_enabled: true,
    }
}
