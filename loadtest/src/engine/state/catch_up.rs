//! Asking for what was not pushed: holes, and what a `behind` announced.

use barterline_domain::event::Seq;
use barterline_protocol::Request;
use barterline_protocol::push::Behind;
use barterline_protocol::request::Pull;
use barterline_protocol::response::Page;

use super::State;
use super::hear::event_of;

impl State {
    /// The server will not push everything.
    pub(super) fn on_behind(&mut self, index: usize, behind: &Behind) {
        let device = &mut self.devices[index];
        device.announced = device.announced.max(behind.head.0);
        self.checker.behind(device.place, behind.head.0);
        self.catch_up(index, 0);
    }

    /// Pulls when the device lacks something that will not come by itself. Of the holes, as many may
    /// be its own messages as are under way.
    pub(super) fn catch_up(&mut self, index: usize, holes: usize) {
        let device = &self.devices[index];
        if holes > device.in_flight() || self.checker.have(device.place) < device.announced {
            self.pull(index);
        }
    }

    pub(super) fn pull(&mut self, index: usize) {
        let device = &mut self.devices[index];
        let (Some(chat), None) = (device.chat, device.pulling) else {
            return;
        };
        let after = self.checker.have(device.place);
        let pull = Pull { chat, after: Some(Seq(after)), before: None, limit: None };
        self.pulls += 1;
        let reference = self.request(index, &Request::Pull(pull));
        self.devices[index].pulling = Some(reference);
    }

    pub(super) fn on_page(&mut self, index: usize, page: &Page, now: u64) {
        let place = self.devices[index].place;
        self.devices[index].pulling = None;
        let mut holes = 0;
        for event in &page.events {
            let seen = self.sighting(&event_of(event));
            let heard = self.checker.pulled(place, &seen);
            holes = heard.holes;
            self.heard(index, heard, now);
        }
        // An empty page has nothing to go on from: what is missing is told at the end.
        if !page.events.is_empty() {
            self.catch_up(index, holes);
        }
        self.go_on(index);
    }
}
