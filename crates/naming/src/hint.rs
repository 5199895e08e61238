//! The hint: what this node lists, left on disk so that a restart does not begin from nothing.
//!
//! ```text
//! TRH1 | checksum of the rest, 8 bytes | high water of the clock | item, item, …      (postcard)
//! item = a service's name: the offers that follow are in it | an offer with its client and version
//! ```
//!
//! It is written in pieces while things change, so it shows no single moment; it need not, being only a hint.

use crate::{ClientId, Instance, Naming, Output, Place, ServiceKey, offer::OfferKey};
use base::{HybridTime, Instant};
use distro::{Input, Record, Version};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How many offers one `Wake` writes to a hint, or restores from one, at most.
pub const HINT_OFFERS_PER_WAKE: usize = 1000;

/// A hint is not longer than this. At the limit it ends; services that come later in order have no hint then.
pub const HINT_BYTES_MAX: usize = 128 << 20;

const MAGIC: &[u8; 4] = b"TRH1";
const CHECKSUM_START: u64 = 0xcbf2_9ce4_8422_2325;
const HEADER_BYTES: usize = MAGIC.len() + 8;

#[derive(Serialize, Deserialize)]
enum Item {
    Service(ServiceKey),
    Offer { client: ClientId, version: Version, instance: Arc<Instance> },
}

/// Says when the next hint is written, and holds the one that is being written.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    due: Option<Instant>,
    writing: Option<Writing>,
    /// Something changed since the writing began.
    outdated: bool,
}

#[derive(Debug)]
struct Writing {
    /// The hint so far; its checksum is put in at the end.
    bytes: Vec<u8>,
    sum: u64,
    after: Option<OfferKey>,
    service: Option<Arc<ServiceKey>>,
}

/// A hint that is being restored.
#[derive(Debug)]
pub(crate) struct Restoring {
    bytes: Vec<u8>,
    /// Where the next item begins.
    at: usize,
    service: Option<Arc<ServiceKey>>,
}

impl Hints {
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(crate) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }
}

impl Writing {
    fn new(high_water: HybridTime) -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.resize(HEADER_BYTES, 0);
        let mut writing = Self { bytes, sum: CHECKSUM_START, after: None, service: None };
        let high_water = postcard::to_allocvec(&high_water).expect("a number can be encoded");
        writing.extend(&high_water);
        writing
    }

    fn finish(mut self) -> Vec<u8> {
        self.bytes[MAGIC.len()..HEADER_BYTES].copy_from_slice(&self.sum.to_le_bytes());
        self.bytes
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.sum = checksum(self.sum, bytes);
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends an item; false if the limit is reached.
    fn append(&mut self, item: &Item) -> bool {
        let bytes = postcard::to_allocvec(item).expect("every item can be encoded");
        if self.bytes.len() + bytes.len() > HINT_BYTES_MAX {
            return false;
        }
        self.extend(&bytes);
        true
    }
}

impl Restoring {
    fn next(&mut self) -> Option<Item> {
        let (item, rest) = postcard::take_from_bytes(&self.bytes[self.at..]).ok()?;
        self.at = self.bytes.len() - rest.len();
        Some(item)
    }
}

/// FNV-1a: finds torn and flipped bytes; nobody who could forge them gains by it.
fn checksum(sum: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(sum, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The high water of the clock in a hint, and where its first item begins; `None` if it does not read.
fn open(bytes: &[u8]) -> Option<(HybridTime, usize)> {
    let (magic, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, body) = rest.split_first_chunk::<8>()?;
    if magic != MAGIC || u64::from_le_bytes(*sum) != checksum(CHECKSUM_START, body) {
        return None;
    }
    let (high_water, rest) = postcard::take_from_bytes(body).ok()?;
    Some((high_water, bytes.len() - rest.len()))
}

/// The greatest hybrid time that a hint says may have been given out: what a node's clock must start above. `None` if
/// the bytes do not read as a hint.
#[must_use]
pub fn hint_high_water(bytes: &[u8]) -> Option<HybridTime> {
    open(bytes).map(|(high_water, _)| high_water)
}

impl Naming {
    /// Something that a hint says has changed.
    pub(crate) fn hint_outdated(&mut self) {
        if self.hints.writing.is_some() {
            self.hints.outdated = true;
        } else if self.hints.due.is_none() {
            self.hints.due = Some(self.now.instant.after(self.settings.hint_interval));
        }
    }

    /// Begins or goes on with a hint, for one piece. Not before the former one is restored: half of it would replace it.
    pub(crate) fn write_hint(&mut self) {
        if self.restoring.is_some() {
            return;
        }
        if self.hints.due.is_some_and(|due| due <= self.now.instant) {
            self.hints.due = None;
            self.hints.writing = Some(Writing::new(self.distro.clock().last()));
        }
        let Some(mut writing) = self.hints.writing.take() else { return };
        if self.write_piece(&mut writing) {
            self.hints.writing = Some(writing);
            return;
        }
        self.outputs.push_back(Output::Hint(writing.finish()));
        if std::mem::take(&mut self.hints.outdated) {
            self.hint_outdated();
        }
    }

    pub(crate) fn hint(&mut self, bytes: Vec<u8>) {
        let Some((high_water, at)) = open(&bytes) else { return };
        // A second hint while one is restored: a node has one; the later one is ignored.
        if self.restoring.is_none() && high_water <= HybridTime(1 << 62) {
            self.distro.clock().observe(high_water);
            self.restoring = Some(Restoring { bytes, at, service: None });
            self.restore_piece();
        }
    }

    /// Whether a hint is still being taken in: until then services may look smaller than they are, nothing is pushed,
    /// and the node should not call itself ready.
    #[must_use]
    pub fn restoring(&self) -> bool {
        self.restoring.is_some()
    }

    pub(crate) fn restore_piece(&mut self) {
        let Some(mut restoring) = self.restoring.take() else { return };
        for _ in 0..HINT_OFFERS_PER_WAKE {
            match restoring.next() {
                None => return,
                Some(Item::Service(key)) => restoring.service = Some(self.intern(&key)),
                Some(Item::Offer { client, version, instance }) => {
                    let Some(service) = restoring.service.clone() else { return };
                    let key = OfferKey { service, place: Place::of(&instance), client };
                    self.distro(Input::Restore(Record { key, version, value: Some(instance) }));
                }
            }
        }
        self.restoring = Some(restoring);
    }

    /// Returns whether there is more to write.
    fn write_piece(&self, writing: &mut Writing) -> bool {
        let mut count = 0;
        let after = writing.after.take();
        for (key, entry) in self.distro.after(after.as_ref()).take(HINT_OFFERS_PER_WAKE) {
            count += 1;
            writing.after = Some(key.clone());
            if !entry.listed() {
                continue;
            }
            if writing.service.as_ref() != Some(&key.service) {
                writing.service = Some(key.service.clone());
                if !writing.append(&Item::Service((*key.service).clone())) {
                    return false;
                }
            }
            let (client, instance) = (key.client.clone(), entry.value.clone());
            if !writing.append(&Item::Offer { client, version: entry.version, instance }) {
                return false;
            }
        }
        count == HINT_OFFERS_PER_WAKE
    }
}
