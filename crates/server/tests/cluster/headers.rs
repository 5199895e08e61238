//! Every answer over HTTP says what it is worth: which consistency was reached, how old it may be, through which entry the node
//! was, and which node it was. Answers of gRPC say it only when they are worth less than their operation asks for: SDKs do not
//! look there.

use crate::setup::{Cluster, Reply};
use std::collections::BTreeSet;

/// What every operation might want.
const SAMPLE: &str = "serviceName=s&groupName=G&ip=1.1.1.1&port=1&dataId=a&group=G&content=x&pageNo=1&pageSize=9&username=u\
    &password=password2&role=r&resource=*&action=rw&customNamespaceId=n1&namespaceId=n1&namespaceName=n&healthy=true&nid=1\
    &count=9&connectionId=c&clientId=c&Listening-Configs=a%02G%02wrong%01&limit=9&owner=o&address=1.1.1.1:1";

/// What is wrong with the headers of an answer.
fn missing(reply: &Reply) -> Option<&'static str> {
    let value = |name: &str| reply.header(&format!("x-trine-{name}"));
    let consistency = value("consistency");
    let level = |text: &str| text.parse::<base::Consistency>().is_ok();
    let number = |text: &str| text.parse::<u64>().is_ok();
    if !consistency.is_some_and(level) {
        return Some("consistency");
    }
    if !value("staleness-ms").is_some_and(|text| text == "unknown" || number(text)) {
        return Some("staleness-ms");
    }
    if !value("index").is_some_and(number) {
        return Some("index");
    }
    let node = |text: &str| text.strip_prefix('n').is_some_and(number);
    (!value("served-by").is_some_and(node)).then_some("served-by")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_of_every_route_says_what_it_is_worth() {
    let cluster = Cluster::start(2).await;
    let nacos = nacos::http_api().map(|(verb, path, _)| (verb, path.replace("{key}", "G%40%40s")));
    let own = console::http_api().map(|(verb, path)| (verb, path.replace("{}", "x")));
    let elsewhere = ["/", "/nacos", "/nacos/v1/nothing", "/v1/nothing", "/nacos/v3/admin/nothing"];
    let elsewhere = elsewhere.map(|path| ("GET", path.to_owned()));
    let pages = ["GET", "POST"].map(|verb| (verb, "/metrics".to_owned()));
    let (mut asked, mut wrong) = (0, Vec::new());
    let mut seen = BTreeSet::new();
    for (verb, path) in nacos.chain(own).chain(elsewhere).chain(pages) {
        for query in ["", SAMPLE] {
            let reply = cluster.reply(asked % 2, verb, &format!("{path}?{query}"), "", "").await;
            seen.insert(reply.status);
            asked += 1;
            if let Some(name) = missing(&reply) {
                wrong.push(format!("{verb} {path}?{query} {}: {name}", reply.status));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(asked > 300, "{asked}");
    // Successes, and refusals of every kind, were among them.
    assert!([200, 400, 404, 405, 501].into_iter().all(|status| seen.contains(&status)), "{seen:?}");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_before_it_is_read_and_what_waited_say_it_too() {
    let cluster = Cluster::start(1).await;
    let get = "/nacos/v1/cs/configs?dataId=held&group=g";
    let gone = cluster.reply(0, "GET", get, "", "").await;
    assert_eq!((gone.status, missing(&gone)), (404, None));

    let poll = async {
        let (path, held) = ("/nacos/v1/cs/configs/listener", "Long-Pulling-Timeout: 30000\r\n");
        cluster.reply(0, "POST", path, held, "Listening-Configs=held%02g%02%01").await
    };
    let change = async {
        // The poll may come before or after: either way it is answered with the change.
        cluster.publish(0, "held", "one").await;
    };
    let (polled, ()) = tokio::join!(poll, change);
    assert_eq!((polled.status, missing(&polled)), (200, None));
    assert!(polled.text.contains("held"), "{}", polled.text);

    let write = cluster.reply(0, "POST", "/nacos/v1/cs/configs", "", "dataId=a&group=g&content=x");
    let write = write.await;
    assert_eq!((write.status, missing(&write)), (200, None));
    let index = write.header("x-trine-index").expect("looked at above").to_owned();
    let read = "/nacos/v1/cs/configs?dataId=a&group=g&consistency=session";
    let read = cluster.reply(0, "GET", read, &format!("x-trine-index: {index}\r\n"), "").await;
    assert_eq!((&read.text[..], missing(&read)), ("x", None));

    let long = "x".repeat(2 << 20);
    let refused = cluster.reply(0, "POST", "/nacos/v1/ns/instance", "", &long).await;
    assert_eq!((refused.status, missing(&refused)), (413, None));
    let line = format!("x-long: {}\r\n", "y".repeat(80 << 10));
    let refused = cluster.reply(0, "GET", "/livez", &line, "").await;
    assert_eq!((refused.status, missing(&refused)), (431, None));
    cluster.end().await;
}

/// Alone, all that is read is as fresh as can be; with others, the registry's answers are called stale, whatever is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_is_as_fresh_as_is_asked_for_or_says_that_it_is_not() {
    let cluster = Cluster::start(2).await;
    cluster.publish(0, "a", "x").await;
    let level = async |path: &str, wanted: &str| {
        let path = format!("{path}&consistency={wanted}");
        let reply = cluster.reply(1, "GET", &path, "", "").await;
        assert_eq!(missing(&reply), None, "{path}");
        (reply.status, reply.header("x-trine-consistency").expect("looked at above").to_owned())
    };
    let config = "/nacos/v1/cs/configs?dataId=a&group=g";
    let users = "/nacos/v1/auth/users?pageNo=1&pageSize=9";
    for path in [config, users, "/v1/configs/a?group=g", "/nacos/v2/console/namespace/list?"] {
        assert_eq!(level(path, "linearizable").await, (200, "linearizable".to_owned()), "{path}");
        assert_eq!(level(path, "stale").await.0, 200, "{path}");
        assert_eq!(level(path, "newest").await.0, 400, "{path}");
    }
    cluster.register(0, "svc", "10.0.0.1").await;
    let list = "/nacos/v1/ns/instance/list?serviceName=svc";
    assert_eq!(level(list, "linearizable").await, (200, "stale".to_owned()));
    cluster.end().await;
}
