//! The venue behind the wire. Recorded conversations with real gateways are played against it: the client's own frames
//! go in, and what comes back must be of the same kinds in the same order, order by order, with the same status words,
//! quantities, prices, fees and error codes. And the gateway as a process serves the client crate the trader uses.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests: a broken expectation must stop them")]

mod venue_bench;

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use ibkr_trader::clock::SessionTime;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{ConnId, Request, Response};
use ibkr_trader::sim::venue::Delays;
use ibkr_trader::sim::wire::codec::{Codec, peer};
use ibkr_trader::sim::wire::framing::{FrameReader, split_id};
use ibkr_trader::sim::wire::handshake::{Hello, negotiate};
use venue_bench::{Bench, word};

/// One step of a conversation.
enum Step {
    Client(Box<Request>),
    Gateway(Box<Response>),
}

/// A recording's steps from the first login on; `None` with a word when the recordings are not there.
fn conversation(name: &str) -> Option<Vec<Step>> {
    let data = std::env::var_os("IBKR_TRADER_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let path = data.join("ref/gateway_captures").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no recorded conversation at {}", path.display());
        return None;
    };
    let codec = Codec::new(negotiate(&Hello { min: 213, max: 226 }, 225).unwrap());
    let mut steps = Vec::new();
    for line in text.lines().take_while(|l| *l != "disconnect") {
        let Some((side, raw)) = line.strip_prefix("raw ").and_then(|r| r.split_once(' ')) else { continue };
        let bytes = base64::engine::general_purpose::STANDARD.decode(raw.trim()).unwrap();
        let mut reader = FrameReader::default();
        reader.fill(&mut &bytes[..]).unwrap();
        let body = reader.next_body(1 << 24).unwrap().unwrap().to_vec();
        let frame = split_id(&body).unwrap();
        steps.push(match side {
            "client" => Step::Client(Box::new(codec.decode_request(frame).unwrap())),
            _ => Step::Gateway(Box::new(peer::decode_response(frame).unwrap())),
        });
    }
    Some(steps)
}

/// The order that an answer speaks of; 0 for the others. Commission reports belong to the execution before them.
fn order_of(r: &Response, executions: &mut BTreeMap<String, i32>) -> i32 {
    match r {
        Response::OpenOrder { order, .. } => order.order_id,
        Response::OrderStatus { order_id, .. } => *order_id,
        Response::ExecutionDetails { execution, .. } => {
            executions.insert(execution.exec_id.clone(), execution.order_id);
            execution.order_id
        }
        Response::CommissionReport { exec_id, .. } => executions.get(exec_id).copied().unwrap_or(0),
        Response::Error { id, .. } if *id > 0 => *id,
        _ => 0,
    }
}

/// What is compared of an answer: the bench's word, plus which margin fields a what-if fills.
fn essence(r: &Response) -> String {
    if let Response::OpenOrder { order, state, .. } = r
        && order.what_if
    {
        let filled = [
            state.init_margin_before.is_some(),
            state.maint_margin_change.is_some(),
            state.equity_with_loan_after.is_some(),
            state.init_margin_after.is_some(),
            state.commission.is_some(),
        ];
        return format!("what-if {} {filled:?}", state.status);
    }
    let text = word(r);
    // Order ids are compared as the keys of the conversation.
    let mut words: Vec<&str> = text.split(' ').collect();
    if matches!(words[0], "open" | "status" | "error") {
        words.remove(1);
    } else if words[0] == "exec" {
        words.remove(2);
    }
    words.join(" ")
}

type PerOrder = BTreeMap<i32, Vec<String>>;

