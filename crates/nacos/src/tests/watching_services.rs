//! Fuzzy watches of services: the messages as recorded on official 3.0.3, with the registry itself behind the edge.

use super::{registry::Registry, *};

const WATCH: &str = r#"unary NamingFuzzyWatchRequest {"requestId":"23","namespace":"public","groupKeyPattern":"public>>DEFAULT_GROUP>>g*","watchType":"WATCH","initializing":true,"receivedGroupKeys":[]}"#;
const FINISHED: &str = r#""syncType":"FINISH_FUZZY_WATCH_INIT_NOTIFY","groupKeyPattern":"public>>DEFAULT_GROUP>>g*","totalBatch":0,"currentBatch":0,"module":"naming"}"#;

fn notified(request: u64, service: &str, change: &str) -> String {
    format!(
        r#"c1 stream NamingFuzzyWatchChangeNotifyRequest {{"headers":{{}},"requestId":"{request}","syncType":"FUZZY_WATCH_RESOURCE_CHANGED","serviceKey":"public@@DEFAULT_GROUP@@{service}","changedType":"{change}_SERVICE","module":"naming"}}"#
    )
}

fn create(registry: &mut Registry, service: &str) {
    let answer = registry.http(&format!("POST /nacos/v1/ns/service?serviceName={service}"));
    assert!(answer.starts_with("200"), "{answer}");
}

