//! HTTP v2: the same operations in their envelope, with codes instead of texts, as recorded.

use super::*;

#[test]
fn configs_of_v2_answer_as_recorded() {
    check(
        &run(r#"
        http POST /nacos/v2/cs/config | dataId=c2.json&group=G&content={"a":1}&type=json
        answer q1 published
        config #5 public/G/c2.json bb6c json {"a":1}
        http GET /nacos/v2/cs/config?dataId=c2.json&group=G
        http GET /nacos/v2/cs/config?dataId=nope&group=G
        http GET /nacos/v2/cs/config?group=G
        http POST /nacos/v2/cs/config | dataId=c2.json&group=G
        http POST /nacos/v2/cs/config | dataId=bad+id!&group=G&content=x
        http POST /nacos/v2/cs/config casmd5=0 | dataId=c2.json&group=G&content=x
        answer q2 conflict
        http POST /nacos/v2/cs/config | dataId=c2.json&group=G&content=x&tag=t
        answer q3 too-many-versions
        http GET /nacos/v2/cs/config/searchDetail?dataId=c2.json&group=G&config_detail=a&pageNo=1&pageSize=10&search=accurate
        http GET /nacos/v2/cs/history/list?dataId=c2.json&group=G&pageNo=1&pageSize=10
        answer q4 page 1 I|7||public/G/c2.json bb6c json x
        http GET /nacos/v2/cs/history?dataId=c2.json&group=G&nid=9
        answer q5 history
        http GET /nacos/v2/cs/history?dataId=c2.json&group=G
        http GET /nacos/v2/cs/history/configs?namespaceId=
        http DELETE /nacos/v2/cs/config?dataId=c2.json&group=G
        answer q6 removed
        http DELETE /nacos/v2/cs/config?dataId=c2.json&group=G
        answer q7 no-leader
        "#),
        r#"
        ask q1 Config(Publish { key: ConfigKey { namespace: "public", group: "G", data_id: "c2.json" }, content: "{\"a\":1}", cas_md5: None, details: Details { content_type: "json", encrypted_data_key: "", app_name: "", description: "", tags: "", usage: "", effect: "", schema: "" }, author: Author { user: "", address: "10.0.0.9" } })
        http 1 200 application/json;charset=UTF-8 | {"code":0,"message":"success","data":true}
        http 2 200 application/json;charset=UTF-8 linearizable@7 | {"code":0,"message":"success","data":"{\"a\":1}"}
        http 3 404 application/json;charset=UTF-8 linearizable@7 | {"code":20004,"message":"resource not found","data":"config data not exist"}
        http 4 400 application/json | {"code":10000,"message":"parameter missing","data":"Required request parameter 'dataId' for method parameter type String is not present"}
        http 5 400 application/json | {"code":10000,"message":"parameter missing","data":"Required parameter 'content' type String is not present"}
        http 6 400 - | Param 'dataId' is illegal, illegal characters should not appear in the param.
        ask q2 Config(Publish { key: ConfigKey { namespace: "public", group: "G", data_id: "c2.json" }, content: "x", cas_md5: Some("0"), details: Details { content_type: "text", encrypted_data_key: "", app_name: "", description: "", tags: "", usage: "", effect: "", schema: "" }, author: Author { user: "", address: "10.0.0.9" } })
        http 7 500 application/json | {"code":20005,"message":"resource conflict","data":"Cas publish fail, server md5 may have changed."}
        ask q3 Config(PublishGray { key: ConfigKey { namespace: "public", group: "G", data_id: "c2.json" }, rule: Tag("t"), content: "x", cas_md5: None, details: Details { content_type: "text", encrypted_data_key: "", app_name: "", description: "", tags: "", usage: "", effect: "", schema: "" }, author: Author { user: "", address: "10.0.0.9" } })
        http 8 400 application/json | {"code":20010,"message":"config gray version version over max count","data":"gray config version is over max count :10"}
        http 9 200 application/json;charset=UTF-8 linearizable@7 | {"totalCount":0,"pageNumber":1,"pagesAvailable":0,"pageItems":[]}
        ask q4 Config(HistoryPage { key: ConfigKey { namespace: "public", group: "G", data_id: "c2.json" }, offset: 0, limit: 10 })
        http 10 200 application/json;charset=UTF-8 linearizable@7 | {"code":0,"message":"success","data":{"totalCount":1,"pageNumber":1,"pagesAvailable":1,"pageItems":[{"id":"7","lastId":-1,"dataId":"c2.json","group":"G","tenant":"","appName":"","md5":null,"content":null,"srcIp":"","srcUser":null,"opType":"I         ","publishType":"formal","grayName":"","extInfo":"{\"type\":\"json\"}","createdTime":"2026-11-21T03:44:53.996+00:00","lastModifiedTime":"2026-11-21T03:44:53.996+00:00","encryptedDataKey":null}]}}
        ask q5 Config(History { key: ConfigKey { namespace: "public", group: "G", data_id: "c2.json" }, before: Some(Revision(10)), limit: 4 })
        http 11 404 application/json | {"code":20004,"message":"resource not found","data":"certain config history for nid = 9 not exist"}
        http 12 400 application/json | {"code":10000,"message":"parameter missing","data":"Required request parameter 'nid' for method parameter type Long is not present"}
        http 13 200 application/json;charset=UTF-8 linearizable@7 | {"code":0,"message":"success","data":[{"id":"5","dataId":"c2.json","group":"G","content":null,"md5":null,"encryptedDataKey":null,"tenant":"","appName":"","type":"json","lastModified":1795232693996}]}
        ask q6 Config(Remove { key: ConfigKey { namespace: "public", group: "G", data_id: "c2.json" }, author: Author { user: "", address: "10.0.0.9" } })
        http 14 200 application/json;charset=UTF-8 | {"code":0,"message":"success","data":true}
        ask q7 Config(Remove { key: ConfigKey { namespace: "public", group: "G", data_id: "c2.json" }, author: Author { user: "", address: "10.0.0.9" } })
        http 15 503 application/json | {"code":30000,"message":"server error","data":"no leader is known: nothing was written; try again, or another node"}
        "#,
    );
}

#[test]
fn naming_of_v2_answers_as_recorded() {
    check(
        &run(r#"
        http POST /nacos/v2/ns/instance | serviceName=f2&ip=10.2.1.1&port=8080
        answer q1 done
        http POST /nacos/v2/ns/instance | serviceName=f2
        http POST /nacos/v2/ns/instance | serviceName=f2&ip=10.2.1.1&port=abc
        http GET /nacos/v2/ns/instance/list
        service f2@3 10.2.1.1:8080
        http PUT /nacos/v2/ns/instance/beat?serviceName=f2&ip=10.2.1.1&port=8080
        http GET /nacos/v2/ns/service/list
        http GET /nacos/v2/ns/operator/metrics
        http DELETE /nacos/v2/ns/instance?serviceName=nope&groupName=H&ip=10.2.1.1&port=8080
        answer q2 done
        http GET /nacos/v2/ns/instance?serviceName=f2&ip=10.2.1.1&port=8080
        http GET /nacos/v2/ns/instance?serviceName=f2&ip=10.2.1.9&port=8080
        http DELETE /nacos/v2/ns/service?serviceName=f2
        answer q3 not-empty f2
        http PUT /nacos/v2/ns/client/nothing
        "#),
        r#"
        ask q1 Naming(Register { client: Address { ip: "10.2.1.1", port: 8080 }, service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "f2" }, instance: Instance { ip: "10.2.1.1", port: 8080, cluster_name: "DEFAULT", weight: 1.0, healthy: true, enabled: true, ephemeral: true, metadata: {}, instance_id: None } })
        http 1 200 application/json | {"code":0,"message":"success","data":"ok"}
        http 2 400 application/json | {"code":10000,"message":"parameter missing","data":"Required parameter 'ip' type String is not present"}
        http 3 400 - | Param 'port' is illegal, the value should be between 0 and 65535.
        http 4 400 application/json | {"code":10000,"message":"parameter missing","data":"Required request parameter 'serviceName' for method parameter type String is not present"}
        http 5 400 application/json | {"code":20002,"message":"parameter validate error","data":"Param 'serviceName' is illegal, it should be format as 'groupName@@serviceName'"}
        http 6 200 application/json stale@7 | {"code":0,"message":"success","data":{"count":1,"services":["f2"]}}
        http 7 200 application/json stale@7 | {"code":0,"message":"success","data":{"status":"UP"}}
        ask q2 Naming(Deregister { client: Address { ip: "10.2.1.1", port: 8080 }, service: ServiceKey { namespace: "public", group: "H", name: "nope" }, ip: "10.2.1.1", port: 8080, cluster_name: "DEFAULT" })
        http 8 200 application/json | {"code":0,"message":"success","data":"ok"}
        http 9 200 application/json stale@7 | {"code":0,"message":"success","data":{"serviceName":"DEFAULT_GROUP@@f2","ip":"10.2.1.1","port":8080,"clusterName":"DEFAULT","weight":8.0,"healthy":true,"instanceId":"10.2.1.1#8080#DEFAULT#DEFAULT_GROUP@@f2","metadata":{}}}
        http 10 404 application/json | {"code":20004,"message":"resource not found","data":"no matched ip found!"}
        ask q3 Naming(RemoveService { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "f2" } })
        http 11 400 application/json | {"code":21009,"message":"service delete failure","data":"Service f2 is not empty, can't be delete. Please unregister instance first"}
        http 12 501 application/json | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":501,"error":"Not Implemented","message":"not served yet: PUT /nacos/v2/ns/client/nothing","path":"/nacos/v2/ns/client/nothing"}
        "#,
    );
}

