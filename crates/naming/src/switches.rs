//! Switches: what an operator may turn on and off for the whole registry while it runs. Agreed by all nodes.

use crate::{Naming, Output, Refusal};
use serde::{Deserialize, Serialize};

/// The least and the greatest interval of beats that clients may be told, in milliseconds: with more than a third of the
/// time after which an instance is unhealthy, two lost beats would make all of them so.
pub const BEAT_INTERVAL_MS: std::ops::RangeInclusive<u32> = 1_000..=7_500;

/// How the registry says that it is, whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerStatus {
    /// It serves.
    Up,
    /// Over HTTP it does not serve.
    Down,
    /// As `Down`.
    Starting,
    /// As `Down`.
    Paused,
    /// Over HTTP it takes changes only.
    WriteOnly,
    /// Over HTTP it answers reads only.
    ReadOnly,
}

/// All switches, as they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switches {
    /// `None`: the registry says how it is.
    pub status: Option<ServerStatus>,
    /// Whether subscribers are sent new views. What changes meanwhile is sent, conflated, when it is on again.
    pub push: bool,
    /// Whether instances that came over HTTP are judged by their beats.
    pub health_check: bool,
    /// Kept and shown. Nacos lets its nodes turn `health_check` off by themselves when members come and go; here silence is
    /// measured on a clock that stands while a node cannot hear, and nothing needs to be turned off.
    pub auto_change_health_check: bool,
    /// Whether clients may leave the instance out of their beats.
    pub light_beat: bool,
    /// How often clients that come over HTTP are told to beat, in milliseconds; `None`: as the node's settings say.
    pub beat_interval_ms: Option<u32>,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            status: None,
            push: true,
            health_check: true,
            auto_change_health_check: true,
            light_beat: true,
            beat_interval_ms: None,
        }
    }
}

/// One switch, and what it is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Switch {
    /// See `Switches::status`.
    Status(Option<ServerStatus>),
    /// See `Switches::push`.
    Push(bool),
    /// See `Switches::health_check`.
    HealthCheck(bool),
    /// See `Switches::auto_change_health_check`.
    AutoChangeHealthCheck(bool),
    /// See `Switches::light_beat`.
    LightBeat(bool),
    /// See `Switches::beat_interval_ms`.
    BeatInterval(u32),
}

impl Switches {
    /// The switches after one was set.
    #[must_use]
    pub fn with(mut self, switch: Switch) -> Self {
        match switch {
            Switch::Status(status) => self.status = status,
            Switch::Push(on) => self.push = on,
            Switch::HealthCheck(on) => self.health_check = on,
            Switch::AutoChangeHealthCheck(on) => self.auto_change_health_check = on,
            Switch::LightBeat(on) => self.light_beat = on,
            Switch::BeatInterval(ms) => self.beat_interval_ms = Some(ms),
        }
        self
    }
}

/// What can be refused without looking at the state.
pub(crate) fn check(switch: Switch) -> Result<(), Refusal> {
    match switch {
        Switch::BeatInterval(ms) if !BEAT_INTERVAL_MS.contains(&ms) => Err(Refusal::OutOfRange {
            what: "clientBeatInterval",
            min: *BEAT_INTERVAL_MS.start(),
            max: *BEAT_INTERVAL_MS.end(),
        }),
        Switch::Status(_)
        | Switch::Push(_)
        | Switch::HealthCheck(_)
        | Switch::AutoChangeHealthCheck(_)
        | Switch::LightBeat(_)
        | Switch::BeatInterval(_) => Ok(()),
    }
}

impl Naming {
    /// Tells readers the switches if they changed.
    pub(crate) fn tell_switches(&mut self) {
        let switches = self.agreed.switches;
        if switches == self.switches_told {
            return;
        }
        if switches.push && !self.switches_told.push {
            // What waited for it is due now, not since long: that would look as if the node had not run.
            self.pushes_since = self.now.instant;
        }
        self.switches_told = switches;
        self.outputs.push_back(Output::Switches(switches));
    }
}
