//! The hint: what this node lists, left on disk so that a restart does not begin from nothing.
//!
//! ```text
//! hint    = piece, piece, …           each is written once and never changed; the first ones list everything
//! piece   = TRH2 | checksum of the rest, 8 bytes | high water of the clock | section, section, …      (postcard)
//! section = a service's name | whether it begins or goes on | length of the rest, 4 bytes | offer, offer, …
//! ```
//!
//! What a piece says of a service replaces what earlier ones said of it, so a change costs its service and not the
//! registry. When the pieces that followed have outgrown those that listed everything, a new hint is begun; the disk keeps
//! the former one until the new one lists everything.
//!
//! It is written while things change, so it shows no single moment; it need not, being only a hint.

use crate::{ClientId, Instance, Naming, Output, Place, ServiceKey, model::share, offer::OfferKey};
use base::{Duration, HybridTime, Instant};
use distro::{Input, Record, Version};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::Arc,
};

/// How many offers one `Wake` writes to a hint, or restores from one, at most.
pub const HINT_OFFERS_PER_WAKE: usize = 1000;

/// How many services one `Wake` writes to a hint at most.
const SERVICES_PER_WAKE: usize = 1000;

/// The pieces that list everything are not longer than this together. At the limit they end; services that come later in
/// order have no hint until they change.
pub const HINT_BYTES_MAX: usize = 64 << 20;

/// So much may follow the pieces that list everything, even if those are shorter.
const FOLLOWING_BYTES_MIN: usize = 1 << 20;

const MAGIC: &[u8; 4] = b"TRH2";
const HEADER_BYTES: usize = MAGIC.len() + 8;
const LENGTH_BYTES: usize = 4;

/// A part of the hint, to be left on disk behind those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HintPiece {
    /// A new hint begins with it. The former one is still to be kept.
    pub begins: bool,
    /// The piece; comes back, as it is, in `Input::Hint`.
    pub bytes: Vec<u8>,
    /// With it the new hint lists everything, and takes the place of the former one. What follows then is added to it.
    pub completes: bool,
}

#[derive(Serialize, Deserialize)]
struct Offer<C, I> {
    client: C,
    version: Version,
    instance: I,
}

/// Says when the next piece of the hint is written, and where it goes on.
#[derive(Debug)]
pub(crate) struct Hints {
    due: Option<Instant>,
    /// Services that changed since the hint said what is listed of them, each once.
    changed: VecDeque<Arc<ServiceKey>>,
    /// Which service is in `changed` is said by its `hint_round`. With the next round all are out of it.
    round: u64,
    writing: Option<Writing>,
    /// Bytes of the pieces that list everything; `None` until this life has written them.
    listed_bytes: Option<usize>,
    /// Bytes of the pieces that followed.
    following_bytes: usize,
}

#[derive(Debug)]
enum Writing {
    /// All services, in order.
    All { begun: bool, after: Option<Arc<ServiceKey>>, rest: Option<OfferKey>, bytes: usize },
    /// As many services as had changed when it began.
    Changed { left: usize, rest: Option<OfferKey> },
}

/// A piece while it is made.
struct Piece {
    bytes: Vec<u8>,
    offers: usize,
    services: usize,
}

/// A hint that is being restored.
#[derive(Debug)]
pub(crate) struct Restoring {
    pieces: Vec<Vec<u8>>,
    /// Where the newest word about each service is.
    services: BTreeMap<ServiceKey, Vec<Section>>,
    /// The service that is being restored, and what is left of it.
    service: Option<(Arc<ServiceKey>, VecDeque<Section>)>,
    /// Of the last offer.
    client: Option<Arc<ClientId>>,
}

/// Offers within a piece.
#[derive(Clone, Copy, Debug)]
struct Section {
    piece: usize,
    from: usize,
    until: usize,
}

impl Default for Hints {
    fn default() -> Self {
        let (changed, due, writing, listed_bytes) = (VecDeque::new(), None, None, None);
        Self { due, changed, round: 1, writing, listed_bytes, following_bytes: 0 }
    }
}

