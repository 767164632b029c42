//! The way out (G9): every connection is asked to go, spread over time, so that the nodes or the
//! restarted server that take over are not met by all of them at once.

use std::time::Duration;

use barterline_protocol::close_code::CloseCode;

use super::Gateway;

/// Between two handfuls of connections that are asked to go.
const STEP: Duration = Duration::from_millis(20);
/// Connections that are asked to go in a millisecond, at most: a server with few is gone at once.
const CLOSES_PER_MS: u64 = 1;
/// A client's wait before it comes again lies below this, in milliseconds.
const RETURN_SPREAD_MS: u64 = 2_000;

impl Gateway {
    /// Takes no new connections, and asks each that is there to go, within `spread_max`. What they
    /// have sent is answered first; their tasks end after this returns.
    pub async fn drain(&self, spread_max: Duration) {
        self.0.stop.cancel();
        let mut slots = Vec::new();
        self.0.chats.hub().registry().each(|slot| slots.push(std::sync::Arc::clone(slot)));
        let spread = spread_max.min(Duration::from_millis(slots.len() as u64 / CLOSES_PER_MS));
        let steps = (spread.as_millis() / STEP.as_millis()) as usize;
        for handful in slots.chunks(slots.len().div_ceil(steps.max(1)).max(1)) {
            for slot in handful {
                slot.close(CloseCode::GoingAway);
            }
            if steps > 0 {
                tokio::time::sleep(STEP).await;
            }
        }
    }
}

/// What the client on connection `slot` waits, in milliseconds, before it comes again after `code`;
/// `None` where the wait is its own affair. Neighbours get different waits.
pub fn retry_after_ms(code: CloseCode, slot: u64) -> Option<u64> {
    use barterline_protocol::close_code::Verdict;
    // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): running numbers far apart.
    let apart = (slot.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % RETURN_SPREAD_MS;
    match (code, code.verdict()) {
        (CloseCode::GoingAway, _) => Some(apart),
        (_, Verdict::RetryAfter) => Some(5_000 + apart),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g9_clients_come_back_spread_over_time() {
        let waits = (1..=1_000).map(|slot| retry_after_ms(CloseCode::GoingAway, slot));
        let mut tenths = [0; 10];
        for wait in waits {
            tenths[(wait.expect("a wait") * 10 / RETURN_SPREAD_MS) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (90..=110).contains(count)), "{tenths:?}");
        assert_eq!(retry_after_ms(CloseCode::SessionRevoked, 1), None);
        assert!(retry_after_ms(CloseCode::Overloaded, 1) >= Some(5_000));
    }
}
