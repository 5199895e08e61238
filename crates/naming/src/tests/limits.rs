//! Limits, and mass work in pieces.

use super::script::{Conversation, instance, service};
use crate::*;
use base::RequestId;

fn request(conversation: &mut Conversation, from: ConnectionId, request: Request) -> Reply {
    let id = RequestId(0);
    conversation.naming.step(conversation.now, Input::Request { from, id, request });
    let mut answer = None;
    while let Some(output) = conversation.naming.poll() {
        if let Output::Reply { reply, .. } = output {
            assert!(answer.replace(reply).is_none(), "one request has one reply");
        }
    }
    answer.expect("every request is answered")
}

fn batch(conversation: &Conversation, name: &str, count: usize) -> Request {
    let client = ClientId::Connection(conversation.connection(name));
    let instances =
        (0..count).map(|n| instance(&[&format!("10.0.{}.{}:80", n / 250, n % 250)])).collect();
    Request::RegisterBatch { client, service: service("web"), instances }
}

fn published(conversation: &Conversation) -> usize {
    conversation.naming.counts().instances
}

#[test]
fn a_connection_has_a_limit_of_instances() {
    let mut conversation = Conversation::new();
    conversation.command("open c1");
    let c1 = conversation.connection("c1");
    let full = batch(&conversation, "c1", INSTANCES_PER_CONNECTION_MAX);
    assert_eq!(request(&mut conversation, c1, full.clone()), Reply::Done);
    // What it has may be offered again, and may be replaced by less.
    assert_eq!(request(&mut conversation, c1, full), Reply::Done);
    let said = conversation.command("register c1 other 10.9.9.9:1");
    assert_eq!(
        said,
        "refused: this connection already has 10000 instances: use a second connection or raise the limit\n"
    );
    assert_eq!(published(&conversation), INSTANCES_PER_CONNECTION_MAX);
    let fewer = batch(&conversation, "c1", 3);
    assert_eq!(request(&mut conversation, c1, fewer), Reply::Done);
    assert!(conversation.command("register c1 other 10.9.9.9:1").ends_with("done\n"));
}

#[test]
fn a_connection_has_a_limit_of_subscriptions() {
    let mut conversation = Conversation::new();
    conversation.command("open c1");
    for n in 0..SUBSCRIPTIONS_PER_CONNECTION_MAX {
        assert_eq!(conversation.command(&format!("subscribe c1 web{n}")), "done\n");
    }
    assert!(conversation.command("subscribe c1 one-more").starts_with("refused: this connection"));
    assert_eq!(conversation.command("subscribe c1 web7"), "done\n");
    conversation.command("unsubscribe c1 web7");
    assert_eq!(conversation.command("subscribe c1 one-more"), "done\n");
    conversation.command("close c1");
    conversation.command("wait 1s");
    assert_eq!(conversation.naming.counts(), Counts::default());
    assert!(conversation.naming.services.is_empty());
}

#[test]
fn a_closed_connection_ends_in_pieces() {
    let mut conversation = Conversation::new();
    conversation.command("open c1");
    let c1 = conversation.connection("c1");
    let many = batch(&conversation, "c1", 2 * CLOSED_PER_WAKE + 1);
    request(&mut conversation, c1, many);
    conversation.command("close c1");
    assert_eq!(published(&conversation), CLOSED_PER_WAKE + 1);
    assert_eq!(conversation.naming.deadline(), Some(conversation.now.instant));
    // Meanwhile it is closed for everything.
    assert_eq!(conversation.command("register c1 web 10.0.0.1:80"), "refused: Client not found.\n");
    conversation.command("wake");
    assert_eq!(published(&conversation), 1);
    conversation.command("wake");
    assert_eq!(published(&conversation), 0);
    assert_ne!(conversation.naming.deadline(), Some(conversation.now.instant));
}

#[test]
fn a_large_hint_is_written_and_restored_in_pieces_and_nothing_is_pushed_meanwhile() {
    let mut conversation = Conversation::new();
    conversation.command("open c1");
    let c1 = conversation.connection("c1");
    let count = 2 * HINT_OFFERS_PER_WAKE + 1;
    let many = batch(&conversation, "c1", count);
    request(&mut conversation, c1, many);
    assert!(conversation.command("wait 6s").ends_with("hint\n"));
    conversation.command("restart");
    assert!(conversation.naming.restoring());
    conversation.command("open c1");
    conversation.command("subscribe c1 a-service-that-may-be-in-the-rest");
    conversation.now = conversation.now.after(Duration::from_secs(1));
    assert_eq!(conversation.naming.deadline().map(|at| at < conversation.now.instant), Some(true));
    let said = conversation.command("wake");
    assert!(conversation.naming.restoring() && !said.contains("push"), "{said}");
    let said = conversation.command("wake");
    assert!(!conversation.naming.restoring() && said.contains("push"), "{said}");
    assert_eq!(published(&conversation), count);
}

