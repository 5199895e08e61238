//! Machines that know nothing but each other's addresses found exactly one cluster, whatever happens meanwhile.

use base::Duration;
use sim::{Physics, World, seeded};

#[test]
fn three_machines_found_one_cluster() {
    let mut world = World::cluster(seeded(1), 3, Physics::default(), true);
    let ready = world.run_until(Duration::from_secs(30), World::is_ready);
    for line in world.trace().lines() {
        println!("{line}");
    }
    assert!(ready);
    assert_eq!(world.violations(), [] as [String; 0]);
}
