//! Conversations: `tests/scripts/*.txt` hold commands (`> …`) and what the registry says to each. `UPDATE_GOLDENFILES=1`
//! writes down what it says now; read the difference before you believe it.

mod checking;
mod converging;
mod forwarding;
mod laws;
mod leaving;
mod limits;
mod model;
mod peers;
mod script;

use script::Conversation;
use std::{fs, path::Path};

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts").join(name);
    let expected = fs::read_to_string(&path).expect("the script is checked in");
    let mut conversation = Conversation::new();
    let mut transcript = String::new();
    for line in expected.lines() {
        if line.starts_with('#') || line.is_empty() {
            transcript += &format!("{line}\n");
        } else if let Some(command) = line.strip_prefix("> ") {
            transcript += &format!("{line}\n{}", conversation.command(command));
        }
    }
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(&path, &transcript).expect("the script can be written");
    }
    assert!(transcript == expected, "{name} went differently:\n{transcript}");
}

macro_rules! conversations {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            check(concat!(stringify!($name), ".txt"));
        }
    )* };
}

conversations! {
    register_subscribe_push_close
    pushes_conflate
    subscriptions_end
    one_offer_per_connection_and_service
    one_entry_per_place
    beats
    beat_times_from_metadata
    living_connections_never_expire
    a_late_wake_expires_nobody
    a_pause_before_the_deadline_expires_nobody
    restart_and_adoption_over_grpc
    restart_and_adoption_by_a_light_beat
    restart_and_nobody_comes_back
    restart_and_a_pause
    restart_twice
    an_orphan_ends_when_its_address_is_taken_back
    empty_services_are_retired
    create_and_remove_services
    refusals
    counts
    acknowledgements
    persistent_instances
    a_service_has_instances_of_one_kind
    two_nodes_decide_the_kind_at_once
    edits_are_shown_over_what_was_registered
    edits_end_with_their_instance
    services_with_metadata
    a_snapshot_replaces_what_was_agreed
    rows_that_do_not_read
    checkers_of_cluster_names
    switches
    lists_of_clients
    watches
}
