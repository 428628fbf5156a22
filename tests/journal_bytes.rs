//! What is on disk: every record's layout, segments that follow each other, sums, latches that survive.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod orders_support;

use std::sync::{Arc, Mutex};

use ibkr_trader::clock::{SECOND, SessionTime};
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::domain::*;
use ibkr_trader::journal::record::{self, Record};
use ibkr_trader::journal::{
    Disk, FileDisk, JournalConfig, JournalError, JournalMachine, SessionInfo, SimDisk, recover, render, scan, totals,
};
use ibkr_trader::message::*;
use ibkr_trader::routing::orders::State;
use ibkr_trader::routing::{Control, Fact, Recovered, RoutingIn};
use orders_support::*;

/// One of each, every field away from zero.
fn every_record() -> Vec<Record> {
    let at = SessionTime(1_776_261_600_123_456_789);
    let (order_id, symbol, perm_id, epoch) = (OrderId(17), SymbolId(3), PermId(1_234_567_890_123), ConnEpoch(4));
    let exec_id = Text::new("0000e0d5.6a1b2c3d.01.01").unwrap();
    let order_ref = Text::new("ibt|3|17|0badf00d").unwrap();
    let (qty, price) = (Qty(250), Price(101_230_000));
    vec![
        record::SessionStart {
            at,
            process_epoch: ProcessEpoch(3),
            client: ClientId(10),
            date: Date(20260415),
            profile: Text::new("demo").unwrap(),
            account: Text::new("DU1234567").unwrap(),
            config_hash: 0x0123_4567_89ab_cdef,
        }
        .into(),
        record::Symbol { at, symbol, con_id: ConId(265_598), ticker: Text::new("AAPL").unwrap() }.into(),
        record::Intent {
            at,
            order_id,
            symbol,
            side: Side::Sell,
            qty,
            limit: price,
            tif: 1,
            tif_until: at,
            order_ref,
            intent: 17,
            decision: DecisionId(99),
            cause_at: at,
            ttl: at,
            epoch,
            arrival: price,
            reduces: true,
        }
        .into(),
        record::Modify { at, order_id, qty, limit: price, tif: 1, tif_until: at, epoch, raises: true }.into(),
        record::Cancel { at, order_id, perm_id, epoch }.into(),
        record::SendBegin { at, order_id, what: record::what::MODIFY, epoch }.into(),
        record::Sent { at, order_id, what: record::what::CANCEL, epoch }.into(),
        record::Withdrawn { at, order_id, what: record::what::MODIFY, why: record::why::TTL }.into(),
        record::OrderState { at, order_id, perm_id, symbol, from: 2, to: 3, trigger: 3, effect: 1 }.into(),
        record::Execution {
            at,
            exec_id,
            order_id,
            client: ClientId(10),
            perm_id,
            symbol,
            side: Side::Sell,
            qty,
            price,
            cumulative: qty,
            broker_time: Some(at),
            order_ref,
            correction: true,
            external: true,
            position: Qty(-250),
            arrival: price,
        }
        .into(),
        record::Commission { at, exec_id, commission: Money(1_050_000), realized: Some(Money(-7)) }.into(),
        record::Position {
            at,
            symbol,
            filled: Qty(-5),
            basis: Money(-6),
            cash_flow: Money(7),
            realized: Money(8),
            commissions: Money(9),
        }
        .into(),
        record::Equity { at, net_liquidation: Money(10), cash: Some(Money(11)) }.into(),
        record::Target {
            at,
            decision: DecisionId(99),
            symbol,
            net: Qty(-250),
            arrival: price,
            net_edge_bps: -3.25,
            horizon_minutes: 15,
            urgency: 2,
            cause: 1,
            cause_at: at,
        }
        .into(),
        record::Mode { at, mode: 2 }.into(),
        record::Armed { at, armed: true, reason: 3 }.into(),
        record::Ssr { at, symbol, until: Date(20260416) }.into(),
        record::Reject { at, symbol, side: Side::Sell, qty, limit: price, decision: DecisionId(99), reason: 5 }.into(),
        record::Alert { at, alert: 5, subject: 3, first: 100, second: 200 }.into(),
        record::SessionEnd { at, executions: 4, cash_flow: Money(5), commissions: Money(6) }.into(),
    ]
}

