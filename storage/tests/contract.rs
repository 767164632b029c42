//! Every sentence of every contract has a law, and a store that breaks the sentence fails that law.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use barterline_storage::conformance::chat_log::Subject;
use barterline_storage::conformance::mutants::{self, Breaches};
use barterline_storage::conformance::{
    accounts, api_keys, audit, blocks, chat_log, codes, credentials, favourites, identities, inbox,
    listing_views, listings, media, reports, saved_searches, sessions, user_state,
};
use barterline_storage::embedded;
use barterline_storage::record::sealing::Sealing;
use barterline_storage::stores::AGGREGATES;
use futures_util::future::{self, LocalBoxFuture};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tempfile::TempDir;

const SEGMENT_BYTES: u64 = 1 << 20;
/// Stores under test at a time: they mostly wait for the disk.
const AT_ONCE: usize = 16;

/// What one sentence promises, and who would notice.
struct Clause {
    aggregate: &'static str,
    item: &'static str,
    sentence: &'static str,
    proofs: Vec<Proof>,
    /// Tests of what a wrapper cannot break, each in its file.
    tests: Vec<(&'static str, &'static str)>,
}

/// A law that fails on a store with this breach.
struct Proof {
    law: &'static str,
    breach: &'static str,
    /// Runs the law on a store with the breach, or without one.
    run: fn(bool) -> LocalBoxFuture<'static, ()>,
}

fn open(dir: &Path) -> barterline_storage::stores::Opened {
    embedded::open(dir, SEGMENT_BYTES, Sealing::default()).expect("a store")
}

/// Runs a law of a store that stands alone.
macro_rules! run {
    (chat_log $module:ident $law:ident $breach:expr) => {{
        let dir = TempDir::new().expect("a directory");
        let opened = open(dir.path());
        let sound = opened.stores.chat_log;
        let (log, outcomes) = mutants::chat_log::Mutant::over(sound, opened.outcomes, $breach);
        let mut subject = Subject::new(Arc::new(log), outcomes);
        run!(@law $module $law subject *opened.stores.inbox);
    }};
    (inbox $module:ident $law:ident $breach:expr) => {{
        let dir = TempDir::new().expect("a directory");
        let opened = open(dir.path());
        let (sound, log) = (opened.stores.inbox, opened.stores.chat_log);
        let mut subject = Subject::new(Arc::clone(&log), opened.outcomes);
        let inbox = mutants::inbox::Mutant::over(sound, log, $breach);
        run!(@law $module $law subject inbox);
    }};
    (@law chat_log $law:ident $subject:ident $inbox:expr) => {
        chat_log::$law(&mut $subject).await
    };
    (@law inbox $law:ident $subject:ident $inbox:expr) => {
        inbox::$law(&mut $subject, &$inbox).await
    };
    (user_state $module:ident $law:ident $breach:expr) => {
        run!(@store user_state user_states $law $breach)
    };
    ($aggregate:ident $module:ident $law:ident $breach:expr) => {
        run!(@store $aggregate $aggregate $law $breach)
    };
    (@store $aggregate:ident $field:ident $law:ident $breach:expr) => {{
        let dir = TempDir::new().expect("a directory");
        let sound = open(dir.path()).stores.$field;
        $aggregate::$law(&mutants::$aggregate::Mutant::over(sound, $breach)).await;
    }};
}

