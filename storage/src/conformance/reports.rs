//! Laws of [`Reports`].

use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Seq};
use barterline_domain::ids::{ChatId, ReportId, UserId};

use super::samples;
use crate::record::sealing::Sealing;
use crate::reports::{Report, ReportedMessage, ReportedText, Reports};

/// A report; the same `n` gives the same, a higher one is newer.
pub fn report(n: u8) -> Report {
    let said = ReportedMessage {
        seq: Seq(7),
        at: Timestamp::from_millis(5),
        author: Author::Seller,
        kind: "text".to_owned(),
        text: Some(ReportedText::Open("rude".to_owned())),
    };
    let shown = ReportedMessage { kind: "media".to_owned(), text: None, ..said.clone() };
    Report {
        id: ReportId::from_bytes([n; 16]),
        chat: ChatId::from_bytes([1; 16]),
        reporter: UserId::from_bytes([2; 16]),
        reported: UserId::from_bytes([3; 16]),
        reason: "abuse".to_owned(),
        at: Timestamp::from_millis(1_000 + u64::from(n) / 2),
        messages: vec![said, shown],
    }
}

/// The first report of an id is kept as it was.
pub async fn the_first_report_of_an_id_stays(store: &dyn Reports) {
    assert_eq!(store.find(report(1).id).await.expect("a read"), None);
    assert!(store.insert(report(1)).await.expect("an insert"));
    let other = Report { reason: "another".to_owned(), ..report(1) };
    assert!(!store.insert(other).await.expect("an insert"));
    assert_eq!(store.find(report(1).id).await.expect("a read"), Some(report(1)));
}

/// Reports are listed newest first, over pages, also those of one millisecond.
pub async fn reports_are_listed_newest_first(store: &dyn Reports) {
    for n in [3, 1, 4, 5, 2] {
        store.insert(report(n)).await.expect("an insert");
    }
    let mut listed: Vec<Report> = Vec::new();
    loop {
        let before = listed.last().map(|report| (report.at, report.id));
        // The first page ends between two of one millisecond.
        let page = store.list(before, 3).await.expect("a page");
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 3);
        listed.extend(page);
        assert!(listed.len() <= 5, "{listed:?}");
    }
    assert_eq!(listed, [5, 4, 3, 2, 1].map(report));
}

/// A text that is sealed is kept as that.
pub async fn a_text_that_is_sealed_stays_so(store: &dyn Reports) {
    let (sealing, mut kept) = (samples::sealing(true), report(1));
    kept.seal(&sealing);
    assert_ne!(kept, report(1));
    assert!(store.insert(kept.clone()).await.expect("an insert"));
    let mut found = store.find(kept.id).await.expect("a read").expect("a report");
    assert_eq!(found, kept);
    assert!(found.open(&Sealing::default()).is_err(), "there are no keys");
    found.open(&sealing).expect("its own keys");
    assert_eq!(found, report(1));
}
