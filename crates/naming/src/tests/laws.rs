//! `apply` is a function of the agreed state and the command, and the rows are that state.

use super::script::{instance, service};
use crate::*;
use base::{HybridTime, LogIndex, Revision, Row};
use proptest::prelude::*;

fn place(number: u8) -> Place {
    let cluster = ["a", "b"][usize::from(number % 2)];
    Place::of(&instance(&[&format!("10.0.0.{}:80/{cluster}", number / 2)]))
}

fn metadata(number: u8) -> BTreeMap<Arc<str>, Arc<str>> {
    (0..3_u8)
        .filter(|key| number >> key & 1 == 1)
        .map(|key| (key.to_string().into(), number.to_string().into()))
        .collect()
}

fn edits() -> impl Strategy<Value = Edit> {
    let weight = || (0..3_u8).prop_map(f64::from);
    prop_oneof![
        (any::<bool>(), weight(), 0..8_u8).prop_map(|(enabled, weight, number)| {
            Edit::Replace { enabled, weight, metadata: metadata(number) }
        }),
        (any::<Option<bool>>(), proptest::option::of(weight()), proptest::option::of(0..8_u8))
            .prop_map(|(enabled, weight, number)| {
                Edit::Patch { enabled, weight, metadata: number.map(metadata) }
            }),
        (0..8_u8).prop_map(|number| Edit::AddMetadata(metadata(number))),
        (0..8_u8).prop_map(|number| Edit::RemoveMetadata(metadata(number).into_keys().collect())),
    ]
}

fn described() -> impl Strategy<Value = ServiceMetadata> {
    let kinds = [None, Some(ServiceKind::Ephemeral), Some(ServiceKind::Persistent)];
    (0..3_u8, 0..8_u8, 0..kinds.len()).prop_map(move |(tenths, number, kind)| ServiceMetadata {
        protect_threshold: f64::from(tenths) / 10.0,
        metadata: metadata(number),
        selector: Selector::default(),
        kind: kinds[kind],
    })
}

fn commands() -> impl Strategy<Value = Command> {
    let service = || (0..2_usize).prop_map(|number| service(["db", "web"][number]));
    let places = proptest::collection::vec((0..6_u8).prop_map(place), 0..3);
    prop_oneof![
        4 => (service(), 0..6_u8, 0..8_u8).prop_map(|(service, number, pairs)| {
            let Place { ip, port, cluster_name } = place(number);
            let own = Instance {
                ip, port, cluster_name, metadata: metadata(pairs), ephemeral: false,
                ..instance(&["0:0"])
            };
            Command::Register { service, instance: own }
        }),
        3 => (service(), 0..6_u8).prop_map(|(service, number)| {
            let Place { ip, port, .. } = place(number);
            Command::Deregister { service, ip, port }
        }),
        2 => (service(), described())
            .prop_map(|(service, metadata)| Command::CreateService { service, metadata }),
        2 => (service(), described())
            .prop_map(|(service, metadata)| Command::UpdateService { service, metadata }),
        2 => service().prop_map(|service| Command::RemoveService { service }),
        5 => (service(), places, edits())
            .prop_map(|(service, places, edit)| Command::EditInstances { service, places, edit }),
        2 => (service(), 0..6_u8, 0..30_u64).prop_map(|(service, number, revision)| {
            let overlays = vec![(place(number), Revision(revision))];
            Command::ForgetOverlays { service, overlays }
        }),
    ]
}

fn naming(node: u64) -> Naming {
    Naming::new(Settings::default(), Now::START, NodeId(node), HybridClock::default())
}

/// A registration that only this node knows of, and time that only passes here.
fn disturb(naming: &mut Naming, now: &mut Now, number: u8) {
    *now = now.after(Duration::from_secs(u64::from(number) / 4));
    let now = *now;
    let id = ConnectionId { node: NodeId(1), boot: HybridTime(0), counter: u64::from(number % 3) };
    let Place { ip, port, cluster_name } = place(number % 6);
    let own = Instance { ip, port, cluster_name, ..instance(&["0:0"]) };
    let (service, client) =
        (service(["db", "web"][usize::from(number % 2)]), ClientId::Connection(id));
    let request = Request::Register { client, service, instance: own };
    naming.step(now, if number.is_multiple_of(4) { Input::Closed(id) } else { Input::Opened(id) });
    naming.step(now, Input::Request { from: id, id: RequestId(0), request });
    naming.step(now, Input::Wake);
}

proptest! {
    /// Two nodes that apply the same log come to the same rows, outcomes and state, whatever else they see; the rows are
    /// the state; and the views are what follows from it.
    #[test]
    fn the_log_decides_alone(
        log in proptest::collection::vec((commands(), any::<Option<u8>>()), 1..40)
    ) {
        let (mut quiet, mut busy) = (naming(1), naming(1));
        let mut now = Now::START;
        let mut tables: BTreeMap<(u8, Vec<u8>), Vec<u8>> = BTreeMap::new();
        let mut views: BTreeMap<ServiceKey, Arc<ServiceView>> = BTreeMap::new();
        for (at, (command, noise)) in log.iter().enumerate() {
            if let Some(number) = noise {
                disturb(&mut busy, &mut now, *number);
            }
            let index = LogIndex(at as u64 + 1);
            let applied = quiet.apply(index, command);
            prop_assert_eq!(&applied, &busy.apply(index, command));
            for Row { table, key, value } in applied.rows {
                match value {
                    Some(value) => tables.insert((table, key), value),
                    None => tables.remove(&(table, key)),
                };
            }
            while let Some(output) = quiet.poll() {
                match output {
                    Output::Publish(view) => drop(views.insert(view.key.clone(), view)),
                    Output::Retire(key) => drop(views.remove(&key)),
                    _ => {}
                }
            }
            prop_assert_eq!(&quiet.agreed, &busy.agreed);
        }
        for (key, view) in &views {
            prop_assert_eq!(&*view.instances, &*quiet.listed(&Arc::new(key.clone())));
        }
        let rows = tables.into_iter().map(|((table, key), value)| Row { table, key, value: Some(value) });
        let rows: Vec<Row> = rows.collect();
        let mut restored = naming(2);
        let mut busy_restored = busy;
        for piece in rows.chunks(3) {
            restored.step(Now::START, Input::Restore(piece.to_vec()));
        }
        restored.step(Now::START, Input::Restored);
        prop_assert_eq!(&quiet.agreed, &restored.agreed);
        busy_restored.step(now, Input::Reset);
        busy_restored.step(now, Input::Restore(rows));
        busy_restored.step(now, Input::Restored);
        prop_assert_eq!(&quiet.agreed, &busy_restored.agreed);
    }

    /// Bytes that are no row of ours stop the node and nothing else.
    #[test]
    fn junk_rows_do_not_panic(table in 0..4_u8, key: Vec<u8>, value: Vec<u8>, version: bool) {
        let value = if version { [vec![1], value].concat() } else { value };
        let mut naming = naming(1);
        naming.step(Now::START, Input::Restore(vec![Row { table, key, value: Some(value) }]));
        prop_assert!(matches!(naming.poll(), Some(Output::Halt(_))));
    }
}
