//! How far the clocks of the nodes are from this server's.
//!
//! Positions of inboxes, and choices whose newest wins, are stamped by the servers' clocks. Resuming
//! looks ten minutes back behind a position, so that clocks may be apart; not further than that.

use std::sync::Arc;
use std::time::Duration;

use barterline_domain::clock::{Clock, Timestamp};
use scylla::policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy};
use scylla::statement::Statement;
use scylla::value::CqlTimestamp;
use tokio::time::MissedTickBehavior;

use super::session::Database;

/// A server that is further than this from the database does not start: two of them on either side
/// are still less apart than what resuming looks back (`chats/rows.rs`).
pub const APART_MAX: Duration = Duration::from_mins(4);
/// Between two looks.
const INTERVAL: Duration = Duration::from_mins(1);

/// A node's clock, held against the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Where the node is.
    pub node: String,
    /// Milliseconds that the node is ahead of the server.
    pub ahead_ms: i64,
    /// Milliseconds by which that may be wrong: half of the way there and back.
    pub unsure_ms: u64,
}

impl Reading {
    /// A node said `theirs` between two looks at the server's clock.
    fn new(node: String, before: Timestamp, theirs: i64, after: Timestamp) -> Self {
        let way = after.as_millis().saturating_sub(before.as_millis());
        let middle = before.as_millis().saturating_add(way / 2);
        let ours = i64::try_from(middle).unwrap_or(i64::MAX);
        Self { node, ahead_ms: theirs.saturating_sub(ours), unsure_ms: way.div_ceil(2) }
    }

    /// The milliseconds that they are apart at least.
    pub fn apart_ms(&self) -> u64 {
        self.ahead_ms.unsigned_abs().saturating_sub(self.unsure_ms)
    }
}

/// Reads the clock of every node that answers.
pub async fn read(database: &Database, clock: &dyn Clock) -> Vec<Reading> {
    let mut readings = Vec::new();
    let cluster = database.session().get_cluster_state();
    for node in cluster.get_nodes_info() {
        let target = NodeIdentifier::Node(Arc::clone(node));
        let there = SingleTargetLoadBalancingPolicy::new(target, None);
        let profile = database.profiles().once.to_builder().load_balancing_policy(there).build();
        let mut now = Statement::new("SELECT toTimestamp(now()) FROM system.local");
        now.set_execution_profile_handle(Some(profile.into_handle()));
        // A system table is the node's alone.
        now.set_consistency(scylla::statement::Consistency::One);
        let before = clock.now();
        let answer = database.session().query_unpaged(now, ()).await;
        let after = clock.now();
        let rows = answer.ok().and_then(|answer| answer.into_rows_result().ok());
        // A node that is down has no clock to be wrong; others see to that.
        let first = rows.and_then(|rows| rows.first_row::<(CqlTimestamp,)>().ok());
        let Some((CqlTimestamp(theirs),)) = first else { continue };
        readings.push(Reading::new(node.address.to_string(), before, theirs, after));
    }
    readings
}

/// The node that is furthest from the server.
pub fn furthest(readings: &[Reading]) -> Option<&Reading> {
    readings.iter().max_by_key(|reading| reading.apart_ms())
}

/// How far the server is from most nodes, in milliseconds, if that is more than [`APART_MAX`]. One
/// node that is wrong by itself is not the server's fault.
pub fn too_far(readings: &[Reading]) -> Option<i64> {
    let mut readings: Vec<_> = readings.iter().collect();
    readings.sort_unstable_by_key(|reading| reading.ahead_ms);
    let middle = readings.get(readings.len() / 2)?;
    let max = u64::try_from(APART_MAX.as_millis()).unwrap_or(u64::MAX);
    (middle.apart_ms() > max).then_some(middle.ahead_ms)
}

/// Looks again and again, for as long as it is not dropped; says so in the log when a node comes to
/// be further away than `limit`, and when none is any more.
pub async fn watch(database: Database, clock: Arc<dyn Clock>, limit: Duration) {
    let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut warned = false;
    loop {
        ticks.tick().await;
        let readings = read(&database, &*clock).await;
        let Some(furthest) = furthest(&readings) else { continue };
        database.metrics().apart(furthest.apart_ms());
        let far = furthest.apart_ms() > limit_ms;
        if far && !warned {
            let Reading { node, ahead_ms, .. } = furthest;
            tracing::warn!(
                %node,
                ahead_ms,
                "this server's clock and a database node's are apart: have both follow NTP"
            );
        } else if warned && !far {
            tracing::info!("the clocks of this server and the database agree again");
        }
        warned = far;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(before: u64, theirs: i64, after: u64) -> Reading {
        let at = Timestamp::from_millis;
        Reading::new("node".to_owned(), at(before), theirs, at(after))
    }

    fn ahead(ahead_ms: i64) -> Reading {
        Reading { node: String::new(), ahead_ms, unsure_ms: 5 }
    }

    #[test]
    fn the_way_there_and_back_is_no_difference() {
        for (read, ahead_ms, apart_ms) in [
            (reading(1_000, 1_050, 1_100), 0, 0),
            (reading(1_000, 1_100, 1_100), 50, 0),
            (reading(1_000, 1_000, 1_100), -50, 0),
            (reading(1_000, 2_050, 1_100), 1_000, 950),
            (reading(1_000, 50, 1_100), -1_000, 950),
            (reading(1_000, 1_003, 1_005), 1, 0),
            // The server's clock was set back in between.
            (reading(1_000, 1_400, 900), 400, 400),
        ] {
            assert_eq!((read.ahead_ms, read.apart_ms()), (ahead_ms, apart_ms), "{read:?}");
        }
    }

    #[test]
    fn a_server_is_too_far_when_most_nodes_say_so() {
        assert_eq!(too_far(&[]), None);
        assert_eq!(too_far(&[ahead(240_005)]), None);
        assert_eq!(too_far(&[ahead(240_006)]), Some(240_006));
        assert_eq!(too_far(&[ahead(-900_000), ahead(3), ahead(0)]), None, "one node is wrong");
        let most = [ahead(-900_000), ahead(-899_990), ahead(0)];
        assert_eq!(too_far(&most), Some(-899_990));
        assert_eq!(furthest(&most), Some(&most[0]));
    }
}
