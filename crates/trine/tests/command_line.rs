//! The command line against a real server of the same binary.

use std::{
    fs,
    io::{BufRead, BufReader, Lines, Write},
    path::PathBuf,
    process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio},
};

const TRINE: &str = env!("CARGO_BIN_EXE_trine");

/// A server in memory on a port of its own, and a place for its users' tokens. Both end with it.
struct Server {
    process: Child,
    url: String,
    password: String,
    config: PathBuf,
}

impl Server {
    /// `name` keeps the tokens of tests apart.
    fn start(name: &str) -> Self {
        let mut process = Command::new(TRINE)
            .args(["server", "--memory", "--listen-api", "127.0.0.1:0", "--listen-grpc", ""])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary was built");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let mut find = |start: &str| loop {
            let line = lines.next().expect("the banner says it").expect("text");
            if let Some((_, rest)) = line.split_once(start) {
                break rest.split_whitespace().next().expect("a word").to_owned();
            }
        };
        let url = format!("http://{}", find("http://").trim_end_matches("/v1"));
        let password = find("password ");
        find("ready in");
        let config = std::env::temp_dir().join(format!("trine-cli-{name}-{}", process.id()));
        Self { process, url, password, config }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(TRINE);
        command
            .args(line.split(' '))
            .env("TRINE_SERVER", &self.url)
            .env("XDG_CONFIG_HOME", &self.config)
            .env_remove("TRINE_TOKEN_FILE")
            .env_remove("TRINE_NAMESPACE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end. Gives its exit code, what it wrote, and what it said.
    fn run_with(&self, line: &str, input: &str) -> (i32, String, String) {
        let mut child = self.command(line).spawn().expect("the binary was built");
        // Whoever does not read its input may be gone already.
        let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
        let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
        let text = |bytes| String::from_utf8(bytes).expect("plain text");
        (status.code().expect("not killed"), text(stdout), text(stderr))
    }

    /// Runs a command that must succeed; gives what it wrote.
    fn run(&self, line: &str) -> String {
        let (code, out, said) = self.run_with(line, "");
        assert_eq!(code, 0, "{line}: {said}");
        out
    }

    /// Runs a command that must fail with this code; gives what it said.
    fn fails(&self, exit: i32, line: &str) -> String {
        let (code, out, said) = self.run_with(line, "");
        assert_eq!((code, out.as_str()), (exit, ""), "{line}: {said}");
        said
    }

    fn log_in(&self) {
        let (code, _, said) = self.run_with("login", &format!("{}\n", self.password));
        assert_eq!(code, 0, "{said}");
    }

    fn follow(&self, line: &str) -> Following {
        let mut child = self.command(line).spawn().expect("the binary was built");
        let out = BufReader::new(child.stdout.take().expect("piped")).lines();
        let said = BufReader::new(child.stderr.take().expect("piped")).lines();
        Following { child, out, said }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.config);
    }
}

/// A command that goes on.
struct Following {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    said: Lines<BufReader<ChildStderr>>,
}

