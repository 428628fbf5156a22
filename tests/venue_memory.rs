//! A gateway may run for days: once as many orders have ended as are kept, further orders cost no memory but what TWS's
//! own semantics ask for, the executions of the day.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]
#![allow(clippy::cast_possible_wrap, reason = "sizes of allocations are far below 2^63")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};

use ibkr_trader::clock::{MILLISECOND, SECOND};
use ibkr_trader::domain::Side;
use ibkr_trader::sim::api::{ConnId, Contract, Order, Request};
use ibkr_trader::sim::market::{self, MarketOptions};
use ibkr_trader::sim::venue::{Delays, Venue, VenueConfig};

/// The system's allocator; live bytes are counted.
struct Live;

static LIVE: AtomicI64 = AtomicI64::new(0);

// SAFETY: every call goes to the system allocator unchanged; counting touches only an atomic.
unsafe impl GlobalAlloc for Live {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static GLOBAL: Live = Live;

/// Live bytes after each `batch` orders in turn; orders fill or are cancelled.
fn live_after(batches: usize, batch: i32, fill: bool) -> Vec<i64> {
    let options = MarketOptions { symbols: 2, ..MarketOptions::default() };
    let config = VenueConfig { delays: Delays::NONE, messages_per_s_max: 1_000, ..VenueConfig::default() };
    let mut venue = Venue::new(config, market::open(None, &options).unwrap(), 1);
    let (mut out, mut id) = (Vec::new(), 0);
    let mut now = venue.state().now() + SECOND;
    venue.handle(now, ConnId(1), Request::StartApi { client_id: 1 }, &mut out);
    let mut live = Vec::new();
    for _ in 0..batches {
        for _ in 0..batch {
            id += 1;
            now = now + 200 * MILLISECOND;
            let contract = Contract { symbol: "MU".into(), sec_type: "STK".into(), ..Contract::default() };
            let order = Order {
                order_id: id,
                action: Some(if id % 2 == 0 { Side::Sell } else { Side::Buy }),
                total_quantity: 1.0,
                order_type: if fill { "MKT" } else { "LMT" }.into(),
                limit_price: (!fill).then_some(if id % 2 == 0 { 9_000.0 } else { 0.05 }),
                tif: "DAY".into(),
                transmit: true,
                ..Order::default()
            };
            venue.handle(now, ConnId(1), Request::PlaceOrder { contract, order }, &mut out);
            if !fill {
                venue.handle(now, ConnId(1), Request::CancelOrder { order_id: id }, &mut out);
            }
            out.clear();
        }
        live.push(LIVE.load(Ordering::Relaxed));
    }
    // The last ones may still wait for the quote.
    let executions = i64::try_from(venue.audit().executions).unwrap();
    assert!(if fill { executions > i64::from(id) - 20 } else { executions == 0 }, "{executions} of {id}");
    live
}

// One test: the allocator counts for the whole process.
#[test]
fn ended_orders_are_forgotten_and_an_execution_costs_little() {
    // Referee's list of order requests and the kept orders are full after 10,000 of each.
    let cancelled = live_after(4, 6_000, false);
    let grown = cancelled[3] - cancelled[1];
    assert!(cancelled[0] > 1_000_000, "orders are kept at all: {cancelled:?}");
    // Its id alone, by which the fault engine tells a new order from a modification.
    assert!(grown / 12_000 < 60, "12,000 cancelled orders more cost {grown} bytes: {cancelled:?}");
    let filled = live_after(4, 6_000, true);
    let each = (filled[3] - filled[1]) / 12_000;
    assert!(each < 900, "an execution costs {each} bytes: {filled:?}");
}
