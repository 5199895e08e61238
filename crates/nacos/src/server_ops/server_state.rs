//! What consoles and Spring read of a server: `GET /v1/console/server/state`.

use crate::{
    Login,
    fault::Fault,
    form::Form,
    operation::{Context, Need, Next, Operate, Operation},
    reply::Rendered,
};
use access::Resource;
use base::Consistency;
use serde::Serialize;

/// The Nacos release whose answers we give: clients choose their requests by it.
pub(crate) const SPOKEN_VERSION: &str = "2.5.1";

#[derive(Debug)]
pub(crate) struct ServerState;

impl ServerState {
    pub(crate) fn from_http(_: &Form) -> Result<Operation, Fault> {
        Ok(Self.into())
    }
}

impl Operate for ServerState {
    fn need(&self) -> Need {
        Need::read(Resource::Server, Consistency::Stale)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        #[derive(Serialize)]
        struct State {
            version: &'static str,
            startup_mode: &'static str,
            function_mode: &'static str,
            auth_system_type: &'static str,
            auth_enabled: &'static str,
            login_page_enabled: &'static str,
            console_ui_enabled: &'static str,
            auth_admin_request: &'static str,
            #[serde(rename = "maxContent")]
            max_content: String,
            server_port: String,
        }
        let asks = match context.facts.login {
            Login::Required => "true",
            Login::Open => "false",
        };
        Next::Reply(Rendered::json(&State {
            version: SPOKEN_VERSION,
            startup_mode: "cluster",
            function_mode: "All",
            auth_system_type: "nacos",
            auth_enabled: asks,
            login_page_enabled: asks,
            console_ui_enabled: "false",
            auth_admin_request: "false",
            max_content: crate::CONFIG_BODY_BYTES_MAX.to_string(),
            server_port: context.facts.local.port().to_string(),
        }))
    }
}
