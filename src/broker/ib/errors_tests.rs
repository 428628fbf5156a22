//! The table of codes, as a snapshot: a change of reaction has to be a change here.

use super::*;

/// Every code that the table, IB's list or a recording names, and some that nobody names.
const CODES: &[i32] = &[
    -8, 0, 100, 101, 103, 104, 105, 110, 161, 162, 163, 165, 200, 201, 202, 203, 300, 310, 316, 317, 321, 326, 329,
    354, 366, 399, 404, 420, 460, 502, 504, 507, 1100, 1101, 1102, 1300, 2100, 2103, 2104, 2105, 2106, 2107, 2108,
    2109, 2110, 2119, 2148, 2157, 2158, 2161, 2188, 10052, 10089, 10090, 10092, 10147, 10148, 10167, 10168, 10182,
    10197, 10255, 10256, 10349, 999, 12345,
];

#[test]
fn the_table() {
    let table: String = CODES
        .iter()
        .map(|&code| {
            let (class, reaction) = of(code);
            format!("{code} {class:?} {reaction:?} line:{:?}\n", for_line(code))
        })
        .collect();
    assert_eq!(table, include_str!("errors_table.txt"));
}

#[test]
fn warnings_end_neither_an_order_nor_a_line() {
    for code in [399, 404, 2109, 2161, 10349, 10167, 10090, 317, 2104, 2106, 2158, 2100, 0] {
        assert_eq!(for_line(code), Reaction::None, "{code}");
        assert!(!matches!(of(code).0, Class::OrderRefused | Class::OrderCancelled), "{code}");
    }
}

#[test]
fn a_farm_never_tears_the_socket() {
    for code in [2103, 2104, 2105, 2106, 2107, 2108, 2119, 2157, 2158] {
        assert_ne!(of(code).1, Reaction::Reconnect, "{code}");
    }
}

#[test]
fn answers_about_a_cancel_are_no_refusal_of_the_order() {
    for code in [161, 10147, 10148] {
        assert_eq!(of(code).0, Class::CancelAnswer);
    }
}

#[test]
fn farms_are_named_after_the_colon() {
    assert_eq!(farm("Market data farm connection is broken:usfarm"), "usfarm");
    assert_eq!(farm("Market data farm connection is OK:usfarm.nj "), "usfarm.nj");
    assert_eq!(farm("no farm here"), "");
}
