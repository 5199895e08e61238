//! How clusters are founded.

use super::world::check;

#[test]
fn who_looks_for_nobody_is_a_cluster_at_once() {
    check(
        "> machine a
         > start a
         > show
         a formed #1 1/1 alive
         > kill a
         > start a
         > show
         a formed #1 1/1 alive",
    );
}

#[test]
fn three_that_start_together_are_one_cluster() {
    check(
        "> machine a join a,b,c expect 3
         > machine b join a,b,c expect 3
         > machine c join a,b,c expect 3
         > start a
         > start b
         > start c
         > wait 2000
         > show
         a formed #1 3/3 alive, b formed #1 3/3 alive, c formed #1 3/3 alive",
    );
}

#[test]
fn no_cluster_exists_before_the_last_one_comes_minutes_later() {
    check(
        "> machine a join a,b,c expect 3
         > machine b join a,b,c expect 3
         > machine c join a,b,c expect 3
         > start c
         > start b
         > wait 300000
         > show
         a fresh (off), b fresh 1/1 alive, c fresh 1/1 alive
         > start a
         > wait 2000
         > show
         a formed #1 3/3 alive, b formed #1 3/3 alive, c formed #1 3/3 alive",
    );
}

#[test]
fn with_two_of_three_expected_the_late_one_joins() {
    check(
        "> machine a join a,b,c expect 2
         > machine b join a,b,c expect 2
         > machine c join a,b,c expect 2
         > start c
         > start b
         > wait 2000
         > start a
         > wait 2000
         > show
         a joining #1 3/3 alive, b formed #1 3/3 alive, c formed #1 3/3 alive",
    );
}

#[test]
fn a_restart_between_adopting_and_forming_does_no_harm() {
    check(
        "> machine a join a,b,c expect 3
         > machine b join a,b,c expect 3
         > machine c join a,b,c expect 3
         > slow b
         > start a
         > start b
         > start c
         > wait 5000
         > show
         a adopted #1 1/1 alive, b fresh 1/1 alive, c adopted #1 1/1 alive
         > kill a
         > start a
         > kill b
         > wait 60000
         > show
         a adopted #1 1/1 alive, b fresh (off), c adopted #1 1/1 alive
         > start b
         > wait 2000
         > fsync b
         > wait 2000
         > show
         a formed #1 3/3 alive, b formed #1 3/3 alive, c formed #1 3/3 alive",
    );
}

#[test]
fn who_was_away_when_the_others_formed_follows() {
    check(
        "> machine a join a,b,c expect 3
         > machine b join a,b,c expect 3
         > machine c join a,b,c expect 3
         > slow c
         > start a
         > start b
         > start c
         > wait 2000
         > fsync c
         > kill c
         > show
         a adopted #1 1/1 alive, b adopted #1 1/1 alive, c formed #1 (off)
         > wait 100000
         > start c
         > wait 2000
         > show
         a formed #1 3/3 alive, b formed #1 3/3 alive, c formed #1 3/3 alive",
    );
}

#[test]
fn a_founder_that_loses_its_disk_makes_the_others_begin_anew() {
    check(
        "> machine a join a,b,c expect 3
         > machine b join a,b,c expect 3
         > machine c join a,b,c expect 3
         > slow c
         > start a
         > start b
         > start c
         > wait 2000
         > kill c
         > wipe c
         > start c
         > fsync c
         > wait 20000
         > show
         a adopted #1 1/1 alive, b adopted #1 1/1 alive, c fresh 1/1 alive
         > wait 20000
         a halts: the cluster that this node was to found cannot be formed
         b halts: the cluster that this node was to found cannot be formed
         > start a
         > start b
         > wait 2000
         > show
         a formed #1 3/3 alive, b formed #1 3/3 alive, c formed #1 3/3 alive",
    );
}

#[test]
fn the_fourth_of_four_with_three_expected_joins() {
    check(
        "> machine a join a,b,c,d expect 3
         > machine b join a,b,c,d expect 3
         > machine c join a,b,c,d expect 3
         > machine d join a,b,c,d expect 3
         > start d
         > start c
         > start b
         > start a
         > wait 3000
         > show
         a formed #1 4/4 alive, b formed #1 4/4 alive, c formed #1 4/4 alive, d joining #1 4/4 alive",
    );
}

#[test]
fn two_come_to_a_running_cluster_at_once() {
    check(
        "> machine a
         > machine b join a
         > machine c join a
         > start a
         > wait 1000
         > start b
         > start c
         > wait 2000
         > show
         a formed #1 3/3 alive, b joining #1 3/3 alive, c joining #1 3/3 alive
         > kill b
         > kill c
         > start b
         > start c
         > wait 1000
         > show
         a formed #1 3/3 alive, b joining #1 3/3 alive, c joining #1 3/3 alive",
    );
}

#[test]
fn who_comes_to_two_clusters_stays_with_the_first() {
    check(
        "> machine a
         > machine b
         > machine c join a,b
         > start a
         > start b
         > start c
         > wait 2000
         > show
         a formed #1 2/2 alive, b formed #2 1/1 alive, c joining #1 2/2 alive",
    );
}
