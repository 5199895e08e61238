//! The settings of a server: one table, three ways to say each.
//!
//! A path in the file is the flag with `-` for the dots and underscores, and the environment variable with `TRINE_` before
//! it and `_`. A flag beats a variable beats the file beats the default. An unknown key in the file is an error.

use crate::{
    ClusterSettings, LimitFlags, Limits,
    cluster_settings::{self, PEER_PORT},
    limit_settings::{self, FileLimits},
};
use serde::Deserialize;
use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
    time::Duration,
};

/// SDKs compute the gRPC port from the API port by adding this.
const GRPC_PORT_OFFSET: u16 = 1000;
/// What container platforms give a process before they kill it is 30 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Whether clients need a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// Every request needs a token or a password.
    On,
    /// Whoever comes may do everything.
    Off,
}

/// The settings that flags and variables can give. What is `None` was not given.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// Everything on disk [default: ./trine-data]
    #[arg(long, value_name = "DIR", env = "TRINE_DATA")]
    pub data: Option<PathBuf>,
    /// Keep nothing on disk
    #[arg(long, env = "TRINE_MEMORY", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub memory: Option<bool>,
    /// Planes that this node serves, separated by commas [default: registry,config,cache]
    #[arg(long, value_name = "ROLES", env = "TRINE_ROLE")]
    pub role: Option<String>,
    /// What clients and other nodes are told to connect to [default: where the peer door listens]
    #[arg(long, value_name = "HOST[:PORT]", env = "TRINE_ADVERTISE")]
    pub advertise: Option<String>,
    /// HTTP and gRPC for clients; "" closes the door [default: 0.0.0.0:8848]
    #[arg(long, value_name = "ADDR", env = "TRINE_LISTEN_API")]
    pub listen_api: Option<String>,
    /// gRPC for SDKs; "" closes the door [default: the API's port + 1000]
    #[arg(long, value_name = "ADDR", env = "TRINE_LISTEN_GRPC")]
    pub listen_grpc: Option<String>,
    /// Other nodes; "" closes the door [default: 0.0.0.0:7848]
    #[arg(long, value_name = "ADDR", env = "TRINE_LISTEN_PEER")]
    pub listen_peer: Option<String>,
    /// Redis clients; "" closes the door [default: 0.0.0.0:6379]
    #[arg(long, value_name = "ADDR", env = "TRINE_LISTEN_REDIS")]
    pub listen_redis: Option<String>,
    /// A node of the cluster to join; may be repeated
    #[arg(long, value_name = "ADDR", env = "TRINE_JOIN", value_delimiter = ',')]
    pub join: Vec<String>,
    /// The token that `trine cluster join-token` printed
    #[arg(long, value_name = "TOKEN", env = "TRINE_TOKEN")]
    pub token: Option<String>,
    /// How many nodes the new cluster has
    #[arg(long, value_name = "N", env = "TRINE_EXPECT")]
    pub expect: Option<u32>,
    /// The secret that all nodes of the cluster share, 32 bytes or more
    #[arg(long, value_name = "FILE", env = "TRINE_CLUSTER_SECRET_FILE")]
    pub cluster_secret_file: Option<PathBuf>,
    /// This node's certificate for other nodes, in PEM, if they are to know each other by certificates
    #[arg(long, value_name = "FILE", env = "TRINE_PEER_TLS_CERT")]
    pub peer_tls_cert: Option<PathBuf>,
    /// The private key of that certificate, in PEM
    #[arg(long, value_name = "FILE", env = "TRINE_PEER_TLS_KEY")]
    pub peer_tls_key: Option<PathBuf>,
    /// The authority that signs the certificates of all nodes, in PEM, and nobody else's
    #[arg(long, value_name = "FILE", env = "TRINE_PEER_TLS_CA")]
    pub peer_tls_ca: Option<PathBuf>,
    /// Whether clients need a login [default: on]
    #[arg(long, value_enum, env = "TRINE_AUTH")]
    pub auth: Option<Auth>,
    /// The first administrator's password, for unattended first starts
    #[arg(long, value_name = "FILE", env = "TRINE_ADMIN_PASSWORD_FILE")]
    pub admin_password_file: Option<PathBuf>,
    /// How the cache forms its cluster [default: auto]
    #[arg(long, value_name = "auto|manual", env = "TRINE_CACHE_CLUSTER")]
    pub cache_cluster: Option<String>,
    /// When a silent cache node is suspected [default: 15s]
    #[arg(long, value_name = "DURATION", env = "TRINE_CACHE_NODE_TIMEOUT")]
    pub cache_node_timeout: Option<String>,
    /// How much the cache may hold [default: 512MiB]
    #[arg(long, value_name = "SIZE", env = "TRINE_CACHE_MAX_MEMORY")]
    pub cache_max_memory: Option<String>,
    /// How long a stop may take [default: 20s]
    #[arg(long, value_name = "DURATION", env = "TRINE_STOP_TIMEOUT")]
    pub stop_timeout: Option<String>,
    /// How log lines are written [default: auto: pretty on a terminal, else JSON]
    #[arg(long, value_enum, env = "TRINE_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Which log lines are written [default: info]
    #[arg(long, value_enum, env = "TRINE_LOG_LEVEL")]
    pub log_level: Option<LogLevel>,
    /// Limits: see docs/limits.md.
    #[command(flatten)]
    pub limits: LimitFlags,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Pretty on a terminal, else JSON.
    #[default]
    Auto,
    /// One object a line.
    Json,
    /// For people.
    Pretty,
}

