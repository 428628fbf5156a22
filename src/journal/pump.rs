//! Journal and sender in one step, for lockstep and for tests: threads do the same over rings.

use super::disk::Disk;
use super::machine::JournalMachine;
use super::sender::{OrderWriter, SenderMachine};
use crate::clock::SessionTime;
use crate::message::BrokerEvent;

/// Commits what waits, sends what may be sent, keeps the sender's records, and hands events for routing to `event`.
/// Returns whether anything happened.
pub fn pump<D: Disk, W: OrderWriter>(
    journal: &mut JournalMachine<D>,
    sender: &mut SenderMachine<W>,
    now: SessionTime,
    mut event: impl FnMut(BrokerEvent),
) -> bool {
    let mut busy = journal.flush(now);
    while let Some(release) = journal.take_release() {
        sender.accept(release, now);
        busy = true;
    }
    busy |= sender.step(now) > 0;
    while let Some(record) = sender.take_record() {
        journal.keep(&record, now);
    }
    while let Some(e) = journal.take_event() {
        event(e);
        busy = true;
    }
    while let Some(e) = sender.take_event() {
        event(e);
        busy = true;
    }
    busy
}
