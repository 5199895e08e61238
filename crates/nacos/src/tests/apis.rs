//! The list of all of Nacos's APIs (`apis.txt`) against the router, the tests and the pages.

use super::*;
use crate::{
    form::Form,
    operation::{Need, Operate},
    routes::route,
};
use access::{Action, Resource};
use std::{collections::BTreeSet, path::Path};

/// What every operation might want to be parsed.
const SAMPLE: &str = "serviceName=G%40%40s&groupName=G&protectThreshold=0.1&ip=1.1.1.1&port=1&dataId=a&group=G&content=x&pageNo=1&pageSize=9&username=u&password=password2\
    &newPassword=password2&role=r&resource=*&action=rw&customNamespaceId=n1&namespaceId=n1&namespaceName=n&namespace=n1\
    &namespaceShowName=n&nid=1&id=1&healthy=true&instances=%5B%5D&metadata=a%3Db&Listening-Configs=a%02G%021%01\
    &tenant=n1&clusterName=c&beat=&key=a%40%40b&clientId=c&entry=pushEnabled&value=true&checkPort=1&useInstancePort4Check=true\
    &healthChecker=%7B%22type%22%3A%22NONE%22%7D&count=1&connectionId=c";

/// The same for requests of gRPC.
const BODY: &str = r#"{"serviceName":"s","groupName":"G","namespace":"n1","type":"registerInstance","instance":{"ip":"1.1.1.1","port":1},
    "instances":[{"ip":"1.1.1.1","port":1}],"dataId":"a","group":"G","tenant":"n1","content":"x","pageNo":1,"pageSize":9,
    "groupKeyPattern":"n1>>G>>a","watchType":"WATCH","subscribe":true,
    "lockInstance":{"key":"a","lockType":"NACOS_LOCK"},"lockOperationEnum":"RELEASE",
    "configListenContexts":[{"dataId":"a","group":"G","tenant":"n1","md5":""}]}"#;

#[derive(Debug)]
struct Line {
    /// A verb, or `gRPC`.
    verb: String,
    target: String,
    status: String,
    who: String,
    test: String,
}

fn list() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("apis.txt")
}

fn lines() -> Vec<Line> {
    let text = std::fs::read_to_string(list()).unwrap();
    let said = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    said.map(|line| {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [api, status, who, test] = columns[..] else { panic!("four columns: {line}") };
        let (verb, target) = api.split_once(' ').expect("a verb and a path");
        let [verb, target, status, who, test] =
            [verb, target.trim(), status, who, test].map(str::to_owned);
        Line { verb, target, status, who, test }
    })
    .collect()
}

fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap()
}

/// Who may do what an operation needs, in the words of the list.
fn who(need: &Need) -> String {
    let (action, resources) = match need {
        Need::Nothing | Need::Ready => return "anyone".into(),
        Need::Right { action, resources, .. } => (action, resources),
    };
    let action = match action {
        Action::Read => "read",
        Action::Write => "write",
    };
    match resources.first() {
        None => format!("{action} each"),
        Some(Resource::Service { .. }) => format!("{action} service"),
        Some(Resource::Config { .. }) => format!("{action} config"),
        Some(Resource::Lock(_)) => format!("{action} lock"),
        Some(Resource::Namespaces | Resource::Server) if action == "read" => "any user".into(),
        Some(Resource::Password(_)) => "oneself".into(),
        Some(Resource::Namespaces | Resource::Server | Resource::Accounts) => {
            "administrator".into()
        }
    }
}

/// What the router says of a line: its status and who may.
fn routed(line: &Line) -> (String, String) {
    if line.verb == "gRPC" {
        return routed_grpc(&line.target);
    }
    let query = line.target.split_once('?').map_or(String::new(), |(_, query)| format!("{query}&"));
    let path = path_of(&line.target);
    let request = http::Request::builder()
        .method(line.verb.as_str())
        .uri(format!("{path}?{query}{SAMPLE}"))
        .body(Bytes::from_static(b"[]"))
        .unwrap();
    let form = Form::read(&request).unwrap();
    match route(request.method(), path, &form) {
        Ok(operation) => ("served".into(), who(&operation.need())),
        Err(fault) if fault.status == http::StatusCode::NOT_IMPLEMENTED => {
            let known = http_api().any(|(verb, known, _)| verb == line.verb && known == path);
            (if known { "refused" } else { "later" }.into(), "–".into())
        }
        Err(fault) => (format!("{}: {}", fault.status, fault.text), "–".into()),
    }
}

fn body_of(kind: &str) -> String {
    let body = BODY.replace('\n', " ");
    if kind.starts_with("Batch") { body.replace("registerInst", "batchRegisterInst") } else { body }
}

