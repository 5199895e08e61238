//! What was proposed here and how it ended.

use crate::{
    Consensus, MemberChange, Output, Refusal, Write,
    memory_log::cost,
    wire::{LogEntry, data_entry, members_entry},
};
use base::ProposalId;
use raft::{
    StateRole,
    eraftpb::{self, MessageType},
};
use std::collections::BTreeMap;

/// How many proposals of this node may be undecided. More are refused with `Busy`.
pub const PROPOSALS_MAX: usize = 65_536;

#[derive(Debug)]
pub(crate) enum Wish {
    Data(Vec<u8>),
    Members(Vec<MemberChange>),
}

#[derive(Debug, Default)]
pub(crate) struct Proposals {
    /// Not yet given to the engine: all that gather until the next poll become one append.
    gathered: Vec<(ProposalId, eraftpb::Entry)>,
    gathered_bytes: usize,
    /// Given to the engine, by index and term. An entry that was overwritten here may still be committed by a leader
    /// that has it, so only a commit at its index decides.
    undecided: BTreeMap<(u64, u64), ProposalId>,
}

/// What a committed entry means for the proposals of this node.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) ours: Option<ProposalId>,
    pub(crate) lost: Vec<ProposalId>,
}

impl Proposals {
    pub(crate) fn committed(&mut self, index: u64, term: u64) -> Outcome {
        let mut outcome = Outcome::default();
        while let Some(first) = self.undecided.first_entry() {
            if first.key().0 > index {
                break;
            }
            let key = *first.key();
            let id = first.remove();
            if key == (index, term) { outcome.ours = Some(id) } else { outcome.lost.push(id) }
        }
        outcome
    }

    /// A snapshot jumped through here.
    pub(crate) fn jumped(&mut self, index: u64) -> Vec<ProposalId> {
        let later = self.undecided.split_off(&(index + 1, 0));
        std::mem::replace(&mut self.undecided, later).into_values().collect()
    }
}

impl Consensus {
    pub(crate) fn wish(&mut self, id: ProposalId, wish: Wish) {
        if let Err(why) = self.gather(id, wish) {
            self.outputs.push_back(Output::Refused { id, why });
        }
    }

    fn gather(&mut self, id: ProposalId, wish: Wish) -> Result<(), Refusal> {
        if !self.is_leader() && !self.members().is_sole_voter(self.settings.id) {
            return Err(Refusal::NotLeader { leader: self.leader() });
        }
        let proposals = &self.proposals;
        if proposals.undecided.len() + proposals.gathered.len() >= PROPOSALS_MAX {
            return Err(Refusal::Busy);
        }
        let entry = match wish {
            Wish::Data(data) if data.is_empty() => return Err(Refusal::Empty),
            Wish::Data(data) if data.len() > self.settings.entry_bytes_max => {
                return Err(Refusal::TooLarge);
            }
            Wish::Data(data) => data_entry(data.into()),
            Wish::Members(changes) => {
                self.members().check_changes(&changes).map_err(Refusal::InvalidMembers)?;
                if self.is_change_pending() {
                    return Err(Refusal::Busy);
                }
                members_entry(&changes)
            }
        };
        let bytes = cost(&entry);
        // A change of the members goes in even then: it may be what is needed to shrink the log again.
        let is_data = entry.get_entry_type() == eraftpb::EntryType::EntryNormal;
        let full =
            self.log_bytes() + proposals.gathered_bytes + bytes > self.settings.log_bytes_max;
        if is_data && full {
            return Err(Refusal::LogFull);
        }
        self.proposals.gathered_bytes += bytes;
        self.proposals.gathered.push((id, entry));
        Ok(())
    }

    fn is_change_pending(&self) -> bool {
        let gathered = self.proposals.gathered.iter();
        self.raw.raft.has_pending_conf()
            || gathered
                .into_iter()
                .any(|(_, entry)| entry.get_entry_type() != eraftpb::EntryType::EntryNormal)
    }

    /// Gives all that gathered to the engine at once.
    pub(crate) fn propose_gathered(&mut self) {
        if self.proposals.gathered.is_empty() {
            return;
        }
        let leads = self.raw.raft.state == StateRole::Leader;
        if !leads && self.members().is_sole_voter(self.settings.id) && self.leader().is_none() {
            return; // It will lead as soon as its disk has answered.
        }
        self.proposals.gathered_bytes = 0;
        let (ids, entries): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.proposals.gathered).into_iter().unzip();
        let first = self.raw.raft.raft_log.last_index() + 1;
        let term = self.raw.raft.term;
        let mut message = eraftpb::Message::default();
        message.set_msg_type(MessageType::MsgPropose);
        message.from = self.settings.id.0;
        message.set_entries(entries.into());
        // Followers of the engine forward proposals; ours refuse them, so that the asker learns who leads.
        let taken = leads && self.raw.step(message).is_ok();
        for (n, id) in ids.into_iter().enumerate() {
            if taken {
                self.proposals.undecided.insert((first + n as u64, term), id);
            } else {
                let why = if leads {
                    Refusal::HandingOver
                } else {
                    Refusal::NotLeader { leader: self.leader() }
                };
                self.outputs.push_back(Output::Refused { id, why });
            }
        }
    }

    pub(crate) fn take_entries(&mut self, entries: &[eraftpb::Entry]) {
        if entries.is_empty() {
            return;
        }
        let truncated = self.raw.mut_store().append(entries);
        let entries = entries.iter().map(LogEntry::from_engine).collect();
        self.writes.put_entries(truncated, entries);
    }
}

impl Write {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
