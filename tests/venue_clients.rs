//! Rules about client ids: one connection an id, ids of orders by client, client 0 and orders entered by hand, the master
//! client.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]

mod venue_bench;

use ibkr_trader::domain::Side;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{ExecutionFilter, Order, Request};
use ibkr_trader::sim::faults::Scenario;
use ibkr_trader::sim::venue::{Delays, VenueConfig};
use venue_bench::{Bench, limit, market};

fn bench(adjust: impl FnOnce(&mut VenueConfig)) -> Bench {
    Bench::with(Date(20_260_825).at(10, 0), |c| {
        c.delays = Delays::NONE;
        adjust(c);
    })
}

/// Somebody enters an order by hand in second 3: 30 FELL at 80, far from the market.
fn by_hand() -> Bench {
    let text = include_str!("../faults/foreign-orders.toml");
    bench(|c| c.scenarios = vec![Scenario::parse(text).unwrap()])
}

fn log_in_as(b: &mut Bench, conn: u64, client_id: i32) -> Vec<String> {
    b.ask(conn, Request::StartApi { client_id });
    b.words_to(conn)
}

#[test]
fn one_connection_an_id_and_the_id_is_free_when_it_ends() {
    let mut b = bench(|_| {});
    b.log_in(1);
    assert_eq!(log_in_as(&mut b, 2, 1), ["error -1 326", "Disconnect"]);
    assert!(log_in_as(&mut b, 3, 2).contains(&"NextValidId".to_string()), "another id is another matter");
    b.ask(1, Request::Disconnected);
    assert!(log_in_as(&mut b, 4, 1).contains(&"NextValidId".to_string()));
    assert_eq!(log_in_as(&mut b, 4, 9), ["error -1 326", "Disconnect"], "nor may a connection change its id");
}

#[test]
fn order_ids_are_counted_by_client() {
    let mut b = bench(|_| {});
    b.log_in(1);
    b.log_in(2);
    b.place(1, Order { order_id: 295, ..limit(Side::Buy, 1, 300.0) });
    b.place(2, Order { order_id: 17, ..limit(Side::Buy, 2, 300.0) });
    b.out.clear();
    for (conn, next) in [(1, 296), (2, 18)] {
        b.ask(conn, Request::ReqIds);
        let told = format!("{:?}", b.out.pop().unwrap().response);
        assert_eq!(told, format!("NextValidId {{ order_id: {next} }}"));
    }
}

#[test]
fn an_order_by_hand_has_no_id_until_client_0_asks_for_its_orders() {
    let mut b = by_hand();
    log_in_as(&mut b, 7, 0);
    b.log_in(5);
    b.seconds(4);
    assert_eq!(b.words_to(7).iter().filter(|w| w.starts_with("open 0 Submitted")).count(), 1, "client 0 is told of it");
    b.ask(5, Request::ReqAllOpenOrders);
    assert_eq!(b.words_to(5)[0], "open 0 Submitted");
    b.ask(5, Request::ReqOpenOrders);
    assert_eq!(b.words_to(5), ["OpenOrderEnd"], "it is not client 5's, nor may client 5 bind it");
    b.ask(7, Request::ReqOpenOrders);
    let told = b.words_to(7);
    assert_eq!((told[0].as_str(), told.len()), ("open 1 Submitted", 3), "bound: {told:?}");
    b.ask(7, Request::ReqIds);
    assert!(format!("{:?}", b.out.pop().unwrap().response).contains("order_id: 2"), "the id is used up");
    // By its id it can be modified and cancelled.
    b.place_on(7, 900_000_002, Order { order_id: 1, ..limit(Side::Buy, 30, 79.0) });
    b.ask(7, Request::CancelOrder { order_id: 1 });
    let told = b.words_to(7);
    assert!(told.contains(&"status 1 Cancelled 0/30 @0".to_string()), "{told:?}");
}

#[test]
fn orders_by_hand_are_bound_as_they_come_where_client_0_asked_for_it() {
    let mut b = by_hand();
    log_in_as(&mut b, 7, 0);
    b.ask(7, Request::ReqAutoOpenOrders { bind: true });
    b.seconds(4);
    let told = b.words_to(7);
    assert!(told.iter().any(|w| w.starts_with("open 1 Submitted")), "{told:?}");
    assert!(told.iter().all(|w| !w.starts_with("open 0")), "{told:?}");
}

#[test]
fn only_client_0_may_bind() {
    let mut b = by_hand();
    b.log_in(5);
    b.ask(5, Request::ReqAutoOpenOrders { bind: true });
    assert_eq!(b.words_to(5), ["error -1 321"]);
    b.ask(5, Request::ReqAutoOpenOrders { bind: false });
    assert!(b.words_to(5).is_empty());
    log_in_as(&mut b, 7, 0);
    b.ask(7, Request::ReqAutoOpenOrders { bind: true });
    b.ask(7, Request::ReqAutoOpenOrders { bind: false });
    b.seconds(4);
    assert!(b.words_to(7).iter().any(|w| w.starts_with("open 0 Submitted")), "taken back");
}

#[test]
fn the_master_client_hears_of_all_and_others_do_not() {
    let mut b = bench(|c| c.master_client = Some(9));
    for client in [1, 2, 9] {
        b.log_in(client);
    }
    b.place(1, market(Side::Buy, 10));
    let (own, master) = (b.out.clone(), 9);
    let to = |conn: u64| own.iter().filter(|o| o.conn.0 == conn).count();
    assert_eq!((to(1), to(2)), (to(master), 0));
    b.out.clear();
    // Errors are the owner's alone; the refusal's state is everybody's.
    b.place_on(1, 900_000_001, market(Side::Sell, 10));
    let errors = |b: &Bench, conn: u64| {
        b.out.iter().filter(|o| o.conn.0 == conn && format!("{:?}", o.response).starts_with("Error")).count()
    };
    assert_eq!((errors(&b, 1), errors(&b, 9)), (1, 0));
    assert!(b.words_to(9).contains(&"status 2 Inactive 0/10 @0".to_string()));
    // What it has heard of it may cancel.
    let id = b.place(1, limit(Side::Buy, 10, 300.0));
    b.ask(9, Request::CancelOrder { order_id: id });
    assert!(b.words_to(9).contains(&format!("status {id} Cancelled 0/10 @0")));
    b.ask(9, Request::ReqExecutions { req_id: 1, filter: ExecutionFilter::default() });
    assert_eq!(b.words_to(9).iter().filter(|w| w.starts_with("exec 1")).count(), 1);
    assert!(b.venue.audit().books_agree, "what is told twice counts once");
}