impl Following {
    fn next(&mut self) -> String {
        self.out.next().expect("it goes on").expect("text")
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_cluster_is_shown_and_changed_by_those_who_may() {
    let server = Server::start("cluster");
    assert!(server.fails(4, "cluster members").starts_with("error[unauthenticated]: "));
    server.log_in();
    let cluster: serde_json::Value =
        serde_json::from_str(&server.run("cluster members -o json")).expect("JSON");
    assert_eq!(cluster["formation"], "formed");
    assert_eq!(cluster["id"].as_str().map(str::len), Some(16));
    assert!(server.run("cluster members").starts_with("NODE\tSTATE\tROLE\tLINK\t"));
    assert!(server.run("status").contains("\ncluster\t"));
    assert!(server.fails(2, "cluster remove web").starts_with("error[invalid]: `web` is no node"));
    server.fails(2, "cluster transfer-leader -- -1");
    server.fails(2, "cluster join-token --ttl 5");
    // A node on its own leads, and cannot be removed.
    let me = cluster["members"][0]["node"].as_str().expect("the node itself").to_owned();
    assert_eq!(cluster["members"][0]["leader"], true);
    assert!(server.fails(5, &format!("cluster remove {me}")).starts_with("error[conflict]"));
    assert!(server.fails(3, "cluster remove n1").starts_with("error[not-found]"));
    assert!(server.fails(5, "cluster transfer-leader n1").starts_with("error[conflict]"));
    let join = server.run("cluster join-token --ttl 2h");
    assert!(join.starts_with("trine server --join "), "{join}");
    assert!(join.contains(" --token trine-"), "{join}");
    let invited = server.run("cluster members -o json");
    let invited: serde_json::Value = serde_json::from_str(&invited).expect("JSON");
    assert_eq!(invited["tokens"].as_array().map(Vec::len), Some(1));
}

#[test]
fn one_logs_in_and_out() {
    let server = Server::start("login");
    assert!(server.fails(4, "status").starts_with("error[unauthenticated]: "));
    let (code, _, said) = server.run_with("login", "not the password\n");
    assert_eq!(code, 4);
    assert!(said.starts_with("error[wrong-password]: "), "{said}");
    assert_eq!(server.run_with("login", "\n").0, 2);
    server.log_in();
    let status: serde_json::Value =
        serde_json::from_str(&server.run("status -o json")).expect("JSON");
    assert_eq!(status["state"], "ready");
    assert_eq!(status["auth"], true);
    server.run("logout");
    server.fails(4, "status");
    // No token is needed to ask whether it serves.
    server.run("status --ready");
}

#[test]
fn a_config_is_published_compared_and_removed() {
    let server = Server::start("config");
    server.log_in();
    let (code, _, said) = server.run_with("config put app --type yaml --tags a,b", "a: 1\n");
    assert_eq!(code, 0, "{said}");
    assert_eq!(server.run("config get app"), "a: 1\n", "the very bytes");
    let md5 = "0cc175b9c0f1b6a831c399e269772661";
    let said = server.fails(5, &format!("config put app --content x --if-md5 {md5}"));
    assert!(said.starts_with("error[cas-conflict]: "), "{said}");
    server.run("config put app --content a:2");
    let now: serde_json::Value =
        serde_json::from_str(&server.run("config get app -o json")).expect("JSON");
    assert_eq!((&now["type"], &now["tags"]), (&"yaml".into(), &"a,b".into()), "they stay");
    let list = server.run("config list --contains ap");
    assert!(list.lines().nth(1).expect("a row").starts_with("DEFAULT_GROUP\tapp\tyaml\t3\t"));
    let history = server.run("config history app");
    let rows: Vec<Vec<&str>> =
        history.lines().skip(1).map(|row| row.split('\t').collect()).collect();
    assert_eq!((rows[0][1], rows[1][1], rows[0][3]), ("update", "insert", "nacos"));
    assert_eq!(server.run(&format!("config history app --revision {}", rows[1][0])), "a: 1\n");
    let told = server.run("explain config app");
    assert!(told.contains("a write was refused: "), "{told}");
    assert!(told.lines().last().expect("a sentence").contains("has public/DEFAULT_GROUP/app"));
    server.run("config delete app");
    server.fails(3, "config get app");
    server.fails(3, "config delete app");
    server.fails(2, "config get app --consistency never");
}

#[test]
fn several_configs_are_applied_together_or_not_at_all() {
    let server = Server::start("apply");
    server.log_in();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("it is ours");
        path.display().to_string()
    };
    let (one, two) = (file("one.yaml", "a: 1"), file("two.json", "{}"));
    server.run("config put old --content x");
    let said = server.run_with(&format!("config apply {one} {two} --remove old"), "").2;
    assert!(said.starts_with("3 configs changed together, revision "), "{said}");
    assert_eq!(server.run("config get one.yaml"), "a: 1");
    let list = server.run("config list");
    assert!(list.contains("\ttwo.json\tjson\t") && !list.contains("\told\t"), "{list}");
    let plan = file(
        "plan.json",
        r#"[{"data_id":"new","content":"n"},{"data_id":"one.yaml","content":"b","cas_md5":""}]"#,
    );
    let said = server.fails(5, &format!("config apply --plan {plan}"));
    assert!(said.contains("public/DEFAULT_GROUP/one.yaml has changed"), "{said}");
    server.fails(3, "config get new");
    server.fails(2, "config apply");
    server.fails(2, "config apply /nowhere/at/all");
}

#[test]
fn a_lock_is_held_waited_for_and_released() {
    let server = Server::start("lock");
    server.log_in();
    let token = server.run("lock acquire job --owner alice --ttl 60s");
    let token: u64 = token.trim().parse().expect("the token, and nothing else");
    assert!(server.fails(5, "lock acquire job --owner bob").starts_with("error[held]: "));
    server.fails(5, "lock run job -- true");
    let list = server.run("lock list --contains jo");
    assert!(list.contains(&format!("job\talice\t{token}\t60000\t")), "{list}");
    let waiting = server.command("lock run job --wait 60s -- printenv TRINE_FENCING_TOKEN").spawn();
    let waiting = waiting.expect("the binary was built");
    server.run(&format!("lock release job {token}"));
    let Output { status, stdout, .. } = waiting.wait_with_output().expect("it ends");
    assert!(status.success(), "{status}");
    let later: u64 = String::from_utf8_lossy(&stdout).trim().parse().expect("a token");
    assert!(later > token, "{later} after {token}");
    assert!(server.fails(5, &format!("lock release job {token}")).starts_with("error[not-held]: "));
    assert!(server.fails(3, "lock get job").starts_with("error[not-found]: "));
    let told = server.run("explain lock job");
    let mut lines = told.lines();
    for what in ["granted to alice with token ", "released (token ", "granted to "] {
        assert!(lines.any(|line| line.contains(what)), "{what} is not told, or earlier:\n{told}");
    }
    assert!(
        told.lines().last().expect("a sentence").contains(" held by nobody: the lease of "),
        "{told}"
    );
    // The exit code is the command's.
    let (code, _, _) = server.run_with("lock run job -- grep", "");
    assert_eq!(code, 2);
    server.fails(2, "lock run job -- /nowhere/at/all");
    assert!(!server.run("lock list").contains("job"), "it was released all the same");
}

#[test]
fn a_command_whose_lock_is_lost_is_stopped() {
    let server = Server::start("lost");
    server.log_in();
    let mut running = server.command("lock run job --ttl 600ms -- sleep 600");
    let running = running.spawn().expect("the binary was built");
    while !server.run("lock list").contains("job") {}
    server.run("lock release job --force");
    let Output { status, stderr, .. } = running.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(5), "{said}");
    assert!(said.contains("the lock job is lost") && said.contains("error[lock-lost]: "), "{said}");
}

