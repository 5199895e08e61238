//! Push-pull: two nodes make their views equal, and send little if they are.
//!
//! ```text
//! A → B  Digest   one hash per bucket of members                     equal: nothing follows
//! B → A  Summary  versions in the buckets that differ
//! A → B  Delta    members that B lacks, ids that A lacks
//! B → A  Delta    members that A lacks
//! ```
//!
//! Nobody remembers an exchange, so any message of it may be lost. One who knows nobody gets everything at once.

use crate::{
    Address, BUCKETS_LEN_MAX, Body, Bucket, Delta, Digest, Entry, Exchange, Gossip,
    MEMBERS_LEN_MAX, Member, Summary, Update, learn::Via, wire,
};
use alloc::{collections::BTreeMap, vec, vec::Vec};
use base::{NodeId, Now};

/// The members of one message take at most so many bytes. What is cut off still differs in the next exchange.
pub const EXCHANGE_BYTES_MAX: usize = 512 << 10;

/// So many members share a bucket on average: fewer make the digest longer, more make the summary longer.
const MEMBERS_PER_BUCKET: usize = 8;

impl Gossip {
    /// Compares views with a random member.
    pub(crate) fn exchange_tick(&mut self, now: Now) {
        let interval = self.settings.exchange_interval;
        let wait = interval * 9 / 10 + self.up_to(interval / 5);
        self.timers.exchange = (self.table.present_len() > 0).then(|| now.instant.after(wait));
        let partner = self.table.pick(&mut self.rng, 1, |_| true).pop();
        let Some(member) = partner.and_then(|node| self.table.get(node)) else { return };
        let (node, address) = (member.node(), member.record.address().clone());
        self.begin_exchange(Some(node), address);
    }

    /// Infection left this node out, or many came at once: there may be more of it.
    fn exchange_again(&mut self, now: Now) {
        let soon = now.instant.after(self.up_to(self.settings.exchange_again));
        self.timers.exchange = self.timers.exchange.map(|at| at.min(soon));
    }

    pub(crate) fn begin_exchange(&mut self, to: Option<NodeId>, address: Address) {
        self.counters.exchanges += 1;
        let body = match self.settings.exchange {
            Exchange::Incremental => {
                let buckets = (self.present_len() / MEMBERS_PER_BUCKET).max(1);
                let buckets = buckets.next_power_of_two().min(BUCKETS_LEN_MAX);
                let salt = self.rng.next_u64() as u32;
                let hashes = self.hashes(buckets, salt);
                let present = self.present_len() as u32;
                Body::Digest(Digest { member: self.own.clone(), present, salt, buckets: hashes })
            }
            Exchange::Full => {
                let members = self.all(None);
                Body::Delta(Delta { members, wants: Vec::new(), wants_all: true })
            }
        };
        self.send(to, address, body);
    }

    pub(crate) fn compare_digest(
        &mut self,
        now: Now,
        (from, address): (NodeId, Address),
        digest: Digest,
    ) {
        self.learn(now, from, Update::Member(digest.member), Via::Exchange);
        if digest.present <= 1 {
            let members = self.all(Some(from));
            let delta = Delta { members, wants: Vec::new(), wants_all: false };
            self.send(Some(from), address, Body::Delta(delta));
            return;
        }
        let count = digest.buckets.len();
        let own = self.hashes(count, digest.salt);
        let differs: Vec<bool> =
            own.iter().zip(&digest.buckets).map(|(own, other)| own != other).collect();
        if !differs.contains(&true) {
            self.counters.exchanges_equal += 1;
            return;
        }
        let mut entries: BTreeMap<usize, Vec<Entry>> = BTreeMap::new();
        for index in differs.iter().enumerate().filter(|(_, differs)| **differs).map(|(i, _)| i) {
            entries.insert(index, Vec::new());
        }
        for member in self.table.iter().map(|listed| &listed.member).chain([&self.own]) {
            if let Some(entries) = entries.get_mut(&bucket_of(member.node(), count)) {
                entries.push(Entry::of(member));
            }
        }
        let differing = entries
            .into_iter()
            .map(|(index, entries)| Bucket { index: index as u16, entries })
            .collect();
        let summary = Summary { buckets: count as u16, differing };
        self.send(Some(from), address, Body::Summary(summary));
    }

