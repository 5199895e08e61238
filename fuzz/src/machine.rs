//! One host with one client, stepped in place.

use crate::ModelDisk;
use base::{ConnectionId, Duration, Instant, Now, Rng};
use bytes::Bytes;
use host::{Arrival, Chunk, Host, Sending, Settings, StreamId};
use nacos::{Any, CallId, Metadata, Payload};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
    task::{Poll, Waker},
};
use storage::{Place, SimDisk};

/// The one user of every machine that has users: an administrator, with this name and password.
pub const ADMINISTRATOR: &str = "nacos";

const REMOTE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 40_000);
const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 9848);
const STARTED: Now = Now { instant: Instant::START, unix_ms: 1_790_000_000_000 };

/// A host, its disk and one connection.
pub struct Machine {
    /// The host.
    pub host: Arc<Host>,
    /// Its time.
    pub now: Now,
    connection: ConnectionId,
    /// What it has written.
    pub disk: ModelDisk,
    calls: u64,
    /// The newest datagram that was sent to the present client.
    pub last_datagram: Bytes,
    /// Counts the clients.
    pub client: u16,
}

impl Machine {
    /// A machine that serves, with nothing in it but its administrator; its door asks for a login, or does not.
    #[must_use]
    pub fn serving(login_required: bool) -> Self {
        static FIRST: OnceLock<SimDisk> = OnceLock::new();
        let image = FIRST.get_or_init(first_start).copy();
        let machine = Self::begin(image, login_required);
        assert!(machine.host.is_ready(), "a node of one serves as soon as it has read its disk");
        machine
    }

    /// A machine that starts from this disk.
    fn begin(image: SimDisk, login_required: bool) -> Self {
        let begun = Host::begin(settings(), STARTED, rng(), Place::Simulated(image))
            .expect("the disk was written by a host");
        let connection = begun.host.open(STARTED, REMOTE, LOCAL, login_required);
        let mut machine = Self {
            host: begun.host,
            now: STARTED,
            connection,
            disk: ModelDisk::default(),
            calls: 0,
            last_datagram: Bytes::new(),
            client: 0,
        };
        machine.settle();
        machine
    }

    /// The client goes, and another one comes. What the first one left behind stays.
    pub fn next_client(&mut self, login_required: bool) {
        self.host.close(self.now, self.connection, "the client hung up");
        self.settle();
        self.client += 1;
        let remote = SocketAddr::new(REMOTE.ip(), REMOTE.port() + self.client);
        self.connection = self.host.open(self.now, remote, LOCAL, login_required);
        self.last_datagram = Bytes::new();
        self.calls = 0;
    }

    /// Does everything that can be done now, and gives what is sent to the client.
    pub fn settle(&mut self) -> Vec<Sending> {
        let mut sent = Vec::new();
        loop {
            let jobs = self.host.take_disk_jobs();
            let asked = !jobs.is_empty();
            let done: Vec<_> = jobs.into_iter().filter_map(|job| self.disk.run(job)).collect();
            if !done.is_empty() {
                self.host.disk_done(self.now, done);
            }
            while let Some(sending) = self.host.take_sending(self.connection) {
                sent.push(sending);
            }
            while let Poll::Ready(Some(Chunk::Payload(_))) = self.poll_stream() {}
            while let Some(datagram) = self.host.take_datagram() {
                self.last_datagram = datagram.bytes;
            }
            if !asked {
                return sent;
            }
        }
    }

    fn poll_stream(&self) -> Poll<Option<Chunk>> {
        self.host.poll_stream(self.now, self.connection, StreamId::Grpc, Waker::noop())
    }

    /// Time passes, and with it every deadline.
    pub fn wait(&mut self, duration: Duration) -> Vec<Sending> {
        let until = self.now.after(duration);
        let mut sent = Vec::new();
        // As many wakes as a deadline that is not moved on would need to be seen.
        for _ in 0..64 {
            let Some(due) = self.host.deadline().filter(|due| *due <= until.instant) else { break };
            self.now = self.now.after(due.since(self.now.instant));
            self.host.wake(self.now);
            sent.extend(self.settle());
        }
        self.now = until;
        sent
    }

