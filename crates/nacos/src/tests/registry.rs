//! Sessions with a real registry behind them, whose log has one node: what is written is what is read.

use super::*;
use ::naming::Naming;

/// The registry and everybody who is connected to it. A line is `c1 COMMAND` (a connection; commands as of a script), or
/// `wait MS`.
pub(super) struct Registry {
    naming: Naming,
    scene: Scene,
    sessions: BTreeMap<u64, Session>,
    now: Now,
    calls: u64,
    applied: u64,
}

impl Registry {
    pub(super) fn new() -> Self {
        let clock = base::HybridClock::default();
        Self {
            naming: Naming::new(::naming::Settings::default(), BEGIN, NodeId(1), clock),
            scene: Scene::new(),
            sessions: BTreeMap::new(),
            now: BEGIN,
            calls: 0,
            applied: 0,
        }
    }

    /// Says these lines and returns all that is answered and sent, a line each.
    pub(super) fn say(&mut self, lines: &str) -> String {
        let mut heard = String::new();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (who, command) = line.split_once(' ').unwrap();
            match who {
                "wait" => self.wait(command.parse().unwrap(), &mut heard),
                who => {
                    let who = who.trim_start_matches('c').parse().unwrap();
                    self.command(who, command, &mut heard);
                }
            }
        }
        heard
    }

    /// The body of the answer to one request of a connection of its own.
    pub(super) fn http(&mut self, request: &str) -> String {
        let heard = self.say(&format!("c99 http {request}"));
        let (_, answer) = heard.trim_end().split_once(" http ").expect("one answer");
        answer.split_once(' ').unwrap().1.to_owned()
    }

    fn wait(&mut self, ms: u64, heard: &mut String) {
        let end = self.now.after(Duration::from_millis(ms));
        loop {
            let sessions = self.sessions.values().filter_map(Session::deadline);
            let due = sessions.chain(self.naming.deadline()).min();
            let Some(due) = due.filter(|due| *due <= end.instant) else { break };
            self.now = self.now.after(due.since(self.now.instant));
            self.naming.step(self.now, ::naming::Input::Wake);
            self.carry(heard);
            for who in self.sessions.keys().copied().collect::<Vec<_>>() {
                self.step(who, Input::Wake, heard);
            }
        }
        self.now = end;
    }

    fn command(&mut self, who: u64, command: &str, heard: &mut String) {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        let call = CallId(self.calls + 1);
        let input = match word {
            "http" => Input::Http { call, request: request(rest) },
            "unary" => Input::Unary { call, payload: payload(rest) },
            "stream" => Input::StreamPayload(payload(rest)),
            "setup" => {
                self.step(who, Input::StreamOpened, heard);
                let setup = format!("ConnectionSetupRequest {{\"clientVersion\":\"Test:{who}\"}}");
                Input::StreamPayload(payload(&setup))
            }
            "gone" => {
                self.sessions.remove(&who);
                let closed = ::naming::Input::Closed(connection(who));
                self.naming.step(self.now, closed);
                return self.carry(heard);
            }
            other => panic!("unknown command {other}"),
        };
        self.calls += 1;
        self.step(who, input, heard);
    }

    fn step(&mut self, who: u64, input: Input, heard: &mut String) {
        let session = self.sessions.entry(who).or_insert_with(|| {
            let remote = format!("10.0.0.{who}:5000").parse().unwrap();
            let facts = Facts { connection: connection(who), remote, ..facts(Login::Open) };
            Session::new(self.now, facts)
        });
        session.step(self.now, &self.scene, input);
        while let Some(output) = self.sessions.get_mut(&who).and_then(Session::poll) {
            match output {
                Output::Ask { id, ask: Ask::Naming(request) } => {
                    let from = connection(who);
                    let request = ::naming::Input::Request { from, id, request };
                    self.naming.step(self.now, request);
                    self.carry(heard);
                }
                Output::Tell(Tell::Opened { .. }) => {
                    self.naming.step(self.now, ::naming::Input::Opened(connection(who)));
                }
                Output::Tell(_) => {}
                output => writeln!(heard, "c{who} {}", shown(&output)).unwrap(),
            }
        }
    }

    /// Carries what the registry says to those it is for, in its order.
    fn carry(&mut self, heard: &mut String) {
        while let Some(output) = self.naming.poll() {
            match output {
                ::naming::Output::Publish(view) => {
                    self.scene.services.insert(view.key.clone(), view);
                }
                ::naming::Output::Retire(key) => drop(self.scene.services.remove(&key)),
                ::naming::Output::Switches(switches) => self.scene.switches = switches,
                ::naming::Output::Watched { to, service } => {
                    self.step(to.counter, Input::Watched { service }, heard);
                }
                ::naming::Output::Push { to, clusters, view } => {
                    self.step(to.counter, Input::Push { clusters, view }, heard);
                }
                ::naming::Output::Reply { to, id, reply } => {
                    let answer = Answer::Naming(reply);
                    self.step(to.counter, Input::Answer { id, answer }, heard);
                }
                ::naming::Output::Propose { to, id, command } => {
                    self.applied += 1;
                    let applied = self.naming.apply(LogIndex(self.applied), &command);
                    self.carry(heard);
                    let answer = Answer::Naming(::naming::Reply::Outcome(applied.outcome));
                    self.step(to.counter, Input::Answer { id, answer }, heard);
                }
                ::naming::Output::Peer { .. }
                | ::naming::Output::Tidy(_)
                | ::naming::Output::Check(_)
                | ::naming::Output::Hint(_)
                | ::naming::Output::Event(..) => {}
                ::naming::Output::Halt(why) => panic!("{why}"),
                ::naming::Output::Left => {}
            }
        }
    }
}

fn connection(who: u64) -> base::ConnectionId {
    base::ConnectionId { node: NodeId(1), boot: HybridTime(0), counter: who }
}
