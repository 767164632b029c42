//! Connections come and go.

use barterline_domain::ids::{ChatId, ClientId};
use barterline_protocol::Request;
use barterline_protocol::request::{Open, Ping};
use rand::Rng as _;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::OwnedSemaphorePermit;

use super::State;
use crate::wire;
use crate::wire::barterline::write_request;
use crate::ws::frame;

impl State {
    /// A socket was upgraded: the device introduces itself.
    pub(in crate::engine) fn opened(
        &mut self,
        index: usize,
        writer: OwnedWriteHalf,
        permit: OwnedSemaphorePermit,
    ) {
        let mask = self.rng.random();
        let device = &mut self.devices[index];
        device.link.opened(writer, mask, permit);
        if !self.adapter.numbers() {
            self.went_live(index);
            return;
        }
        let have = if device.chat.is_some() {
            self.checker.connected(device.place);
            self.checker.have(device.place)
        } else {
            0
        };
        let hello = device.hello(have);
        self.request(index, &hello);
    }

    pub(super) fn went_live(&mut self, index: usize) {
        let device = &mut self.devices[index];
        if device.link.is_live() {
            return;
        }
        device.link.set_live();
        self.live += 1;
        if let Some(listing) = device.opens {
            self.request(index, &Request::Open(Open { listing }));
        }
        if self.devices[index].awaits_pong {
            self.request(index, &Request::Ping(Ping::default()));
        }
        self.pump(index);
    }

    /// The device takes leave, as RFC 6455 wants it.
    pub(in crate::engine) fn leave(&mut self, index: usize) {
        let link = &mut self.devices[index].link;
        link.send(frame::CLOSE, &frame::NORMAL_CLOSURE, &mut self.scratch);
    }

    /// The device is about to vanish, in the middle of a message that nobody may ever be shown.
    pub(in crate::engine) fn break_off(&mut self, index: usize) {
        let resets = self.rng.random();
        let device = &mut self.devices[index];
        self.payload.clear();
        let send = wire::Send {
            reference: device.link.reference(),
            chat: device.chat.unwrap_or(ChatId::from_bytes([0; 16])),
            id: ClientId::from_bytes([0xff; 16]),
            base: self.checker.have(device.place),
            text: b"the connection ends in the middle of this",
        };
        send.write(self.adapter, &mut self.payload);
        device.link.send_half(frame::BINARY, &self.payload, &mut self.scratch);
        if resets {
            device.link.reset_on_close();
        }
    }

    /// The connection is gone; `lost` says why, unless the device ended it.
    pub(in crate::engine) fn closed(&mut self, index: usize, lost: Option<&str>) {
        let device = &mut self.devices[index];
        device.pulling = None;
        device.announced = 0;
        device.marked = 0;
        device.hold = None;
        device.copies.disconnected();
        self.in_flight -= device.outbox.disconnected();
        if device.link.closed() {
            self.live -= 1;
            match lost {
                Some(_) => self.drops += 1,
                None => self.disconnections += 1,
            }
        }
        if let Some(why) = lost {
            self.last_drop = Some(why.to_owned());
        }
    }

    /// Asks every device for a `pong`: what was sent to it before has come when the answer comes.
    pub fn ask_for_pongs(&mut self) {
        for index in 0..self.devices.len() {
            self.devices[index].awaits_pong = true;
            if self.devices[index].link.is_live() {
                self.request(index, &Request::Ping(Ping::default()));
            }
        }
    }

    pub(in crate::engine) fn say_goodbye(&mut self) {
        for device in &mut self.devices {
            device.link.send(frame::CLOSE, &frame::NORMAL_CLOSURE, &mut self.scratch);
        }
    }

    /// Sends a request; gives its number.
    pub(super) fn request(&mut self, index: usize, request: &Request) -> u32 {
        let reference = self.devices[index].link.reference();
        self.write(index, Some(reference), request);
        reference
    }

    /// Answers the server's `ping`, or shows without being asked that somebody is there.
    pub(in crate::engine) fn show_life(&mut self, index: usize) {
        self.write(index, None, &Request::Pong(Ping::default()));
    }

    fn write(&mut self, index: usize, reference: Option<u32>, request: &Request) {
        self.payload.clear();
        write_request(reference, request, &mut self.payload);
        self.devices[index].link.send(frame::BINARY, &self.payload, &mut self.scratch);
    }

    pub(in crate::engine) fn pong(&mut self, index: usize, payload: &[u8]) {
        self.devices[index].link.send(frame::PONG, payload, &mut self.scratch);
    }
}
