//! Delivered and read marks: `--marks`.
//!
//! One sweep after another goes over all devices, so nothing is added to the path of a message, and
//! a burst costs one mark, as the protocol advises.

use barterline_domain::event::Seq;
use barterline_protocol::Request;
use barterline_protocol::request::Mark;
use rand::Rng as _;

use super::State;

/// One in so many marks says that the person has read, too.
const READS_EVERY: u32 = 4;

impl State {
    /// Every `step`-th device from `first` on marks what it has got since its last mark.
    pub(in crate::engine) fn mark_some(&mut self, first: usize, step: usize) {
        for index in (first..self.devices.len()).step_by(step) {
            let device = &self.devices[index];
            let have = self.checker.have(device.place);
            let Some(chat) = device.chat.filter(|_| device.link.is_live() && !device.stalls) else {
                continue;
            };
            if have <= device.marked {
                continue;
            }
            let reads = self.rng.random_ratio(1, READS_EVERY);
            let delivered = Some(Seq(have));
            let mark = Mark { chat, delivered, read: delivered.filter(|_| reads) };
            self.request(index, &Request::Mark(mark));
            self.devices[index].marked = have;
            self.marks += 1;
        }
    }
}
