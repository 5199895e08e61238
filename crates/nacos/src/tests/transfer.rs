//! Export, import and clone of configs.

use super::{request as request_of, *};

/// Plays on, doing the workers' part, and answers each publish with what `published` says of its key and condition.
struct Mover {
    stage: Stage,
    /// `data id = content [type] by user`, in order.
    published: Vec<String>,
    /// Data ids that exist already.
    exist: Vec<&'static str>,
    /// Data ids that the plane refuses.
    refused: Vec<&'static str>,
    /// How often several were to be published together.
    together: usize,
}

impl Mover {
    fn new(stage: Stage) -> Self {
        Self { stage, published: Vec::new(), exist: Vec::new(), refused: Vec::new(), together: 0 }
    }

    fn request(&mut self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let call = self.stage.next_call();
        self.stage.step(Input::Http { call, request });
        loop {
            match self.stage.session.poll().expect("an answer") {
                Output::Http { response, .. } => return response,
                Output::Ask { id, ask } => {
                    let answer = self.answer(ask);
                    self.stage.step(Input::Answer { id, answer });
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Inspect(bytes) => Answer::Inspected(Archive::inspect(bytes)),
            Ask::Pack(files) => Answer::Packed(pack(&files)),
            Ask::Config(config::Request::Publish { key, content, cas_md5, details, author }) => {
                let data_id = &*key.data_id;
                if self.refused.contains(&data_id) {
                    return answer("too-large");
                }
                if cas_md5.is_some() && self.exist.contains(&data_id) {
                    return answer("conflict");
                }
                let config::Details { content_type, app_name, description, tags, .. } = &details;
                let said = [content_type, app_name, description, tags, &details.encrypted_data_key];
                let said: Vec<&str> = said.iter().map(|text| &***text).collect();
                let said = said.join(",");
                self.published.push(format!("{key} = {content} [{said}] by {}", author.user));
                answer("published")
            }
            Ask::Config(config::Request::PublishMany { changes, author }) => {
                self.together += 1;
                let named =
                    |names: &[&str], change: &config::Change| names.contains(&&*change.key.data_id);
                if changes.iter().any(|change| named(&self.refused, change)) {
                    return answer("too-large");
                }
                let exists = |change: &config::Change| {
                    change.cas_md5.is_some() && named(&self.exist, change)
                };
                if let Some(at) = changes.iter().position(exists) {
                    let conflict = config::Conflict { at, current_md5: "x".into() };
                    let outcome = config::Outcome::Conflicts(vec![conflict]);
                    return Answer::Config(config::Reply::Outcome(outcome));
                }
                for config::Change { key, cas_md5, to } in changes {
                    let (content, details) = to.expect("nothing is removed");
                    let author = author.clone();
                    let one = config::Request::Publish { key, content, cas_md5, details, author };
                    self.answer(Ask::Config(one));
                }
                answer("published")
            }
            other => panic!("{other:?}"),
        }
    }

    fn get(&mut self, target: &str) -> http::Response<Bytes> {
        self.request(request_of(&format!("GET {target}")))
    }

    fn import(&mut self, query: &str, archive: &Bytes) -> String {
        let mut body = b"--xx\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.zip\"\r\ncontent-type: application/zip\r\n\r\n".to_vec();
        body.extend_from_slice(archive);
        body.extend_from_slice(b"\r\n--xx--\r\n");
        let request = http::Request::post(format!("/nacos/v1/cs/configs?import=true{query}"))
            .header("content-type", "multipart/form-data; boundary=xx")
            .body(Bytes::from(body));
        text(&self.request(request.unwrap()))
    }

    fn clone_configs(&mut self, query: &str, list: &str) -> String {
        let request = http::Request::post(format!("/nacos/v1/cs/configs?clone=true{query}"))
            .header("content-type", "application/json")
            .body(Bytes::copy_from_slice(list.as_bytes()));
        text(&self.request(request.unwrap()))
    }
}

fn text(response: &http::Response<Bytes>) -> String {
    format!("{} {}", response.status().as_u16(), String::from_utf8_lossy(response.body()))
}

fn open() -> Mover {
    Mover::new(Stage::new(Login::Open))
}

fn archive(files: &[(&str, &str)]) -> Bytes {
    let files: Vec<(Arc<str>, Arc<str>)> =
        files.iter().map(|(name, content)| ((*name).into(), (*content).into())).collect();
    pack(&files)
}

fn files(response: &http::Response<Bytes>) -> Vec<String> {
    let archive = Archive::inspect(response.body().clone()).unwrap();
    let names = archive.names().enumerate();
    names.map(|(n, name)| format!("{name}: {}", archive.content(n).unwrap())).collect()
}

#[test]
fn an_export_has_one_file_per_config_and_what_is_said_of_them() {
    let mut mover = open();
    mover.stage.command("config #21 public/G/fx.yaml 1 yaml a: 1");
    mover.stage.command("config #22 public/H/plain 1 text x");
    mover.stage.command("config #23 ns1/G/other 1 text y");
    let exported = mover.get("/nacos/v1/cs/configs?exportV2=true&tenant=&group=&appName=&ids=");
    assert_eq!(exported.headers()["content-type"], "application/octet-stream");
    assert_eq!(
        exported.headers()["content-disposition"],
        "attachment;filename=nacos_config_export_20261121034453.zip"
    );
    let metadata = ".metadata.yml: metadata:\n- dataId: \"fx.yaml\"\n  group: \"G\"\n  type: \"yaml\"\n- dataId: \"plain\"\n  group: \"H\"\n  type: \"text\"\n";
    assert_eq!(files(&exported), ["G/fx.yaml: a: 1", "H/plain: x", metadata]);
    let ids = mover.get("/nacos/v1/cs/configs?exportV2=true&ids=23,22");
    assert_eq!(files(&ids)[..2], ["G/other: y", "H/plain: x"], "wherever they are");
    let group = mover.get("/nacos/v1/cs/configs?export=true&group=G&dataId=fx.yaml");
    assert_eq!(
        files(&group),
        ["G/fx.yaml: a: 1"],
        "the older form says nothing without applications"
    );
    let entry = mover.stage.scene.configs.get_mut(&config_key("public/G/fx.yaml")).unwrap();
    Arc::make_mut(entry).details.app_name = "shop".into();
    let owned = mover.get("/nacos/v1/cs/configs?export=true&appName=shop");
    assert_eq!(files(&owned), ["G/fx.yaml: a: 1", ".meta.yml: G.fx~yaml.app=shop\r\n"]);
    assert_eq!(files(&mover.get("/nacos/v1/cs/configs?export=true&group=none")), [""; 0]);
    mover.stage.command("config #24 ns1/H/plain 1 text z");
    let twice = text(&mover.get("/nacos/v1/cs/configs?exportV2=true&ids=22,24"));
    assert!(twice.starts_with("400 caused: public/H/plain cannot be exported"), "{twice}");
    let no_id = text(&mover.get("/nacos/v1/cs/configs?export=true&ids=x"));
    assert_eq!(no_id, "400 caused: invalid ids : numbers are taken;");
    mover.stage.command("config public/../x 1 text z");
    let out = text(&mover.get("/nacos/v1/cs/configs?exportV2=true&group=.."));
    assert!(out.starts_with("400 caused: public/../x cannot be exported"), "{out}");
}

#[test]
fn what_was_exported_is_imported_as_it_was() {
    let mut mover = open();
    mover.stage.command("config public/G/fx.yaml 1 yaml a: 值");
    let entry = mover.stage.scene.configs.get_mut(&config_key("public/G/fx.yaml")).unwrap();
    Arc::make_mut(entry).details = config::Details {
        content_type: "yaml".into(),
        encrypted_data_key: "k: \"1\"".into(),
        app_name: "shop".into(),
        description: "it's\n#1".into(),
        tags: "a,b".into(),
        ..config::Details::default()
    };
    let namespace = access::Namespace { name: "n1".into(), description: "".into() };
    mover.stage.scene.access.namespaces.insert("ns1".into(), namespace);
    let exported = mover.get("/nacos/v1/cs/configs?exportV2=true").into_body();
    let told = mover.import("&namespace=ns1&policy=OVERWRITE&src_user=ann", &exported);
    assert_eq!(
        told,
        r#"200 {"code":200,"message":"导入成功","data":{"succCount":1,"skipCount":0}}"#
    );
    assert_eq!(mover.published, ["ns1/G/fx.yaml = a: 值 [yaml,shop,it's\n#1,a,b,k: \"1\"] by ann"]);
    // The older form keeps the application.
    mover.published.clear();
    let old = mover.get("/nacos/v1/cs/configs?export=true").into_body();
    mover.import("&namespace=", &old);
    assert_eq!(mover.published, ["public/G/fx.yaml = a: 值 [,shop,,,] by "]);
}

/// Only what was published counts as published; what was left untouched is skipped, or failed.
#[test]
fn each_policy_counts_what_it_did() {
    let all = archive(&[("G/a", "1"), ("G/b", "2"), ("G/c", "3")]);
    for (policy, exist, told, published) in [
        ("", "", r#"{"succCount":3,"skipCount":0}"#, 3),
        (
            "ABORT",
            "b",
            r#"{"succCount":1,"skipCount":1,"failData":[{"dataId":"b","group":"G"}],"skipData":[{"dataId":"c","group":"G"}]}"#,
            1,
        ),
        (
            "ABORT",
            "a",
            r#"{"succCount":0,"skipCount":2,"failData":[{"dataId":"a","group":"G"}],"skipData":[{"dataId":"b","group":"G"},{"dataId":"c","group":"G"}]}"#,
            0,
        ),
        (
            "SKIP",
            "b",
            r#"{"succCount":2,"skipCount":1,"skipData":[{"dataId":"b","group":"G"}]}"#,
            2,
        ),
        ("OVERWRITE", "b", r#"{"succCount":3,"skipCount":0}"#, 3),
    ] {
        let mut mover = open();
        mover.exist.push(exist);
        let answer = mover.import(&format!("&policy={policy}"), &all);
        let expected = format!(r#"200 {{"code":200,"message":"导入成功","data":{told}}}"#);
        assert_eq!(answer, expected, "{policy}");
        assert_eq!(mover.published.len(), published, "{policy}");
        assert_eq!(mover.together, 1, "{policy}: all together first");
    }
    let mut mover = open();
    mover.refused.push("b");
    let answer = mover.import("&policy=SKIP", &all);
    assert!(answer.contains(r#""succCount":2,"skipCount":0,"failData":[{"dataId":"b","group":"G","reason":"content of 11 bytes is over the limit of 10: split the config"}]"#), "{answer}");
    let odd = open().import("&policy=ODD", &all);
    assert_eq!(odd, "400 caused: invalid policy : ODD: ABORT, SKIP or OVERWRITE is taken;");
}

#[test]
fn files_that_are_no_configs_are_named_and_published_nowhere() {
    let described = "metadata:\n- dataId: a\n  group: G\n  type: text\n- dataId: gone\n  group: G\n  type: text\n";
    let mut mover = open();
    let told = mover.import(
        "",
        &archive(&[
            (".metadata.yml", described),
            ("G/a", "1"),
            ("G/undescribed", "2"),
            ("__MACOSX/G/a", "3"),
            ("README", "4"),
            ("G/bad name", "5"),
        ]),
    );
    assert!(told.contains(r#""succCount":1,"skipCount":0,"unrecognizedCount":5"#), "{told}");
    for name in [
        "__MACOSX/G/a",
        "README",
        "G/bad name",
        "未在文件中找到: G/gone",
        "未在元数据中找到: G/undescribed",
    ] {
        assert!(told.contains(&format!(r#"{{"itemName":"{name}"}}"#)), "{name}: {told}");
    }
    assert_eq!(mover.published, ["public/G/a = 1 [text,,,,] by "]);
}

#[test]
fn an_import_that_cannot_be_read_publishes_nothing_and_says_why() {
    let one = archive(&[("G/a", "1")]);
    let code = |answer: &str| answer.split(',').next().unwrap().to_owned();
    for (archive, told) in [
        (Bytes::from_static(b"no zip at all, but long enough"), "100004"),
        (archive(&[]), "100005"),
        (archive(&[("README", "x")]), "100005"),
        (archive(&[(".metadata.yml", "metadata: []"), ("G/a", "1")]), "100002"),
        (
            archive(&[(".metadata.yml", "metadata:\n- dataId: a\n  group: G\n"), ("G/a", "1")]),
            "100002",
        ),
        (
            archive(&[
                (".metadata.yml", "metadata:\n- dataId: *a\n  group: G\n  type: text\n"),
                ("G/a", "1"),
            ]),
            "100002",
        ),
        (archive(&[(".meta.yml", "nonsense"), ("G/a", "1")]), "100002"),
        (archive(&[("../../x", "1")]), "100004"),
        (Bytes::new(), "100005"),
    ] {
        let mut mover = open();
        let answer = mover.import("", &archive);
        assert_eq!(code(&answer), format!(r#"200 {{"code":{told}"#), "{answer}");
        assert!(answer.ends_with(r#""data":{"succCount":0}}"#), "{answer}");
        assert_eq!(mover.published, [""; 0]);
    }
    let unknown = open().import("&namespace=nope", &one);
    assert_eq!(
        unknown,
        r#"200 {"code":100001,"message":"目标 namespace 不存在","data":{"succCount":0}}"#
    );
    let bad = open().import("&namespace=a%20b", &one);
    assert!(bad.starts_with("400 Param 'namespaceId/tenant' is illegal"), "{bad}");
    let mut mover = open();
    let plain = mover.request(request_of("POST /nacos/v1/cs/configs?import=true | a=b"));
    assert!(text(&plain).starts_with("400 caused: the form cannot be read"), "{}", text(&plain));
    let none = mover.request(request_of("POST /nacos/v1/cs/configs?import=true"));
    assert!(text(&none).contains("100005"), "{}", text(&none));
}

#[test]
fn configs_are_cloned_into_a_namespace_under_the_names_that_are_asked_for() {
    let mut mover = open();
    mover.stage.command("config #21 public/G/a 1 yaml x");
    mover.stage.command("config #22 public/G/b 1 text y");
    let namespace = access::Namespace { name: "n1".into(), description: "".into() };
    mover.stage.scene.access.namespaces.insert("ns1".into(), namespace);
    let list = r#"[{"cfgId":21,"dataId":"a2","group":"H"},{"cfgId":"22"},{"cfgId":99},null,{"cfgId":21,"dataId":"a3"}]"#;
    let told = mover.clone_configs("&tenant=ns1&policy=ABORT", list);
    assert_eq!(
        told,
        r#"200 {"code":200,"message":"Clone Completed Successfully","data":{"succCount":2,"skipCount":0}}"#
    );
    assert_eq!(mover.published, ["ns1/H/a2 = x [yaml,,,,] by ", "ns1/G/b = y [text,,,,] by "]);
    for (query, list, told) in [
        ("&tenant=ns1", "[]", r#""code":100006"#),
        ("&tenant=ns1", r#"[{"cfgId":99}]"#, r#""code":100005"#),
        ("&tenant=nope", r#"[{"cfgId":21}]"#, r#""code":100001"#),
        ("", r#"[{"cfgId":21}]"#, "Required request parameter &#39;tenant&#39;"),
        ("&tenant=ns1", r#"[{"cfgId":"x"}]"#, "invalid cfgId"),
        ("&tenant=ns1", r#"[{"cfgId":21,"dataId":"a b"}]"#, "Param 'dataId' is illegal"),
        ("&tenant=ns1", "{", "the list cannot be read"),
        ("&tenant=ns1&policy=x", "[]", "invalid policy"),
    ] {
        let answer = mover.clone_configs(query, list);
        assert!(answer.contains(told), "{query} {list}: {answer}");
    }
    assert_eq!(mover.published.len(), 2);
}

/// What a user may do is decided config by config; one that he may not stops all of them.
#[test]
fn nobody_moves_configs_that_he_may_not() {
    let mut stage = Stage::new(Login::Required);
    stage.command("user ann team");
    stage.command("remember ann pw");
    for (resource, action) in [("public:G:*", "rw"), ("ns1:*:*", "r")] {
        let permission = access::Permission { resource: resource.into(), action: action.into() };
        stage.scene.access.permissions.entry("team".into()).or_default().insert(permission);
    }
    let namespace = access::Namespace { name: "n1".into(), description: "".into() };
    stage.scene.access.namespaces.insert("ns1".into(), namespace);
    stage.command("config #21 public/G/a 1 text x");
    stage.command("config #22 public/H/b 1 text y");
    let mut mover = Mover::new(stage);
    let (login, denied) = ("&username=ann&password=pw", "authorization failed!");
    let both = archive(&[("G/a", "1"), ("H/b", "2")]);
    assert!(mover.import(login, &both).contains(denied));
    assert!(mover.import("", &both).contains("user not found!"));
    assert!(
        mover.import(&format!("{login}&namespace=ns1"), &archive(&[("G/a", "1")])).contains(denied)
    );
    assert!(
        mover.clone_configs(&format!("{login}&tenant=ns1"), r#"[{"cfgId":21}]"#).contains(denied)
    );
    assert!(
        mover
            .clone_configs(&format!("{login}&tenant="), r#"[{"cfgId":22,"group":"G"}]"#)
            .contains(denied)
    );
    assert!(mover.clone_configs("&tenant=", r#"[{"cfgId":21}]"#).contains("user not found!"));
    for query in ["", "&ids=21,22", "&group=H"] {
        let exported = mover.get(&format!("/nacos/v1/cs/configs?exportV2=true{login}{query}"));
        assert!(text(&exported).contains(denied), "{query}: {}", text(&exported));
    }
    assert_eq!(mover.published, [""; 0]);
    let own = mover.get(&format!("/nacos/v1/cs/configs?exportV2=true{login}&group=G"));
    assert_eq!(files(&own)[0], "G/a: x");
    assert!(mover.import(login, &archive(&[("G/a", "1")])).contains(r#""succCount":1"#));
    assert_eq!(mover.published, ["public/G/a = 1 [,,,,] by ann"]);
}