#[test]
fn every_record_round_trips_with_a_pinned_number_and_length() {
    let lengths: Vec<(u16, usize)> = every_record()
        .iter()
        .map(|r| {
            let mut bytes = [0xee; 476];
            let n = r.encode(&mut bytes).unwrap();
            assert_eq!(Record::decode(r.kind(), &bytes[..n]), Some(*r), "{}", r.name());
            assert_eq!(Record::decode(r.kind(), &bytes[..n - 1]), None, "{} cut short", r.name());
            assert_eq!(Record::decode(r.kind(), &bytes[..=n]), None, "{} with a byte too many", r.name());
            assert!(render(r).starts_with("2026-04-15T14:00:00.123Z "));
            (r.kind(), n)
        })
        .collect();
    let pinned = [
        (1, 78),
        (2, 31),
        (3, 124),
        (4, 42),
        (5, 24),
        (6, 17),
        (7, 17),
        (8, 14),
        (9, 26),
        (10, 164),
        (11, 72),
        (12, 50),
        (13, 25),
        (14, 49),
        (15, 9),
        (16, 10),
        (17, 14),
        (18, 36),
        (19, 33),
        (20, 32),
    ];
    assert_eq!(lengths, pinned, "a layout changed: give it a new number instead");
    assert_eq!(Record::decode(999, &[]), None);
}

#[test]
fn segments_follow_each_other_and_a_missing_one_is_noticed() {
    let mut rig = Rig::ready(1, config());
    let filler = record::Mode { at: rig.now, mode: 0 };
    for i in 0..20 {
        rig.target(0, 10 + i, Cause::Enter);
        (0..200).for_each(|_| rig.journal.keep(&filler.into(), rig.now));
        rig.wait_s(9);
    }
    let segments = rig.disk.clone().segments().unwrap();
    assert!(segments.len() >= 3, "{segments:?}");
    let mut seqs = Vec::new();
    let end = scan(&mut rig.disk.clone(), |h, _| seqs.push(h.seq)).unwrap();
    assert!(seqs.windows(2).all(|w| w[1] == w[0] + 1) && end.seq == *seqs.last().unwrap());
    // A later process goes on in the last segment.
    let universe = instruments(1);
    let broker = Arc::new(Mutex::new(Broker::default()));
    let next = Rig::over(1, config(), rig.disk.clone(), broker, rig.now);
    assert_eq!(next.process_epoch, ProcessEpoch(2));
    assert!(recover(&mut rig.disk.clone(), &universe, DAY).is_ok());
    // A segment that vanished.
    struct Holed(SimDisk);
    impl Disk for Holed {
        fn segments(&mut self) -> std::io::Result<Vec<u32>> {
            Ok(self.0.segments()?.into_iter().filter(|s| *s != 2).collect())
        }
        fn create(&mut self, s: u32, b: u64) -> std::io::Result<()> {
            self.0.create(s, b)
        }
        fn read(&mut self, s: u32) -> std::io::Result<Vec<u8>> {
            self.0.read(s)
        }
        fn write_at(&mut self, s: u32, o: u64, d: &[u8]) -> std::io::Result<()> {
            self.0.write_at(s, o, d)
        }
        fn sync(&mut self, s: u32) -> std::io::Result<()> {
            self.0.sync(s)
        }
    }
    assert!(matches!(scan(&mut Holed(rig.disk.clone()), |_, _| ()), Err(JournalError::Corrupt(_))));
}

#[test]
fn totals_equal_the_broker_to_the_cent_with_corrections_and_late_commissions() {
    let mut rig = Rig::ready(2, config());
    rig.target(0, 100, Cause::Enter);
    rig.settle();
    rig.broker().fill(OrderId(1), 60);
    rig.broker().fill(OrderId(1), 40);
    rig.settle();
    rig.target(1, -50, Cause::Enter);
    rig.settle();
    rig.broker().fill(OrderId(2), 50);
    rig.settle();
    let e = rig.broker().executions[0];
    let corrected = ExecutionFact { exec_id: ExecId::new("0001.0001.01.02").unwrap(), price: usd(100.01), ..e };
    rig.feed(RoutingIn::Broker(BrokerEvent::Execution(corrected)));
    rig.wait_s(1);
    let t = totals(&mut rig.disk.clone(), None).unwrap();
    assert_eq!(t.executions.len(), 3);
    assert!(t.executions.contains_key("0001.0001.01.02") && !t.executions.contains_key("0001.0001.01.01"));
    let cash = -(60 * 100_010_000) - 40 * 100_020_000 + 50 * 100_020_000;
    assert_eq!((t.cash_flow, t.positions["S0"], t.positions["S1"]), (Money(cash), Qty(100), Qty(-50)));
    assert_eq!((t.orders_sent, t.intents, t.withdrawn), (2, 2, 0));
    let p = rig.stage.book().position(SymbolId(0));
    assert_eq!(p.cash_flow.0 + rig.stage.book().position(SymbolId(1)).cash_flow.0, cash);
}

