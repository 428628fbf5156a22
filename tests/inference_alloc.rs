//! A pass of the inference stage allocates nothing on our side once the stage is built. (ONNX Runtime allocates
//! with C++'s allocator, which is not counted here: the one measured exception of the house rule.)

mod inference_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ibkr_trader::clock::{SessionTime, VirtualClock};
use ibkr_trader::message::Cycle;
use ibkr_trader::pipeline::{Outbox, Stage};
use inference_support::{Zoo, runtime};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is being torn down no longer counts.
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

// SAFETY: every call goes to the system allocator unchanged; counting touches only a thread-local cell.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's contract is passed on.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

#[test]
fn a_pass_allocates_nothing_after_construction() {
    let Some(runtime) = runtime() else { return };
    let mut stage = Zoo::copy().stage(&runtime, 64, VirtualClock::at(SessionTime(0)));
    let mut out = Outbox::with_capacity(1);
    let mut cycle = Box::new(Cycle::with_capacity(64, 4));
    cycle.features.fill(0.5);
    cycle.features[9] = f32::NAN;
    let before = ALLOCATIONS.get();
    assert!(before > 0, "the counter counts");
    for rows in [1, 5, 40, 64, 0, 64] {
        cycle.rows = rows;
        stage.on_event(SessionTime(0), cycle, &mut out);
        cycle = out.drain().next().unwrap();
        assert!(cycle.in_time);
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!(stage.stats().cycles, 6);
}