/// Plays the client's part of a conversation; what each order drew, recorded and from the venue. Orders before the
/// client's next valid id are an earlier session's and left out, and so is `skip`.
fn play(steps: Vec<Step>, start: SessionTime, skip: &[i32]) -> (PerOrder, PerOrder) {
    let delays = Delays { tail_one_in: 0, ..Delays::default() };
    let mut b = Bench::with(start, |c| c.delays = delays);
    b.log_in(1);
    let first = steps.iter().find_map(|s| match s {
        Step::Gateway(r) => match **r {
            Response::NextValidId { order_id } => Some(order_id),
            _ => None,
        },
        Step::Client(_) => None,
    });
    let first = first.unwrap();
    let (mut recorded, mut ours) = (PerOrder::new(), PerOrder::new());
    let (mut rec_exec, mut our_exec) = (BTreeMap::new(), BTreeMap::new());
    let mut collect = |b: &mut Bench, ours: &mut PerOrder| {
        for o in b.out.drain(..) {
            let id = order_of(&o.response, &mut our_exec);
            ours.entry(id).or_default().push(essence(&o.response));
        }
    };
    let relevant = |id: i32| id >= first && !skip.contains(&id);
    for step in steps {
        match step {
            Step::Gateway(r) => {
                let id = order_of(&r, &mut rec_exec);
                if relevant(id) {
                    recorded.entry(id).or_default().push(essence(&r));
                }
            }
            Step::Client(request) => {
                // The client spoke after it had read so much; wait for as much, but no longer than it would have.
                let want: usize = recorded.values().map(Vec::len).sum();
                for _ in 0..200 {
                    collect(&mut b, &mut ours);
                    let got: usize = ours.iter().filter(|(id, _)| relevant(**id)).map(|(_, l)| l.len()).sum();
                    if got >= want {
                        break;
                    }
                    b.run(10);
                }
                let about = match &*request {
                    Request::PlaceOrder { order, .. } => order.order_id,
                    Request::CancelOrder { order_id } => *order_id,
                    _ => continue,
                };
                if relevant(about) {
                    b.venue.handle(b.now, ConnId(1), *request, &mut b.out);
                }
            }
        }
    }
    b.seconds(10);
    collect(&mut b, &mut ours);
    ours.retain(|id, _| relevant(*id));
    (recorded, ours)
}

fn conforms(name: &str, start: SessionTime, skip: &[i32]) {
    let Some(steps) = conversation(name) else { return };
    let (recorded, ours) = play(steps, start, skip);
    assert!(!recorded.is_empty(), "{name} holds no order");
    assert_eq!(recorded, ours, "{name}");
    println!("{name}: {} orders conform", recorded.len());
}

#[test]
fn a_recorded_round_trip_conforms_to_the_last_fee() {
    conforms("api_order_fill_aapl.txt", Date(20_260_825).at(14, 11), &[]);
}

#[test]
fn a_recorded_cancel_before_the_acknowledgement_conforms() {
    conforms("direct_cancel_order.txt", Date(20_260_824).at(16, 51), &[]);
}

#[test]
fn a_recorded_what_if_conforms() {
    // Order 559 asks for an algo, whose fields the wire does not carry.
    conforms("api_whatif_margin_aapl.txt", Date(20_260_824).at(17, 4), &[559]);
}

#[test]
fn recorded_ioc_and_fok_conform() {
    let Some(steps) = conversation("api_ioc_fok_aapl.txt") else { return };
    let (recorded, mut ours) = play(steps, Date(20_260_824).at(16, 50), &[]);
    // The recording's last pair of 503 answers a later query.
    let theirs = &recorded[&503][..ours[&503].len().min(recorded[&503].len())];
    ours.get_mut(&503).unwrap().truncate(theirs.len());
    assert_eq!(recorded[&501], ours[&501]);
    assert_eq!(recorded[&502], ours[&502]);
    assert_eq!(theirs, ours[&503]);
}

#[test]
fn a_recorded_off_hours_modification_conforms() {
    conforms("api_delayed_success_modify_aapl.txt", Date(20_260_824).at(16, 47), &[]);
}

#[test]
fn recorded_refusals_conform() {
    conforms("api_order_rejects_aapl.txt", Date(20_260_824).at(16, 54), &[]);
}

#[test]
fn a_recorded_time_request_is_answered() {
    let Some(steps) = conversation("current_time_live.txt") else { return };
    let mut b = Bench::with(Date(20_260_824).at(16, 27), |_| {});
    b.ask(1, Request::StartApi { client_id: 1 });
    let mut recorded = Vec::new();
    for step in steps {
        match step {
            Step::Client(request) => b.ask(1, *request),
            Step::Gateway(r) => recorded.push(word(&r)),
        }
    }
    // The recording's library left the farm notices out.
    let ours: Vec<String> = b.words().into_iter().filter(|w| !w.starts_with("error -1 21")).collect();
    assert_eq!(recorded, ours);
}
