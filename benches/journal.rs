//! The journal: framing, appending, and a group commit on a real disk beside the disk's own fdatasync, so that the
//! ratio can be quoted.

use std::hint::black_box;
use std::os::unix::fs::FileExt;

use criterion::{Criterion, criterion_group, criterion_main};
use ibkr_trader::clock::SessionTime;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::domain::{ClientId, Text};
use ibkr_trader::journal::record::{OrderState, Record, SessionStart};
use ibkr_trader::journal::{FileDisk, ScanEnd, SimDisk, Writer, frame};

fn record() -> Record {
    OrderState {
        at: SessionTime(1),
        order_id: Default::default(),
        perm_id: Default::default(),
        symbol: Default::default(),
        from: 2,
        to: 3,
        trigger: 3,
        effect: 0,
    }
    .into()
}

fn bench(c: &mut Criterion) {
    let payload = [7u8; 92]; // with its header a frame of 128 bytes
    let mut out = [0; frame::FRAME_MAX];
    c.bench_function("journal/frame_128_bytes", |b| {
        b.iter(|| black_box(frame::encode(&mut out, 1, 1, 1, 1, black_box(&payload)).is_ok()));
    });
    let Ok(mut writer) = Writer::open(SimDisk::new(), ScanEnd::default(), 1, 1 << 30) else { return };
    let r = record();
    c.bench_function("journal/append_in_memory", |b| b.iter(|| black_box(writer.append(&r).is_ok())));

    let Ok(dir) = tempfile::tempdir() else { return };
    let Ok(disk) = FileDisk::open(dir.path()) else { return };
    let Ok(mut writer) = Writer::open(disk, ScanEnd::default(), 1, 64 << 20) else { return };
    let start = SessionStart {
        at: SessionTime(1),
        process_epoch: Default::default(),
        client: ClientId(1),
        date: Date(20260415),
        profile: Text::default(),
        account: Text::default(),
        config_hash: 0,
    };
    assert!(writer.append(&start.into()).is_ok());
    for group in [1, 8] {
        c.bench_function(&format!("journal/commit_{group}"), |b| {
            b.iter(|| {
                for _ in 0..group {
                    black_box(writer.append(&r).is_ok());
                }
                assert!(writer.sync().is_ok(), "the disk failed");
            });
        });
    }
    let path = dir.path().join("raw");
    let Ok(file) = std::fs::File::create(&path) else { return };
    let zeros = vec![0u8; 64 << 20];
    if file.write_all_at(&zeros, 0).is_err() || file.sync_all().is_err() {
        return;
    }
    let mut at = 0;
    c.bench_function("journal/raw_fdatasync_128_bytes", |b| {
        b.iter(|| {
            at = (at + 128) % (64 << 20);
            assert!(file.write_all_at(&[1; 128], at).and_then(|()| file.sync_data()).is_ok(), "the disk failed");
        });
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