macro_rules! contract {
    ($($aggregate:ident $item:ident {
        $($sentence:literal
            $([$($module:ident::$law:ident: $($breach:ident),+);+])?
            $(tested $($file:literal $test:ident),+)?;)+
    })+) => {
        vec![$($(Clause {
            aggregate: stringify!($aggregate),
            item: stringify!($item),
            sentence: $sentence,
            proofs: vec![$($($(Proof {
                law: stringify!($law),
                breach: stringify!($breach),
                run: |broken| Box::pin(async move {
                    use mutants::$aggregate::Breach;
                    run!($aggregate $module $law broken.then_some(Breach::$breach));
                }),
            }),+),+)?],
            tests: vec![$($(($file, stringify!($test))),+)?],
        }),+),+]
    };
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn contract() -> Vec<Clause> {
    contract! {
        accounts Accounts {
            "Inserts accounts whose ids are new." [
                accounts::an_account_is_found_as_it_was_inserted: NothingIsInserted;
                accounts::accounts_are_inserted_all_or_none: TakenIdsAreAccepted];
            "All or none." [accounts::accounts_are_inserted_all_or_none: FreeOnesAreInserted];
            "Finds an account." [
                accounts::an_account_is_found_as_it_was_inserted: NamesAreChanged, MissingOnesAreFound];
            "Suspends an account, or takes that back; gives it after the change." [
                accounts::an_account_is_suspended_until_that_is_taken_back:
                    NobodyIsSuspended, SuspensionsStay, OldAccountIsGiven];
            "The time of the first suspension stays." [
                accounts::an_account_is_suspended_until_that_is_taken_back: LaterTimeCounts];
            "`None`: no such account." [
                accounts::an_account_is_suspended_until_that_is_taken_back: MissingOnesAreSuspended];
            "Changes what is given of a profile; gives the account after it." [
                accounts::a_profile_changes_as_far_as_it_is_given:
                    ProfilesStay, TheRestIsLost, OldProfileIsGiven;
                accounts::changes_of_an_account_at_once_are_all_kept: LastChangeStays];
            "`None`: no such account, or it is erased." [
                accounts::an_erased_account_stays_so: ErasedAreChanged];
            "Puts roles in the place of an account's; gives the account after it." [
                accounts::roles_are_replaced: RolesAreAdded, OldRolesAreGiven];
            "`None`: no such account, or it is erased." [
                accounts::an_erased_account_stays_so: ErasedHaveRoles];
            "Erases what says who somebody was: an empty profile under the name of every erased \
             account, without roles." [accounts::an_erased_account_stays_so: PicturesAreLeft];
            "Twice is once, and the first time stays." [
                accounts::an_erased_account_stays_so: LaterErasureCounts];
            "`None`: no such account." [
                accounts::an_erased_account_stays_so: MissingOnesAreErased];
        }
        api_keys ApiKeys {
            "Inserts a key whose id is new." [
                api_keys::a_key_is_found_as_it_was_inserted: NothingIsInserted;
                api_keys::keys_made_at_once_are_all_kept: LastIsKept;
                api_keys::the_id_of_a_key_is_new: TakenPassesForNew];
            "`false` when its owner has [`API_KEYS_MAX`] that are not revoked, and nothing changes." [
                api_keys::keys_of_a_person_are_counted: TooManyPassForInserted];
            "Finds a key." [
                api_keys::a_key_is_found_as_it_was_inserted: ScopesAreLost;
                api_keys::a_key_is_revoked_by_its_owner: RevokedIsFoundAsGood];
            "One that was revoked long ago may be found no more." tested
                "src/api_keys.rs" a_ring_keeps_the_last_of_its_revoked_keys;
            "Lists a person's keys that are not revoked, in the order they were made." [
                api_keys::a_key_is_found_as_it_was_inserted: AllAreListed, NewestComeFirst;
                api_keys::a_key_is_revoked_by_its_owner: RevokedAreListed];
            "Revokes a key of a person; twice is once." [
                api_keys::a_key_is_revoked_by_its_owner:
                    NothingIsRevoked, AnybodyRevokes, TwiceIsRefused];
            "`false`: they have no such key." [
                api_keys::a_key_is_revoked_by_its_owner: MissingIsRevoked];
        }
        audit Audit {
            "Appends an entry behind the last; gives it." [
                audit::entries_follow_each_other: DetailsAreLost, OtherHashIsGiven];
            "Of several at once each has a number of its own." [
                audit::entries_at_once_are_numbered: NumbersAreGivenTwice];
            "One that is longer than [`ENTRY_BYTES_MAX`] is refused." [
                audit::a_long_entry_is_refused: LongIsCut];
            "Lists at most `limit` entries above the number `after`, the oldest first." [
                audit::entries_are_listed_oldest_first:
                    PagesAreLarger, NewestComeFirst, PagesOverlap];
        }
        blocks Blocks {
            "Blocks somebody, or takes that back." [
                blocks::a_block_holds_in_one_direction: NobodyIsBlocked, BlocksStay];
            "Gives whether that changed anything." [
                blocks::a_block_holds_in_one_direction: EveryChangeCounts];
            "Whether `blocker` blocks `blocked`." [
                blocks::a_block_holds_in_one_direction: BothBlock];
            "Lists at most `limit` of those whom `blocker` blocks, by id, above `after`." [
                blocks::blocks_are_listed_in_pages:
                    PagesAreLarger, PagesGoDown, PagesOverlap, TakenBackAreListed];
        }
        chat_log ChatLog {
            "Reads see durable events only, and an event never changes its number or disappears." [
                chat_log::g3_events_are_read_as_they_were_appended:
                    EventsDisappear, EventsAreRenumbered, ListingChangesAreLost]
                tested "src/embedded/log/power_cut.rs" g1_no_outcome_leaves_before_its_sync;
            "A message is read with what later events made of it: its newest text, the reactions \
             that stand, or that it is gone, together with the texts of its edits." [
                chat_log::a_message_is_read_as_it_became: OldTextIsRead];
            "Withheld edits and reactions stand apart, for their maker alone \
             ([`barterline_domain::event::Withheld`])." [
                chat_log::a_message_is_read_as_it_became: WithheldIsLost, WithheldIsShown];
            "Creates a chat, or finds it: of two chats with one id the first wins and is given back." [
                chat_log::create_finds_the_first: LastChatIsGiven];
            "Starts an append and returns at once." [
                chat_log::g3_events_are_read_as_they_were_appended: NothingIsAppended];
            "Its outcome arrives in [`Outcomes`], never before the events are durable." [
                chat_log::g3_a_stale_head_conflicts: ConflictPassesForDone]
                tested "src/embedded/log/power_cut.rs" g1_no_outcome_leaves_before_its_sync;
            "Appends to one chat may be started while earlier ones are under way where \
             [`ChatLog::pipelines`] says so; when one fails, so do those behind it." [
                chat_log::g3_what_is_behind_a_failed_append_fails: FailureIsForgotten];
            "Whether appends to one chat may be started before the outcome of the last is known." [
                chat_log::g3_pipelined_appends_keep_their_order: OutcomesAreSwapped];
            "Reads a message as it was first said, whatever became of its text since; `None` if it \
             was taken back, or is none." [
                chat_log::a_message_is_read_as_it_became:
                    OriginalIsNewest, TakenBackIsOriginal, AnythingIsOriginal];
            "Finds a chat with its head." [
                chat_log::g3_events_are_read_as_they_were_appended:
                    HeadIsBehind, StateIsLost, ToldIsForgotten;
                chat_log::a_missing_chat_is_empty: MissingIsFound];
            "The inbox has everything up to there when it is given, and what it lacked was told as \
             moved." tested "tests/scylla/chats.rs"
                g1_an_append_outlives_the_server_that_died_before_the_inbox;
            "Reads at most `limit` events of a chat; fewer only at its end." [
                chat_log::ranges_are_exclusive_and_ascend: PagesAreLarger, PagesAreSmaller];
            "A missing chat is empty." [chat_log::a_missing_chat_is_empty: MissingIsAnError];
        }
        chat_log Range {
            "Both ends are exclusive, the answer ascends." [
                chat_log::ranges_are_exclusive_and_ascend:
                    AfterIsInclusive, BeforeIsInclusive, AnswersDescend];
            "The oldest events above this number." [
                chat_log::ranges_are_exclusive_and_ascend: AfterReadsTheNewest];
            "The newest events below this number." [
                chat_log::ranges_are_exclusive_and_ascend: BeforeReadsTheOldest];
        }
        chat_log AppendError {
            "Another append was faster." [
                chat_log::g3_a_stale_head_conflicts: ConflictPassesForDone];
            "Nothing was written, or what comes first of it; search and check again up to `head`." [
                chat_log::g3_a_stale_head_conflicts: ConflictIsWritten];
            "The inbox has everything up to there." tested "tests/scylla/chats.rs"
                g1_an_append_outlives_the_server_that_died_before_the_inbox;
            "The chat's head." [chat_log::g3_a_stale_head_conflicts: ConflictTellsAnotherHead];
            "Not written." [chat_log::a_missing_chat_is_empty: RefusedIsWritten];
            "May have been written: read the log before trying the same slot again." tested
                "tests/scylla_faults.rs" g10_the_loss_of_two_nodes_is_told_in_time_and_passes;
            "Where appends are not pipelined, what turns out to stand is told as moved." tested
                "tests/scylla_faults.rs" g10_the_loss_of_two_nodes_is_told_in_time_and_passes;
        }
        chat_log Committed {
            "Chats that were created." [inbox::what_changed_is_told: OpenedIsNotTold];
            "Chats that went on unseen, before the appends." tested "tests/scylla/chats.rs"
                g1_an_append_outlives_the_server_that_died_before_the_inbox;
            "Appends, in log order within each chat." [
                chat_log::g3_pipelined_appends_keep_their_order: OutcomesAreSwapped];
            "Marks that moved." [inbox::what_changed_is_told: MarksAreNotTold];
            "What people changed for themselves." [inbox::what_changed_is_told: PersonalIsNotTold];
            "Inbox position after this group ([`crate::inbox::Inbox::position`])." [
                inbox::what_changed_is_told: PositionIsNotTold];
        }
        codes Codes {
            "Inserts a code whose hash is new." [
                codes::a_code_is_given_once: NothingIsInserted;
                codes::the_hash_of_a_code_is_new: TakenPassesForNew];
            "Uses a code up: it is given once, and not after its end." [
                codes::a_code_is_given_once: CodesAreGivenTwice;
                codes::one_of_several_at_once_is_given_the_code: AllAtOnceAreGiven;
                codes::a_code_ends: CodesDoNotEnd];
            "One of another purpose stays as it is." [
                codes::a_code_of_another_purpose_stays: AnyPurposeIsGood, OtherPurposesAreUsedUp];
        }
        credentials Credentials {
            "Inserts the credential of a user who has none." [
                credentials::a_credential_is_found_by_address_and_user: NothingIsInserted];
            "`false` when the address is taken, or the user has one, and nothing changes." [
                credentials::an_address_is_taken_once: TakenIsOverwritten, TakenPassesForFree;
                credentials::one_of_several_at_once_takes_the_address: AllAtOnceWin];
            "Finds the credential of an address." [
                credentials::a_credential_is_found_by_address_and_user: AnyIsFound, UserIsAnother];
            "Finds the credential of a user." [
                credentials::a_credential_is_found_by_address_and_user: FactorsAreLost];
            "Puts `new` in the place of the same user's credential where that is still `old` in \
             everything; an address that it leaves is free again." [
                credentials::a_credential_is_replaced_where_it_is_as_expected: EverythingIsReplaced;
                credentials::an_address_is_left_for_another: LeftIsFound, LeftStaysTaken;
                credentials::one_change_of_several_at_once_is_made: AllChangesAreDone];
            "Removes a user's credential; the address is free again." [
                credentials::a_removed_credential_leaves_its_address:
                    NothingIsRemoved, RemovedStaysTaken];
            "`false`: there is none." [
                credentials::a_removed_credential_leaves_its_address: MissingIsRemoved];
        }
        credentials Replaced {
            "In place." [
                credentials::a_credential_is_replaced_where_it_is_as_expected: NothingIsReplaced];
            "Somebody was faster, or it was removed; nothing changed." [
                credentials::a_credential_is_replaced_where_it_is_as_expected:
                    ChangedPassesForDone];
            "The new address is another's; nothing changed." [
                credentials::an_address_is_left_for_another: TakenPassesForChanged];
        }
        favourites Favourites {
            "Adds a listing to what somebody likes." [
                favourites::a_favourite_stays_until_it_is_removed: NothingIsAdded];
            "One that is there stays as it is." [
                favourites::a_favourite_stays_until_it_is_removed: TimesAreRenewed];
            "Gives whether that changed anything." [
                favourites::a_favourite_stays_until_it_is_removed: EveryChangeCounts];
            "Takes a listing from what somebody likes; gives whether it was there." [
                favourites::a_favourite_stays_until_it_is_removed: FavouritesStay];
            "Finds one." [
                favourites::a_favourite_stays_until_it_is_removed: EverybodyLikes];
            "Lists all that somebody likes, the last first; of one time by id." [
                favourites::favourites_are_listed_the_last_first: FirstComeFirst, OthersAreListed];
            "Counts who likes a listing, up to [`COUNTED_MAX`]." [
                favourites::who_likes_a_listing_is_counted: RemovedAreCounted, CountsGoOn];
        }
        identities Identities {
            "Inserts an identity that nobody has, if its person has fewer than [`IDENTITIES_MAX`]." [
                identities::an_identity_is_found_as_it_was_linked: NothingIsInserted;
                identities::an_identity_is_linked_once: TakenPassesForNew;
                identities::one_of_several_at_once_links: AllLink;
                identities::identities_linked_at_once_are_all_kept: LastIsKept;
                identities::identities_of_a_person_are_counted: TooManyPassForInserted];
            "Finds whose an identity is." [
                identities::an_identity_is_found_as_it_was_linked: ProvidersAreLost;
                identities::an_identity_is_linked_once: HalfAKeyIsEnough];
            "Lists a person's identities, in the order they were linked." [
                identities::an_identity_is_found_as_it_was_linked: AllAreListed, NewestComeFirst];
            "Removes an identity of a person; somebody may link it anew." [
                identities::an_identity_is_removed_by_its_owner:
                    NothingIsRemoved, AnybodyRemoves, RemovedStayTaken];
            "`false`: they have no such identity." [
                identities::an_identity_is_removed_by_its_owner: MissingIsRemoved];
            "Removes all identities of a person." [
                identities::all_identities_of_a_person_are_removed:
                    OneIsLeft, EverybodysAreRemoved];
        }
        inbox Inbox {
            "Finds the chat if `user` takes part in it." [
                inbox::g6_only_participants_have_a_row: StrangersAreMembers];
            "Same work and same answer for a chat that does not exist and one of other people (G6)." [
                inbox::g6_only_participants_have_a_row: MissingIsAnError];
            "The head of one of `user`'s chats as their row has it: what was told to them is not \
             above it." [
                inbox::g6_only_participants_have_a_row: StrangersHaveHeads;
                inbox::unread_follows_the_read_mark: RowHeadIsAhead];
            "Finds one row." [
                inbox::g6_only_participants_have_a_row: RolesAreSwapped;
                inbox::unread_follows_the_read_mark:
                    RowIsBehind, StateIsLost, ToldIsForgotten, LastIsLost, OwnCountsAsUnread,
                    ChangeIsLost;
                inbox::marks_merge_by_maximum: MarksAreLost, PeerMarksAreLost;
                inbox::personal_changes_are_kept_and_nobody_elses: PersonalIsLost];
            "Lists at most `limit` rows of `user` that changed after `position`, in the order of \
             their last change." [
                inbox::g5_changes_are_announced_after_a_position:
                    PagesAreLarger, NewestChangeFirst, OldChangesAreTold];
            "Every change up to [`Inbox::position`], read before, is in them." [
                inbox::g5_changes_are_announced_after_a_position: LastChangeIsLost];
            "Lists at most `limit` rows of `user`, the newest change first, of those that changed \
             before `before`." [
                inbox::rows_are_listed_newest_first_over_pages:
                    PagesAreLarger, OldestChangeFirst, ListsStartAnew];
            "Counts the chats of `user`, those in which nothing was said included." [
                inbox::chats_are_counted: EmptyChatsDoNotCount];
            "Counts what `user` has not read, over all their chats." [
                inbox::unread_adds_up_over_all_chats: FlagsDoNotCount, SellersDoNotCount];
            "Merges marks of one device into those of its person; gives the person's marks after it." [
                inbox::marks_merge_by_maximum: MarksAreGivenAsAsked];
            "Durable when it returns." tested
                "tests/embedded_log.rs" g1_everything_acknowledged_is_there_after_a_kill;
            "A mark that goes back changes nothing." [
                inbox::marks_merge_by_maximum: MarksGoBack, GoingBackIsAChange];
            "Marks above the head are the caller's mistake and are cut to it." [
                inbox::marks_merge_by_maximum: MarksAreNotCut];
            "The other person is shown as much of the move as `visibility` says." [
                inbox::marks_are_shown_as_far_as_they_may: EverythingIsShown];
            "A read mark that grows takes the flag \"unread\" away." [
                inbox::personal_changes_are_kept_and_nobody_elses: FlagStays];
            "Changes what is `user`'s alone in a chat; gives all of it after the change." [
                inbox::personal_changes_are_kept_and_nobody_elses:
                    ChangesAreForBoth, OldPersonalIsGiven];
            "Durable when it returns." tested
                "tests/embedded_log.rs" g1_everything_acknowledged_is_there_after_a_kill;
            "Changes of several devices at once are all kept." [
                inbox::changes_made_at_once_are_all_kept: LastChangeStays];
            "`None`: no chat of theirs." [
                inbox::personal_changes_are_kept_and_nobody_elses: StrangersMayChange];
            "Where the store stands now: every change that was durable before is at or below it." [
                inbox::g5_changes_are_announced_after_a_position: PositionStands];
            "How far below a position changes may still come to be that a read at that position \
             did not see: who resumes from it reads from so much earlier, which is nothing where \
             positions follow commits." [
                inbox::g5_changes_are_announced_after_a_position: PositionIsAhead];
        }
        listing_views ListingViews {
            "Adds to the counts of listings, each named once." [
                listing_views::views_add_up:
                    NothingIsAdded, LastIsKept, OnlyTheFirstIsAdded, CountsAreCut;
                listing_views::views_added_at_once_are_all_counted: AtOnceAreLost];
            "How often one was looked at; 0 of one that nobody did." [
                listing_views::views_of_a_listing_are_its_own: ViewsAreShared, NobodyCounts];
        }
        listings Listings {
            "Inserts a listing whose id is new." [
                listings::a_listing_is_found_as_it_was_inserted:
                    TakenIdsAreAccepted, TakenIdsAreListed];
            "Finds a listing." [
                listings::a_listing_is_found_as_it_was_inserted: DescriptionsAreLost;
                listings::every_field_is_kept:
                    AmountsAreCut, DetailsAreLost, PhotosAreLost, SourcesAreLost, ReasonsAreLost,
                    EndsAreLost, HistoryIsCut];
            "Replaces a listing if the stored version is `listing.version - 1`." [
                listings::a_replacement_follows_the_stored_version: EveryVersionIsReplaced;
                listings::one_of_several_at_once_replaces: AllAtOnceWin];
            "Lists at most `limit` listings of a seller, newest first (ids are ordered by time), \
             those below `before`." [
                listings::a_sellers_listings_come_newest_first:
                    PagesAreLarger, OldestComeFirst, PagesOverlap, OthersAreListed];
            "Where the feed of changes stands now: every later change is behind it." [
                listings::changes_are_told_behind_a_place: FeedsAreAhead];
            "Reads which listings were inserted and replaced behind a place of the feed, at most \
             `limit` at once; whoever goes on from page to page is told of each, maybe more than \
             once." [
                listings::changes_are_told_behind_a_place: ReplacedAreUntold;
                listings::a_long_feed_comes_in_pages:
                    LastOfAPageIsUntold, FeedPagesAreLarger, FeedsEndEarly];
            "`None`: the feed does not reach back to that place, so all listings are to be read \
             instead." [
                listings::a_place_that_no_feed_has_is_none: EveryPlaceIsKnown];
        }
        listings Replaced {
            "In place." [
                listings::a_replacement_follows_the_stored_version: NothingIsReplaced];
            "The stored version is another one; nothing changed." [
                listings::a_replacement_follows_the_stored_version: EveryVersionIsReplaced];
            "No such listing." [
                listings::a_replacement_follows_the_stored_version: MissingPassesForChanged];
        }
        media MediaStore {
            "Inserts a file whose id is new, to be looked at again at `look`: both or neither, or, \
             on a cluster, the look alone." [
                media::a_file_is_found_as_it_was_inserted: NothingIsInserted;
                media::the_id_of_a_file_is_new: TakenIdsAreAccepted, TakenIdsAreReplaced;
                media::an_inserted_file_is_looked_at_again: InsertedAreForgotten];
            "Finds one." [
                media::a_file_is_found_as_it_was_inserted: AnyIsFound;
                media::every_field_of_a_file_is_kept:
                    NamesAreLost, PurposesAreLost, DigestsAreLost, PicturesAreLost,
                    ReasonsAreLost, ShownIsLost, HoldersAreLost];
            "Replaces one if the stored version is `media.version - 1`; gives whether it was." [
                media::a_file_is_replaced_on_the_version_before:
                    NothingIsReplaced, EveryVersionIsReplaced, MissingPassesForReplaced;
                media::one_of_several_at_once_replaces_a_file: AllAtOnceWin];
            "Removes one if the stored version is `version`; gives whether none is there now." [
                media::a_file_is_removed_at_its_version:
                    NothingIsRemoved, EveryVersionIsRemoved, MissingPassesForStanding];
            "Lists at most `limit` of somebody's, newest first (ids are ordered by time), those \
             below `before`." [
                media::a_persons_files_come_newest_first:
                    PagesAreLarger, OldestComeFirst, PagesOverlap, OthersAreListed;
                media::removed_files_are_not_listed: RemovedAreListed];
            "Has one looked at again." [
                media::files_are_due_the_longest_first: NothingIsLookedAtAgain;
                media::a_late_look_is_due_all_the_same: LateLooksAreLost];
            "It may be on the list at several times; it need not exist." [
                media::a_file_may_be_due_at_several_times: LastLookCounts;
                media::a_file_that_is_gone_is_looked_at: MissingAreNotLookedAt];
            "Lists at most `limit` that are to be looked at by `now`, the longest due first." [
                media::files_are_due_the_longest_first:
                    DueListsAreLarger, LatestComeFirst, EverythingIsDue];
            "Takes one from that list." [
                media::what_was_looked_at_is_due_no_more: LookedAtStays, AllTimesAreTaken];
            "One that is not on it changes nothing." [
                media::a_look_that_is_none_changes_nothing: AllTimesAreTaken, AllOfATimeAreTaken];
        }
        reports Reports {
            "Keeps a report." [reports::the_first_report_of_an_id_stays: NothingIsKept];
            "The first of an id stays; gives whether this was it." [
                reports::the_first_report_of_an_id_stays: LastStays, RepeatsPassForFirst];
            "Finds a report." [
                reports::the_first_report_of_an_id_stays: MessagesAreLost;
                reports::a_text_that_is_sealed_stays_so: MessagesAreLost];
            "Lists at most `limit` reports, newest first, of those before `before` by time and id." [
                reports::reports_are_listed_newest_first:
                    PagesAreLarger, OldestComeFirst, PagesGoByTimeAlone];
        }
        saved_searches SavedSearches {
            "Keeps a search, in the place of one of the same id." [
                saved_searches::a_search_stays_until_it_is_forgotten: NothingIsKept;
                saved_searches::a_search_takes_the_place_of_one_of_the_same_id: FirstStays];
            "Forgets one; gives whether it was there." [
                saved_searches::a_search_stays_until_it_is_forgotten:
                    SearchesStay, EveryRemovalCounts, AnybodyForgets];
            "Finds one of somebody's own." [
                saved_searches::a_search_stays_until_it_is_forgotten: EverybodysAreFound;
                saved_searches::every_field_of_a_search_is_kept:
                    NamesAreCut, QueriesAreCut, TimesAreLost];
            "Lists all of somebody's, the newest first: by id." [
                saved_searches::searches_are_listed_the_newest_first:
                    OldestComeFirst, ListsGoByTime, OthersAreListed, ForgottenAreListed,
                    ListsEndEarly];
        }
        sessions Sessions {
            "Inserts sessions whose ids are new." [
                sessions::sessions_are_inserted_all_or_none: TakenIdsAreAccepted];
            "All or none." [sessions::sessions_are_inserted_all_or_none: FreeOnesAreInserted];
            "Finds a session." [sessions::sessions_are_inserted_all_or_none: TimesAreSwapped];
            "Puts `new` in the place of `old` and extends the session to `expires_at`, in one step." [
                sessions::the_good_hash_rotates: EndStays;
                sessions::a_used_hash_revokes_the_session: OldHashRotates;
                sessions::one_of_several_at_once_rotates: AllAtOnceWin];
            "The session was used at `now`." [sessions::the_good_hash_rotates: UseIsNotNoted];
            "Revokes a session; revoking twice is revoking once." [
                sessions::revoking_twice_is_revoking_once: NothingIsRevoked, TwiceIsNever];
            "`false` when there is none." [
                sessions::revoking_twice_is_revoking_once: MissingIsRevoked];
            "Names a session, or takes its name away." [
                sessions::a_session_is_named_until_it_is_revoked: NamesStay];
            "`false` when there is none, or it is revoked." [
                sessions::a_session_is_named_until_it_is_revoked: RevokedAreNamed];
            "Lists a person's sessions that are neither revoked nor over at `now`, the newest \
             first." [
                sessions::good_sessions_are_listed_newest_first:
                    RevokedAreListed, OverAreListed, OldestComeFirst];
            "At most [`SESSIONS_SHOWN_MAX`]." [
                sessions::the_newest_of_many_sessions_are_listed: ListsAreLarger];
            "Revokes a person's sessions, all but `except`; gives those that were not revoked \
             before." [
                sessions::all_sessions_are_revoked_but_one:
                    NobodyIsSpared, RevokedBeforeAreGiven, OneIsRevoked];
        }
        sessions Rotation {
            "The new hash is in place." [sessions::the_good_hash_rotates: OldSessionIsGiven];
            "The same again within [`REPEATED_FOR`], as its answer was lost; nothing changed." [
                sessions::a_rotation_whose_answer_was_lost_is_repeated:
                    RepeatsAreReuse, RepeatsGoOn];
            "The hash given was good before: somebody uses an old token." [
                sessions::a_used_hash_revokes_the_session: ReusePassesForGone;
                sessions::the_last_used_hashes_are_known: UsedHashesAreForgotten];
            "The session is revoked now." [
                sessions::a_used_hash_revokes_the_session: ReuseIsForgiven];
            "The hash given is none that is known of this session; nothing changed." [
                sessions::a_used_hash_revokes_the_session: WrongRevokes];
            "No such session, revoked, or expired." [
                sessions::what_is_over_does_not_rotate: OverRotates, RevokedRotates];
        }
        user_state UserStates {
            "Finds a person's choices; who made none has the usual ones." [
                user_state::choices_are_kept_by_person: NothingChosenHides, ChoicesAreShared];
            "Makes choices; gives all of them after it." [
                user_state::choices_are_kept_by_person: OldChoicesAreGiven, LastChoiceCounts];
            "Of several at once all are kept." [
                user_state::choices_made_at_once_are_all_kept: LastChangeStays];
        }
        user_state UserChange {
            "Making it twice is making it once." [
                user_state::choices_made_at_once_are_all_kept: TwiceIsNever];
            "Whether others see how far this person has read." [
                user_state::choices_are_kept_by_person: LastChoiceCounts];
            "Whether others see that this person is there." [
                user_state::choices_made_at_once_are_all_kept: LastChangeStays];
            "They were there; an earlier time changes nothing." [
                user_state::choices_are_kept_by_person: TimeGoesBack];
        }
    }
}

fn text_of(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a source file")
}

/// The sentences of an item's docs and of everything in it, but the first, which is its title.
fn sentences(source: &str, item: &str) -> Vec<String> {
    let lines: Vec<&str> = source.lines().collect();
    let starts = |line: &&str| {
        ["trait", "enum", "struct"].iter().any(|kind| {
            let rest = line.strip_prefix(&format!("pub {kind} {item}"));
            rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        })
    };
    let at = lines.iter().position(starts).expect("the item");
    let before = lines[..at].iter().rev();
    let docs = before.take_while(|line| line.starts_with("///") || line.starts_with("#[")).count();
    let inside = lines[at..].iter().take_while(|line| **line != "}").count();
    let mut text = String::new();
    for line in &lines[at - docs..at + inside] {
        match line.trim_start().strip_prefix("///") {
            Some(doc) => text.push_str(doc),
            // The docs of what follows are no sentence of these.
            None => text.push(' '),
        }
    }
    let sentences = text.split_inclusive(". ").map(|one| one.trim().to_owned());
    sentences.filter(|one| !one.is_empty()).skip(1).collect()
}

#[test]
fn every_sentence_of_a_contract_has_its_place_in_the_table() {
    let table = contract();
    let items: Vec<_> = table.iter().map(|clause| (clause.aggregate, clause.item)).collect();
    let mut seen = BTreeSet::new();
    for (aggregate, item) in items {
        if !seen.insert((aggregate, item)) {
            continue;
        }
        let listed = table.iter().filter(|one| (one.aggregate, one.item) == (aggregate, item));
        let listed: Vec<_> = listed.map(|clause| clause.sentence.to_owned()).collect();
        assert_eq!(listed, sentences(&text_of(&format!("src/{aggregate}.rs")), item), "{item}");
    }
    for clause in &table {
        let proven = !clause.proofs.is_empty() || !clause.tests.is_empty();
        assert!(proven, "{}: nothing would notice: {}", clause.item, clause.sentence);
        for (file, test) in &clause.tests {
            assert!(text_of(file).contains(&format!("fn {test}(")), "{file} has no test {test}");
        }
    }
    let laws = |aggregate: &&str| {
        let source = text_of(&format!("src/conformance/{aggregate}.rs"));
        let functions = source.split("\npub async fn ").skip(1).map(str::to_owned);
        let of_stores =
            ["(store: &dyn", "(subject: &mut Subject)", "(subject: &mut Subject, inbox"];
        let laws = functions.filter(|text| {
            let (_, from) = text.split_at(text.find('(').expect("a function"));
            of_stores.iter().any(|start| from.starts_with(start))
        });
        laws.map(|text| text.split('(').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let used = table.iter().flat_map(|clause| clause.proofs.iter().map(|proof| proof.law));
    let laws: BTreeSet<_> = AGGREGATES.iter().flat_map(laws).collect();
    let used: BTreeSet<_> = used.map(str::to_owned).collect();
    assert_eq!(laws, used, "a law that nothing fails is worth nothing");
}

/// A breach of every contract that the table forgets.
fn unused<B: Breaches>(aggregate: &str, table: &[Clause]) -> Vec<String> {
    let used = table.iter().filter(|clause| clause.aggregate == aggregate);
    let used: BTreeSet<_> = used.flat_map(|one| &one.proofs).map(|proof| proof.breach).collect();
    let names = B::ALL.iter().map(|breach| format!("{breach:?}"));
    names.filter(|name| !used.contains(name.as_str())).collect()
}

#[test]
fn every_breach_has_its_place_in_the_table() {
    let table = contract();
    let unused = [
        unused::<mutants::accounts::Breach>("accounts", &table),
        unused::<mutants::api_keys::Breach>("api_keys", &table),
        unused::<mutants::audit::Breach>("audit", &table),
        unused::<mutants::blocks::Breach>("blocks", &table),
        unused::<mutants::chat_log::Breach>("chat_log", &table),
        unused::<mutants::codes::Breach>("codes", &table),
        unused::<mutants::credentials::Breach>("credentials", &table),
        unused::<mutants::favourites::Breach>("favourites", &table),
        unused::<mutants::identities::Breach>("identities", &table),
        unused::<mutants::inbox::Breach>("inbox", &table),
        unused::<mutants::listing_views::Breach>("listing_views", &table),
        unused::<mutants::listings::Breach>("listings", &table),
        unused::<mutants::media::Breach>("media", &table),
        unused::<mutants::reports::Breach>("reports", &table),
        unused::<mutants::saved_searches::Breach>("saved_searches", &table),
        unused::<mutants::sessions::Breach>("sessions", &table),
        unused::<mutants::user_state::Breach>("user_state", &table),
    ];
    assert_eq!(unused.len(), AGGREGATES.len());
    assert_eq!(unused.concat(), [""; 0]);
}

#[tokio::test]
async fn a_store_that_breaks_a_sentence_fails_its_law() {
    // What fails here is to fail: other tests' failures are still told.
    let (here, usual) = (thread::current().id(), panic::take_hook());
    panic::set_hook(Box::new(move |panic| {
        if thread::current().id() != here {
            usual(panic);
        }
    }));
    let table = contract();
    let (mut sound, mut broken) = (BTreeMap::new(), BTreeMap::new());
    for clause in &table {
        for Proof { law, breach, run } in &clause.proofs {
            sound.insert((clause.aggregate, *law), *run);
            broken.insert((clause.aggregate, *law, *breach), *run);
        }
    }
    let holds = async |run: &fn(bool) -> LocalBoxFuture<'static, ()>, broken| {
        AssertUnwindSafe(run(broken)).catch_unwind().await.is_ok()
    };
    let failed = stream::iter(&sound)
        .map(async |((aggregate, law), run)| {
            (!holds(run, false).await).then(|| format!("{aggregate}: a sound store fails {law}"))
        })
        .buffer_unordered(AT_ONCE);
    let mut wrong: Vec<_> = failed.filter_map(future::ready).collect().await;
    let passed = stream::iter(&broken)
        .map(async |((aggregate, law, breach), run)| {
            holds(run, true).await.then(|| format!("{aggregate}: {law} lets {breach} pass"))
        })
        .buffer_unordered(AT_ONCE);
    wrong.extend(passed.filter_map(future::ready).collect::<Vec<_>>().await);
    // The usual one again, for what follows.
    drop(panic::take_hook());
    assert_eq!(wrong, [""; 0]);
    let mutants: BTreeSet<_> = broken.keys().map(|(aggregate, _, by)| (aggregate, by)).collect();
    let laws: BTreeSet<_> = sound.keys().map(|(_, law)| law).collect();
    println!("{} sentences, {} laws, {} mutants", table.len(), laws.len(), mutants.len());
}
