//! Every metric's name, once.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What the hub counts.
#[derive(Debug, Clone, Default)]
pub struct HubMetrics {
    /// Groups committed by the store and delivered.
    pub groups: Counter,
    /// Events that became durable.
    pub events: Counter,
    /// Events handed to connections.
    pub deliveries: Counter,
    /// Sends answered with an earlier result.
    pub repeats: Counter,
    /// Sends refused.
    pub refused: Counter,
    /// Rooms in memory.
    pub rooms: Gauge,
    /// Live connections.
    pub connections: Gauge,
}

impl HubMetrics {
    /// Adds them to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let hub = registry.sub_registry_with_prefix("hub");
        hub.register("groups", "Groups committed by the store and delivered", self.groups.clone());
        hub.register("events", "Events that became durable", self.events.clone());
        hub.register("deliveries", "Events handed to connections", self.deliveries.clone());
        hub.register("repeats", "Sends answered with an earlier result", self.repeats.clone());
        hub.register("refused", "Sends refused", self.refused.clone());
        hub.register("rooms", "Rooms in memory", self.rooms.clone());
        hub.register("connections", "Live connections", self.connections.clone());
    }
}
