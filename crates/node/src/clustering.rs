//! What the cluster plane says, carried out.

use crate::{Node, Output, Reply, Said, View, command::Command, start::OURSELVES};
use base::{ProposalId, RequestId};
use cluster::MemberChange;

impl Node {
    pub(crate) fn pump_cluster(&mut self) -> bool {
        let mut said = false;
        while let Some(output) = self.cluster.poll() {
            said = true;
            self.cluster_said(output);
        }
        said
    }

    fn cluster_said(&mut self, output: cluster::Output) {
        match output {
            cluster::Output::KeepIdentity(identity) => {
                self.outputs.push_back(Output::KeepIdentity(identity.encode()));
            }
            cluster::Output::Begin { voters } => self.begin(voters),
            cluster::Output::Links(addresses) => {
                self.outputs.push_back(Output::Links(addresses));
            }
            cluster::Output::Peer { to, message } => {
                self.tell(to, Said::Cluster(message));
            }
            cluster::Output::NodeAlive { node, life } => {
                self.naming.step(self.now, naming::Input::NodeAlive { node, life });
            }
            cluster::Output::NodeGone { node, heard } => {
                self.naming.step(self.now, naming::Input::NodeGone { node, heard });
            }
            cluster::Output::Change(change) => {
                let id = self.proposals.next_id();
                self.change_members(id, change);
            }
            cluster::Output::TransferLeader(to) => {
                self.engine(consensus::Input::TransferLeader { to });
            }
            cluster::Output::Propose { to, id, command } => {
                self.propose(to, id, Command::Cluster(command));
            }
            cluster::Output::Tidy(command) => {
                self.propose(OURSELVES, RequestId(0), Command::Cluster(command));
            }
            cluster::Output::Reply { to, id, reply } => self.reply(to, id, Reply::Cluster(reply)),
            cluster::Output::Publish(view) => {
                self.outputs.push_back(Output::Publish(View::Cluster(view)));
            }
            cluster::Output::Left => self.left(crate::Left::Cluster),
            cluster::Output::Halt(reason) => self.halt(reason),
            cluster::Output::Event(kind, subject) => self.file(kind, subject),
        }
    }

    /// Nobody waits for it: the plane looks at the members and asks again.
    fn change_members(&mut self, id: ProposalId, change: MemberChange) {
        let changes = match change {
            MemberChange::AddLearner(node) => vec![consensus::MemberChange::AddLearner(node)],
            MemberChange::AddVoter(node) => vec![consensus::MemberChange::AddVoter(node)],
            MemberChange::Remove(node) => vec![consensus::MemberChange::Remove(node)],
            MemberChange::Replace { old, new } => {
                vec![consensus::MemberChange::Remove(old), consensus::MemberChange::AddVoter(new)]
            }
        };
        self.engine(consensus::Input::ChangeMembers { id, changes });
    }

    /// What this node says of itself on every link.
    #[must_use]
    pub fn introduction(&self) -> &cluster::Introduction {
        self.cluster.introduction()
    }
}
