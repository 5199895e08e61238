//! A closed loop: each lane sends its next operation when the one before is answered.

use crate::{
    problem::{Problem, Wrong},
    process,
    row::Row,
    subject::Subject,
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Runs before anything is measured: caches, pages and branch predictors.
const WARM_UP: Duration = Duration::from_millis(500);
/// Operations of one run; it ends early when they are done.
pub(crate) const OPERATIONS_MAX: u64 = 2_000_000;

/// Answers counted so far.
#[derive(Default)]
pub(crate) struct Tally {
    operations: Cell<u64>,
    wrong: Cell<u64>,
    first_wrong: RefCell<Option<Wrong>>,
    micros: RefCell<Vec<u32>>,
}

impl Tally {
    /// One answer that took this long, or was wrong.
    pub(crate) fn count(&self, answer: Result<Duration, Wrong>) {
        self.operations.set(self.operations.get() + 1);
        match answer {
            Ok(took) => {
                let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
                self.micros.borrow_mut().push(micros);
            }
            Err(wrong) => {
                self.wrong.set(self.wrong.get() + 1);
                self.first_wrong.borrow_mut().get_or_insert(wrong);
            }
        }
    }

    /// The row of a work that took `elapsed` and `cpu` of the server.
    pub(crate) fn row(&self, elapsed: Duration, cpu: Duration) -> Row {
        let mut micros = self.micros.borrow_mut();
        micros.sort_unstable();
        let operations = self.operations.get();
        let each = |total: f64| (operations > 0).then(|| total / operations as f64);
        Row {
            operations,
            per_second: Some(operations as f64 / elapsed.as_secs_f64()),
            cpu_micros: each(cpu.as_secs_f64() * 1e6),
            p50: percentile(&micros, 50),
            p99: percentile(&micros, 99),
            wrong: self.wrong.get(),
            first_wrong: self.first_wrong.borrow().clone(),
            ..Row::default()
        }
    }
}

/// The smallest value that `percent` of all values do not exceed.
fn percentile(sorted_micros: &[u32], percent: usize) -> Option<Duration> {
    let rank = (sorted_micros.len() * percent).div_ceil(100);
    let micros = sorted_micros.get(rank.checked_sub(1)?)?;
    Some(Duration::from_micros(u64::from(*micros)))
}

/// Runs the operation on all lanes for that long and counts what it cost. Operations are numbered from 0, each once.
pub(crate) async fn closed_loop<L, F>(
    subject: &Subject,
    length: Duration,
    lanes: Vec<L>,
    operation: F,
) -> Result<Row, Problem>
where
    L: 'static,
    F: AsyncFn(&mut L, u64) -> Result<(), Wrong> + 'static,
{
    let mut row = closed_loop_of(&[subject.pid], length, lanes, operation).await?;
    row.rss_bytes = Some(process::rss_bytes(subject.pid)?);
    Ok(row)
}

/// The same with several processes: what it cost all of them together.
pub(crate) async fn closed_loop_of<L, F>(
    processes: &[u32],
    length: Duration,
    lanes: Vec<L>,
    operation: F,
) -> Result<Row, Problem>
where
    L: 'static,
    F: AsyncFn(&mut L, u64) -> Result<(), Wrong> + 'static,
{
    let operation = Rc::new(operation);
    let numbers = Rc::new(Cell::new(0));
    let (lanes, warm) = round(WARM_UP, lanes, &operation, &numbers).await;
    let (cpu, began) = (process::cpu_of(processes)?, Instant::now());
    let (_lanes, tally) = round(length, lanes, &operation, &numbers).await;
    let (elapsed, cpu) = (began.elapsed(), process::cpu_of(processes)?.saturating_sub(cpu));
    let mut row = tally.row(elapsed, cpu);
    row.wrong += warm.wrong.get();
    row.first_wrong = warm.first_wrong.take().or(row.first_wrong);
    Ok(row)
}

async fn round<L, F>(
    length: Duration,
    lanes: Vec<L>,
    operation: &Rc<F>,
    numbers: &Rc<Cell<u64>>,
) -> (Vec<L>, Rc<Tally>)
where
    L: 'static,
    F: AsyncFn(&mut L, u64) -> Result<(), Wrong> + 'static,
{
    let tally = Rc::new(Tally::default());
    let until = Instant::now() + length;
    let mut tasks = JoinSet::new();
    for mut lane in lanes {
        let (operation, numbers, tally) = (operation.clone(), numbers.clone(), tally.clone());
        tasks.spawn_local(async move {
            loop {
                let began = Instant::now();
                if began >= until || tally.operations.get() >= OPERATIONS_MAX {
                    return lane;
                }
                let number = numbers.replace(numbers.get() + 1);
                let answer = operation(&mut lane, number).await;
                tally.count(answer.map(|()| began.elapsed()));
            }
        });
    }
    (tasks.join_all().await, tally)
}

#[cfg(test)]
mod tests {
    use super::percentile;
    use std::time::Duration;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let micros: Vec<u32> = (1..=200).collect();
        assert_eq!(percentile(&micros, 50), Some(Duration::from_micros(100)));
        assert_eq!(percentile(&micros, 99), Some(Duration::from_micros(198)));
        assert_eq!(percentile(&[7], 99), Some(Duration::from_micros(7)));
        assert_eq!(percentile(&[], 50), None);
    }
}
