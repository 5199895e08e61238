//! What operators may look up: which node is responsible for a client (`GET /v1/ns/operator/distro/client`), and which
//! selectors a service may have (`GET /v1/ns/service/selector/types`).

use crate::{
    fault::Fault,
    form::Form,
    operation::{Context, Need, Next, Operate, Operation},
    reply::Rendered,
};
use access::Resource;
use base::Consistency;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookUp {
    ResponsibleServer,
    SelectorTypes,
}

impl LookUp {
    pub(crate) fn responsible_server(form: &Form) -> Result<Operation, Fault> {
        form.address()?;
        Ok(Self::ResponsibleServer.into())
    }

    pub(crate) fn selector_types(_: &Form) -> Result<Operation, Fault> {
        Ok(Self::SelectorTypes.into())
    }
}

impl Operate for LookUp {
    fn need(&self) -> Need {
        Need::read(Resource::Server, Consistency::Stale)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Responsible {
            responsible_server: String,
        }
        #[derive(Serialize)]
        struct Types {
            code: u16,
            message: Option<&'static str>,
            data: [&'static str; 2],
        }
        Next::Reply(match self {
            // A node on its own is responsible for all.
            Self::ResponsibleServer => {
                let local = context.facts.local;
                let (ip, port) = (local.ip().to_canonical(), local.port());
                Rendered::json(&Responsible { responsible_server: format!("{ip}:{port}") })
            }
            Self::SelectorTypes => {
                Rendered::json(&Types { code: 200, message: None, data: ["label", "none"] })
            }
        })
    }
}