/// The pieces of the hint until nothing is left to be written.
fn hint_pieces(conversation: &mut Conversation) -> Vec<HintPiece> {
    let mut pieces = Vec::new();
    while let Some(due) = conversation.naming.hints.due() {
        conversation.now = conversation.now.after(due.since(conversation.now.instant));
        while conversation.naming.deadline().is_some_and(|at| at <= conversation.now.instant) {
            conversation.input(Input::Wake);
            while let Some(output) = conversation.naming.poll() {
                if let Output::Hint(piece) = output {
                    pieces.push(piece);
                }
            }
        }
    }
    pieces
}

#[test]
fn a_change_costs_the_hint_its_service_until_the_changes_have_outgrown_the_rest() {
    let mut conversation = Conversation::new();
    conversation.command("open c1");
    let c1 = conversation.connection("c1");
    let many = batch(&conversation, "c1", 2 * HINT_OFFERS_PER_WAKE + 1);
    request(&mut conversation, c1, many);
    let all = hint_pieces(&mut conversation);
    assert_eq!(all.len(), 3);
    assert!(all[0].begins && all[2].completes && !all[1].begins && !all[1].completes);

    conversation.command("register http db 10.0.0.1:80");
    let change = hint_pieces(&mut conversation);
    assert!(matches!(&change[..], [piece] if piece.bytes.len() < 200 && !piece.begins));
    conversation.command("deregister http db 10.0.0.1:80");
    let mut pieces = [all, change, hint_pieces(&mut conversation)].concat();
    assert_eq!(pieces.len(), 5);

    let (mut written, mut rounds) = (0, 0);
    while pieces.iter().filter(|piece| piece.begins).count() < 2 {
        let many = batch(&conversation, "c1", 2 * HINT_OFFERS_PER_WAKE - rounds);
        request(&mut conversation, c1, many);
        let more = hint_pieces(&mut conversation);
        written += more.iter().map(|piece| piece.bytes.len()).sum::<usize>();
        pieces.extend(more);
        rounds += 1;
    }
    assert!((1 << 20..2 << 20).contains(&written), "{written} bytes in {rounds} rounds");
}

#[test]
fn a_client_that_comes_back_before_its_orphan_is_restored_ends_it_too() {
    let mut conversation = Conversation::new();
    conversation.command("open c1");
    let c1 = conversation.connection("c1");
    let many = batch(&conversation, "c1", HINT_OFFERS_PER_WAKE + 100);
    request(&mut conversation, c1, many);
    conversation.command("wait 6s");
    conversation.command("restart");
    conversation.command("open c1");
    // In the order of places it is the last one.
    let last = "10.0.4.99:80";
    conversation.command(&format!("register c1 web {last}"));
    conversation.command("wake");
    conversation.command(&format!("deregister c2 web {last}"));
    conversation.command(&format!("deregister c1 web {last}"));
    let place = Arc::new(Place::of(&instance(&[last])));
    let shared = conversation.naming.shared(&service("web"));
    assert_eq!(conversation.naming.offers_at(&shared, &place).count(), 0);

    conversation.command("restart");
    conversation.command("open c1");
    conversation.command(&format!("register c1 web {last}"));
    assert_eq!(conversation.naming.offers_at(&shared, &place).count(), 1);
    conversation.command("wake");
    assert_eq!(conversation.naming.offers_at(&shared, &place).count(), 1, "its orphan ended");
    assert!(!conversation.naming.restoring());
}

#[test]
fn bytes_that_are_no_hint_are_ignored() {
    let mut conversation = Conversation::new();
    conversation.command("register http web 10.0.0.1:80");
    let mut hint = None;
    conversation.now = conversation.now.after(Duration::from_secs(5));
    conversation.input(Input::Wake);
    while let Some(output) = conversation.naming.poll() {
        if let Output::Hint(piece) = output {
            hint = Some(piece.bytes);
        }
    }
    let hint = hint.expect("a hint is written after 5 s");
    for position in 0..hint.len() {
        let mut torn = hint.clone();
        torn[position] ^= 0x10;
        for junk in [torn, hint[..position].to_vec()] {
            let mut naming =
                Naming::new(Settings::default(), Now::START, NodeId(1), HybridClock::default());
            assert_eq!(hint_high_water(std::slice::from_ref(&junk)), None);
            naming.step(Now::START, Input::Hint(vec![junk]));
            assert_eq!(naming.poll(), None);
            assert!(!naming.restoring());
        }
    }
    assert!(hint_high_water(&[hint]).is_some());
}

