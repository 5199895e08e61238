//! Persistent instances, and what operators say of services and instances: answers as recorded on official 2.5.1.

use super::*;

/// `~` is the blank with which Nacos ends these texts.
#[test]
fn persistent_instances_come_and_go_by_both_doors() {
    check(
        &run(r#"
        http POST /nacos/v1/ns/instance | serviceName=fxp&ip=10.1.1.3&port=8080&ephemeral=false
        answer q1 agreed
        service fxp@50 10.1.1.3:8080°
        http GET /nacos/v1/ns/instance/list?serviceName=fxp
        http POST /nacos/v1/ns/instance | serviceName=fxp&ip=10.1.1.1&port=8080&ephemeral=true
        answer q2 persistent-service DEFAULT_GROUP@@fxp
        http POST /nacos/v1/ns/instance | serviceName=f3&ip=10.3.1.1&port=8080&ephemeral=false
        answer q3 ephemeral-service DEFAULT_GROUP@@f3
        http DELETE /nacos/v1/ns/instance?serviceName=fxp&ip=10.1.1.3&port=8080&ephemeral=false
        answer q4 agreed
        http DELETE /nacos/v1/ns/instance?serviceName=fxp&ip=10.1.1.3&port=8080&ephemeral=false
        answer q5 no-leader
        http POST /nacos/v1/ns/instance | serviceName=fxp&ip=10.1.1.3&port=8080&ephemeral=false&clusterName=a,b
        "#)
        .replace(". \n", ".~\n"),
        r#"
        ask q1 Naming(RegisterPersistent { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fxp" }, instance: Instance { ip: "10.1.1.3", port: 8080, cluster_name: "DEFAULT", weight: 1.0, healthy: true, enabled: true, ephemeral: false, metadata: {}, instance_id: None } })
        http 1 200 text/plain;charset=UTF-8 | ok
        http 2 200 application/json stale@7 | {"name":"DEFAULT_GROUP@@fxp","groupName":"DEFAULT_GROUP","clusters":"","cacheMillis":10000,"hosts":[{"instanceId":"10.1.1.3#8080#DEFAULT#DEFAULT_GROUP@@fxp","ip":"10.1.1.3","port":8080,"weight":8.0,"healthy":true,"enabled":true,"ephemeral":false,"clusterName":"DEFAULT","serviceName":"DEFAULT_GROUP@@fxp","metadata":{},"ipDeleteTimeout":30000,"instanceIdGenerator":"simple","instanceHeartBeatInterval":5000,"instanceHeartBeatTimeOut":15000}],"lastRefTime":50,"checksum":"","allIPs":false,"allIps":false,"reachProtectionThreshold":false,"valid":true}
        ask q2 Naming(Register { client: Address { ip: "10.1.1.1", port: 8080 }, service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fxp" }, instance: Instance { ip: "10.1.1.1", port: 8080, cluster_name: "DEFAULT", weight: 1.0, healthy: true, enabled: true, ephemeral: true, metadata: {}, instance_id: None } })
        http 3 400 text/plain;charset=UTF-8 | errCode: 400, errMsg: Current service DEFAULT_GROUP@@fxp is persistent service, can't register ephemeral instance.~
        ask q3 Naming(RegisterPersistent { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "f3" }, instance: Instance { ip: "10.3.1.1", port: 8080, cluster_name: "DEFAULT", weight: 1.0, healthy: true, enabled: true, ephemeral: false, metadata: {}, instance_id: None } })
        http 4 400 text/plain;charset=UTF-8 | errCode: 400, errMsg: Current service DEFAULT_GROUP@@f3 is ephemeral service, can't register persistent instance.~
        ask q4 Naming(DeregisterPersistent { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fxp" }, ip: "10.1.1.3", port: 8080 })
        http 5 200 text/plain;charset=UTF-8 | ok
        ask q5 Naming(DeregisterPersistent { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fxp" }, ip: "10.1.1.3", port: 8080 })
        http 6 503 text/plain;charset=UTF-8 | no leader is known: nothing was written; try again, or another node
        http 7 400 - | Param 'cluster' is illegal, illegal characters should not appear in the param.
        "#,
    );
    // Over gRPC the type of the request decides, not the flag of the instance.
    check(
        &run(r#"
        setup
        unary PersistentInstanceRequest {"requestId":"17","namespace":"public","serviceName":"gp","groupName":"DEFAULT_GROUP","type":"registerInstance","instance":{"ip":"10.9.0.5","port":1,"ephemeral":true}}
        answer q1 agreed
        unary PersistentInstanceRequest {"requestId":"18","serviceName":"gp","type":"deregisterInstance","instance":{"ip":"10.9.0.5","port":1}}
        answer q2 agreed
        unary PersistentInstanceRequest {"requestId":"19","serviceName":"gp","type":"other","instance":{"ip":"10.9.0.5","port":1}}
        unary InstanceRequest {"requestId":"15","namespace":"public","serviceName":"gx","groupName":"DEFAULT_GROUP","type":"registerInstance","instance":{"ip":"10.9.0.1","port":8080,"ephemeral":false}}
        answer q3 done
        unary InstanceRequest {"requestId":"20","serviceName":"gp","type":"registerInstance","instance":{"ip":"10.9.0.1","port":8080}}
        answer q4 persistent-service DEFAULT_GROUP@@gp
        unary PersistentInstanceRequest {"requestId":"21","serviceName":"gp","type":"registerInstance","instance":{"ip":"10.9.0.5","port":1,"clusterName":"a,b"}}
        "#),
        r#"
        ask q1 Naming(RegisterPersistent { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "gp" }, instance: Instance { ip: "10.9.0.5", port: 1, cluster_name: "DEFAULT", weight: 1.0, healthy: true, enabled: true, ephemeral: false, metadata: {}, instance_id: None } })
        unary 1 InstanceResponse {"resultCode":200,"errorCode":0,"requestId":"17","type":"registerInstance","success":true}
        ask q2 Naming(DeregisterPersistent { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "gp" }, ip: "10.9.0.5", port: 1 })
        unary 2 InstanceResponse {"resultCode":200,"errorCode":0,"requestId":"18","type":"deregisterInstance","success":true}
        unary 3 ErrorResponse {"resultCode":400,"errorCode":400,"message":"Unsupported request type other","requestId":"19","success":false}
        ask q3 Naming(Register { client: me, service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "gx" }, instance: Instance { ip: "10.9.0.1", port: 8080, cluster_name: "DEFAULT", weight: 1.0, healthy: true, enabled: true, ephemeral: true, metadata: {}, instance_id: None } })
        unary 4 InstanceResponse {"resultCode":200,"errorCode":0,"requestId":"15","type":"registerInstance","success":true}
        ask q4 Naming(Register { client: me, service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "gp" }, instance: Instance { ip: "10.9.0.1", port: 8080, cluster_name: "DEFAULT", weight: 1.0, healthy: true, enabled: true, ephemeral: true, metadata: {}, instance_id: None } })
        unary 5 ErrorResponse {"resultCode":400,"errorCode":400,"message":"errCode: 400, errMsg: Current service DEFAULT_GROUP@@gp is persistent service, can't register ephemeral instance. ","requestId":"20","success":false}
        unary 6 InstanceResponse {"resultCode":500,"errorCode":400,"message":"Param check invalid:Param 'cluster' is illegal, illegal characters should not appear in the param.","requestId":"21","success":false}
        "#,
    );
}

#[test]
fn an_operator_edits_instances() {
    check(
        &run(r#"
        service fx1@50 10.1.1.1:8080 10.1.1.2:8080/C2°
        http PUT /nacos/v1/ns/instance | serviceName=fx1&ip=10.1.1.1&port=8080&weight=3&metadata={"x":"y"}
        answer q1 edited 10.1.1.1:8080
        http PUT /nacos/v1/ns/instance?serviceName=fx1&ip=10.1.1.77&port=8080&enabled=false
        answer q2 edited 10.1.1.77:8080
        http PUT /nacos/v1/ns/instance?serviceName=nope&ip=10.1.1.77&port=8080
        answer q3 no-such-service nope
        http PATCH /nacos/v1/ns/instance | serviceName=fx1&ip=10.1.1.1&port=8080&weight=7
        answer q4 edited 10.1.1.1:8080
        http PATCH /nacos/v1/ns/instance | serviceName=fx1&ip=10.1.1.2&port=8080&cluster=C2
        answer q5 edited
        http PATCH /nacos/v1/ns/instance | serviceName=fx1&ip=10.1.1.2&port=8080&weight=7
        http PATCH /nacos/v1/ns/instance | serviceName=nope&ip=10.1.1.2&port=8080&weight=7
        http PATCH /nacos/v1/ns/instance | serviceName=fx1&ip=10.1.1.1&port=8080&weight=-7
        http PUT /nacos/v1/ns/instance | serviceName=fx1&ip=10.1.1.1&port=8080&metadata=notjson
        http PUT /nacos/v1/ns/instance | serviceName=fx1
        http PUT /nacos/v1/ns/instance?serviceName=fx1&ip=10.1.1.77&port=8080
        answer q6 full
        "#),
        r#"
        ask q1 Naming(EditInstances { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fx1" }, places: [Place { ip: "10.1.1.1", port: 8080, cluster_name: "DEFAULT" }], edit: Replace { enabled: true, weight: 3.0, metadata: {"x": "y"} } })
        http 1 200 text/plain;charset=UTF-8 | ok
        ask q2 Naming(EditInstances { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fx1" }, places: [Place { ip: "10.1.1.77", port: 8080, cluster_name: "DEFAULT" }], edit: Replace { enabled: false, weight: 1.0, metadata: {} } })
        http 2 200 text/plain;charset=UTF-8 | ok
        ask q3 Naming(EditInstances { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "nope" }, places: [Place { ip: "10.1.1.77", port: 8080, cluster_name: "DEFAULT" }], edit: Replace { enabled: true, weight: 1.0, metadata: {} } })
        http 3 400 text/plain;charset=UTF-8 | service not found, namespace: public, service: Service{namespace='public', group='DEFAULT_GROUP', name='nope', ephemeral=true, revision=0}
        ask q4 Naming(EditInstances { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fx1" }, places: [Place { ip: "10.1.1.1", port: 8080, cluster_name: "DEFAULT" }], edit: Patch { enabled: None, weight: Some(7.0), metadata: None } })
        http 4 200 text/plain;charset=UTF-8 | ok
        ask q5 Naming(EditInstances { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fx1" }, places: [Place { ip: "10.1.1.2", port: 8080, cluster_name: "C2" }], edit: Patch { enabled: None, weight: None, metadata: None } })
        http 5 200 text/plain;charset=UTF-8 | ok
        http 6 404 text/plain;charset=UTF-8 | no matched ip found!
        http 7 404 text/plain;charset=UTF-8 | no ips found for cluster DEFAULT in service DEFAULT_GROUP@@nope
        http 8 400 text/plain;charset=UTF-8 | instance format invalid: The weights range from 0.0 to 10000.0
        http 9 500 application/json | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":500,"error":"Internal Server Error","message":"Server failed, caused: ErrCode:400, ErrMsg:metadata format incorrect:notjson;caused: metadata format incorrect:notjson;","path":"/nacos/v1/ns/instance"}
        http 10 400 text/plain;charset=UTF-8 | Param 'ip' is required.
        ask q6 Naming(EditInstances { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fx1" }, places: [Place { ip: "10.1.1.77", port: 8080, cluster_name: "DEFAULT" }], edit: Replace { enabled: true, weight: 1.0, metadata: {} } })
        http 11 507 text/plain;charset=UTF-8 | there are 9 edited instances already: remove some
        "#,
    );
}

#[test]
fn metadata_of_many_instances_changes_at_once() {
    check(
        &run(r#"
        service fx1@50 10.1.1.1:8080 10.1.1.2:8080/C2°
        http PUT /nacos/v1/ns/instance/metadata/batch | namespaceId=public&serviceName=DEFAULT_GROUP@@fx1&consistencyType=ephemeral&metadata={"k":"v"}
        answer q1 edited 10.1.1.1:8080 10.1.1.2:8080/C2
        http DELETE /nacos/v1/ns/instance/metadata/batch | serviceName=fx1&metadata={"k":"","l":""}&instances=[{"ip":"10.1.1.2","port":8080,"clusterName":"C2"},{"ip":"9.9.9.9","port":1}]
        answer q2 edited 10.1.1.2:8080/C2
        http DELETE /nacos/v1/ns/instance/metadata/batch | serviceName=fx1&metadata={"k":""}
        answer q3 edited 10.1.1.1:8080
        http PUT /nacos/v1/ns/instance/metadata/batch | serviceName=nope&metadata={"k":"v"}
        http PUT /nacos/v1/ns/instance/metadata/batch | serviceName=fx1
        http PUT /nacos/v1/ns/instance/metadata/batch | serviceName=fx1&metadata={"k":"v"}&instances=[{"ip"
        "#),
        r#"
        ask q1 Naming(EditInstances { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fx1" }, places: [Place { ip: "10.1.1.1", port: 8080, cluster_name: "DEFAULT" }, Place { ip: "10.1.1.2", port: 8080, cluster_name: "C2" }], edit: AddMetadata({"k": "v"}) })
        http 1 200 application/json | {"updated":["10.1.1.1:8080:unknown:DEFAULT:ephemeral","10.1.1.2:8080:unknown:C2:persist"]}
        ask q2 Naming(EditInstances { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fx1" }, places: [Place { ip: "10.1.1.2", port: 8080, cluster_name: "C2" }], edit: RemoveMetadata(["k", "l"]) })
        http 2 200 application/json | {"updated":["10.1.1.2:8080:unknown:C2:persist"]}
        ask q3 Naming(EditInstances { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fx1" }, places: [Place { ip: "10.1.1.1", port: 8080, cluster_name: "DEFAULT" }, Place { ip: "10.1.1.2", port: 8080, cluster_name: "C2" }], edit: RemoveMetadata(["k"]) })
        http 3 200 application/json | {"updated":["10.1.1.1:8080:unknown:DEFAULT:ephemeral"]}
        http 4 200 application/json | {"updated":[]}
        http 5 400 text/plain;charset=UTF-8 | Param 'metadata' is required.
        http 6 400 text/plain;charset=UTF-8 | Param 'instances' is illegal: EOF while parsing an object at line 1 column 6
        "#,
    );
}

#[test]
fn a_checker_that_works_is_not_overruled() {
    check(
        &run(r"
        http PUT /nacos/v1/ns/health/instance | serviceName=fxp&ip=10.1.1.3&port=8080&healthy=false
        answer q1 health-checked DEFAULT_GROUP@@fxp
        http PUT /nacos/v1/ns/health/instance | serviceName=fxp&ip=10.1.1.3&port=8080
        http PUT /nacos/v1/ns/health | serviceName=fxp&ip=10.1.1.3&port=8080&clusterName=C1&valid=TRUE
        answer q2 agreed
        http PUT /nacos/v2/ns/health/instance | serviceName=nope&ip=1.1.1.1&port=1&healthy=true
        answer q3 health-checked DEFAULT_GROUP@@nope
        http PUT /nacos/v2/ns/health | serviceName=fxp&ip=1.1.1.1&port=1&healthy=true
        answer q4 no-such-instance
        "),
        r#"
        ask q1 Naming(SetHealth { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fxp" }, place: Place { ip: "10.1.1.3", port: 8080, cluster_name: "DEFAULT" }, healthy: false })
        http 1 400 text/plain;charset=UTF-8 | health check is still working, service: DEFAULT_GROUP@@fxp, cluster: DEFAULT
        http 2 400 text/plain;charset=UTF-8 | Param 'healthy' is required.
        ask q2 Naming(SetHealth { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fxp" }, place: Place { ip: "10.1.1.3", port: 8080, cluster_name: "C1" }, healthy: true })
        http 3 200 text/plain;charset=UTF-8 | ok
        ask q3 Naming(SetHealth { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "nope" }, place: Place { ip: "1.1.1.1", port: 1, cluster_name: "DEFAULT" }, healthy: true })
        http 4 400 application/json | {"code":30000,"message":"server error","data":"health check is still working, service: DEFAULT_GROUP@@nope, cluster: DEFAULT"}
        ask q4 Naming(SetHealth { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fxp" }, place: Place { ip: "1.1.1.1", port: 1, cluster_name: "DEFAULT" }, healthy: true })
        http 5 404 application/json | {"code":20004,"message":"resource not found","data":"no matched ip found!"}
        "#,
    );
}

#[test]
fn an_operator_describes_services() {
    check(
        &run(r#"
        http POST /nacos/v1/ns/service | serviceName=svc1&protectThreshold=0.3&metadata={"m":"1"}
        answer q1 agreed
        http POST /nacos/v1/ns/service | serviceName=svc1
        answer q2 service-exists DEFAULT_GROUP@@svc1
        http PUT /nacos/v1/ns/service | serviceName=svc1&protectThreshold=0.5&selector={"type":"label","expression":"a=b"}
        answer q3 agreed
        http PUT /nacos/v1/ns/service | serviceName=svc1
        http PUT /nacos/v1/ns/service | serviceName=nope&protectThreshold=0.5
        answer q4 service-unknown DEFAULT_GROUP@@nope
        service svc1@9 threshold=0.3 m=1
        http GET /nacos/v1/ns/service?serviceName=svc1
        answer q5 clusters
        http POST /nacos/v1/ns/service | serviceName=svc1&ephemeral=false&selector={"type":"none"}
        http POST /nacos/v1/ns/service | serviceName=svc1&selector={"type":"new"}
        http POST /nacos/v1/ns/service | serviceName=svc1&selector=label
        http POST /nacos/v1/ns/service | serviceName=svc1&protectThreshold=1.5
        http POST /nacos/v1/ns/service | serviceName=svc1&protectThreshold=NaN
        "#),
        r#"
        ask q1 Naming(CreateService { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "svc1" }, metadata: ServiceMetadata { protect_threshold: 0.3, metadata: {"m": "1"}, selector: Selector { kind: "none", expression: None }, kind: None } })
        http 1 200 text/plain;charset=UTF-8 | ok
        ask q2 Naming(CreateService { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "svc1" }, metadata: ServiceMetadata { protect_threshold: 0.0, metadata: {}, selector: Selector { kind: "none", expression: None }, kind: None } })
        http 2 400 text/plain;charset=UTF-8 | specified service DEFAULT_GROUP@@svc1 already exists!
        ask q3 Naming(UpdateService { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "svc1" }, metadata: ServiceMetadata { protect_threshold: 0.5, metadata: {}, selector: Selector { kind: "label", expression: Some("a=b") }, kind: None } })
        http 3 200 text/plain;charset=UTF-8 | ok
        http 4 400 text/plain;charset=UTF-8 | Param 'protectThreshold' is required.
        ask q4 Naming(UpdateService { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "nope" }, metadata: ServiceMetadata { protect_threshold: 0.5, metadata: {}, selector: Selector { kind: "none", expression: None }, kind: None } })
        http 5 400 text/plain;charset=UTF-8 | service DEFAULT_GROUP@@nope not found!
        ask q5 Naming(Clusters { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "svc1" } })
        http 6 200 application/json stale@7 | {"namespaceId":"public","groupName":"DEFAULT_GROUP","name":"svc1","protectThreshold":0.3,"metadata":{"m":"1"},"selector":{"type":"label","expression":"CONSUMER.label.A=PROVIDER.label.A","contextType":"CMDB"},"clusters":[]}
        ask q6 Naming(CreateService { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "svc1" }, metadata: ServiceMetadata { protect_threshold: 0.0, metadata: {}, selector: Selector { kind: "none", expression: None }, kind: Some(Persistent) } })
        http 8 400 text/plain;charset=UTF-8 | not match any type of selector!
        http 9 400 text/plain;charset=UTF-8 | not match any type of selector! expected value at line 1 column 1
        http 10 400 text/plain;charset=UTF-8 | Param 'protectThreshold' is illegal, the value should be between 0 and 1.
        http 11 400 text/plain;charset=UTF-8 | Param 'protectThreshold' is illegal, the value should be between 0 and 1.
        "#,
    );
}
