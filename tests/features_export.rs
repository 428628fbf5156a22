//! The exporter's files and its refusals.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use ibkr_trader::app::train_export::{TrainExportArgs, run};

const HEADER: &str = "ts,symbol,open,high,low,close,volume\n";

fn write_day(folder: &Path, name: &str, text: &str) {
    let file = std::fs::File::create(folder.join(name)).expect("a file");
    let mut gz = GzEncoder::new(file, Compression::fast());
    gz.write_all(text.as_bytes()).and_then(|()| gz.finish().map(drop)).expect("written");
}

fn args(data: &Path, out: &Path) -> TrainExportArgs {
    TrainExportArgs { data: data.to_path_buf(), out: out.to_path_buf(), from: None, to: None }
}

#[test]
fn a_day_becomes_two_numpy_files_of_the_stated_shape() {
    let (data, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let mut text = HEADER.to_string();
    for minute in 0..60 {
        for (symbol, base) in [("AAA", 50), ("BBB", 80), ("CCC", 20)] {
            let (h, m) = (13 + (30 + minute) / 60, (30 + minute) % 60);
            let close = f64::from(base) + f64::from(minute * 7 % 11) / 100.0;
            text += &format!(
                "2026-04-15T{h}:{m:02}:00Z,{symbol},{base},{},{base},{close},{}\n",
                close + 0.01,
                100 + minute
            );
        }
    }
    write_day(data.path(), "2026-04-15.csv.gz", &text);
    run(&args(data.path(), out.path())).expect("exported");

    let rows = std::fs::read(out.path().join("2026-04-15.rows.npy")).expect("rows");
    assert_eq!(&rows[..8], b"\x93NUMPY\x01\x00");
    let header_len = usize::from(u16::from_le_bytes([rows[8], rows[9]]));
    assert!((10 + header_len).is_multiple_of(64) && rows[9 + header_len] == b'\n');
    // σ is known after 20 bars: 41 minutes of 3 symbols, each row 8 + 2 + 4 + 4 × 53 bytes.
    let header = String::from_utf8_lossy(&rows[10..10 + header_len]).to_string();
    assert!(header.contains("'shape': (123,)"), "{header}");
    assert_eq!(rows.len(), 10 + header_len + 123 * (14 + 4 * 53));
    let about = std::fs::read_to_string(out.path().join("export.json")).expect("export.json");
    let about: serde_json::Value = serde_json::from_str(&about).expect("json");
    assert_eq!(about["symbols"], serde_json::json!(["AAA", "BBB", "CCC"]));
}

#[test]
fn bad_data_is_one_sentence_with_its_place() {
    let (data, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let message = |text: &str| {
        write_day(data.path(), "2026-04-15.csv.gz", text);
        format!("{:#}", run(&args(data.path(), out.path())).expect_err("refused"))
    };
    let bad_price = message(&format!("{HEADER}2026-04-15T13:30:00Z,AAA,1,2,1,x,5\n"));
    assert!(bad_price.contains("line 2") && bad_price.contains("fix or remove the line"), "{bad_price}");
    let bad_header = message("time,symbol\n");
    assert!(bad_header.contains("the header is not"), "{bad_header}");
    let empty = tempfile::tempdir().expect("a folder");
    let none = format!("{:#}", run(&args(empty.path(), out.path())).expect_err("refused"));
    assert!(none.contains("holds no YYYY-MM-DD.csv.gz"), "{none}");
}
