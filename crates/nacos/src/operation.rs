//! What every operation is: a parsed request that says what it needs, runs, and may go on with answers.

use crate::{
    Answer, Ask, CallId, Facts, Views,
    access_ops::*,
    client::Client,
    config_ops::*,
    fault::Fault,
    lock_ops::*,
    naming_ops::*,
    reply::{Door, Rendered},
    server_ops::*,
};
use access::{Action, Principal, Resource};
use base::{Consistency, Instant, Now};
use config::{Audience, ConfigKey};
use std::sync::Arc;

/// What must be so before an operation runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: anyone, at any time, also while the node starts.
    Nothing,
    /// The node must serve; anyone may ask.
    Ready,
    /// The caller may do this to all of these, and the views are this fresh.
    Right { action: Action, resources: Vec<Resource>, consistency: Consistency },
}

impl Need {
    /// A right to look.
    pub(crate) fn read(resource: Resource, consistency: Consistency) -> Self {
        Self::Right { action: Action::Read, resources: vec![resource], consistency }
    }

    /// A right to change. The plane orders the write itself; only the right is looked up in the view.
    pub(crate) fn write(resource: Resource) -> Self {
        Self::Right {
            action: Action::Write,
            resources: vec![resource],
            consistency: Consistency::Stale,
        }
    }
}

/// What an operation may look at and touch.
pub(crate) struct Context<'a> {
    pub(crate) views: &'a dyn Views,
    pub(crate) now: Now,
    pub(crate) facts: &'a Facts,
    pub(crate) door: &'a Door,
    pub(crate) call: CallId,
    pub(crate) principal: &'a Principal,
    /// The tag that came with this request.
    pub(crate) tag: Option<&'a Arc<str>>,
    pub(crate) client: &'a mut Client,
}

impl Context<'_> {
    /// Address of the client, without its port.
    pub(crate) fn address(&self) -> String {
        self.facts.remote.ip().to_canonical().to_string()
    }

    /// What decides which version of a config this client sees. An address that a client says it has counts as well as
    /// the one it comes from: behind a gateway it is the only one that tells clients apart.
    pub(crate) fn audience(&self) -> Audience {
        let said = [&self.client.address].into_iter().filter(|address| !address.is_empty());
        let addresses = [Arc::from(self.address())].into_iter().chain(said.cloned()).collect();
        Audience { addresses, tag: self.tag.or(self.client.tag.as_ref()).cloned() }
    }
}

/// Why an operation goes on.
#[derive(Debug)]
pub(crate) enum Event {
    /// What it asked for.
    Answer(Answer),
    /// A config that it waits for changed.
    Changed(ConfigKey),
    /// The time until which it held its answer is over, or the node drains.
    Due,
}

/// What happens next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Ask, and go on with the answer.
    Ask(Ask),
    /// Hold the answer until then.
    Hold(Instant),
    /// Done.
    Reply(Rendered),
    /// Refused.
    Fault(Fault),
}

/// One operation of Nacos's API, all its forms.
pub(crate) trait Operate {
    /// What must be so before it runs.
    fn need(&self) -> Need;
    /// Starts. `need` is met.
    fn run(&mut self, context: &mut Context<'_>) -> Next;
    /// Goes on.
    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        let _ = context;
        failed(event)
    }
    /// What the planes must be told when the call ends, answered or not.
    fn release(&self, call: CallId) -> Option<Ask> {
        let _ = call;
        None
    }
}

/// What is said when the answer is not the one that was asked for.
pub(crate) fn failed(event: Event) -> Next {
    Next::Fault(failure(event))
}

/// Why: the plane refused, the node could not do it, or it mixed up its answers.
pub(crate) fn failure(event: Event) -> Fault {
    match event {
        Event::Answer(Answer::Unavailable(why)) => why.into(),
        Event::Answer(Answer::Naming(
            naming::Reply::Refused(refusal)
            | naming::Reply::Outcome(naming::Outcome::Refused(refusal)),
        )) => refused_by_registry(&refusal),
        Event::Answer(Answer::Config(config::Reply::Refused(refusal))) => {
            refused_by_config_center(&refusal)
        }
        Event::Answer(_) | Event::Changed(_) | Event::Due => Fault::new(
            crate::fault::Shape::Plain,
            http::StatusCode::INTERNAL_SERVER_ERROR,
            500,
            "the server answered its own question wrongly: report this; nothing is known of the outcome",
        ),
    }
}

macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        /// The closed set of what this edge does.
        #[derive(Debug)]
        pub(crate) enum Operation {
            $(
                #[doc = concat!("See `", stringify!($name), "`.")]
                $name($name),
            )*
        }

        $(impl From<$name> for Operation {
            fn from(operation: $name) -> Self {
                Self::$name(operation)
            }
        })*

        impl Operate for Operation {
            fn need(&self) -> Need {
                match self { $(Self::$name(operation) => operation.need(),)* }
            }
            fn run(&mut self, context: &mut Context<'_>) -> Next {
                match self { $(Self::$name(operation) => operation.run(context),)* }
            }
            fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
                match self { $(Self::$name(operation) => operation.resume(context, event),)* }
            }
            fn release(&self, call: CallId) -> Option<Ask> {
                match self { $(Self::$name(operation) => operation.release(call),)* }
            }
        }
    };
}

operations!(
    Register,
    RegisterBatch,
    Deregister,
    QueryService,
    ListServices,
    Subscribe,
    QueryConfig,
    Publish,
    RemoveConfig,
    RemoveConfigs,
    SearchConfigs,
    ListChanges,
    ShowChange,
    BatchListen,
    WatchConfigs,
    ImportConfigs,
    ExportConfigs,
    CloneConfigs,
    ShowCapacity,
    Poll,
    HealthCheck,
    ShowInstance,
    EditInstance,
    EditMetadata,
    SetHealth,
    Beat,
    ServiceItself,
    ShowService,
    ServiceNames,
    CatalogServices,
    CatalogInstances,
    InstanceStatuses,
    DescribeCluster,
    HealthPage,
    ShowSwitches,
    TurnSwitch,
    LookUp,
    ListClients,
    ShowClient,
    ListClientsOf,
    WatchServices,
    ListSubscribers,
    Metrics,
    ListListeners,
    LogIn,
    CreateAdministrator,
    ChangeAccount,
    ListAccounts,
    ListNamespaces,
    ChangeNamespace,
    Probe,
    ServerList,
    ServerState,
    ClusterNodes,
    Loader,
    OperateLock,
);
