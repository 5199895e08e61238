//! Switches of the registry: `GET` and `PUT /v1/ns/operator/switches`, `/v2/ns/operator/switches`, `/v2/ns/ops/switches`.
//!
//! Shown as Nacos shows them, all of them. What has no counterpart here is shown with Nacos's default, and turning it is
//! refused.

use super::instance::{changed, settled};
use crate::{
    Ask,
    fault::Fault,
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation},
    reply::{self, JSON, Rendered},
};
use access::Resource;
use base::Consistency;
use http::StatusCode;
use naming::{Request, ServerStatus, Switch, Switches};

/// What Nacos can switch and we cannot.
const OTHERS: &[&str] = &[
    "defaultCacheMillis",
    "defaultInstanceEphemeral",
    "disableAddIP",
    "distro",
    "distroServerExpiredMillis",
    "distroThreshold",
    "enableStandalone",
    "healthCheckTimes",
    "limitedUrlMap",
    "masters",
    "pushCacheMillis",
    "pushVersion",
    "sendBeatOnly",
    "serverStatusSynchronizationPeriodMillis",
    "serviceStatusSynchronizationPeriodMillis",
];

const STATUSES: &[(&str, ServerStatus)] = &[
    ("UP", ServerStatus::Up),
    ("DOWN", ServerStatus::Down),
    ("STARTING", ServerStatus::Starting),
    ("PAUSED", ServerStatus::Paused),
    ("WRITE_ONLY", ServerStatus::WriteOnly),
    ("READ_ONLY", ServerStatus::ReadOnly),
];

/// A status in Nacos's words.
pub(crate) fn status_text(status: ServerStatus) -> &'static str {
    let found = STATUSES.iter().find(|(_, one)| *one == status);
    found.expect("the table has all of them").0
}

#[derive(Debug)]
pub(crate) struct ShowSwitches;

impl ShowSwitches {
    pub(crate) fn from_http(_: &Form) -> Result<Operation, Fault> {
        Ok(Self.into())
    }
}

impl Operate for ShowSwitches {
    fn need(&self) -> Need {
        Need::read(Resource::Server, Consistency::Stale)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let json = written(context.views.switches());
        Next::Reply(Rendered::Http(reply::http(StatusCode::OK, Some(JSON), json)))
    }
}

fn written(switches: Switches) -> String {
    let Switches { push, health_check, auto_change_health_check, light_beat, .. } = switches;
    let interval = switches.beat_interval_ms.unwrap_or(5_000);
    let status = switches.status.map_or("null".to_owned(), |s| format!("\"{}\"", status_text(s)));
    [
        r#"{"masters":null,"adWeightMap":{},"defaultPushCacheMillis":10000,"#,
        &format!(r#""clientBeatInterval":{interval},"defaultCacheMillis":3000,"#),
        &format!(r#""distroThreshold":0.7,"healthCheckEnabled":{health_check},"#),
        &format!(r#""autoChangeHealthCheckEnabled":{auto_change_health_check},"#),
        &format!(r#""distroEnabled":true,"enableStandalone":true,"pushEnabled":{push},"#),
        r#""checkTimes":3,"httpHealthParams":{"max":5000,"min":500,"factor":0.85},"#,
        r#""tcpHealthParams":{"max":5000,"min":1000,"factor":0.75},"#,
        r#""mysqlHealthParams":{"max":3000,"min":2000,"factor":0.65},"incrementalList":[],"#,
        r#""serverStatusSynchronizationPeriodMillis":2000,"#,
        r#""serviceStatusSynchronizationPeriodMillis":5000,"disableAddIP":false,"#,
        &format!(r#""sendBeatOnly":false,"lightBeatEnabled":{light_beat},"limitedUrlMap":{{}},"#),
        r#""distroServerExpiredMillis":10000,"pushGoVersion":"0.1.0","pushJavaVersion":"0.1.0","#,
        r#""pushPythonVersion":"0.4.3","pushCVersion":"1.0.12","pushCSharpVersion":"0.9.0","#,
        &format!(r#""enableAuthentication":false,"overriddenServerStatus":{status},"#),
        r#""defaultInstanceEphemeral":true,"healthCheckWhiteList":[],"#,
        r#""name":"00-00---000-NACOS_SWITCH_DOMAIN-000---00-00","checksum":null}"#,
    ]
    .concat()
}

#[derive(Debug)]
pub(crate) struct TurnSwitch {
    switch: Switch,
}

impl TurnSwitch {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let entry = form.some("entry").ok_or_else(|| Fault::required("entry"))?;
        let value = form.get("value").ok_or_else(|| Fault::required("value"))?.trim();
        if form.flag("debug", false) {
            let text = "not served yet: a switch of one node; leave `debug` out to turn it on all";
            return Err(Fault::not_served(text));
        }
        let on = || match value.to_ascii_lowercase().as_str() {
            "true" | "on" | "yes" | "1" => Ok(true),
            "false" | "off" | "no" | "0" => Ok(false),
            _ => Err(Fault::plain(format!("Param 'value' is illegal: {entry} is true or false."))),
        };
        let switch = match entry {
            "overriddenServerStatus" => Switch::Status(status(value)?),
            "pushEnabled" => Switch::Push(on()?),
            "check" | "healthCheckEnabled" => Switch::HealthCheck(on()?),
            "autoChangeHealthCheckEnabled" => Switch::AutoChangeHealthCheck(on()?),
            "lightBeatEnabled" => Switch::LightBeat(on()?),
            // What is no number is out of range.
            "clientBeatInterval" => Switch::BeatInterval(value.parse().unwrap_or(0)),
            other if OTHERS.contains(&other) => {
                return Err(Fault::not_served(format!("not served yet: the switch {other}")));
            }
            other => return Err(Fault::plain(format!("there is no switch {other}"))),
        };
        Ok(Self { switch }.into())
    }
}

fn status(value: &str) -> Result<Option<ServerStatus>, Fault> {
    if value.is_empty() || value == "null" {
        return Ok(None);
    }
    let found = STATUSES.iter().find(|(text, _)| *text == value);
    found.map(|(_, status)| Some(*status)).ok_or_else(|| {
        let all: Vec<&str> = STATUSES.iter().map(|(text, _)| *text).collect();
        Fault::plain(format!(
            "Param 'value' is illegal: overriddenServerStatus is one of {}, or empty.",
            all.join(", ")
        ))
    })
}

impl Operate for TurnSwitch {
    fn need(&self) -> Need {
        Need::write(Resource::Server)
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        Next::Ask(Ask::Naming(Request::Switch(self.switch)))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match settled(event) {
            Ok(()) => Next::Reply(changed(context.door, "")),
            Err(refused) => Next::Fault(refused),
        }
    }
}