fn routed_grpc(kind: &str) -> (String, String) {
    if ["ServerCheckRequest", "ConnectionSetupRequest"].contains(&kind) {
        assert!(grpc_api().any(|served| served == kind));
        return ("served".into(), "anyone".into());
    }
    match grpc::route(&payload(&format!("{kind} {}", body_of(kind))), Ok(()), true) {
        Ok(parsed) => match parsed.operation {
            Ok(operation) => ("served".into(), who(&operation.need())),
            Err(fault) => (format!("{}", fault.text), "–".into()),
        },
        Err(fault) if fault.code == 302 => ("later".into(), "–".into()),
        Err(fault) if fault.code == 502 => ("refused".into(), "–".into()),
        Err(fault) => (format!("{}", fault.text), "–".into()),
    }
}

#[test]
fn the_list_is_what_the_router_does() {
    let lines = lines();
    let mut wrong = String::new();
    for line in &lines {
        let (status, who) = routed(line);
        if (&status, &who) != (&line.status, &line.who) {
            writeln!(wrong, "{} {} | {status} | {who} | {}", line.verb, line.target, line.test)
                .unwrap();
        }
    }
    let listed: BTreeSet<(&str, &str)> =
        lines.iter().map(|line| (&*line.verb, path_of(&line.target))).collect();
    for (verb, path, _) in http_api() {
        if !listed.contains(&(verb, &path)) {
            writeln!(wrong, "{verb} {path} is not listed").unwrap();
        }
    }
    for kind in grpc_api() {
        if !listed.contains(&("gRPC", kind)) {
            writeln!(wrong, "gRPC {kind} is not listed").unwrap();
        }
    }
    let all: Vec<String> =
        lines.iter().map(|line| format!("{} {}", line.verb, line.target)).collect();
    let distinct: BTreeSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "a line is there twice");
    if !wrong.is_empty() && std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        return rewrite(&wrong);
    }
    assert!(wrong.is_empty(), "apis.txt should say:\n{wrong}");
}

/// Puts what the router says in the place of what the list says; what is not listed goes to its end, without a test.
fn rewrite(corrections: &str) {
    let mut text = std::fs::read_to_string(list()).unwrap();
    for line in corrections.lines() {
        let api = line.split(" | ").next().unwrap();
        let stale = text.lines().find(|listed| listed.split(" | ").next() == Some(api));
        match (stale.map(str::to_owned), line.strip_suffix(" is not listed")) {
            (Some(stale), _) => text = text.replacen(&stale, line, 1),
            (None, Some(api)) => text.push_str(&format!("{api} | served | ? | ?\n")),
            (None, None) => unreachable!("a correction is of a line, or of none"),
        }
    }
    std::fs::write(list(), text).unwrap();
}

/// All tests of the workspace, by name.
fn tests_of(directory: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            tests_of(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let begun = text.split("#[test]").chain(text.split("#[tokio::test]")).skip(1);
            names.extend(begun.filter_map(|rest| {
                let (_, named) = rest.split_once("fn ")?;
                Some(named.split('(').next()?.to_owned())
            }));
        }
    }
}

#[test]
fn every_line_names_a_test_that_exists() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut names = BTreeSet::new();
    for name in ["nacos", "server"] {
        tests_of(&crates.join(name), &mut names);
    }
    for line in lines() {
        let needed = line.status != "later";
        let named = names.contains(&line.test) || (!needed && line.test == "–");
        assert!(named, "{} {}: no test {:?}", line.verb, line.target, line.test);
    }
}

/// Each route, asked by each kind of user: who is not among those that the list names gets 403, and nothing is asked of
/// any plane for him.
#[test]
fn every_route_refuses_whoever_the_list_does_not_name() {
    let rights = [("nobody", ""), ("plain", ""), ("reader", "r"), ("writer", "rw"), ("root", "")];
    let mut asked = 0;
    for line in lines().iter().filter(|line| line.status == "served") {
        for (user, right) in rights {
            let allowed = match &*line.who {
                "anyone" => true,
                "any user" => user != "nobody",
                "administrator" => user == "root",
                // Of others: the sample's user is somebody else.
                "oneself" => user == "root",
                // Those who may do it to nothing get an empty answer or a fault of their own.
                "read each" | "write each" => user != "nobody",
                "read service" | "read config" => ["reader", "writer", "root"].contains(&user),
                "write service" | "write config" | "write lock" => {
                    ["writer", "root"].contains(&user)
                }
                other => panic!("{other} in the list"),
            };
            let mut stage = Stage::new(Login::Required);
            stage.command("setup");
            for (name, role) in
                [("plain", "none"), ("reader", "r"), ("writer", "rw"), ("root", "ROLE_ADMIN")]
            {
                stage.scene.user(name, role);
                stage.scene.remembered.push((name.into(), "pw".into()));
            }
            if !right.is_empty() {
                let permission = access::Permission { resource: "*".into(), action: right.into() };
                stage.scene.access.permissions.entry(right.into()).or_default().insert(permission);
            }
            let answer = ask_as(&mut stage, line, user);
            let refused =
                answer.contains("authorization failed!") || answer.contains("user not found!");
            assert_eq!(!refused, allowed, "{user}: {} {}: {answer}", line.verb, line.target);
            assert!(allowed || !answer.contains("ask "), "{user}: {line:?}: {answer}");
            asked += 1;
        }
    }
    assert!(asked > 300, "{asked}");
}

