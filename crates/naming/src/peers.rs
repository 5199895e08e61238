//! What the registries of two nodes say to each other.

use crate::{Instance, offer::OfferKey};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One message between the registries of two nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerMessage(pub(crate) distro::Message<OfferKey, Arc<Instance>>);
