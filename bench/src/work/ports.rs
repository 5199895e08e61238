//! From the start of the process until both ports take connections: with an empty folder, and until a client is served.

use crate::{
    load::Tally,
    problem::Problem,
    process,
    row::{Goal, Row},
    subject::{self, Source},
};
use std::time::{Duration, Instant};

const STARTS_MAX: usize = 50;

pub(crate) async fn run(source: &Source, length: Duration) -> Result<Vec<Row>, Problem> {
    let Source::Binary { name: _, kind, path } = source else {
        eprintln!("a running server has opened its ports long ago: nothing is measured");
        return Ok(Vec::new());
    };
    let (open, served) = (Tally::default(), Tally::default());
    let mut cpu = Duration::ZERO;
    let began = Instant::now();
    for _ in 0..STARTS_MAX {
        if began.elapsed() > length {
            break;
        }
        let data = subject::data_folder()?;
        let starting = Instant::now();
        let mut server = subject::start(*kind, path, data)?;
        server.wait_open().await?;
        open.count(Ok(starting.elapsed()));
        server.wait_ready().await?;
        served.count(Ok(starting.elapsed()));
        cpu += process::cpu(server.pid)?;
    }
    let row = |tally: &Tally, cpu| Row { per_second: None, ..tally.row(began.elapsed(), cpu) };
    let served = Row { work: "until a client is served".to_owned(), ..row(&served, cpu) };
    let open = Row { cpu_micros: None, ..row(&open, Duration::ZERO) };
    Ok(vec![open.named("until the ports are open", Goal::P99Millis(50.0)), served])
}
