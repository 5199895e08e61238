//! The fuzzy watch of configs.

use super::*;

/// As 3.0.3 was recorded, but for the answer to the client's confirmations.
#[test]
fn a_watch_is_told_what_there_is_and_then_what_comes_and_goes() {
    check(
        &run(r#"
        setup
        config public/G/gcbeta 1 text x
        config public/G/gctag 1 text x
        config public/H/gcother 1 text x
        config ns1/G/gc1 1 text x
        unary ConfigFuzzyWatchRequest {"requestId":"24","groupKeyPattern":"public>>G>>gc*","watchType":"WATCH","initializing":true,"receivedGroupKeys":[]}
        answer q1 watching
        stream ConfigFuzzyWatchSyncResponse {"requestId":"1"}
        stream ConfigFuzzyWatchSyncResponse {"requestId":"2"}
        exists public/G/gc+new
        stream ConfigFuzzyWatchChangeNotifyResponse {"requestId":"3"}
        exists public/H/gcnew
        gone public/G/gctag
        stream ConfigFuzzyWatchChangeNotifyResponse {"requestId":"4"}
        # It goes and comes back while the first is on its way: both are told, in this order.
        gone public/G/gcbeta
        exists public/G/gcbeta
        stream ConfigFuzzyWatchChangeNotifyResponse {"requestId":"5"}
        stream ConfigFuzzyWatchChangeNotifyResponse {"requestId":"6"}
        unary ConfigFuzzyWatchRequest {"requestId":"25","groupKeyPattern":"public>>G>>gc*","watchType":"CANCEL_WATCH"}
        answer q2 watching
        exists public/G/gcmore
        unary ConfigFuzzyWatchRequest {"requestId":"26","groupKeyPattern":"public>>G>>gc*","watchType":"CANCEL_WATCH"}
        "#),
        r#"
        ask q1 Config(Watch { pattern: Pattern { namespace: "public", group: "G", data_id: "gc*" } })
        unary 1 ConfigFuzzyWatchResponse {"resultCode":200,"errorCode":0,"requestId":"24","success":true}
        stream ConfigFuzzyWatchSyncRequest {"headers":{},"requestId":"1","groupKeyPattern":"public>>G>>gc*","contexts":[{"groupKey":"gcbeta+G+public","changedType":"ADD_CONFIG"},{"groupKey":"gctag+G+public","changedType":"ADD_CONFIG"}],"syncType":"FUZZY_WATCH_INIT_NOTIFY","totalBatch":1,"currentBatch":1,"module":"config"}
        stream ConfigFuzzyWatchSyncRequest {"headers":{},"requestId":"2","groupKeyPattern":"public>>G>>gc*","syncType":"FINISH_FUZZY_WATCH_INIT_NOTIFY","totalBatch":0,"currentBatch":0,"module":"config"}
        stream ConfigFuzzyWatchChangeNotifyRequest {"headers":{},"requestId":"3","groupKey":"gc%2Bnew+G+public","changeType":"ADD_CONFIG","syncType":"FUZZY_WATCH_RESOURCE_CHANGED","module":"config"}
        stream ConfigFuzzyWatchChangeNotifyRequest {"headers":{},"requestId":"4","groupKey":"gctag+G+public","changeType":"DELETE_CONFIG","syncType":"FUZZY_WATCH_RESOURCE_CHANGED","module":"config"}
        stream ConfigFuzzyWatchChangeNotifyRequest {"headers":{},"requestId":"5","groupKey":"gcbeta+G+public","changeType":"DELETE_CONFIG","syncType":"FUZZY_WATCH_RESOURCE_CHANGED","module":"config"}
        stream ConfigFuzzyWatchChangeNotifyRequest {"headers":{},"requestId":"6","groupKey":"gcbeta+G+public","changeType":"ADD_CONFIG","syncType":"FUZZY_WATCH_RESOURCE_CHANGED","module":"config"}
        ask q2 Config(Unwatch { pattern: Pattern { namespace: "public", group: "G", data_id: "gc*" } })
        unary 2 ConfigFuzzyWatchResponse {"resultCode":200,"errorCode":0,"requestId":"25","success":true}
        unary 3 ConfigFuzzyWatchResponse {"resultCode":200,"errorCode":0,"requestId":"26","success":true}
        "#,
    );
}

/// What the client received on an earlier connection is not told again; what went meanwhile is told alone, because the
/// official client drops a name only then.
#[test]
fn a_client_that_comes_back_hears_only_what_it_missed() {
    check(
        &run(r#"
        setup
        config ns1/G/a 1 text x
        config ns1/G/b 1 text x
        config ns1/G/c 1 text x
        unary ConfigFuzzyWatchRequest {"groupKeyPattern":"ns1>>*>>*","watchType":"WATCH","initializing":false,"receivedGroupKeys":["a+G+ns1","gone+G+ns1","other+G+ns2","junk"]}
        answer q1 watching
        "#),
        r#"
        ask q1 Config(Watch { pattern: Pattern { namespace: "ns1", group: "*", data_id: "*" } })
        unary 1 ConfigFuzzyWatchResponse {"resultCode":200,"errorCode":0,"success":true}
        stream ConfigFuzzyWatchChangeNotifyRequest {"headers":{},"requestId":"1","groupKey":"gone+G+ns1","changeType":"DELETE_CONFIG","syncType":"FUZZY_WATCH_RESOURCE_CHANGED","module":"config"}
        stream ConfigFuzzyWatchSyncRequest {"headers":{},"requestId":"2","groupKeyPattern":"ns1>>*>>*","contexts":[{"groupKey":"b+G+ns1","changedType":"ADD_CONFIG"},{"groupKey":"c+G+ns1","changedType":"ADD_CONFIG"}],"syncType":"FUZZY_WATCH_DIFF_SYNC_NOTIFY","totalBatch":1,"currentBatch":1,"module":"config"}
        "#,
    );
}

/// Plays a client that confirms what it gets, or not, and keeps what it was told.
struct Watcher {
    stage: Stage,
    held: std::collections::BTreeSet<String>,
    finished: bool,
    messages: usize,
}

impl Watcher {
    fn begin(configs: usize) -> Self {
        let mut stage = Stage::new(Login::Open);
        stage.command("setup");
        for number in 0..configs {
            stage.command(&format!("config public/G/d{number:04} 1 text x"));
        }
        let mut watcher =
            Self { stage, held: std::collections::BTreeSet::new(), finished: false, messages: 0 };
        watcher.stage.command(r#"unary ConfigFuzzyWatchRequest {"groupKeyPattern":"public>>G>>d*","watchType":"WATCH","initializing":true}"#);
        watcher.stage.command("answer q1 watching");
        watcher
    }

    /// Everything that is sent by now; what is confirmed brings more.
    fn take(&mut self, confirms: bool) -> String {
        let mut answers = String::new();
        while let Some(output) = self.stage.session.poll() {
            let Output::Stream(payload) = &output else {
                writeln!(answers, "{}", shown(&output)).unwrap();
                continue;
            };
            let body: serde_json::Value = serde_json::from_slice(grpc::body(payload)).unwrap();
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            self.messages += 1;
            if confirms {
                for name in body["contexts"].as_array().into_iter().flatten() {
                    assert_eq!(name["changedType"], "ADD_CONFIG");
                    self.held.insert(text(&name["groupKey"]));
                }
                match body["changeType"].as_str() {
                    Some("ADD_CONFIG") => self.held.insert(text(&body["groupKey"])),
                    Some(_) => self.held.remove(&text(&body["groupKey"])),
                    None => false,
                };
                self.finished |= body["syncType"] == "FINISH_FUZZY_WATCH_INIT_NOTIFY";
                let confirmed = format!("stream Any {{\"requestId\":{}}}", body["requestId"]);
                self.stage.command(&confirmed);
            }
        }
        answers
    }
}

#[test]
fn five_hundred_names_are_told_in_batches_and_no_more_with_the_written_answer() {
    let mut watcher = Watcher::begin(501);
    let answers = watcher.take(true);
    assert!(answers.contains(r#"ConfigFuzzyWatchResponse {"resultCode":500,"errorCode":50311,"message":"fuzzy watch pattern matched count over limit","success":false}"#), "{answers}");
    assert_eq!((watcher.held.len(), watcher.finished, watcher.messages), (500, true, 26));
    watcher.stage.command("exists public/G/d9999");
    watcher.take(true);
    assert_eq!(watcher.held.len(), 500, "beyond the limit nothing is told");
    watcher.stage.command("gone public/G/d0007");
    watcher.stage.command("exists public/G/d8888");
    watcher.take(true);
    assert!(!watcher.held.contains("d0007+G+public") && watcher.held.contains("d8888+G+public"));
    let mut fewer = Watcher::begin(500);
    assert!(!fewer.take(true).contains("50311"));
    assert_eq!((fewer.held.len(), fewer.finished), (500, true));
}

#[test]
fn at_the_limit_of_patterns_the_answer_is_nacos_s() {
    let transcript = run(r#"
        setup
        unary ConfigFuzzyWatchRequest {"groupKeyPattern":"public>>G>>a*","watchType":"WATCH","initializing":true}
        answer q1 too-many-patterns
    "#);
    assert!(transcript.contains(r#"unary 1 ConfigFuzzyWatchResponse {"resultCode":500,"errorCode":50310,"message":"fuzzy watch pattern over limit","success":false}"#), "{transcript}");
    assert!(!transcript.contains("stream"), "{transcript}");
}

/// Five tries, then silence until something changes or the client asks again.
#[test]
fn what_is_not_confirmed_is_told_again_and_not_for_ever() {
    let mut watcher = Watcher::begin(1);
    watcher.take(false);
    for _ in 0..100 {
        watcher.stage.command("unary HealthCheckRequest {}");
        watcher.stage.command("wait 1000");
        watcher.take(false);
    }
    assert_eq!(watcher.messages, 5);
    watcher.stage.command("exists public/G/d0001");
    watcher.take(true);
    assert_eq!((watcher.held.len(), watcher.finished), (2, true), "a change begins anew");
}

#[test]
fn a_stream_that_is_opened_anew_is_told_what_was_on_its_way() {
    let mut watcher = Watcher::begin(3);
    watcher.take(false);
    watcher.stage.command("open");
    watcher.take(true);
    assert_eq!((watcher.held.len(), watcher.finished), (3, true));
}

#[test]
fn patterns_that_are_none_are_refused_and_ask_nobody() {
    for (body, told) in [
        ("{}", "invalid groupKeyPattern : : namespace>>group>>dataId is taken"),
        (
            r#"{"groupKeyPattern":"a>>b"}"#,
            "invalid groupKeyPattern : a>>b: namespace>>group>>dataId is taken",
        ),
        (r#"{"groupKeyPattern":"a>>>>c","watchType":"WATCH"}"#, "a part is blank"),
        (
            r#"{"groupKeyPattern":"a*>>b>>c","watchType":"WATCH"}"#,
            "Param 'namespaceId/tenant' is illegal",
        ),
        (r#"{"groupKeyPattern":"a>>b c>>c","watchType":"WATCH"}"#, "Param 'group' is illegal"),
        (r#"{"groupKeyPattern":"a>>b>>c/d","watchType":"WATCH"}"#, "Param 'dataId' is illegal"),
        (r#"{"groupKeyPattern":"a>>b>>c","watchType":"LOOK"}"#, "invalid watchType : LOOK"),
        (r#"{"groupKeyPattern":"a>>b>>c"}"#, "invalid watchType : "),
        (
            r#"{"groupKeyPattern":"a>>b>>c","watchType":"WATCH","receivedGroupKeys":7}"#,
            "deserialize",
        ),
    ] {
        let transcript = run(&format!("setup\nunary ConfigFuzzyWatchRequest {body}"));
        assert!(transcript.contains(told), "{body}: {transcript}");
        assert!(!transcript.contains("ask "), "{body}: {transcript}");
        assert!(transcript.contains(r#""success":false"#), "{body}: {transcript}");
    }
    let many = vec!["\"a+b+c\""; 1_001].join(",");
    let body = format!(
        r#"{{"groupKeyPattern":"a>>b>>c","watchType":"WATCH","receivedGroupKeys":[{many}]}}"#
    );
    let transcript = run(&format!("setup\nunary ConfigFuzzyWatchRequest {body}"));
    assert!(transcript.contains("more than 1000 receivedGroupKeys"), "{transcript}");
}

/// The right to a pattern covers all that it takes.
#[test]
fn who_may_not_read_everything_that_a_pattern_takes_does_not_watch_it() {
    for (pattern, allowed) in [
        ("public>>G>>a*", true),
        ("public>>G>>ab*", true),
        ("public>>G>>*", false),
        ("public>>*>>a*", false),
        ("ns1>>G>>a*", false),
    ] {
        let mut stage = Stage::new(Login::Required);
        stage.command("setup");
        stage.command("user ann team");
        stage.command("remember ann pw");
        let permission =
            access::Permission { resource: "public:G:config/a*".into(), action: "r".into() };
        stage.scene.access.permissions.entry("team".into()).or_default().insert(permission);
        let request = format!(
            r#"unary ConfigFuzzyWatchRequest @username=ann @password=pw {{"groupKeyPattern":"{pattern}","watchType":"WATCH"}}"#
        );
        let transcript = play(&mut stage, &request);
        assert_eq!(
            transcript.starts_with("ask q1 Config(Watch"),
            allowed,
            "{pattern}: {transcript}"
        );
        assert_eq!(transcript.contains("authorization failed!"), !allowed, "{pattern}");
    }
}
