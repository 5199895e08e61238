//! Who watches names is told what comes and goes, and nothing else.

use super::conversation::run;

fn check(script: &str, expected: &str) {
    let transcript = run(script);
    let trimmed = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
    };
    assert_eq!(trimmed(&transcript), trimmed(expected), "\nwhole transcript:\n{transcript}");
}

/// A change of content is no news for who watches names; a name that two patterns of one connection take is told once.
#[test]
fn names_that_come_and_go_are_told_once_per_connection() {
    check(
        "
        watch 1 G/a*
        watch 1 *//nothing
        watch 1 */*
        watch 2 G/b
        publish 9 a1 x
        commit
        publish 9 a1 y
        commit
        gray 9 b beta:1.1.1.1 g
        commit
        publish 9 b x
        commit
        remove 9 a1
        commit
        remove 9 a1
        commit
        unwatch 1 */*
        close 2
        remove 9 b
        commit
        publish 9 a2 x
        commit
        ",
        r#"
        > watch 1 G/a*
        1: watching
        > watch 1 *//nothing
        1: watching
        > watch 1 */*
        1: watching
        > watch 2 G/b
        2: watching
        > publish 9 a1 x
        9: proposed
        > commit
        view a1 = x r1 by "ann"
        1: a1 is there now
        9: Published(Revision(1)), 2 rows put, 0 deleted
        > publish 9 a1 y
        9: proposed
        > commit
        view a1 = y r2 by "ann"
        9: Published(Revision(2)), 2 rows put, 0 deleted
        > gray 9 b beta:1.1.1.1 g
        9: proposed
        > commit
        grays of b: ["beta(1.1.1.1) = g r3"]
        9: Published(Revision(3)), 2 rows put, 0 deleted
        > publish 9 b x
        9: proposed
        > commit
        view b = x r4 by "ann"
        1: b is there now
        2: b is there now
        9: Published(Revision(4)), 2 rows put, 0 deleted
        > remove 9 a1
        9: proposed
        > commit
        view a1 is gone
        1: a1 is gone now
        9: Removed { existed: true }, 1 rows put, 1 deleted
        > remove 9 a1
        9: proposed
        > commit
        9: Removed { existed: false }, 0 rows put, 0 deleted
        > unwatch 1 */*
        1: watching
        > close 2
        > remove 9 b
        9: proposed
        > commit
        view b is gone
        9: Removed { existed: true }, 1 rows put, 1 deleted
        > publish 9 a2 x
        9: proposed
        > commit
        view a2 = x r8 by "ann"
        1: a2 is there now
        9: Published(Revision(8)), 2 rows put, 0 deleted
        "#,
    );
}

/// A snapshot is told as what it changes: names that readers keep seeing are no news.
#[test]
fn a_snapshot_tells_only_what_it_changes() {
    let transcript = run("
        publish 9 a x
        publish 9 b x
        commit
        watch 1 G/*
        snapshot a
        publish 9 b x
        commit
        restore
    ");
    let told: Vec<&str> = transcript.lines().filter(|line| line.ends_with(" now")).collect();
    assert_eq!(told, ["1: b is gone now", "1: b is there now"], "{transcript}");
}

#[test]
fn what_an_address_listens_to_is_shown_whichever_connection_does() {
    let transcript = run("
        publish 9 a x
        commit
        listen 1.0 @10.0.0.1 a=x
        listen 2.4 @10.0.0.1 @10.9.9.9 b=-
        listen 3.0 @10.0.0.2 c=-
        at 9 10.0.0.1
        at 9 10.9.9.9
        at 9 10.0.0.9
        listeners 9 a
    ");
    for line in [
        r#"9: there ["a as md5(x)", "b as -"]"#,
        r#"9: there ["b as -"]"#,
        "9: there []",
        r#"9: listeners ["110.0.0.1 holds md5(x)"]"#,
    ] {
        assert!(transcript.contains(line), "{line}\n{transcript}");
    }
}