    /// Something arrives on the connection.
    pub fn deliver(&mut self, arrival: Arrival) -> Vec<Sending> {
        self.host.deliver(self.now, self.connection, arrival);
        self.settle()
    }

    /// A unary call.
    pub fn unary(&mut self, payload: Payload) -> Vec<Sending> {
        let call = self.call();
        self.deliver(Arrival::Unary { call, payload })
    }

    /// An HTTP request.
    pub fn http(&mut self, request: http::Request<Bytes>) -> Vec<Sending> {
        let call = self.call();
        self.deliver(Arrival::Http { call, request })
    }

    /// A datagram from the client's address.
    pub fn datagram(&mut self, port: u16, bytes: &[u8]) {
        let from = SocketAddr::new(REMOTE.ip(), port);
        self.host.datagram(self.now, from, Bytes::copy_from_slice(bytes));
        self.settle();
    }

    /// Asserts what must be true of every host after whatever came: its node serves on.
    pub fn check(&self) {
        assert_eq!(self.host.halted(), None, "no client may stop a node");
    }

    /// Opens the stream and sets the connection up, as every gRPC client does first.
    pub fn set_up(&mut self) {
        let json = br#"{"clientVersion":"Nacos-Java-Client:v2.5.1","tenant":"","labels":{},"abilityTable":{}}"#;
        self.deliver(Arrival::StreamOpened);
        self.deliver(Arrival::StreamPayload(payload("ConnectionSetupRequest", json)));
    }

    fn call(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }
}

/// A message of Nacos's gRPC.
#[must_use]
pub fn payload(kind: &str, json: &[u8]) -> Payload {
    Payload {
        metadata: Some(Metadata { r#type: kind.to_owned(), ..Metadata::default() }),
        body: Some(Any { type_url: String::new(), value: Bytes::copy_from_slice(json) }),
    }
}

/// The disk after a first start: made once, it holds the administrator's hash.
fn first_start() -> SimDisk {
    let disk = SimDisk::new(rng());
    let place = Place::Simulated(disk.clone());
    let mut begun = Host::begin(settings(), STARTED, rng(), place).expect("the disk is empty");
    while !begun.host.is_ready() {
        let done = begun.worker.run(begun.host.take_disk_jobs());
        begun.host.disk_done(STARTED, done);
        while let Some(work) = begun.host.take_work() {
            begun.host.worked(STARTED, work.run());
        }
    }
    let image = disk.copy();
    drop(begun);
    image
}

/// Asserts the form of what is sent to a gRPC client: JSON without nulls, and one answer to "did it work".
pub fn check_unary(payload: &Payload) {
    let body = &payload.body.as_ref().expect("every answer has a body").value;
    let json: serde_json::Value = serde_json::from_slice(body).expect("every answer is JSON");
    assert_eq!(json["success"] == true, json["resultCode"] == 200, "{json}");
    assert_eq!(json["success"] == true, json["errorCode"] == 0, "{json}");
    let fields = json.as_object().expect("every answer is an object");
    assert!(fields.values().all(|field| !field.is_null()), "{json}");
}

/// Asserts the form of what is sent to an HTTP client: JSON where it says so. (With a charset behind it, as 1.x and 2.x
/// write it, the type says nothing: theirs have plain text under it, too.)
pub fn check_http(response: &http::Response<Bytes>) {
    let kind = response.headers().get(http::header::CONTENT_TYPE);
    let says_json = kind.is_some_and(|kind| kind == "application/json");
    if says_json && !response.body().is_empty() {
        serde_json::from_slice::<serde_json::Value>(response.body()).expect("it says it is JSON");
    }
}

fn settings() -> Settings {
    Settings {
        bcrypt_cost: 4,
        auth: true,
        admin_password: Some(ADMINISTRATOR.to_owned()),
        doors: Vec::new(),
        disk_kept: true,
        version: "fuzz",
        limits: host::Limits::default(),
        planted: host::Planted::Nothing,
        cluster: host::ClusterSettings::alone(),
        naming: naming::Settings::default(),
    }
}

fn rng() -> Rng {
    Rng::from_seed([7; 32])
}