/// Which log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What must be looked at.
    Error,
    /// What should be looked at.
    Warn,
    /// What an operator wants to know afterwards.
    Info,
    /// More than that.
    Debug,
    /// Everything.
    Trace,
}

/// The settings file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    data: Option<PathBuf>,
    memory: Option<bool>,
    role: Option<Vec<String>>,
    advertise: Option<String>,
    listen: FileListen,
    join: Option<Vec<String>>,
    token: Option<String>,
    expect: Option<u32>,
    cluster_secret_file: Option<PathBuf>,
    peer_tls_cert: Option<PathBuf>,
    peer_tls_key: Option<PathBuf>,
    peer_tls_ca: Option<PathBuf>,
    auth: Option<Auth>,
    admin_password_file: Option<PathBuf>,
    cache: FileCache,
    stop_timeout: Option<String>,
    log: FileLog,
    limits: FileLimits,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileLog {
    format: Option<LogFormat>,
    level: Option<LogLevel>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileListen {
    api: Option<String>,
    grpc: Option<String>,
    peer: Option<String>,
    redis: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileCache {
    cluster: Option<String>,
    node_timeout: Option<String>,
    max_memory: Option<String>,
}

/// Every key of the file, for "did you mean".
const KEYS: &[&str] = &[
    "data",
    "memory",
    "role",
    "advertise",
    "listen",
    "api",
    "grpc",
    "peer",
    "redis",
    "join",
    "token",
    "expect",
    "cluster_secret_file",
    "peer_tls_cert",
    "peer_tls_key",
    "peer_tls_ca",
    "auth",
    "admin_password_file",
    "cache",
    "cluster",
    "node_timeout",
    "max_memory",
    "stop_timeout",
    "log",
    "format",
    "level",
    "limits",
];

/// Where a server listens. `None`: closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// HTTP, and gRPC on the same port.
    pub api: Option<SocketAddr>,
    /// gRPC for SDKs. `None` while `api` has port 0: then both get free ports that fit.
    pub grpc: Option<SocketAddr>,
    /// Other nodes, once there are any to be expected.
    pub peer: Option<SocketAddr>,
}

/// The checked settings of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `None`: memory only.
    pub data: Option<PathBuf>,
    /// Doors.
    pub listen: Listen,
    /// How the node comes to others.
    pub cluster: ClusterSettings,
    /// Whether clients need a login.
    pub auth: Auth,
    /// The first administrator's password, if given.
    pub admin_password: Option<String>,
    /// What was asked for and is not done, each with the reason, for the log.
    pub notices: Vec<String>,
    /// What clients may cost.
    pub limits: Limits,
    /// From the signal to stop to the end of the process, at most.
    pub stop_timeout: Duration,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Which log lines are written; `None`: as suits the command.
    pub log_level: Option<LogLevel>,
}