/// Logins ask with the name that they prove; their answers are no refusals of a route.
fn ask_as(stage: &mut Stage, line: &Line, user: &str) -> String {
    let login = line.target.ends_with("login");
    let token = stage.scene.access.issue(user, stage.now.unix_ms, Duration::from_secs(60));
    let token = token.filter(|_| user != "nobody");
    let header = token.map_or(String::new(), |token| format!("accesstoken={token}"));
    if line.verb == "gRPC" {
        if line.target == "ConnectionSetupRequest" {
            return String::new();
        }
        let header = if header.is_empty() {
            header
        } else {
            format!("@{} ", header.replace("accesstoken", "accessToken"))
        };
        return play(stage, &format!("unary {} {header}{}", line.target, body_of(&line.target)));
    }
    let query = line.target.split_once('?').map_or(String::new(), |(_, query)| format!("{query}&"));
    let body = if line.target.contains("clone=") { " | []" } else { "" };
    let header = if header.is_empty() { header } else { format!(" {header}") };
    let (verb, path) = (&line.verb, path_of(&line.target));
    let answer = play(stage, &format!("http {verb} {path}?{query}{SAMPLE}{header}{body}"));
    if login || !answer.starts_with("ask q1 Access(Attempt") {
        return answer;
    }
    // Without a token the name and password of the sample are a credential, and a wrong one.
    let answer = play(stage, "answer q1 proceed\nanswer q2 verified no\nanswer q3 noted");
    answer.lines().last().unwrap().to_owned()
}

const BEGIN: &str = "<!-- api-table -->";
const END: &str = "<!-- /api-table -->";

/// The table of the pages: of each generation, how many calls are served, refused by name, and not there yet.
fn table(heads: &str) -> String {
    let generations = [
        ("gRPC", "gRPC"),
        ("HTTP v1", "/nacos/v1/"),
        ("HTTP v2", "/nacos/v2/"),
        ("HTTP v3", "/nacos/v3/"),
    ];
    let mut table = format!("{heads}\n|---|--:|--:|--:|\n");
    for (name, mark) in generations {
        let count = |status: &str| {
            let of = |line: &&Line| line.verb == mark || line.target.starts_with(mark);
            lines().iter().filter(of).filter(|line| line.status == status).count()
        };
        let [served, refused, later] = ["served", "refused", "later"].map(count);
        writeln!(table, "| {name} | {served} | {refused} | {later} |").unwrap();
    }
    table
}

#[test]
fn the_pages_show_the_list_s_numbers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    for (page, heads) in [
        ("README.md", "| calls | served | refused by name | later |"),
        ("README.zh-CN.md", "| 接口 | 已支持 | 明确拒绝 | 以后 |"),
    ] {
        let path = root.join(page);
        let text = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = text.split_once(BEGIN).expect("the page has a place for the table");
        let (_, after) = rest.split_once(END).expect("the place has an end");
        let expected = format!("{before}{BEGIN}\n{}{END}{after}", table(heads));
        if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
            std::fs::write(&path, &expected).unwrap();
        } else {
            assert_eq!(text, expected, "{page}: run again with UPDATE_GOLDENFILES=1");
        }
    }
}

/// Never a success, and never "not found": who reads the answer knows that it is the server that lacks it.
#[test]
fn what_is_known_and_not_served_is_refused_by_name() {
    for line in lines().iter().filter(|line| line.verb != "gRPC" && line.status != "served") {
        let transcript = run(&format!("http {} {}", line.verb, line.target));
        let told = format!("not served yet: {} {}", line.verb, path_of(&line.target));
        assert!(transcript.starts_with("http 1 501 "), "{transcript}");
        assert!(transcript.contains(&told), "{told}: {transcript}");
    }
}