#[test]
fn many_subscribers_are_pushed_in_pieces_and_all_get_the_newest_view() {
    let mut conversation = Conversation::new();
    let count = 2 * PUSHES_PER_WAKE + 1;
    for n in 1..=count {
        conversation.command(&format!("open c{n}"));
        conversation.command(&format!("subscribe c{n} web"));
    }
    conversation.command("wait 10s");
    conversation.command("register c1 web 10.0.0.1:80");
    conversation.command("freeze 20ms");
    let pushes = |said: String| said.matches("push").count();
    assert_eq!(pushes(conversation.command("wake")), PUSHES_PER_WAKE);
    // It changes in the middle of the round: those that have the former view are pushed again.
    conversation.command("register c1 web 10.0.0.2:80");
    assert_eq!(pushes(conversation.command("wake")), PUSHES_PER_WAKE);
    conversation.command("wait 1s");
    let newest = &conversation.views[&service("web")];
    for pushed in conversation.pushed.values() {
        assert!(Arc::ptr_eq(pushed.last().expect("never empty"), newest));
    }
    assert_eq!(conversation.pushed.len(), count);
}

#[test]
fn many_fall_silent_in_pieces() {
    let mut conversation = Conversation::new();
    let count = BEATS_JUDGED_PER_WAKE + 1;
    for n in 0..count {
        conversation.command(&format!("register http web 10.0.{}.{}:80", n / 250, n % 250));
    }
    conversation.command("wait 14s");
    conversation.command("freeze 1s");
    conversation.command("wake");
    let unhealthy = |conversation: &Conversation| {
        let view = &conversation.views[&service("web")];
        view.instances.iter().filter(|instance| !instance.healthy).count()
    };
    assert_eq!(unhealthy(&conversation), BEATS_JUDGED_PER_WAKE);
    conversation.command("wake");
    assert_eq!(unhealthy(&conversation), count);
}

#[test]
fn what_lives_with_a_client_is_ephemeral() {
    let mut conversation = Conversation::new();
    conversation.command("open c1");
    let c1 = conversation.connection("c1");
    let client = ClientId::Connection(c1);
    let instances = vec![instance(&["10.0.0.1:80"]), instance(&["10.0.0.2:80", "persistent"])];
    let batch = Request::RegisterBatch { client, service: service("web"), instances };
    assert_eq!(request(&mut conversation, c1, batch), Reply::Refused(Refusal::NotEphemeral));
    assert_eq!(published(&conversation), 0);
}

#[test]
fn what_enters_the_log_has_limits() {
    let mut conversation = Conversation::new();
    conversation.command("create http web");
    let from = conversation.connection("c0");
    let long: Arc<str> = "x".repeat(METADATA_CHARS_MAX).into();
    let with = |key: &str, value: &Arc<str>| {
        let pair: (Arc<str>, _) = (key.into(), value.clone());
        BTreeMap::from([pair])
    };
    let place = Place::of(&instance(&["10.0.0.1:80"]));
    let edit = |count: usize, edit| Request::EditInstances {
        service: service("web"),
        places: vec![place.clone(); count],
        edit,
    };
    let too_long = Reply::Refused(Refusal::TooLong { what: "metadata", limit: METADATA_CHARS_MAX });
    let add = Edit::AddMetadata(with("k", &long));
    assert_eq!(request(&mut conversation, from, edit(1, add)), too_long);
    let limit = INSTANCES_EDITED_MAX;
    let add = Edit::AddMetadata(with("k", &"v".into()));
    assert_eq!(
        request(&mut conversation, from, edit(limit + 1, add)),
        Reply::Refused(Refusal::TooManyEdited { limit })
    );
    // Little by little it does not get in, either: the log decides.
    let half: Arc<str> = "x".repeat(METADATA_CHARS_MAX / 2).into();
    let applied = [("a", &half), ("b", &half)].map(|(key, value)| {
        let (service, places) = (service("web"), vec![place.clone()]);
        let edit = Edit::AddMetadata(with(key, value));
        let command = Command::EditInstances { service, places, edit };
        conversation.naming.apply(base::LogIndex(100), &command).outcome
    });
    let limit = METADATA_CHARS_MAX;
    let refused = Outcome::Refused(Refusal::TooLong { what: "metadata", limit });
    assert_eq!(applied, [Outcome::Edited(vec![place]), refused]);
    let mut metadata = ServiceMetadata { metadata: with("k", &long), ..Default::default() };
    let update = |metadata: &ServiceMetadata| Request::UpdateService {
        service: service("web"),
        metadata: metadata.clone(),
    };
    assert_eq!(request(&mut conversation, from, update(&metadata)), too_long);
    metadata.metadata.clear();
    metadata.selector.expression = Some("x".repeat(5000).into());
    let what = "selector";
    assert_eq!(
        request(&mut conversation, from, update(&metadata)),
        Reply::Refused(Refusal::TooLong { what, limit: 4096 })
    );
}
