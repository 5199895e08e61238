//! Services written out, shared by all who read or subscribe to them: nothing is serialised twice.

use bytes::Bytes;
use nacos::Format;
use naming::{ClusterNames, ServiceKey, ServiceView};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

type Key = (ServiceKey, Format, ClusterNames);

/// A cache bounded in bytes. At the limit everything is dropped: what is in use is written out again at its next use,
/// once per service and format.
pub(crate) struct RenderedBytes {
    bytes_max: usize,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    bytes: usize,
    entries: BTreeMap<Key, (u64, Bytes)>,
}

impl RenderedBytes {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, cache: Mutex::default() }
    }

    pub(crate) fn get(
        &self,
        view: &Arc<ServiceView>,
        format: Format,
        clusters: &ClusterNames,
        make: &mut dyn FnMut() -> Bytes,
    ) -> Bytes {
        let key = (view.key.clone(), format, clusters.clone());
        if let Some((version, bytes)) = self.lock().entries.get(&key)
            && *version == view.version
        {
            return bytes.clone();
        }
        let made = make();
        let mut cache = self.lock();
        if let Some((version, bytes)) = cache.entries.get(&key) {
            if *version > view.version {
                return made; // a reader that holds an older view must not replace the newer bytes
            }
            cache.bytes -= bytes.len();
        }
        if cache.bytes + made.len() > self.bytes_max {
            *cache = Cache::default();
        }
        if made.len() <= self.bytes_max {
            cache.bytes += made.len();
            cache.entries.insert(key, (view.version, made.clone()));
        }
        made
    }

    /// Drops what was written out of a service that is gone.
    pub(crate) fn forget(&self, service: &ServiceKey) {
        let mut cache = self.lock();
        let first = (service.clone(), Format::Grpc, ClusterNames::from([]));
        let gone: Vec<Key> = cache
            .entries
            .range(first..)
            .map(|(key, _)| key)
            .take_while(|key| key.0 == *service)
            .cloned()
            .collect();
        for key in gone {
            if let Some((_, bytes)) = cache.entries.remove(&key) {
                cache.bytes -= bytes.len();
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(name: &str, version: u64) -> Arc<ServiceView> {
        let key = ServiceKey { namespace: "public".into(), group: "G".into(), name: name.into() };
        Arc::new(ServiceView {
            key,
            version,
            instances: Arc::from([]),
            protect_threshold: 0.0,
            metadata: None,
        })
    }

    #[test]
    fn it_makes_once_per_version_and_never_goes_back() {
        let cache = RenderedBytes::new(10);
        let all = ClusterNames::from([]);
        let mut made = 0;
        let mut get = |version, text: &'static str| {
            cache.get(&view("a", version), Format::Grpc, &all, &mut || {
                made += 1;
                Bytes::from_static(text.as_bytes())
            })
        };
        assert_eq!(get(1, "one"), "one");
        assert_eq!(get(1, "never"), "one");
        assert_eq!(get(2, "two"), "two");
        assert_eq!(get(1, "old"), "old");
        assert_eq!(get(2, "never"), "two");
        assert_eq!(get(3, "longer than the limit"), "longer than the limit");
        assert_eq!(made, 4);
        cache.forget(&view("a", 3).key);
        assert_eq!(cache.lock().bytes, 0);
    }
}
