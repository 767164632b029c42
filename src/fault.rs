//! Planted faults: each breaks one guarantee on purpose, so that the model test can show that it
//! notices. Compiled in by the feature `planted-faults` alone; without it every point is a constant.

/// Declares the faults with their names, in one table.
macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident = $name:literal,)+) => {
        /// What can be planted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Fault {
            $($(#[$doc])* $fault,)+
        }

        impl Fault {
            /// Every fault.
            pub const ALL: &'static [Self] = &[$(Self::$fault),+];

            /// Its name in reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$fault => $name,)+ }
            }
        }
    };
}

faults! {
    /// G1: a send is acknowledged before the store has it.
    AckBeforePersist = "ack-before-persist",
    /// G1: an append that the store refused counts as written.
    AckRefusedAppend = "ack-refused-append",
    /// G1: an append of unknown outcome counts as written.
    AckUnknownOutcome = "ack-unknown-outcome",
    /// G1: the request for marks is answered before they are durable.
    OkBeforeMarks = "ok-before-marks",
    /// G2: after a conflict the log is not searched again before renumbering.
    RenumberWithoutSearch = "renumber-without-search",
    /// G2: a message that is on its way is not known.
    PendingUnknown = "pending-unknown",
    /// G2: the ring is searched from one above the base.
    RingSearchedFromNext = "ring-searched-from-next",
    /// G2: the store is searched from one above the base.
    LogSearchedFromNext = "log-searched-from-next",
    /// G2: a retry is told another number.
    RepeatTellsNext = "repeat-tells-next",
    /// G2: sends that are left behind are never answered.
    BehindForgetsSends = "behind-forgets-sends",
    /// G2: what is new about a listing is told again.
    ListingToldTwice = "listing-told-twice",
    /// G3: a refused send holds nothing back.
    RefusedHoldsNothing = "refused-holds-nothing",
    /// G3: what waits behind a refused command goes on.
    QueueOvertakesRefused = "queue-overtakes-refused",
    /// G3: an event is sent although lower ones are still to be pulled.
    EventOvertakesPull = "event-overtakes-pull",
    /// G3: a pull goes on to what is durable and not delivered.
    PullBeyondRoom = "pull-beyond-room",
    /// G3: a person's marks are told lower than they are.
    MarkGoesBack = "mark-goes-back",
    /// G3: a mark above the head is taken.
    MarkBeyondHead = "mark-beyond-head",
    /// G3: the other person is not told.
    PeerNotTold = "peer-not-told",
    /// G3: moved marks are not told.
    MarksNotTold = "marks-not-told",
    /// G5: a chat that was opened is not told to the buyer's other connections.
    OpenNotTold = "open-not-told",
    /// G3: a socket that takes less than all of it loses the rest.
    RestOfWriteLost = "rest-of-write-lost",
    /// G3: a room with appends under way is forgotten.
    BusyRoomForgotten = "busy-room-forgotten",
    /// G5: a pull begins one too high.
    PullFromNext = "pull-from-next",
    /// G5: the end of a pull is decided without the room.
    PullEndsWithoutRoom = "pull-ends-without-room",
    /// G5: a pull that the socket cut short counts as whole.
    PartialPullIsWhole = "partial-pull-is-whole",
    /// G5: a pull that the store refused is given up.
    PullGivesUp = "pull-gives-up",
    /// G5: a pull forgets marks that moved meanwhile.
    PullForgetsMarks = "pull-forgets-marks",
    /// G5: what follows `have` begins one too high.
    HaveFromNext = "have-from-next",
    /// G5: what was noted during the announcement is forgotten.
    LiveForgetsNoted = "live-forgets-noted",
    /// G5: a connection is registered after its announcement.
    RegisteredLate = "registered-late",
    /// G5: the announcement begins one too high.
    RowsFromNext = "rows-from-next",
    /// G5: the cursor is sent as "now".
    CursorIsNow = "cursor-is-now",
    /// G5: a cursor is sent while something is still to be pulled.
    CursorWhileDirty = "cursor-while-dirty",
    /// G5: nobody looks for what another node wrote.
    RivalUnnoticed = "rival-unnoticed",
    /// G5: events that nobody told of are not looked for.
    MovedNotTold = "moved-not-told",
    /// G5: a page lacks the newest event.
    PageLacksNewest = "page-lacks-newest",
    /// G6: anybody reads any chat.
    StrangerReads = "stranger-reads",
    /// G6: a stranger learns from a mark whether a chat exists.
    StrangerLearnsHead = "stranger-learns-head",
    /// G7: a slow reader's bytes are kept without bound.
    SlowReaderUnbounded = "slow-reader-unbounded",
    /// G7: what has left a socket is kept until all has.
    SentBytesKept = "sent-bytes-kept",
}

/// Whether a fault is planted: never, in this build.
#[cfg(not(feature = "planted-faults"))]
pub const fn planted(_: Fault) -> bool {
    false
}

#[cfg(feature = "planted-faults")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

/// Whether a fault is planted in this thread.
#[cfg(feature = "planted-faults")]
pub fn planted(fault: Fault) -> bool {
    PLANTED.get() == Some(fault)
}

/// Plants a fault in this thread, or takes it away.
#[cfg(feature = "planted-faults")]
pub fn plant(fault: Option<Fault>) {
    PLANTED.set(fault);
}
