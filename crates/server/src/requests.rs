//! Counting requests. Each thread has a shard of its own, behind a lock that nobody else wants but a scrape: a request
//! costs one uncontended lock, one search among some hundred paths, and two readings of the clock.

use host::HistogramCounts;
use http::Method;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Shards: threads beyond it share.
const SHARDS: usize = 16;
/// What every unknown path, method or type counts as.
const OTHER: &str = "other";
/// Verbs that are told apart.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", OTHER];
/// Paths of this crate's own, and first parts of those of the console.
const OWN_PATHS: [&str; 9] = [
    "/livez",
    "/readyz",
    "/metrics",
    "/nacos/actuator/prometheus",
    "/v1/login",
    "/v1/status",
    "/v1/services",
    "/v1/configs",
    "/v1/namespaces",
];

/// What was asked, over HTTP: bounded, whatever clients write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    route: usize,
    method: usize,
}

/// All requests since the start.
pub(crate) struct Requests {
    /// In order.
    routes: Vec<String>,
    /// In order.
    types: Vec<&'static str>,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    http: BTreeMap<Asked, Series>,
    grpc: BTreeMap<(usize, u16), u64>,
}

#[derive(Clone, Default)]
struct Series {
    codes: BTreeMap<u16, u64>,
    took: HistogramCounts,
}

/// What one route was asked for.
#[derive(Debug)]
pub(crate) struct RouteCounts {
    pub(crate) plane: &'static str,
    pub(crate) method: &'static str,
    pub(crate) route: String,
    pub(crate) codes: BTreeMap<u16, u64>,
    pub(crate) took: HistogramCounts,
}

impl Requests {
    pub(crate) fn new() -> Self {
        let mut routes: Vec<String> = nacos::http_api().map(|(_, path, _)| path).collect();
        routes.extend(OWN_PATHS.map(str::to_owned));
        routes.sort_unstable();
        routes.dedup();
        let mut types: Vec<&str> = nacos::grpc_api().collect();
        types.sort_unstable();
        Self { routes, types, shards: Default::default() }
    }

    pub(crate) fn asked(&self, method: &Method, path: &str) -> Asked {
        let path = path.strip_suffix('/').unwrap_or(path);
        let known =
            |path: &str| self.routes.binary_search_by(|route| route.as_str().cmp(path)).ok();
        let route = known(path).or_else(|| {
            let rest = path.strip_prefix("/v1/")?;
            known(&path[.."/v1/".len() + rest.find('/')?])
        });
        let method = METHODS.iter().position(|known| *known == method.as_str());
        Asked {
            route: route.unwrap_or(self.routes.len()),
            method: method.unwrap_or(METHODS.len() - 1),
        }
    }

    pub(crate) fn answered(&self, asked: Asked, code: u16, took: Duration) {
        let mut shard = self.own_shard();
        let series = shard.http.entry(asked).or_default();
        *series.codes.entry(code).or_default() += 1;
        series.took.observe(took);
    }

    pub(crate) fn answered_grpc(&self, kind: Option<usize>, code: u16) {
        *self.own_shard().grpc.entry((kind.unwrap_or(self.types.len()), code)).or_default() += 1;
    }

    /// The number of a gRPC type, if it is served.
    pub(crate) fn kind(&self, kind: &str) -> Option<usize> {
        self.types.binary_search(&kind).ok()
    }

    /// What was asked over HTTP.
    pub(crate) fn http(&self) -> Vec<RouteCounts> {
        let mut all: BTreeMap<Asked, Series> = BTreeMap::new();
        for shard in &self.shards {
            for (asked, series) in &lock(shard).http {
                let sum = all.entry(*asked).or_default();
                for (code, count) in &series.codes {
                    *sum.codes.entry(*code).or_default() += count;
                }
                sum.took.add(&series.took);
            }
        }
        let named = all.into_iter().map(|(asked, Series { codes, took })| {
            let route = self.routes.get(asked.route).map_or(OTHER, String::as_str).to_owned();
            let (plane, method) = (plane(&route), METHODS[asked.method]);
            RouteCounts { plane, method, route, codes, took }
        });
        named.collect()
    }

    /// What was asked over gRPC: type, code, count.
    pub(crate) fn grpc(&self) -> Vec<(&'static str, u16, u64)> {
        let mut all: BTreeMap<(usize, u16), u64> = BTreeMap::new();
        for shard in &self.shards {
            for (key, count) in &lock(shard).grpc {
                *all.entry(*key).or_default() += count;
            }
        }
        let name = |kind: usize| self.types.get(kind).copied().unwrap_or(OTHER);
        all.into_iter().map(|((kind, code), count)| (name(kind), code, count)).collect()
    }

    fn own_shard(&self) -> MutexGuard<'_, Shard> {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static OWN: usize = THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS;
        }
        lock(&self.shards[OWN.with(|own| *own)])
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn plane(route: &str) -> &'static str {
    let part = |part: &str| route.contains(part);
    if part("/ns/") || route.starts_with("/v1/services") {
        "registry"
    } else if part("/cs/") || route.starts_with("/v1/configs") {
        "config"
    } else if part("/auth/") || part("/namespace") || route == "/v1/login" {
        "access"
    } else if route == OTHER {
        OTHER
    } else {
        "node"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_there_are_no_more_series_than_routes() {
        let requests = Requests::new();
        for (path, route, plane) in [
            ("/nacos/v1/ns/instance", "/nacos/v1/ns/instance", "registry"),
            ("/nacos/v1/ns/instance/", "/nacos/v1/ns/instance", "registry"),
            ("/nacos/v1/cs/configs/listener", "/nacos/v1/cs/configs/listener", "config"),
            ("/v1/services/a-name/instances/1.2.3.4:80", "/v1/services", "registry"),
            ("/v1/unknown/thing", OTHER, OTHER),
            ("/\"}1", OTHER, OTHER),
        ] {
            let requests = Requests::new();
            requests.answered(requests.asked(&Method::GET, path), 200, Duration::from_millis(1));
            let counts = requests.http();
            assert_eq!((&*counts[0].route, counts[0].plane), (route, plane), "{path}");
        }
        for number in 0..10_000 {
            let method = Method::from_bytes(format!("M{number}").as_bytes()).expect("a method");
            let asked = requests.asked(&method, &format!("/nacos/{number}"));
            requests.answered(asked, 404, Duration::ZERO);
            requests.answered_grpc(requests.kind(&format!("Type{number}")), 302);
        }
        let counts = requests.http();
        assert_eq!((counts.len(), counts[0].codes[&404]), (1, 10_000));
        assert_eq!(requests.grpc(), [(OTHER, 302, 10_000)]);
    }

    #[test]
    fn threads_count_apart_and_are_read_together() {
        let requests = Requests::new();
        let asked = requests.asked(&Method::GET, "/livez");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        requests.answered(asked, 200, Duration::from_micros(7));
                    }
                });
            }
        });
        let counts = requests.http();
        assert_eq!((counts[0].codes[&200], counts[0].took.sum_us), (4_000, 28_000));
    }
}
