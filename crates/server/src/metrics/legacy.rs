//! `/nacos/actuator/prometheus`: the names that dashboards for Nacos know, as far as they can be filled truthfully.

use super::page::Page;
use crate::requests::Requests;
use host::{Gauges, Host};
use nacos::Pushing;

/// Where it is served.
pub(crate) const PATH: &str = "/nacos/actuator/prometheus";

pub(crate) fn page(gauges: &Gauges, host: &Host, requests: &Requests) -> String {
    let mut page = Page::default();
    let monitor = page.gauge("nacos_monitor", "Names as in Nacos");
    let mut put = |module: &str, name: &str, value: u64| {
        monitor.with(&[("module", module), ("name", name)], value);
    };
    let pushes = host.tally.pushes(Pushing::Registry);
    let acknowledged: u64 = pushes.acknowledged.buckets.iter().sum();
    put("naming", "serviceCount", gauges.counts.services as u64);
    put("naming", "ipCount", gauges.counts.instances as u64);
    put("naming", "subscriberCount", gauges.counts.subscriptions as u64);
    put("naming", "totalPush", acknowledged + pushes.lost);
    put("naming", "failedPush", pushes.lost);
    put("naming", "pushPendingTaskCount", gauges.pushes_in_flight as u64);
    let average_ms = pushes.acknowledged.sum_us.checked_div(1_000 * acknowledged.max(1));
    put("naming", "avgPushCost", average_ms.unwrap_or(0));
    put("naming", "leaderStatus", gauges.leads.into());
    let routes = requests.http();
    let count = |route: &str, method: &str| {
        let wanted = routes.iter().filter(|r| r.route.ends_with(route) && r.method == method);
        wanted.flat_map(|r| r.codes.values()).sum::<u64>()
    };
    let types = requests.grpc();
    let called = |kind: &str| {
        types.iter().filter(|(name, _, _)| *name == kind).map(|(_, _, count)| count).sum::<u64>()
    };
    let read = count("/cs/configs", "GET") + count("/cs/config", "GET");
    put("config", "getConfig", read + called("ConfigQueryRequest"));
    let published = count("/cs/configs", "POST") + count("/cs/config", "POST");
    put("config", "publish", published + called("ConfigPublishRequest"));
    put("config", "configCount", gauges.configs as u64);
    put("config", "longPolling", gauges.tally.config_listeners as u64);
    let clients: usize = host.tally.agents().values().sum();
    put("core", "longConnection", clients as u64);
    page.finish()
}
