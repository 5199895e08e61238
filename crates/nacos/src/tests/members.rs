//! The members of a cluster as Nacos's clients and consoles see them, and clients that are asked to go to another one.

use super::*;

/// Without what is the same for all members: `the_node_itself_is_shown_as_recorded` has it.
fn brief(transcript: &str) -> String {
    let cut = |text: &str, from: &str, to: &str| {
        let mut rest = text.split(from);
        let mut kept = rest.next().unwrap().to_owned();
        for part in rest {
            kept.push('…');
            kept.push_str(part.split_once(to).unwrap().1);
        }
        kept
    };
    let transcript = cut(transcript, "\"raftMetaData\":", "}}},");
    cut(&transcript, "\"abilities\":", "\"supportJraft\":true}},")
}

/// But for the term of the Raft group, which is not told.
#[test]
fn the_node_itself_is_shown_as_recorded() {
    check(
        &run("
        members alive*
        http GET /nacos/v2/core/cluster/node/self
        "),
        r#"
        http 1 200 application/json stale@7 | {"code":0,"message":"success","data":{"ip":"10.0.0.1","port":8848,"state":"UP","extendInfo":{"lastRefreshTime":1795232693996,"raftMetaData":{"metaDataMap":{"naming_instance_metadata":{"leader":"10.0.0.1:7848","raftGroupMember":["10.0.0.1:7848"]},"naming_persistent_service":{"leader":"10.0.0.1:7848","raftGroupMember":["10.0.0.1:7848"]},"naming_persistent_service_v2":{"leader":"10.0.0.1:7848","raftGroupMember":["10.0.0.1:7848"]},"naming_service_metadata":{"leader":"10.0.0.1:7848","raftGroupMember":["10.0.0.1:7848"]}}},"raftPort":"7848","readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.1:8848","failAccessCnt":0,"abilities":{"remoteAbility":{"supportRemoteConnection":true,"grpcReportEnabled":true},"configAbility":{"supportRemoteMetrics":false},"namingAbility":{"supportJraft":true}},"grpcReportEnabled":true}}
        "#,
    );
}

#[test]
fn the_members_are_listed_in_every_form() {
    let transcript = run(r#"
        http GET /nacos/v1/core/cluster/nodes
        members alive* suspect down left alive-
        http GET /nacos/v1/core/cluster/nodes
        http GET /nacos/v1/core/cluster/nodes?keyword=10.0.0.2
        http GET /nacos/v1/core/cluster/self
        http GET /nacos/v1/core/cluster/health
        http GET /nacos/v1/core/cluster/simple/nodes
        http GET /nacos/v2/core/cluster/node/self
        http GET /nacos/v2/core/cluster/node/list?state=down
        http GET /nacos/v2/core/cluster/node/list?address=10.0.0.2:8848
        http GET /nacos/v2/core/cluster/node/list?state=well
        http GET /nacos/v2/core/cluster/node/self/health
        http GET /nacos/v1/ns/operator/servers?healthy=true
        state draining
        http GET /nacos/v1/core/cluster/health
        "#);
    check(
        &brief(&transcript),
        r#"
        http 1 200 application/json stale@7 | {"code":200,"message":null,"data":[{"ip":"10.0.0.1","port":8848,"state":"UP","extendInfo":{"lastRefreshTime":1795232693996,"readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.1:8848","failAccessCnt":0,…"grpcReportEnabled":true}]}
        http 2 200 application/json stale@7 | {"code":200,"message":null,"data":[{"ip":"10.0.0.1","port":8848,"state":"UP","extendInfo":{"lastRefreshTime":1795232693996,…"raftPort":"7848","readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.1:8848","failAccessCnt":0,…"grpcReportEnabled":true},{"ip":"10.0.0.2","port":8848,"state":"SUSPICIOUS","extendInfo":{"lastRefreshTime":1795232693996,…"raftPort":"7848","readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.2:8848","failAccessCnt":0,…"grpcReportEnabled":true},{"ip":"10.0.0.3","port":8848,"state":"DOWN","extendInfo":{…"raftPort":"7848","readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.3:8848","failAccessCnt":0,…"grpcReportEnabled":true},{"ip":"10.0.0.5","port":0,"state":"UP","extendInfo":{…"raftPort":"7848","readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.5:0","failAccessCnt":0,…"grpcReportEnabled":true}]}
        http 3 200 application/json stale@7 | {"code":200,"message":null,"data":[{"ip":"10.0.0.2","port":8848,"state":"SUSPICIOUS","extendInfo":{"lastRefreshTime":1795232693996,…"raftPort":"7848","readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.2:8848","failAccessCnt":0,…"grpcReportEnabled":true}]}
        http 4 200 application/json stale@7 | {"code":200,"message":null,"data":{"ip":"10.0.0.1","port":8848,"state":"UP","extendInfo":{"lastRefreshTime":1795232693996,…"raftPort":"7848","readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.1:8848","failAccessCnt":0,…"grpcReportEnabled":true}}
        http 5 200 application/json stale@7 | {"code":200,"message":null,"data":"UP"}
        http 6 200 application/json stale@7 | {"code":200,"message":null,"data":["10.0.0.1:8848","10.0.0.2:8848","10.0.0.3:8848","10.0.0.5:0"]}
        http 7 200 application/json stale@7 | {"code":0,"message":"success","data":{"ip":"10.0.0.1","port":8848,"state":"UP","extendInfo":{"lastRefreshTime":1795232693996,…"raftPort":"7848","readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.1:8848","failAccessCnt":0,…"grpcReportEnabled":true}}
        http 8 200 application/json stale@7 | {"code":0,"message":"success","data":[{"ip":"10.0.0.3","port":8848,"state":"DOWN","extendInfo":{…"raftPort":"7848","readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.3:8848","failAccessCnt":0,…"grpcReportEnabled":true}]}
        http 9 200 application/json stale@7 | {"code":0,"message":"success","data":[{"ip":"10.0.0.2","port":8848,"state":"SUSPICIOUS","extendInfo":{"lastRefreshTime":1795232693996,…"raftPort":"7848","readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.2:8848","failAccessCnt":0,…"grpcReportEnabled":true}]}
        http 10 400 application/json | {"code":23000,"message":"illegal state","data":"Illegal state: well"}
        http 11 200 application/json stale@7 | {"code":0,"message":"success","data":"UP"}
        http 12 200 application/json stale@7 | {"servers":[{"ip":"10.0.0.1","port":8848,"state":"UP","extendInfo":{"lastRefreshTime":1795232693996,…"raftPort":"7848","readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.1:8848","failAccessCnt":0,…"grpcReportEnabled":true},{"ip":"10.0.0.5","port":0,"state":"UP","extendInfo":{…"raftPort":"7848","readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.5:0","failAccessCnt":0,…"grpcReportEnabled":true}]}
        http 13 200 application/json stale@7 | {"code":200,"message":null,"data":"DOWN"}
        "#,
    );
}

#[test]
fn a_probe_says_what_the_node_waits_for() {
    check(
        &run("
        state starting
        http GET /nacos/v1/console/health/readiness
        members alive
        http GET /nacos/v1/console/health/readiness
        http GET /nacos/v1/console/health/liveness
        state draining
        http GET /nacos/v2/console/health/readiness
        "),
        r#"
        http 1 503 text/plain;charset=UTF-8 | the node is starting
        http 2 503 text/plain;charset=UTF-8 | the node waits for others to form a cluster with
        http 3 200 text/plain;charset=UTF-8 | OK
        http 4 503 application/json | {"code":30000,"message":"server error","data":"the node is stopping"}
        "#,
    );
}

/// SDKs with an endpoint try these in turn: nobody who is gone, and nobody whose address is not known.
#[test]
fn an_endpoint_names_the_servers_that_may_serve() {
    check(
        &run("
        http GET /nacos/serverlist
        members alive* suspect down left alive-
        http GET /nacos/serverlist
        "),
        r"
        http 1 200 text/plain;charset=UTF-8 | 10.0.0.1:8848\n
        http 2 200 text/plain;charset=UTF-8 | 10.0.0.1:8848\n10.0.0.2:8848\n
        ",
    );
    assert!(run_locked("http GET /nacos/serverlist").starts_with("http 1 200 "));
}

#[test]
fn clients_are_shown_and_sent_to_other_members() {
    check(
        &run("
        members alive* alive
        http GET /nacos/v2/core/loader/current
        answer q1 clients 1795232693996_10.0.0.9_5000
        http GET /nacos/v2/core/loader/reloadCurrent?count=1&redirectAddress=10.0.0.2:8848
        answer q2 moved 1
        http GET /nacos/v2/core/loader/reloadCurrent?count=1
        answer q3 moved 0
        http GET /nacos/v2/core/loader/reloadCurrent?count=0
        http GET /nacos/v2/core/loader/reloadCurrent?count=1&redirectAddress=10.0.0.2
        http GET /nacos/v2/core/loader/reloadClient?connectionId=a&redirectAddress=[::1]:8848
        answer q4 moved 1
        http GET /nacos/v2/core/loader/reloadClient
        "),
        r#"
        ask q1 Clients { limit: 100000 }
        http 1 200 application/json | {"1795232693996_10.0.0.9_5000":{"traced":false,"metaInfo":{"connectType":"GRPC","clientIp":"10.0.0.9","remoteIp":"10.0.0.9","remotePort":5000,"localPort":8848,"version":"Nacos-Java-Client:v2.5.1","connectionId":"1795232693996_10.0.0.9_5000","createTime":"2026-11-21T03:44:53.996+00:00","appName":"shop"}}}
        ask q2 Move(AllBut { stay: 1, to: Some(Place { host: "10.0.0.2", port: 8848 }) })
        http 2 200 text/plain;charset=UTF-8 | success
        ask q3 Move(AllBut { stay: 1, to: None })
        http 3 200 text/plain;charset=UTF-8 | success
        http 4 400 text/plain;charset=UTF-8 | Param 'count' is illegal, the value should be a number above 0.
        http 5 400 text/plain;charset=UTF-8 | Param 'redirectAddress' is illegal, it should be format as 'ip:port'
        ask q4 Move(One { name: "a", to: Some(Place { host: "::1", port: 8848 }) })
        http 6 200 text/plain;charset=UTF-8 | success
        http 7 400 text/plain;charset=UTF-8 | Param 'connectionId' is required.
        "#,
    );
}

#[test]
fn the_cluster_is_balanced_and_who_does_not_answer_is_named() {
    check(
        &run("
        members alive* alive alive down
        http GET /nacos/v2/core/loader/cluster
        answer q1 crowds 3=1 1=8* 2=0 4
        http GET /nacos/v2/core/loader/smartReloadCluster
        answer q2 crowds 1=8 2=0 3=1
        answer q3 shifted
        http GET /nacos/v2/core/loader/smartReloadCluster
        answer q4 crowds 1=3 2=3 3=3
        http GET /nacos/v2/core/loader/smartReloadCluster?loaderFactor=0.5f
        answer q5 crowds 1=4 2=3 3=2
        http GET /nacos/v2/core/loader/smartReloadCluster?loaderFactor=0
        answer q6 crowds 1=4 2=3 3=2 4
        answer q7 shifted 1
        http GET /nacos/v2/core/loader/smartReloadCluster?loaderFactor=2
        http GET /nacos/v2/core/loader/smartReloadCluster?loaderFactor=NaN
        http GET /nacos/v2/core/loader/smartReloadCluster
        answer q8 no-leader
        "),
        r#"
        ask q1 Crowds
        http 1 200 application/json | {"detail":[{"address":"10.0.0.1:8848","metric":{"sdkConCount":"8","conCount":"11","load":"0.651","cpu":"0.0"}},{"address":"10.0.0.2:8848","metric":{"sdkConCount":"0","conCount":"3"}},{"address":"10.0.0.3:8848","metric":{"sdkConCount":"1","conCount":"4"}}],"memberCount":4,"metricsCount":3,"completed":false,"max":8,"min":0,"avg":3,"threshold":3.3000000000000003,"total":9}
        ask q2 Crowds
        ask q3 Shift([Shift { from: NodeId(1), to: NodeId(2), clients: 3 }, Shift { from: NodeId(1), to: NodeId(3), clients: 2 }])
        http 2 200 text/plain;charset=UTF-8 | Ok
        ask q4 Crowds
        http 3 200 text/plain;charset=UTF-8 | Ok
        ask q5 Crowds
        http 4 200 text/plain;charset=UTF-8 | Ok
        ask q6 Crowds
        ask q7 Shift([Shift { from: NodeId(1), to: NodeId(3), clients: 1 }])
        http 5 200 text/plain;charset=UTF-8 | Fail: 10.0.0.4:8848, 10.0.0.1:8848 did not answer: only the others were balanced
        http 6 400 text/plain;charset=UTF-8 | Param 'loaderFactor' is illegal, it should be a number from 0 to 1.
        http 7 400 text/plain;charset=UTF-8 | Param 'loaderFactor' is illegal, it should be a number from 0 to 1.
        ask q8 Crowds
        http 8 503 text/plain;charset=UTF-8 | no leader is known: nothing was written; try again, or another node
        "#,
    );
}

#[test]
fn clients_of_v3_are_balanced_in_its_words() {
    check(
        &run("
        members alive* alive
        http GET /nacos/v3/admin/core/loader/current
        answer q1 clients 1795232693996_10.0.0.9_5000
        http GET /nacos/v3/admin/core/loader/cluster
        answer q2 crowds 1=8* 2=1
        http POST /nacos/v3/admin/core/loader/reloadCurrent | count=1
        answer q3 moved 0
        http POST /nacos/v3/admin/core/loader/reloadClient | connectionId=a
        answer q4 moved 1
        http POST /nacos/v3/admin/core/loader/smartReloadCluster
        answer q5 crowds 1=1 2=1
        http POST /nacos/v3/admin/core/loader/smartReloadCluster
        answer q6 crowds 1=1 2
        http POST /nacos/v3/admin/core/loader/reloadCurrent
        "),
        r#"
        ask q1 Clients { limit: 100000 }
        http 1 200 application/json | {"code":0,"message":"success","data":{"1795232693996_10.0.0.9_5000":{"traced":false,"metaInfo":{"connectType":"GRPC","clientIp":"10.0.0.9","remoteIp":"10.0.0.9","remotePort":5000,"localPort":8848,"version":"Nacos-Java-Client:v2.5.1","connectionId":"1795232693996_10.0.0.9_5000","createTime":"2026-11-21T03:44:53.996+00:00","appName":"shop"}}}}
        ask q2 Crowds
        http 2 200 application/json | {"code":0,"message":"success","data":{"detail":[{"address":"10.0.0.1:8848","sdkConCount":8,"conCount":11,"load":"0.651","cpu":"0.0"},{"address":"10.0.0.2:8848","sdkConCount":1,"conCount":4}],"memberCount":2,"metricsCount":2,"completed":true,"max":8,"min":1,"avg":4,"threshold":"4.4","total":9}}
        ask q3 Move(AllBut { stay: 1, to: None })
        http 3 200 application/json | {"code":0,"message":"success","data":null}
        ask q4 Move(One { name: "a", to: None })
        http 4 200 application/json | {"code":0,"message":"success","data":null}
        ask q5 Crowds
        http 5 200 application/json | {"code":0,"message":"success","data":null}
        ask q6 Crowds
        http 6 500 application/json | {"code":30000,"message":"server error","data":"10.0.0.2:8848 did not answer: only the others were balanced"}
        http 7 400 application/json | {"code":10000,"message":"parameter missing","data":"Required parameter 'count' type String is not present"}
        "#,
    );
}

#[test]
fn the_members_are_listed_by_v3_as_well() {
    let transcript = run("
        members alive* down
        http GET /nacos/v3/admin/core/cluster/node/self
        http GET /nacos/v3/admin/core/cluster/node/list?state=DOWN
        http GET /nacos/v3/admin/core/cluster/node/self/health
        http GET /nacos/v3/console/core/cluster/nodes?keyword=10.0.0.2
        http GET /nacos/v3/admin/core/cluster/node/list?state=well
        ");
    check(
        &brief(&transcript),
        r#"
        http 1 200 application/json stale@7 | {"code":0,"message":"success","data":{"ip":"10.0.0.1","port":8848,"state":"UP","extendInfo":{"lastRefreshTime":1795232693996,…"raftPort":"7848","readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.1:8848","failAccessCnt":0,…"grpcReportEnabled":true}}
        http 2 200 application/json stale@7 | {"code":0,"message":"success","data":[{"ip":"10.0.0.2","port":8848,"state":"DOWN","extendInfo":{"lastRefreshTime":1795232693996,…"raftPort":"7848","readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.2:8848","failAccessCnt":0,…"grpcReportEnabled":true}]}
        http 3 200 application/json stale@7 | {"code":0,"message":"success","data":"UP"}
        http 4 200 application/json stale@7 | {"code":0,"message":"success","data":[{"ip":"10.0.0.2","port":8848,"state":"DOWN","extendInfo":{"lastRefreshTime":1795232693996,…"raftPort":"7848","readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.2:8848","failAccessCnt":0,…"grpcReportEnabled":true}]}
        http 5 400 application/json | {"code":23000,"message":"illegal state","data":"Illegal state: well"}
        "#,
    );
}

/// A client with a stream is told where to go; it stays for as long as it likes, unless the node stops.
#[test]
fn a_client_that_is_to_go_is_told_where() {
    check(
        &run("
        move 10.0.0.2:8848
        setup
        move 10.0.0.2:8848
        move
        members alive* alive alive suspect down alive-
        move
        wait 3000
        drain
        wait 3000
        "),
        r#"
        stream ConnectResetRequest {"headers":{},"requestId":"1","serverIp":"10.0.0.2","serverPort":"8848","module":"internal"}
        tell Moving
        stream ConnectResetRequest {"headers":{},"requestId":"2","module":"internal"}
        tell Moving
        stream ConnectResetRequest {"headers":{},"requestId":"3","serverIp":"10.0.0.2","serverPort":"8848","module":"internal"}
        tell Moving
        stream ConnectResetRequest {"headers":{},"requestId":"4","serverIp":"10.0.0.2","serverPort":"8848","module":"internal"}
        tell Moving
        close asked to use another node, and did not go by itself
        "#,
    );
}

#[test]
fn a_place_reads_back_from_its_text() {
    for text in ["10.0.0.1:8848", "[::1]:8848", "nacos-0.nacos:80"] {
        assert_eq!(Place::read(text).unwrap().to_string(), text);
    }
    for wrong in ["", ":1", "a", "a:", "a:0", "a:65536", "::1:8848", "[]:1"] {
        assert_eq!(Place::read(wrong), None, "{wrong}");
    }
}