impl Hints {
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(crate) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// What is to be written now that it is time.
    fn begin(&mut self) -> Writing {
        let outgrown = |listed: usize| self.following_bytes > listed.max(FOLLOWING_BYTES_MIN);
        if self.listed_bytes.is_none_or(outgrown) {
            // Nobody needs to be written twice.
            self.changed.clear();
            self.round += 1;
            return Writing::All { begun: false, after: None, rest: None, bytes: 0 };
        }
        Writing::Changed { left: self.changed.len(), rest: None }
    }
}

impl Piece {
    fn new(high_water: HybridTime) -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.resize(HEADER_BYTES, 0);
        let mut piece = Self { bytes, offers: 0, services: 0 };
        piece.put(&high_water);
        piece
    }

    fn put(&mut self, value: &impl Serialize) {
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes = postcard::to_extend(value, bytes).expect("a Vec takes any number of bytes");
    }

    fn is_full(&self) -> bool {
        self.offers >= HINT_OFFERS_PER_WAKE || self.services >= SERVICES_PER_WAKE
    }

    fn finish(mut self) -> Vec<u8> {
        let sum = checksum(&self.bytes[HEADER_BYTES..]);
        self.bytes[MAGIC.len()..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
        self.bytes
    }
}

impl Restoring {
    /// Finds the newest word about each service. Pieces that do not read say nothing.
    fn new(pieces: Vec<Vec<u8>>) -> Self {
        let mut services: BTreeMap<ServiceKey, Vec<Section>> = BTreeMap::new();
        for (piece, bytes) in pieces.iter().enumerate() {
            let Some((_, mut at)) = open(bytes) else { continue };
            while let Some((service, begins, section)) = section(piece, bytes, &mut at) {
                let sections = services.entry(service).or_default();
                if begins {
                    sections.clear();
                }
                if section.from < section.until {
                    sections.push(section);
                }
            }
        }
        services.retain(|_, sections| !sections.is_empty());
        Self { pieces, services, service: None, client: None }
    }
}

/// The section that begins here; moves on to the next one.
fn section(piece: usize, bytes: &[u8], at: &mut usize) -> Option<(ServiceKey, bool, Section)> {
    let service = read(bytes, at)?;
    let begins = read(bytes, at)?;
    let length = bytes.get(*at..)?.first_chunk::<LENGTH_BYTES>()?;
    let from = *at + LENGTH_BYTES;
    let until = from.checked_add(u32::from_le_bytes(*length) as usize)?;
    if until > bytes.len() {
        return None;
    }
    *at = until;
    Some((service, begins, Section { piece, from, until }))
}

fn read<T: DeserializeOwned>(bytes: &[u8], at: &mut usize) -> Option<T> {
    let (value, rest) = postcard::take_from_bytes(bytes.get(*at..)?).ok()?;
    *at = bytes.len() - rest.len();
    Some(value)
}

