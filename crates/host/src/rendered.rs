//! Services written out, shared by all who read or subscribe to them: nothing is serialised twice.

use bytes::Bytes;
use nacos::Format;
use naming::{ClusterNames, ServiceKey, ServiceView};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

type Key = (ServiceKey, Format, ClusterNames);

/// What an entry takes besides what was written out: its key, and its place in the tree.
const ENTRY_BYTES: usize = 192;

/// A cache bounded in bytes, in two generations: what was not used while the younger one grew to half of the limit goes.
/// So a walk over all services, that reads each of them once, drives out only itself.
pub(crate) struct RenderedBytes {
    generation_bytes_max: usize,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    young: Generation,
    old: Generation,
}

#[derive(Default)]
struct Generation {
    bytes: usize,
    entries: BTreeMap<Key, (u64, Bytes)>,
}

impl Generation {
    fn put(&mut self, key: Key, version: u64, made: Bytes) {
        self.bytes += ENTRY_BYTES + made.len();
        if let Some((_, former)) = self.entries.insert(key, (version, made)) {
            self.bytes -= ENTRY_BYTES + former.len();
        }
    }

    fn remove(&mut self, key: &Key) -> Option<(u64, Bytes)> {
        let removed = self.entries.remove(key);
        if let Some((_, bytes)) = &removed {
            self.bytes -= ENTRY_BYTES + bytes.len();
        }
        removed
    }

    fn forget(&mut self, service: &ServiceKey) {
        let first = (service.clone(), Format::Grpc, ClusterNames::from([]));
        let of_service = self.entries.range(first..).map(|(key, _)| key);
        let gone: Vec<Key> = of_service.take_while(|key| key.0 == *service).cloned().collect();
        for key in gone {
            self.remove(&key);
        }
    }
}

impl Cache {
    /// What is kept under the key, which is young from now on.
    fn find(&mut self, key: &Key, generation_bytes_max: usize) -> Option<(u64, Bytes)> {
        if let Some((version, bytes)) = self.young.entries.get(key) {
            return Some((*version, bytes.clone()));
        }
        let (version, bytes) = self.old.remove(key)?;
        self.put(key.clone(), version, bytes.clone(), generation_bytes_max);
        Some((version, bytes))
    }

    fn put(&mut self, key: Key, version: u64, made: Bytes, generation_bytes_max: usize) {
        let bytes = ENTRY_BYTES + made.len();
        if bytes > generation_bytes_max {
            return;
        }
        if self.young.bytes + bytes > generation_bytes_max {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.put(key, version, made);
    }
}

impl RenderedBytes {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { generation_bytes_max: bytes_max / 2, cache: Mutex::default() }
    }

    pub(crate) fn get(
        &self,
        view: &Arc<ServiceView>,
        format: Format,
        clusters: &ClusterNames,
        make: &mut dyn FnMut() -> Bytes,
    ) -> Bytes {
        let key = (view.key.clone(), format, clusters.clone());
        if let Some((version, bytes)) = self.lock().find(&key, self.generation_bytes_max)
            && version == view.version
        {
            return bytes;
        }
        let made = make();
        let mut cache = self.lock();
        if let Some((version, _)) = cache.find(&key, self.generation_bytes_max) {
            if version > view.version {
                return made; // a reader that holds an older view must not replace the newer bytes
            }
            cache.young.remove(&key);
        }
        cache.put(key, view.version, made.clone(), self.generation_bytes_max);
        made
    }

    /// Drops what was written out of a service that is gone.
    pub(crate) fn forget(&self, service: &ServiceKey) {
        let mut cache = self.lock();
        cache.young.forget(service);
        cache.old.forget(service);
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
        let cache = RenderedBytes::new(2 * (ENTRY_BYTES + 10));
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
        assert_eq!(cache.lock().young.bytes, 0);
    }

    #[test]
    fn what_is_used_stays_and_what_is_read_once_goes() {
        let cache = RenderedBytes::new(8 * (ENTRY_BYTES + 4));
        let all = ClusterNames::from([]);
        let made = std::cell::Cell::new(0);
        let get = |name: &str| {
            cache.get(&view(name, 1), Format::Http, &all, &mut || {
                made.set(made.get() + 1);
                Bytes::from_static(b"made")
            })
        };
        for number in 0..100 {
            get("used");
            get(&format!("once-{number}"));
            let cache = cache.lock();
            for generation in [&cache.young, &cache.old] {
                assert!(generation.bytes <= 4 * (ENTRY_BYTES + 4));
                assert_eq!(generation.bytes, generation.entries.len() * (ENTRY_BYTES + 4));
            }
        }
        assert_eq!(made.get(), 101);
        get("once-0");
        assert_eq!(made.get(), 102);
    }
}