/// Why settings were not taken. Nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file does not read.
    #[error("settings file {}: {problem}{suggestion}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// With line and column.
        problem: String,
        /// Did you mean, or empty.
        suggestion: String,
    },
    /// A value does not fit its setting.
    #[error("--{name}: {problem}")]
    Value {
        /// Name of the flag.
        name: &'static str,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The setting belongs to something that this build does not do.
    #[error("--{name}: {reason}")]
    Unsupported {
        /// Name of the flag.
        name: &'static str,
        /// Why.
        reason: &'static str,
    },
}

impl Settings {
    /// Merges flags (which hold the environment's values already) over the file over the defaults, and checks the result.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn resolve(flags: Flags, file: Option<&Path>) -> Result<Self, SettingsError> {
        let file = file.map_or_else(|| Ok(File::default()), read_file)?;
        check_roles(&flags, &file)?;
        let memory = flags.memory.or(file.memory).unwrap_or(false);
        let given = given_of_cluster(&flags, &file);
        let data = flags.data.or(file.data).unwrap_or_else(|| PathBuf::from("trine-data"));
        let data = (!memory).then_some(data);
        let restarted = data.as_deref().is_some_and(is_used);
        let cluster = cluster_settings::resolve(given, restarted)?;
        let api = flags.listen_api.or(file.listen.api).unwrap_or_else(|| "0.0.0.0:8848".to_owned());
        let api = address("listen-api", &api)?;
        let grpc = match flags.listen_grpc.or(file.listen.grpc) {
            Some(text) => address("listen-grpc", &text)?,
            None => grpc_beside(api)?,
        };
        let password_file = flags.admin_password_file.or(file.admin_password_file);
        let peer = flags.listen_peer.or(file.listen.peer);
        let peer = peer.unwrap_or_else(|| format!("0.0.0.0:{PEER_PORT}"));
        let peer = address("listen-peer", &peer)?;
        if peer.is_none() && cluster.is_asked_for() {
            let problem = "the other nodes must reach this one: name an address, or leave out --join, --token and the secret";
            return Err(SettingsError::Value { name: "listen-peer", problem: problem.to_owned() });
        }
        let mut notices = Vec::new();
        let redis = flags.listen_redis.or(file.listen.redis).filter(|text| !text.is_empty());
        if let Some(text) = redis {
            address("listen-redis", &text)?;
            notices.push(format!(
                "--listen-redis {text}: this build does not serve it, the door stays closed"
            ));
        }
        let cache = [&flags.cache_cluster, &flags.cache_node_timeout, &flags.cache_max_memory];
        let file_cache = [&file.cache.cluster, &file.cache.node_timeout, &file.cache.max_memory];
        if cache.into_iter().chain(file_cache).any(Option::is_some) {
            notices
                .push("[cache]: this build has no cache, its settings do nothing yet".to_owned());
        }
        check_cache(flags.cache_cluster.or(file.cache.cluster))?;
        check_units(
            "cache-node-timeout",
            flags.cache_node_timeout.or(file.cache.node_timeout),
            &["ms", "s", "m", "h"],
        )?;
        check_units(
            "cache-max-memory",
            flags.cache_max_memory.or(file.cache.max_memory),
            &["KiB", "MiB", "GiB", "B"],
        )?;
        Ok(Self {
            data,
            listen: Listen { api, grpc, peer },
            cluster,
            auth: flags.auth.or(file.auth).unwrap_or(Auth::On),
            admin_password: password_file.map(|path| read_password(&path)).transpose()?,
            notices,
            limits: limit_settings::resolve(flags.limits, file.limits)?,
            stop_timeout: flags
                .stop_timeout
                .or(file.stop_timeout)
                .map_or(Ok(STOP_TIMEOUT), |text| limit_settings::read_time(&text))
                .map_err(|problem| SettingsError::Value { name: "stop-timeout", problem })?,
            log_format: flags.log_format.or(file.log.format).unwrap_or_default(),
            log_level: flags.log_level.or(file.log.level),
        })
    }

    /// In memory, on free ports of loopback: for tests and for trying things out. The first administrator's password is
    /// this one.
    #[must_use]
    pub fn in_memory(admin_password: &str, limits: Limits) -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            data: None,
            listen: Listen { api: Some(loopback), grpc: None, peer: None },
            cluster: ClusterSettings::default(),
            auth: Auth::On,
            admin_password: Some(admin_password.to_owned()),
            notices: Vec::new(),
            limits,
            stop_timeout: STOP_TIMEOUT,
            log_format: LogFormat::default(),
            log_level: None,
        }
    }
}