#[test]
fn who_begins_is_told_all_names_and_then_that_these_are_all() {
    let mut registry = Registry::new();
    for service in ["gx", "gp", "other", "DEFAULT_GROUPX@@gx"] {
        create(&mut registry, service);
    }
    registry.say("c1 setup");
    check(
        &registry.say(&format!(
            r#"c1 {WATCH}
            c1 stream NamingFuzzyWatchChangeNotifyResponse {{"requestId":"1"}}
            c1 stream NamingFuzzyWatchChangeNotifyResponse {{"requestId":"2"}}
            wait 5000"#
        )),
        &[
            r#"c1 unary 6 NamingFuzzyWatchResponse {"resultCode":200,"errorCode":0,"requestId":"23","success":true}"#,
            r#"c1 stream NamingFuzzyWatchSyncRequest {"headers":{},"requestId":"1","syncType":"FUZZY_WATCH_INIT_NOTIFY","groupKeyPattern":"public>>DEFAULT_GROUP>>g*","contexts":[{"serviceKey":"public@@DEFAULT_GROUP@@gp","changedType":"ADD_SERVICE"},{"serviceKey":"public@@DEFAULT_GROUP@@gx","changedType":"ADD_SERVICE"}],"totalBatch":1,"currentBatch":1,"module":"naming"}"#,
            &format!(r#"c1 stream NamingFuzzyWatchSyncRequest {{"headers":{{}},"requestId":"2",{FINISHED}"#),
        ]
        .join("\n"),
    );
}

#[test]
fn services_that_come_and_go_are_told_once() {
    let mut registry = Registry::new();
    registry.say("c1 setup");
    let heard = registry.say(&format!(
        "c1 {WATCH}\nc1 stream NamingFuzzyWatchSyncResponse {{\"requestId\":\"1\"}}"
    ));
    assert!(
        heard.contains(FINISHED)
            && !heard.contains(
                "INIT_NOTIFY\",\"groupKeyPattern\":\"public>>DEFAULT_GROUP>>g*\",\"contexts"
            ),
        "{heard}"
    );
    let told = |registry: &mut Registry, lines: &str| {
        let heard = registry.say(lines);
        let told = heard.lines().filter(|line| line.starts_with("c1 stream "));
        told.map(str::to_owned).collect::<Vec<_>>()
    };
    let make = "c99 http POST /nacos/v1/ns/service?serviceName=g1";
    let remove = "c99 http DELETE /nacos/v1/ns/service?serviceName=g1";
    assert_eq!(told(&mut registry, make), [notified(2, "g1", "ADD")]);
    // While that is on its way it goes, comes and goes again: told once, as it is then.
    assert!(told(&mut registry, &format!("{remove}\n{make}\n{remove}")).is_empty());
    let confirm =
        |n| format!("c1 stream NamingFuzzyWatchChangeNotifyResponse {{\"requestId\":\"{n}\"}}");
    assert_eq!(told(&mut registry, &confirm(2)), [notified(3, "g1", "DELETE")]);
    // It comes and goes before the confirmation: there is nothing to tell.
    assert!(told(&mut registry, &format!("{make}\n{remove}\n{}", confirm(3))).is_empty());
    // Not of a name that the pattern does not take, and not of a change of what is there.
    let others = "c99 http POST /nacos/v1/ns/service?serviceName=x1
        c99 http POST /nacos/v1/ns/service?serviceName=g1&groupName=OTHER
        c99 http POST /nacos/v1/ns/service?serviceName=g1&namespaceId=other";
    assert!(told(&mut registry, others).is_empty());
    // What is not confirmed is sent again, five times.
    assert_eq!(told(&mut registry, make), [notified(4, "g1", "ADD")]);
    for request in 5..=8 {
        let delay = 3_000 * (request - 4) - 1;
        assert_eq!(told(&mut registry, &format!("wait {delay}")), Vec::<String>::new());
        assert_eq!(told(&mut registry, "wait 1"), [notified(request, "g1", "ADD")]);
        registry.say("c1 unary HealthCheckRequest {}");
    }
    assert!(told(&mut registry, "wait 15000").is_empty());
    // No longer, when it is cancelled.
    let cancel = WATCH.replace("\"WATCH\"", "\"CANCEL_WATCH\"");
    let heard = registry.say(&format!("c1 {cancel}"));
    assert!(heard.contains(r#""resultCode":200"#), "{heard}");
    assert!(told(&mut registry, "c99 http POST /nacos/v1/ns/service?serviceName=g2").is_empty());
}

/// After a reconnect a client says what it has, and hears what is gone and what it lacks.
#[test]
fn who_comes_back_is_told_the_difference() {
    let mut registry = Registry::new();
    create(&mut registry, "g1");
    create(&mut registry, "g2");
    registry.say("c1 setup");
    let again = WATCH.replace("true", "false").replace(
        "[]",
        r#"["public@@DEFAULT_GROUP@@g2","public@@DEFAULT_GROUP@@g3","public@@OTHER@@g2","junk"]"#,
    );
    let heard = registry.say(&format!("c1 {again}"));
    let mut lines: Vec<&str> = heard.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            &*notified(1, "g3", "DELETE"),
            &*notified(2, "g1", "ADD"),
            r#"c1 unary 4 NamingFuzzyWatchResponse {"resultCode":200,"errorCode":0,"requestId":"23","success":true}"#,
        ]
    );
    // Who has all is told nothing.
    let all = again.replace("@@g3", "@@g1");
    let heard = registry.say(&format!("c1 {all}"));
    assert_eq!(heard.lines().count(), 1, "{heard}");
}

#[test]
fn at_the_limit_of_patterns_one_more_is_refused_with_its_code() {
    let mut registry = Registry::new();
    registry.say("c1 setup");
    for n in 0..20 {
        let heard = registry.say(&format!("c1 {}", WATCH.replace("g*", &format!("g{n}*"))));
        assert!(heard.contains(r#""resultCode":200"#), "{n}: {heard}");
    }
    let heard = registry.say(&format!("c1 {WATCH}"));
    let refused = r#"NamingFuzzyWatchResponse {"resultCode":500,"errorCode":50310,"message":"fuzzy watch pattern over limit: 20 are watched already, watch fewer","requestId":"23","success":false}"#;
    assert!(heard.contains(refused), "{heard}");
    create(&mut registry, "gone");
    assert!(!registry.say("wait 1000").contains("gone"), "the refused pattern is not watched");
    let cancel = WATCH.replace("g*", "g0*").replace("\"WATCH\"", "\"CANCEL_WATCH\"");
    registry.say(&format!("c1 {cancel}"));
    assert!(registry.say(&format!("c1 {WATCH}")).contains(r#""resultCode":200"#));
}

#[test]
fn at_the_limit_of_matches_the_first_are_told_and_the_code_says_that_there_are_more() {
    let mut registry = Registry::new();
    registry.say("c1 setup");
    for n in 0..501 {
        create(&mut registry, &format!("g{n:03}"));
    }
    let mut heard = registry.say(&format!("c1 {WATCH}"));
    let code = r#""resultCode":500,"errorCode":50311,"message":"fuzzy watch pattern matched count over limit""#;
    assert!(heard.contains(code), "{heard}");
    for n in 1..=6 {
        heard += &registry
            .say(&format!("c1 stream NamingFuzzyWatchSyncResponse {{\"requestId\":\"{n}\"}}"));
    }
    assert_eq!(heard.matches("ADD_SERVICE").count(), 500);
    assert!(heard.contains(r#""totalBatch":5,"currentBatch":5"#) && heard.contains(FINISHED));
    assert!(!heard.contains("g500"));
    // One that comes is not told while there is no room, one that goes is.
    create(&mut registry, "g501");
    let heard = registry.say("c99 http DELETE /nacos/v1/ns/service?serviceName=g000");
    assert!(heard.contains(&notified(7, "g000", "DELETE")), "{heard}");
    let heard = registry.say("c99 http POST /nacos/v1/ns/service?serviceName=g502");
    assert!(heard.contains(&notified(8, "g502", "ADD")), "{heard}");
}

#[test]
fn patterns_that_are_none_are_refused() {
    for (pattern, text) in [
        ("", "it should be format as 'namespace>>group>>service'"),
        ("public>>g", "it should be format as 'namespace>>group>>service'"),
        ("public>>a>>b>>c", "it should be format as 'namespace>>group>>service'"),
        ("pub*>>g>>s", "Param 'namespaceId/tenant' is illegal"),
        ("public>>g g>>s", "Param 'group' is illegal"),
        ("public>>g>>s s", "Param 'serviceName' is illegal"),
        ("public>>>>s", "a part of it is blank"),
    ] {
        let request = WATCH.replace("public>>DEFAULT_GROUP>>g*", pattern);
        let heard = run(&format!("setup\n{request}"));
        assert!(heard.contains(text) && heard.contains(r#""errorCode":400"#), "{pattern}: {heard}");
    }
    let heard = run(&format!("setup\n{}", WATCH.replace("\"WATCH\"", "\"LOOK\"")));
    assert!(heard.contains("Unsupported request type LOOK"), "{heard}");
}

#[test]
fn watching_needs_the_right_to_read_names() {
    let heard = run_locked(&format!("setup\n{WATCH}"));
    assert!(heard.contains(r#""errorCode":403"#), "{heard}");
}