#[test]
fn a_journal_of_files_carries_positions_ids_and_latches_to_the_next_process() {
    let dir = tempfile::tempdir().unwrap();
    let universe = instruments(2);
    let at = ten();
    let info = |date| SessionInfo {
        at,
        client: CLIENT,
        date,
        profile: "test",
        account: "DU1",
        config_hash: 1,
        instruments: &universe,
    };
    let open = |date| -> (JournalMachine<FileDisk>, Recovered, ProcessEpoch) {
        let disk = FileDisk::open(dir.path()).unwrap();
        let config = JournalConfig { segment_bytes: 1 << 16, ..JournalConfig::default() };
        JournalMachine::open(disk, config, &info(date)).unwrap()
    };
    let (mut journal, recovered, epoch) = open(DAY);
    assert_eq!((recovered.next_order_id, recovered.positions.len(), epoch), (OrderId(1), 0, ProcessEpoch(1)));
    // What a rig's stage would tell.
    let mut rig = Rig::ready(2, config());
    rig.target(0, 100, Cause::Enter);
    rig.settle();
    rig.broker().fill(OrderId(1), 100);
    rig.settle();
    rig.target(1, 10, Cause::Enter);
    rig.settle();
    rig.tick(1, 89.0, 89.04);
    let ssr = rig.facts.iter().any(|f| matches!(f, Fact::SsrLatched { .. }));
    let mut copied = Vec::new();
    rig.journal.flush(rig.now + SECOND);
    scan(&mut rig.disk.clone(), |_, r| copied.push(*r)).unwrap();
    for r in copied.iter().filter(|r| !matches!(r, Record::SessionStart(_) | Record::Symbol(_))) {
        journal.keep(r, at);
    }
    let alert = Fact::Alert { at, alert: ibkr_trader::routing::Alert::DailyLoss(Money(-1)) };
    journal.note(&alert, at);
    journal.flush(at + SECOND);
    drop(journal);

    let (mut journal, again, epoch) = open(DAY);
    assert_eq!(epoch, ProcessEpoch(2));
    assert_eq!(again.positions[0].position.filled, Qty(100));
    assert_eq!(again.positions[0].position.commissions, Money(DOLLAR));
    assert_eq!((again.orders.len(), again.orders[0].state), (1, State::Unknown));
    assert_eq!(again.next_order_id, OrderId(103), "above the highest, past what a power loss may have taken");
    assert_eq!((again.loss_day, again.known_day), (Some(DAY), Some(DAY)));
    assert_eq!(again.baseline, Some((DAY, Money(1_000_000 * DOLLAR))));
    assert_eq!(again.executions.len(), 1);
    assert_eq!(again.ssr.len(), usize::from(ssr));
    assert!(ssr, "a fall of 11 % latches");
    journal.close(&[], at).unwrap();
    drop(journal);

    let (journal, tomorrow, _) = open(Date(20260416));
    assert_eq!(tomorrow.next_order_id, OrderId(3), "ended in order: the very next id");
    let p = tomorrow.positions[0].position;
    assert_eq!((p.filled, p.commissions, p.cash_flow), (Qty(100), Money(0), Money(0)), "a day's money is its own");
    assert_eq!(tomorrow.ssr.len(), 1, "through the next trading day");
    drop(journal);
    let (_, later, _) = open(Date(20260417));
    assert!(later.ssr.is_empty());
}

#[test]
fn another_universe_keeps_positions_by_contract() {
    let mut rig = Rig::ready(2, config());
    rig.target(1, 100, Cause::Enter);
    rig.settle();
    rig.broker().fill(OrderId(1), 100);
    rig.settle();
    rig.wait_s(1);
    let mut universe = instruments(2);
    universe.remove(0);
    universe[0].id = SymbolId(0);
    let moved = recover(&mut rig.disk.clone(), &universe, DAY).unwrap().recovered;
    assert_eq!((moved.positions[0].symbol, moved.positions[0].position.filled), (SymbolId(0), Qty(100)));
    assert_eq!(moved.executions[0].symbol, SymbolId(0));
    let lacking = recover(&mut rig.disk.clone(), &instruments(1), DAY).unwrap().recovered;
    assert_eq!(lacking.unmapped, ["S1"], "trading must not arm");
    rig.feed(RoutingIn::Control(Control::CancelAll));
}