/// The address of the gRPC door when only the API's is given.
fn grpc_beside(api: Option<SocketAddr>) -> Result<Option<SocketAddr>, SettingsError> {
    let Some(api) = api.filter(|api| api.port() != 0) else { return Ok(None) };
    match api.port().checked_add(GRPC_PORT_OFFSET) {
        Some(port) => Ok(Some(SocketAddr::new(api.ip(), port))),
        None => Err(SettingsError::Value {
            name: "listen-api",
            problem: format!(
                "port {} + 1000 for gRPC is over 65535: choose a lower one",
                api.port()
            ),
        }),
    }
}

fn read_file(path: &Path) -> Result<File, SettingsError> {
    let failed = |problem: String, suggestion: String| SettingsError::File {
        path: path.to_owned(),
        problem,
        suggestion,
    };
    let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string(), String::new()))?;
    toml::from_str(&text).map_err(|error: toml::de::Error| {
        let suggestion = unknown_key(error.message())
            .and_then(nearest)
            .map(|key| format!("did you mean `{key}`?"))
            .unwrap_or_default();
        failed(error.to_string(), suggestion)
    })
}

/// The key that serde calls unknown.
fn unknown_key(message: &str) -> Option<&str> {
    message.strip_prefix("unknown field `")?.split('`').next()
}

fn nearest(wrong: &str) -> Option<&'static str> {
    let score = |key: &&str| strsim::jaro_winkler(wrong, key);
    let keys = KEYS.iter().copied().chain(limit_settings::keys());
    let best = keys.max_by(|a, b| score(a).total_cmp(&score(b)))?;
    (score(&best) > 0.7).then_some(best)
}

fn address(name: &'static str, text: &str) -> Result<Option<SocketAddr>, SettingsError> {
    if text.is_empty() {
        return Ok(None);
    }
    let resolved = text.to_socket_addrs().ok().and_then(|mut found| found.next());
    resolved.map(Some).ok_or_else(|| SettingsError::Value {
        name,
        problem: format!("`{text}` is no address: write HOST:PORT, or \"\" to close the door"),
    })
}

fn read_password(path: &Path) -> Result<String, SettingsError> {
    let wrong = |problem| SettingsError::Value { name: "admin-password-file", problem };
    let text =
        std::fs::read_to_string(path).map_err(|e| wrong(format!("{}: {e}", path.display())))?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() || password.len() > 72 {
        return Err(wrong(format!("{}: a password has 1 to 72 bytes", path.display())));
    }
    Ok(password.to_owned())
}

/// Whether something is in the data directory. Volumes are there, and empty, before the first start.
fn is_used(directory: &Path) -> bool {
    std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some())
}

fn given_of_cluster(flags: &Flags, file: &File) -> cluster_settings::Given {
    fn either<T: Clone>(flag: &Option<T>, file: &Option<T>) -> Option<T> {
        flag.clone().or_else(|| file.clone())
    }
    let join = if flags.join.is_empty() {
        file.join.clone().unwrap_or_default()
    } else {
        flags.join.clone()
    };
    cluster_settings::Given {
        advertise: either(&flags.advertise, &file.advertise),
        join,
        expect: either(&flags.expect, &file.expect),
        secret_file: either(&flags.cluster_secret_file, &file.cluster_secret_file),
        token: either(&flags.token, &file.token),
        certificate: either(&flags.peer_tls_cert, &file.peer_tls_cert),
        key: either(&flags.peer_tls_key, &file.peer_tls_key),
        authority: either(&flags.peer_tls_ca, &file.peer_tls_ca),
    }
}

