//! Conversations.

use super::stage::run;

/// Compares without the indentation of the source.
#[track_caller]
fn says(nodes: usize, expected: &str) {
    let trim = |text: &str| {
        text.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n")
    };
    let is_answer = |line: &str| {
        let line = line.trim_start();
        line.starts_with('[') || line.split_once(' ').is_some_and(|(_, rest)| rest.starts_with('q'))
    };
    let script: Vec<&str> = expected.lines().filter(|line| !is_answer(line)).collect();
    let transcript = run(nodes, &script.join("\n"));
    assert_eq!(trim(&transcript), trim(expected), "\n{transcript}");
}

#[test]
fn a_lease_is_held_renewed_released_and_ends_by_itself() {
    says(
        1,
        "
        0.1 acquire k alice 10s
            [k by alice with 1, 0 wait]
            0.1 q1: Granted { token: Token(1), ttl_ms: 10000 }
        0.2 acquire k bob 10s
            0.2 q2: Held { owner: \"alice\", token: Token(1) }
        after 9s
        0.1 renew k 1
            [k by alice with 1, 0 wait]
            0.1 q3: Renewed { token: Token(1), ttl_ms: 10000 }
        after 9s
        0.1 release k 1
            [k free]
            0.1 q4: Released
        0.1 release k 1
            0.1 q5: NotHeld { current: None }
        0.2 acquire k bob 2s
            [k by bob with 6, 0 wait]
            0.2 q6: Granted { token: Token(6), ttl_ms: 2000 }
        0.1 renew k 1
            0.1 q7: NotHeld { current: Some(Token(6)) }
        after 2s
            [k free]
        0.2 renew k 6
            0.2 q8: NotHeld { current: None }
        ",
    );
}

#[test]
fn the_journal_tells_who_held_it_who_waited_and_how_it_ended() {
    says(
        1,
        "
        0.1 acquire k alice 10s
            [k by alice with 1, 0 wait]
            0.1 q1: Granted { token: Token(1), ttl_ms: 10000 }
        0.2 acquire k bob 10s 60s
            [k by alice with 1, 1 wait]
        0.3 acquire k carol 10s 5s
            [k by alice with 1, 2 wait]
        after 5s
            [k by alice with 1, 1 wait]
            0.3 q3: TimedOut
        0.1 release k 1
            [k by bob with 5, 0 wait]
            0.2 q2: Granted { token: Token(5), ttl_ms: 10000 }
            0.1 q4: Released
        0.2 renew k 5
            [k by bob with 5, 0 wait]
            0.2 q5: Renewed { token: Token(5), ttl_ms: 10000 }
        after 10s
            [k free]
        story
            [lock k: Granted { owner: \"alice\", token: 1 }]
            [lock k: Queued(\"bob\")]
            [lock k: Queued(\"carol\")]
            [lock k: GaveUp(\"carol\")]
            [lock k: Released { token: 1 }]
            [lock k: Granted { owner: \"bob\", token: 5 }]
            [lock k: LeaseEnded { token: 5 }]
        ",
    );
}

#[test]
fn who_waits_is_served_in_order_until_its_time_is_over() {
    says(
        1,
        "
        0.1 acquire k alice 10s
            [k by alice with 1, 0 wait]
            0.1 q1: Granted { token: Token(1), ttl_ms: 10000 }
        0.2 acquire k bob 10s 60s
            [k by alice with 1, 1 wait]
        0.3 acquire k carol 10s 5s
            [k by alice with 1, 2 wait]
        0.4 acquire k dave 10s 60s
            [k by alice with 1, 3 wait]
        after 5s
            [k by alice with 1, 2 wait]
            0.3 q3: TimedOut
        after 5s
            [k by bob with 6, 1 wait]
            0.2 q2: Granted { token: Token(6), ttl_ms: 10000 }
        0.2 release k 6
            [k by dave with 7, 0 wait]
            0.4 q4: Granted { token: Token(7), ttl_ms: 10000 }
            0.2 q5: Released
        ",
    );
}

#[test]
fn waiters_of_a_closed_connection_leave() {
    says(
        1,
        "
        0.1 acquire k alice 10s
            [k by alice with 1, 0 wait]
            0.1 q1: Granted { token: Token(1), ttl_ms: 10000 }
        0.2 acquire k bob 10s 60s
            [k by alice with 1, 1 wait]
        0.3 acquire k carol 10s 60s
            [k by alice with 1, 2 wait]
        close 0.2
            [k by alice with 1, 1 wait]
        0.1 release k 1
            [k by carol with 5, 0 wait]
            0.3 q3: Granted { token: Token(5), ttl_ms: 10000 }
            0.1 q4: Released
        ",
    );
}

#[test]
fn a_grant_that_nobody_is_told_of_ends_at_once() {
    says(
        1,
        "
        0.1 acquire k alice 10s
            [k by alice with 1, 0 wait]
            0.1 q1: Granted { token: Token(1), ttl_ms: 10000 }
        0.2 acquire k bob 10s 60s
            [k by alice with 1, 1 wait]
        0.3 acquire k carol 10s 60s
            [k by alice with 1, 2 wait]
        hold
        0.1 release k 1
        close 0.2
        commit
            [k by bob with 4, 1 wait]
            [k by carol with 6, 0 wait]
            0.1 q4: Released
            0.3 q3: Granted { token: Token(6), ttl_ms: 10000 }
        ",
    );
}

#[test]
fn the_same_owner_may_ask_again_after_an_unknown_outcome() {
    // The first request's answer was given up; it is committed all the same, and so is the second. The end of the grant
    // that nobody was told of comes too late: it was renewed.
    says(
        1,
        "
        hold
        0.1 acquire k alice 10s
        0.1 acquire k alice 10s
        close 0.1
        0.2 acquire k alice 10s
        commit
            [k by alice with 1, 0 wait]
            [k by alice with 1, 0 wait]
            [k by alice with 1, 0 wait]
            0.1 q1: Granted { token: Token(1), ttl_ms: 10000 }
            0.1 q2: Granted { token: Token(1), ttl_ms: 10000 }
            0.2 q3: Granted { token: Token(1), ttl_ms: 10000 }
        0.2 renew k 1
            [k by alice with 1, 0 wait]
            0.2 q4: Renewed { token: Token(1), ttl_ms: 10000 }
        ",
    );
}

#[test]
fn a_grant_whose_asker_was_told_that_the_outcome_is_unknown_ends_unless_it_asks_again() {
    says(
        1,
        "
        hold
        0.1 acquire k alice 10s
        give-up 0
            0.1 q1: Unknown outcome
        0.2 acquire k bob 10s 60s
        commit
            [k by alice with 1, 0 wait]
            [k by alice with 1, 1 wait]
            [k by bob with 3, 0 wait]
            0.2 q2: Granted { token: Token(3), ttl_ms: 10000 }
        ",
    );
}

#[test]
fn a_new_leader_gives_every_lease_its_full_time() {
    says(
        3,
        "
        0.1 acquire k alice 10s
            [k by alice with 1, 0 wait]
            0.1 q1: Granted { token: Token(1), ttl_ms: 10000 }
        2.1 acquire k bob 10s 60s
            [k by alice with 1, 1 wait]
        after 9s
        leader 1
        after 9s
        after 1s
            [k by bob with 3, 0 wait]
            2.1 q2: Granted { token: Token(3), ttl_ms: 10000 }
        ",
    );
}

#[test]
fn a_restart_gives_every_lease_its_full_time() {
    says(
        1,
        "
        0.1 acquire k alice 10s
            [k by alice with 1, 0 wait]
            0.1 q1: Granted { token: Token(1), ttl_ms: 10000 }
        0.2 acquire k bob 10s 20s
            [k by alice with 1, 1 wait]
        after 9s
        restart 0
            [k by alice with 1, 1 wait]
        after 9s
        after 1s
            [k by bob with 3, 0 wait]
        ",
    );
}

#[test]
fn an_end_that_is_lost_is_proposed_again_and_one_that_comes_after_a_renewal_is_void() {
    says(
        1,
        "
        0.1 acquire k alice 10s
            [k by alice with 1, 0 wait]
            0.1 q1: Granted { token: Token(1), ttl_ms: 10000 }
        hold
        after 10s
        lose 0
        after 2s
        0.1 renew k 1
        commit 1
            [k by alice with 1, 0 wait]
            0.1 q2: Renewed { token: Token(1), ttl_ms: 10000 }
        commit
        after 9s
        after 1s
            [k free]
        ",
    );
}

#[test]
fn what_is_malformed_is_refused_and_changes_nothing() {
    says(
        1,
        "
        0.1 acquire '' alice 10s
            0.1 q1: key is empty
        0.1 acquire k '' 10s
            0.1 q2: owner is empty
        0.1 acquire k alice 99ms
            0.1 q3: ttl of 99ms is not between 100ms and 86400s
        0.1 acquire k alice 86401s
            0.1 q4: ttl of 86401s is not between 100ms and 86400s
        0.1 acquire k alice 10s 301s
            0.1 q5: wait of 301s is not between 0ns and 300s
        0.1 renew k 1 1ms
            0.1 q6: ttl of 1ms is not between 100ms and 86400s
        0.1 acquire k\u{7}k alice 10s
            0.1 q7: key has a control character
        ",
    );
}

#[test]
fn a_request_that_the_log_does_not_answer_is_given_up() {
    says(
        1,
        "
        0.1 acquire k alice 10s
            [k by alice with 1, 0 wait]
            0.1 q1: Granted { token: Token(1), ttl_ms: 10000 }
        0.2 acquire k bob 10s 1s
            [k by alice with 1, 1 wait]
        leader 7
        hold
        after 11s
            0.2 q2: Unknown
        ",
    );
}
