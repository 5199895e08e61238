//! The settings file. Its addresses and its password file are not tried: names would be asked of a name server.
#![no_main]
#![forbid(unsafe_code)]

use server::{Flags, Settings, SettingsError};
use std::{path::PathBuf, sync::OnceLock};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    let name = || std::env::temp_dir().join(format!("trine-fuzz-{}.toml", std::process::id()));
    let path = FILE.get_or_init(name);
    std::fs::write(path, data).expect("the directory for temporary files is there");
    let flags = Flags {
        listen_api: Some(String::new()),
        listen_grpc: Some(String::new()),
        listen_peer: Some(String::new()),
        listen_redis: Some(String::new()),
        admin_password_file: Some(password_file().clone()),
        ..Flags::default()
    };
    match Settings::resolve(flags, Some(path)) {
        Ok(settings) => assert_eq!(settings.listen.api, None, "a flag beats the file"),
        Err(error) => {
            let text = error.to_string();
            assert!(!matches!(error, SettingsError::File { .. }) || text.contains("trine-fuzz-"));
        }
    }
});

fn password_file() -> &'static PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let path = std::env::temp_dir().join(format!("trine-fuzz-{}.password", std::process::id()));
        std::fs::write(&path, "password").expect("the directory for temporary files is there");
        path
    })
}