/// The list of v2 is that of v1 in the envelope: the shared bytes are not written out again.
#[test]
fn the_list_of_v2_is_that_of_v1() {
    let mut stage = Stage::new(Login::Open);
    let script = "
        service f2@3 10.2.1.1:8080 10.2.1.2:8080!
        http GET /nacos/v1/ns/instance/list?serviceName=f2
        http GET /nacos/v2/ns/instance/list?serviceName=f2";
    let transcript = play(&mut stage, script);
    let lists: Vec<&str> =
        transcript.lines().map(|line| line.split_once(" | ").unwrap().1).collect();
    assert_eq!(lists[1], format!(r#"{{"code":0,"message":"success","data":{}}}"#, lists[0]));
}

#[test]
fn console_and_core_of_v2_answer_as_recorded() {
    check(
        &run(r#"
        http GET /nacos/v2/console/namespace/list
        http POST /nacos/v2/console/namespace | namespaceId=ns2&namespaceName=n2&namespaceDesc=d
        answer q1 changed
        http POST /nacos/v2/console/namespace | namespaceId=ns2&namespaceName=n2
        answer q2 exists
        http GET /nacos/v2/console/namespace?namespaceId=nope
        http PUT /nacos/v2/console/namespace | namespaceId=ns2&namespaceName=n2b
        answer q3 changed
        http DELETE /nacos/v2/console/namespace?namespaceId=ns2
        answer q4 changed
        http GET /nacos/v2/core/cluster/node/self/health
        http GET /nacos/v2/core/cluster/node/list
        http GET /nacos/v2/console/health/readiness
        http GET /nacos/v3/console/health/liveness
        state starting
        http GET /nacos/v2/console/health/readiness
        http GET /nacos/v2/cs/config?dataId=a&group=G
        "#),
        r#"
        http 1 200 application/json linearizable@7 | {"code":0,"message":"success","data":[{"namespace":"","namespaceShowName":"public","namespaceDesc":"Default Namespace","quota":200,"configCount":0,"type":0}]}
        ask q1 Access(Change(CreateNamespace { id: "ns2", namespace: Namespace { name: "n2", description: "d" } }))
        http 2 200 application/json | {"code":0,"message":"success","data":true}
        ask q2 Access(Change(CreateNamespace { id: "ns2", namespace: Namespace { name: "n2", description: "" } }))
        http 3 400 application/json | {"code":22000,"message":"illegal namespace","data":"the namespaceId is existed, namespaceId: ns2"}
        http 4 404 application/json | {"code":22001,"message":"namespace not exist","data":"namespaceId [ nope ] not exist"}
        ask q3 Access(Change(UpdateNamespace { id: "ns2", namespace: Namespace { name: "n2b", description: "" } }))
        http 5 200 application/json | {"code":0,"message":"success","data":true}
        ask q4 Access(Change(RemoveNamespace { id: "ns2" }))
        http 6 200 application/json | {"code":0,"message":"success","data":true}
        http 7 200 application/json stale@7 | {"code":0,"message":"success","data":"UP"}
        http 8 200 application/json stale@7 | {"code":0,"message":"success","data":[{"ip":"10.0.0.1","port":8848,"state":"UP","extendInfo":{"lastRefreshTime":1795232693996,"readyToUpgrade":true,"supportGrayModel":true,"version":"2.5.1"},"address":"10.0.0.1:8848","failAccessCnt":0,"abilities":{"remoteAbility":{"supportRemoteConnection":true,"grpcReportEnabled":true},"configAbility":{"supportRemoteMetrics":false},"namingAbility":{"supportJraft":true}},"grpcReportEnabled":true}]}
        http 9 200 application/json | {"code":0,"message":"success","data":"ok"}
        http 10 200 application/json | {"code":0,"message":"success","data":"ok"}
        http 11 503 application/json | {"code":30000,"message":"server error","data":"the node is starting"}
        http 12 503 application/json | {"code":30000,"message":"server error","data":"server is starting, please try again later!"}
        "#,
    );
}

/// A missing config is 200 with a code: so v3 has it, and its clients branch on the code.
#[test]
fn the_config_of_v3_answers_as_recorded() {
    check(
        &run(r#"
        config public/G/c3.yaml 270f yaml a: 1
        http GET /nacos/v3/client/cs/config?dataId=c3.yaml&groupName=G&namespaceId=public
        http GET /nacos/v3/client/cs/config?dataId=nope&groupName=G
        http GET /nacos/v3/client/cs/config?dataId=nope
        gray tag:t public/G/c3.yaml 11 yaml b
        http GET /nacos/v3/client/cs/config?dataId=c3.yaml&groupName=G vipserver-tag=t
        "#),
        r#"
        http 1 200 application/json linearizable@7 | {"code":0,"message":"success","data":{"resultCode":200,"errorCode":0,"message":null,"requestId":null,"content":"a: 1","encryptedDataKey":"","contentType":"yaml","md5":"270f","lastModified":1795232693996,"tag":null,"beta":false,"success":true}}
        http 2 200 application/json linearizable@7 | {"code":20004,"message":"resource not found","data":null}
        http 3 400 text/plain;charset=UTF-8 | caused: Required parameter 'groupName' type String is not present;
        http 4 200 application/json linearizable@7 | {"code":0,"message":"success","data":{"resultCode":200,"errorCode":0,"message":null,"requestId":null,"content":"b","encryptedDataKey":"","contentType":"yaml","md5":"11","lastModified":1795232693996,"tag":"t","beta":false,"success":true}}
        "#,
    );
}

/// A namespace without an id is given one from outside; who may not create it is told before one is made up.
#[test]
fn a_namespace_without_an_id_is_given_one() {
    check(
        &run(r#"
        http POST /nacos/v1/console/namespaces | namespaceName=n1&namespaceDesc=d
        answer q1 new-id 0-1-2
        answer q2 changed
        http POST /nacos/v2/console/namespace | namespaceName=n1
        answer q3 new-id 3-4
        answer q4 no-leader
        http GET /nacos/v1/console/namespaces?checkNamespaceIdExist=true&customNamespaceId=x
        http POST /nacos/v1/console/namespaces | customNamespaceId=x
        "#),
        r#"
        ask q1 NewId
        ask q2 Access(Change(CreateNamespace { id: "0-1-2", namespace: Namespace { name: "n1", description: "d" } }))
        http 1 200 application/json | true
        ask q3 NewId
        ask q4 Access(Change(CreateNamespace { id: "3-4", namespace: Namespace { name: "n1", description: "" } }))
        http 2 503 application/json | {"code":30000,"message":"server error","data":"no leader is known: nothing was written; try again, or another node"}
        http 3 200 application/json linearizable@7 | false
        http 4 400 text/plain;charset=UTF-8 | Param 'namespaceName' is required.
        "#,
    );
    let refused = run_locked("http POST /nacos/v1/console/namespaces | namespaceName=n1");
    assert!(refused.starts_with("http 1 403"), "{refused}");
}