/// FNV-1a by words: finds torn and flipped bytes; nobody who could forge them gains by it.
fn checksum(bytes: &[u8]) -> u64 {
    let mix = |sum: u64, word: u64| {
        // The product moves differences up; the rotation brings them down again.
        (sum ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let sum =
        words.iter().fold(0xcbf2_9ce4_8422_2325, |sum, word| mix(sum, u64::from_le_bytes(*word)));
    let sum = rest.iter().fold(sum, |sum, byte| mix(sum, u64::from(*byte)));
    mix(sum, bytes.len() as u64)
}

/// The high water of the clock in a piece, and where its first section begins; `None` if it does not read.
fn open(bytes: &[u8]) -> Option<(HybridTime, usize)> {
    let (magic, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, body) = rest.split_first_chunk::<8>()?;
    if magic != MAGIC || u64::from_le_bytes(*sum) != checksum(body) {
        return None;
    }
    let (high_water, rest) = postcard::take_from_bytes(body).ok()?;
    // One beyond this (some 2 200 years after 1970) would use the clock up.
    (high_water <= HybridTime(1 << 62)).then_some((high_water, bytes.len() - rest.len()))
}

/// The greatest hybrid time that a hint says may have been given out: what a node's clock must start above. `None` if
/// no piece of it reads.
#[must_use]
pub fn hint_high_water(pieces: &[Vec<u8>]) -> Option<HybridTime> {
    pieces.iter().filter_map(|piece| open(piece)).map(|(high_water, _)| high_water).max()
}

impl Naming {
    /// What the hint says of a service is no longer so.
    pub(crate) fn hint_outdated(&mut self, key: &Arc<ServiceKey>) {
        let service = self.services.get_mut(key).expect("the caller interned it");
        if std::mem::replace(&mut service.hint_round, self.hints.round) == self.hints.round {
            return;
        }
        self.hints.changed.push_back(key.clone());
        if self.hints.writing.is_none() && self.hints.due.is_none() {
            self.hints.due = Some(self.next_hint());
        }
    }

    fn next_hint(&self) -> Instant {
        // Before it stops, a node leaves each change at once.
        let interval = if self.leaves() { Duration::ZERO } else { self.settings.hint_interval };
        self.now.instant.after(interval)
    }

    /// What waits for its time is written now.
    pub(crate) fn hint_soon(&mut self) {
        self.hints.due = self.hints.due.map(|_| self.now.instant);
    }

    /// Whether the hint says all that is listed; half of one that is still being taken in would replace it.
    pub(crate) fn hint_is_written(&self) -> bool {
        let hints = &self.hints;
        self.restoring.is_some() || (hints.writing.is_none() && hints.changed.is_empty())
    }

    /// Begins or goes on with writing, for one piece. Not before the former hint is restored: half of it would replace it.
    pub(crate) fn write_hint(&mut self) {
        if self.restoring.is_some() {
            return;
        }
        if self.hints.due.is_some_and(|due| due <= self.now.instant) {
            self.hints.due = None;
            self.hints.writing = Some(self.hints.begin());
        }
        let piece = Piece::new(self.clock_high_water());
        match self.hints.writing.take() {
            None => {}
            Some(Writing::All { begun, after, rest, bytes }) => {
                self.write_all(piece, begun, after, rest, bytes);
            }
            Some(Writing::Changed { left, rest }) => self.write_changed(piece, left, rest),
        }
        if self.hints.writing.is_none()
            && self.hints.due.is_none()
            && !self.hints.changed.is_empty()
        {
            self.hints.due = Some(self.next_hint());
        }
    }

    fn write_all(
        &mut self,
        mut piece: Piece,
        begun: bool,
        mut after: Option<Arc<ServiceKey>>,
        mut rest: Option<OfferKey>,
        bytes: usize,
    ) {
        let mut completes = false;
        while !piece.is_full() {
            let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let next = match &rest {
                Some(key) => Some(key.service.clone()),
                None => self
                    .services
                    .range::<Arc<ServiceKey>, _>((from, Bound::Unbounded))
                    .next()
                    .map(|(key, _)| key.clone()),
            };
            let Some(key) = next.filter(|_| bytes + piece.bytes.len() < HINT_BYTES_MAX) else {
                completes = true;
                break;
            };
            rest = self.write_service(&mut piece, &key, rest, true);
            after = Some(key);
        }
        let piece = HintPiece { begins: !begun, bytes: piece.finish(), completes };
        let bytes = bytes + piece.bytes.len();
        if completes {
            (self.hints.listed_bytes, self.hints.following_bytes) = (Some(bytes), 0);
        } else {
            self.hints.writing = Some(Writing::All { begun: true, after, rest, bytes });
        }
        self.outputs.push_back(Output::Hint(piece));
    }

    fn write_changed(&mut self, mut piece: Piece, mut left: usize, mut rest: Option<OfferKey>) {
        while !piece.is_full() {
            let key = match &rest {
                Some(key) => key.service.clone(),
                None if left == 0 => break,
                None => {
                    left -= 1;
                    let key = self.hints.changed.pop_front().expect("it only grew meanwhile");
                    if let Some(service) = self.services.get_mut(&key) {
                        service.hint_round = 0;
                    }
                    key
                }
            };
            rest = self.write_service(&mut piece, &key, rest, false);
        }
        if left > 0 || rest.is_some() {
            self.hints.writing = Some(Writing::Changed { left, rest });
        }
        if piece.services > 0 {
            let bytes = piece.finish();
            self.hints.following_bytes += bytes.len();
            self.outputs.push_back(Output::Hint(HintPiece {
                begins: false,
                bytes,
                completes: false,
            }));
        }
    }

    /// Appends a section with what is listed of the service, after `rest` if it goes on. Returns the last offer when
    /// there may be more than the piece takes.
    fn write_service(
        &self,
        piece: &mut Piece,
        key: &Arc<ServiceKey>,
        rest: Option<OfferKey>,
        only_listed: bool,
    ) -> Option<OfferKey> {
        let (begins, start) = (rest.is_none(), piece.bytes.len());
        piece.services += 1;
        piece.put(key);
        piece.put(&begins);
        let length_at = piece.bytes.len();
        piece.bytes.extend([0; LENGTH_BYTES]);
        let first = rest.unwrap_or_else(|| OfferKey::first_of(key.clone()));
        let mut last = None;
        let mut offers = self.distro.after(Some(&first)).take_while(|(offer, _)| offer.is_of(key));
        while !piece.is_full()
            && let Some((offer, entry)) = offers.next()
        {
            piece.offers += 1;
            last = Some(offer);
            if entry.listed() {
                let (client, instance) = (&*offer.client, &*entry.value);
                piece.put(&Offer { client, version: entry.version, instance });
            }
        }
        let rest = last.filter(|_| piece.is_full() && offers.next().is_some()).cloned();
        let offers_at = length_at + LENGTH_BYTES;
        if only_listed && begins && rest.is_none() && piece.bytes.len() == offers_at {
            piece.bytes.truncate(start);
            return None;
        }
        let length =
            u32::try_from(piece.bytes.len() - offers_at).expect("a thousand offers at most");
        piece.bytes[length_at..offers_at].copy_from_slice(&length.to_le_bytes());
        rest
    }

    pub(crate) fn hint(&mut self, pieces: Vec<Vec<u8>>) {
        let Some(high_water) = hint_high_water(&pieces) else { return };
        // A second hint while one is restored: a node has one; the later one is ignored.
        if self.restoring.is_none() {
            self.distro.clock().raise(high_water);
            self.health.clock().raise(high_water);
            self.restoring = Some(Restoring::new(pieces));
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
            let Some((service, sections)) = &mut restoring.service else {
                let Some((key, sections)) = restoring.services.pop_first() else { return };
                restoring.service = Some((self.intern(&key), sections.into()));
                continue;
            };
            let Some(section) = sections.front_mut() else {
                restoring.service = None;
                continue;
            };
            let bytes = &restoring.pieces[section.piece][..section.until];
            let Some(offer) = read::<Offer<ClientId, Instance>>(bytes, &mut section.from) else {
                sections.pop_front();
                continue;
            };
            let Offer { client, version, mut instance } = offer;
            share(&mut instance.cluster_name, &self.default_cluster);
            let client = match &restoring.client {
                Some(last) if **last == client => last.clone(),
                Some(_) | None => Arc::new(client),
            };
            restoring.client = Some(client.clone());
            let place = Arc::new(Place::of(&instance));
            let key = OfferKey { service: service.clone(), place, client };
            let value = Some(Arc::new(instance));
            self.distro(Input::Restore(Record { key, version, value }));
        }
        self.restoring = Some(restoring);
    }
}