    pub(crate) fn compare_summary(
        &mut self,
        (from, address): (NodeId, Address),
        summary: &Summary,
    ) {
        let count = usize::from(summary.buckets);
        let differing = &summary.differing;
        let theirs: BTreeMap<NodeId, Entry> = differing
            .iter()
            .flat_map(|bucket| &bucket.entries)
            .map(|entry| (entry.node, *entry))
            .collect();
        let buckets: Vec<usize> = differing.iter().map(|b| usize::from(b.index)).collect();
        let mut members = Vec::new();
        let mut wants = Vec::new();
        for member in self.table.iter().map(|listed| &listed.member).chain([&self.own]) {
            let own = Entry::of(member);
            match theirs.get(&member.node()) {
                Some(their) => {
                    if own.is_news_to(their) {
                        members.push(member.clone());
                    }
                    if their.is_news_to(&own) {
                        wants.push(member.node());
                    }
                }
                None if !member.state.is_present() => {}
                None => {
                    if buckets.contains(&bucket_of(member.node(), count)) {
                        members.push(member.clone());
                    }
                }
            }
        }
        let unknown = theirs.values().filter(|entry| {
            let known = self.table.get(entry.node).is_some() || entry.node == self.own.node();
            entry.state.is_present() && !known
        });
        wants.extend(unknown.map(|entry| entry.node));
        if members.is_empty() && wants.is_empty() {
            return;
        }
        wants.truncate(MEMBERS_LEN_MAX);
        let delta = Delta { members: self.cut(members), wants, wants_all: false };
        self.send(Some(from), address, Body::Delta(delta));
    }

    /// Takes members in. `true` if one of them showed that the sender has a wrong idea of this node.
    pub(crate) fn take_delta(
        &mut self,
        now: Now,
        (from, address): (NodeId, Address),
        delta: Delta,
    ) -> bool {
        let mut mistaken = false;
        let news_before = self.news_taken;
        for member in delta.members {
            mistaken |= self.learn(now, from, Update::Member(member), Via::Exchange);
        }
        if self.news_taken > news_before {
            self.exchange_again(now);
        }
        let members = if delta.wants_all {
            self.all(Some(from))
        } else {
            let wanted = delta.wants.iter().filter_map(|node| self.view_of(*node).cloned());
            let wanted = wanted.collect();
            self.cut(wanted)
        };
        if !members.is_empty() {
            let delta = Delta { members, wants: Vec::new(), wants_all: false };
            self.send(Some(from), address, Body::Delta(delta));
        }
        mistaken
    }

    fn view_of(&self, node: NodeId) -> Option<&Member> {
        if node == self.own.node() { Some(&self.own) } else { self.table.get(node) }
    }

    /// This node and all that it lists, for one who need not be told of itself.
    fn all(&mut self, but: Option<NodeId>) -> Vec<Member> {
        let listed = self.table.iter().map(|listed| &listed.member);
        let all = listed.filter(|member| Some(member.node()) != but).chain([&self.own]);
        let all = all.cloned().collect();
        self.cut(all)
    }

    /// As many as a message may have, from a random one on: if some of them always differ, the others get their turn.
    fn cut(&mut self, mut members: Vec<Member>) -> Vec<Member> {
        let mut bytes = 0;
        let fits = |member: &&Member| {
            bytes += wire::size(*member);
            bytes <= EXCHANGE_BYTES_MAX
        };
        let count = members.iter().take(MEMBERS_LEN_MAX).take_while(fits).count();
        if count < members.len() {
            let first = self.rng.below(members.len() as u64) as usize;
            members.rotate_left(first);
            // Another rotation may hold longer records, so it is cut to what fits whatever they are.
            let longest = members.iter().map(wire::size).max().unwrap_or(1);
            members.truncate((EXCHANGE_BYTES_MAX / longest).min(MEMBERS_LEN_MAX));
        }
        members
    }

    /// One hash per bucket: a sum, so that the order of members does not matter.
    fn hashes(&self, buckets: usize, salt: u32) -> Vec<u32> {
        let mut hashes = vec![0u32; buckets];
        for member in self.table.present().chain([&self.own]) {
            let Entry { node, generation, incarnation, version, state: _ } = Entry::of(member);
            let mut hash = mix(u64::from(salt));
            for number in [node.0, generation.0, incarnation.0, version.0] {
                hash = mix(hash ^ number);
            }
            let bucket = &mut hashes[bucket_of(node, buckets)];
            *bucket = bucket.wrapping_add((hash >> 32) as u32);
        }
        hashes
    }
}

fn bucket_of(node: NodeId, buckets: usize) -> usize {
    (mix(node.0) >> 32) as usize & (buckets - 1)
}

/// The finalizer of splitmix64: every bit of the input flips half of those of the output.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
