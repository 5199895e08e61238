//! The names of everything that refuses because there is too much of it.

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $label:literal,)*) => {
        /// A limit, as refusals are counted: `trine_rejected_total{limit="…"}`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Limit {
            $($(#[$doc])* $name,)*
        }

        impl Limit {
            /// All of them, in their order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What it is called in metrics.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }
        }
    };
}

limits! {
    /// Connections of all doors together.
    Connections = "connections",
    /// Connections of one client address.
    ConnectionsPerAddress = "connections_per_address",
    /// Time until a head is complete, or until the first request.
    HeadTimeout = "head_timeout",
    /// Bytes of a request's header lines.
    HeaderSize = "header_size",
    /// Bytes of a body that carries no config.
    RequestBody = "request_body",
    /// Bytes of a body that carries configs.
    ConfigBody = "config_body",
    /// Bytes of a gRPC message.
    GrpcMessage = "grpc_message",
    /// Time for a body.
    BodyTimeout = "body_timeout",
    /// Bytes of bodies under way on one connection.
    ConnectionBodies = "connection_bodies",
    /// Bytes of bodies under way on all connections.
    Bodies = "bodies",
    /// Time to take an answer.
    AnswerTimeout = "answer_timeout",
    /// Time without a request.
    IdleTimeout = "idle_timeout",
    /// Requests that a client gave up.
    AbandonedRequests = "abandoned_requests",
    /// Requests of one connection without an answer.
    Calls = "calls",
    /// Bytes that wait for one client.
    PushBytes = "push_bytes",
    /// Bytes that wait for all clients.
    PushBytesAll = "push_bytes_all",
    /// Inputs that wait for the node.
    Lane = "lane",
    /// Writes without an outcome.
    WritesPending = "writes_pending",
    /// Passwords of one address that wait for their check.
    PasswordChecks = "password_checks",
    /// Failed logins of a user from an address.
    LoginFailures = "login_failures",
    /// Datagrams that wait to be sent.
    Datagrams = "datagrams",
    /// Clients that are pushed to by datagrams.
    UdpSubscribers = "udp_subscribers",
    /// Bytes of a config.
    ConfigContent = "config_content",
    /// Bytes of all configs, or versions of one.
    ConfigQuota = "config_quota",
    /// Characters of a detail of a config.
    ConfigDetails = "config_details",
    /// Characters of an instance's metadata.
    InstanceMetadata = "instance_metadata",
    /// Keys that one connection or poll listens to.
    Listeners = "listeners",
    /// Patterns that one connection watches.
    Patterns = "patterns",
    /// Services that one connection subscribes to.
    Subscriptions = "subscriptions",
    /// Instances of one connection or of one request.
    Instances = "instances",
    /// Characters of a name.
    NameLength = "name_length",
    /// Parameters of one request.
    Parameters = "parameters",
    /// Objects within objects.
    JsonDepth = "json_depth",
    /// Streams of events on one connection.
    EventStreams = "event_streams",
    /// Connections of nodes that have not proved yet that they belong.
    PeerHandshakes = "peer_handshakes",
    /// Time for that.
    PeerHandshakeTimeout = "peer_handshake_timeout",
    /// Time for a node to take what is sent.
    PeerStall = "peer_stall",
    /// Bytes of a frame between nodes.
    PeerFrame = "peer_frame",
    /// Rows of a table that all nodes agree on.
    TableFull = "table_full",
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn labels_differ_and_the_order_is_that_of_the_list() {
        let labels: BTreeSet<&str> = Limit::ALL.iter().map(|limit| limit.label()).collect();
        assert_eq!(labels.len(), Limit::ALL.len());
        for (at, limit) in Limit::ALL.iter().enumerate() {
            assert_eq!(*limit as usize, at);
        }
    }
}
