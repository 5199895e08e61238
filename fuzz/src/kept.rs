//! One machine for many inputs: a start costs a hundred times what a request does.
//!
//! What an input left behind is then there for those that follow. So that a failure can be played again, the inputs that
//! its machine has had are written to `found/inputs` when something panics: the target run with these files, in their order,
//! comes to the same end.

use crate::Machine;
use std::{cell::RefCell, fs, panic, path::PathBuf, sync::Once};

/// How many inputs one machine gets.
const INPUTS_MAX: usize = 200;

thread_local! {
    static KEPT: RefCell<Option<Machine>> = const { RefCell::new(None) };
    /// What the machine was given so far.
    static INPUTS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Plays an input on a machine with a new client, and checks that the machine serves on.
pub fn with_machine(data: &[u8], play: impl FnOnce(&mut Machine)) {
    let machine = played(data, play);
    machine.check();
    KEPT.set(Some(machine));
}

/// Plays an input from a node that is believed. It may stop the machine, as by telling it that it was removed.
pub fn with_stoppable_machine(data: &[u8], play: impl FnOnce(&mut Machine)) {
    let machine = played(data, play);
    if machine.host.halted().is_none() {
        KEPT.set(Some(machine));
    } else {
        INPUTS.with_borrow_mut(Vec::clear);
    }
}

fn played(data: &[u8], play: impl FnOnce(&mut Machine)) -> Machine {
    static HOOK: Once = Once::new();
    HOOK.call_once(write_inputs_on_panic);
    let fresh = INPUTS.with_borrow_mut(|inputs| {
        let fresh = inputs.len() >= INPUTS_MAX;
        if fresh {
            inputs.clear();
        }
        inputs.push(data.to_vec());
        fresh
    });
    let kept = KEPT.take().filter(|_| !fresh);
    let mut machine = kept.unwrap_or_else(|| Machine::serving(false));
    machine.next_client(false);
    play(&mut machine);
    machine
}

/// Before the hook that is there, which ends the process.
fn write_inputs_on_panic() {
    let abort = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let folder = PathBuf::from("found/inputs");
        INPUTS.with_borrow(|inputs| {
            for (number, input) in inputs.iter().enumerate() {
                // Whether it can be written or not, the panic itself must be told.
                let _ = fs::create_dir_all(&folder);
                let _ = fs::write(folder.join(format!("{number:04}")), input);
            }
        });
        abort(info);
    }));
}