#[test]
fn an_instance_comes_is_watched_and_goes() {
    let server = Server::start("instance");
    server.log_in();
    let mut put = server.follow("instance put web 10.0.0.7:80 -m zone=a");
    let said = put.said.next().expect("it says so").expect("text");
    assert_eq!(said, "registered 10.0.0.7:80 of web; beating until interrupted");
    let listed = server.run("instance list web");
    assert!(listed.contains("10.0.0.7:80\tDEFAULT\thealthy\t1\tephemeral\tzone=a"), "{listed}");
    let told = server.run("explain instance web 10.0.0.7:80");
    let sentence = told.lines().last().expect("a sentence");
    assert!(sentence.contains(" lists 10.0.0.7:80 of public/DEFAULT_GROUP@@web since "), "{told}");
    let mut watch = server.follow("service watch web");
    assert!(watch.next().ends_with("  + 10.0.0.7:80 DEFAULT healthy weight 1"));
    let interrupted = Command::new("kill").args(["-INT", &put.child.id().to_string()]).status();
    assert!(interrupted.expect("there is a kill").success());
    assert_eq!(put.child.wait().expect("it ends").code(), Some(0));
    assert!(watch.next().ends_with("  - 10.0.0.7:80 DEFAULT healthy weight 1"));
    let told = server.run("explain instance web 10.0.0.7:80");
    let sentence = told.lines().last().expect("a sentence");
    assert!(sentence.contains(" does not list 10.0.0.7:80 "), "{told}");
    assert!(sentence.contains(": it was taken back at "), "{told}");
    server.fails(3, "instance get web 10.0.0.7:80");
    assert_eq!(server.run("instance history web 10.0.0.7:80").lines().count(), 3);
}

#[test]
fn namespaces_and_services_are_put_and_deleted() {
    let server = Server::start("ns");
    server.log_in();
    server.run("ns put team --name Team");
    assert!(server.run("ns list").contains("team\tTeam\t"));
    server.fails(5, "ns put public");
    server.run("ns delete team");
    server.fails(3, "ns get team");
    server.run("service put empty -n team");
    assert!(server.run("service list -n team").contains("DEFAULT_GROUP\tempty\t0\t0\t"));
    server.run("service delete empty -n team");
    server.fails(3, "service delete empty -n team");
}

#[test]
fn what_is_not_there_and_what_is_wrong_have_exit_codes_of_their_own() {
    let mut server = Server::start("codes");
    assert!(server.fails(2, "confg list").contains("config"), "it says what was meant");
    assert!(server.fails(2, "config get app --token-file /no/such/file").contains("/no/such/file"));
    server.process.kill().expect("it runs");
    server.process.wait().expect("it ends");
    let said = server.fails(6, "status -o json");
    let problem: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(problem["code"], "unreachable");
}