/// Both planes run in every node of this build: taking only one of them must not be believed.
fn check_roles(flags: &Flags, file: &File) -> Result<(), SettingsError> {
    let given = flags.role.as_ref().map(|text| text.split(',').map(str::to_owned).collect());
    let Some(roles): Option<Vec<String>> = given.or_else(|| file.role.clone()) else {
        return Ok(());
    };
    for role in &roles {
        if !["registry", "config", "cache"].contains(&role.as_str()) {
            let problem = format!("`{role}` is none of registry, config, cache");
            return Err(SettingsError::Value { name: "role", problem });
        }
    }
    if ["registry", "config"].iter().all(|needed| roles.iter().any(|role| role == needed)) {
        return Ok(());
    }
    let reason = "this build serves registry and config together: name both, or leave it out";
    Err(SettingsError::Unsupported { name: "role", reason })
}

fn check_cache(cluster: Option<String>) -> Result<(), SettingsError> {
    match cluster.as_deref() {
        None | Some("auto" | "manual") => Ok(()),
        Some(other) => {
            let problem = format!("`{other}` is none of auto, manual");
            Err(SettingsError::Value { name: "cache-cluster", problem })
        }
    }
}

/// A number and one of the units, without a space.
fn check_units(
    name: &'static str,
    value: Option<String>,
    units: &[&str],
) -> Result<(), SettingsError> {
    let Some(text) = value else { return Ok(()) };
    let fits = units
        .iter()
        .filter_map(|unit| text.strip_suffix(unit))
        .any(|number| number.parse::<u64>().is_ok());
    if fits {
        return Ok(());
    }
    let problem = format!("`{text}` is not a number with one of the units {}", units.join(", "));
    Err(SettingsError::Value { name, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<File, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let nearest = unknown_key(error.message()).and_then(nearest);
            format!("{error}{nearest:?}")
        })
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_one() {
        let error = file("data = \"d\"\n[listen]\napo = \"x\"\n").expect_err("unknown key");
        assert!(error.contains("line 3"), "{error}");
        assert!(error.ends_with("Some(\"api\")"), "{error}");
    }

    #[test]
    fn an_unknown_limit_is_named_with_its_line_and_the_nearest_one() {
        let error = file("[limits]\ncalls = 7\nconfig_contents = \"1MiB\"\n").expect_err("unknown");
        assert!(error.contains("line 3"), "{error}");
        assert!(error.ends_with("Some(\"config_content\")"), "{error}");
    }

    #[test]
    fn flags_beat_the_file_and_defaults_fill_the_rest() {
        let flags = Flags { listen_api: Some("127.0.0.1:9000".to_owned()), ..Flags::default() };
        let settings = Settings::resolve(flags, None).expect("valid");
        assert_eq!(settings.listen.grpc.map(|a| a.port()), Some(10_000));
        assert_eq!(settings.data.as_deref(), Some(Path::new("trine-data")));
        assert_eq!(settings.auth, Auth::On);
    }

    #[test]
    fn what_is_not_served_is_refused_or_noted_and_wrong_values_say_what_is_right() {
        let error = |flags| Settings::resolve(flags, None).expect_err("refused").to_string();
        let closed = Flags {
            join: vec!["a:1".to_owned()],
            token: Some("trine-0000000000000abc-".to_owned() + &"07".repeat(32)),
            listen_peer: Some(String::new()),
            ..Flags::default()
        };
        assert!(error(closed).starts_with("--listen-peer: the other nodes must reach"));
        let role = Flags { role: Some("registry,kitchen".to_owned()), ..Flags::default() };
        assert!(error(role).contains("`kitchen` is none of"));
        let half = Flags { role: Some("registry".to_owned()), ..Flags::default() };
        assert!(error(half).contains("together"));
        let timeout = Flags { cache_node_timeout: Some("15".to_owned()), ..Flags::default() };
        assert!(error(timeout).contains("units ms, s, m, h"));
        let port = Flags { listen_api: Some("127.0.0.1:65000".to_owned()), ..Flags::default() };
        assert!(error(port).contains("over 65535"));
        let redis = Flags { listen_redis: Some("127.0.0.1:6379".to_owned()), ..Flags::default() };
        let settings = Settings::resolve(redis, None).expect("no error");
        assert!(settings.notices[0].contains("stays closed"));
    }
}
