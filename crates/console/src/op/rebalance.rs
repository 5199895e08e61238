//! POST /v1/cluster/rebalance: nodes that serve more clients than their share ask some of them to go to those with fewer.

use crate::{
    Answer, Ask,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right, mismatch},
    problem::Problem,
    shape::{Rebalance, Rebalanced},
};
use access::{Action, Resource};
use base::NodeId;
use cluster::{Crowd, Shift, TOLERANCE};

/// More of the share than that is no tolerance any more.
const TOLERANCE_PERCENT_MAX: u32 = 100;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let Rebalance { tolerance_percent, dry_run } =
        if asked.body.is_empty() { Rebalance::default() } else { asked.json()? };
    let percent = tolerance_percent.unwrap_or(TOLERANCE / 10);
    if percent > TOLERANCE_PERCENT_MAX {
        return Err(Problem::invalid(
            "nobody was asked to go",
            format!("`tolerance_percent` is {percent}: it is at most {TOLERANCE_PERCENT_MAX}"),
            "give how many percent more than its share a node may serve",
        ));
    }
    let operation = Balance { tolerance: percent * 10, dry_run, counted: None };
    Ok(Plan::new(Right::To(Action::Write, Resource::Server), operation))
}

#[derive(Debug)]
struct Balance {
    /// In thousandths.
    tolerance: u32,
    dry_run: bool,
    counted: Option<Counted>,
}

/// What is known before anybody is asked to go.
#[derive(Debug)]
struct Counted {
    crowds: Vec<Crowd>,
    shifts: Vec<Shift>,
    silent: Vec<NodeId>,
}

impl Operation for Balance {
    fn go(&mut self, _cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        match (answer, self.counted.take()) {
            (None, _) => Ok(Next::Ask(Ask::Crowds)),
            (Some(Answer::Crowds { crowds, silent }), None) => {
                let shifts = cluster::even_out(&crowds, self.tolerance);
                if shifts.is_empty() || self.dry_run {
                    return Ok(Reply::json(&Rebalanced::of(&crowds, &shifts, 0, &silent)));
                }
                let ask = Ask::Shift(shifts.clone());
                self.counted = Some(Counted { crowds, shifts, silent });
                Ok(Next::Ask(ask))
            }
            (Some(Answer::Shifted { clients, silent }), Some(counted)) => {
                let silent = [&counted.silent[..], &silent].concat();
                let Counted { crowds, shifts, .. } = &counted;
                Ok(Reply::json(&Rebalanced::of(crowds, shifts, clients, &silent)))
            }
            (other, _) => mismatch(&other),
        }
    }
}
