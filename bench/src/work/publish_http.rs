//! Config publish over HTTP by 32 clients, each to a key of its own; then all are read back.

use super::config::{self, PUBLISHERS};
use crate::{
    http::Http,
    load,
    problem::Problem,
    row::{Goal, Row},
    subject::Subject,
};
use std::{cell::RefCell, rc::Rc, time::Duration};

pub(crate) async fn run(subject: &Subject, length: Duration) -> Result<Vec<Row>, Problem> {
    let mut lanes = Vec::new();
    for number in 0..PUBLISHERS {
        lanes.push((number, Http::open(subject.api).await?));
    }
    let taken = Rc::new(RefCell::new(vec![String::new(); PUBLISHERS]));
    let newest = taken.clone();
    let operation = async move |(own, client): &mut (usize, Http), number| {
        let (data_id, content) = (format!("published-{own}"), config::content(number));
        config::publish_http(client, &data_id, &content).await?;
        newest.borrow_mut()[*own] = content;
        Ok(())
    };
    let mut row = load::closed_loop(subject, length, lanes, operation).await?;
    let taken = taken.take();
    for (number, content) in taken.iter().enumerate() {
        let data_id = format!("published-{number}");
        if let Err(wrong) = config::settled(subject.api, &data_id, content).await {
            row.wrong += 1;
            row.first_wrong.get_or_insert(wrong);
        }
    }
    let name = format!("config publish HTTP, {PUBLISHERS} clients");
    Ok(vec![row.named(&name, Goal::CpuMicros(80.0))])
}
