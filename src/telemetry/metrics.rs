//! Every metric's name, once. A store has its own, as it knows no server
//! (`barterline_storage::scylla::metrics`).

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
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
    /// Requests that wait for something to change.
    pub polls: Gauge,
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
        hub.register("polls", "Requests that wait for a change", self.polls.clone());
    }
}

/// What became of mails.
#[derive(Debug, Clone, Default)]
pub struct MailMetrics {
    /// Mails that left.
    pub sent: Counter,
    /// Mails that did not leave in all their tries.
    pub failed: Counter,
    /// Mails for which the queue had no room.
    pub dropped: Counter,
}

impl MailMetrics {
    /// Adds them to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let mail = registry.sub_registry_with_prefix("mail");
        mail.register("sent", "Mails that left", self.sent.clone());
        mail.register("failed", "Mails that did not leave", self.failed.clone());
        mail.register("dropped", "Mails for which there was no room", self.dropped.clone());
    }
}

/// What can be found.
#[derive(Debug, Clone, Default)]
pub struct SearchMetrics {
    /// Listings in the index.
    pub documents: Gauge,
    /// Its bytes on disk.
    pub bytes: Gauge,
    /// When it last had all that there was, in seconds since 1970.
    pub current: Gauge,
    /// How often it was made anew.
    pub rebuilt: Counter,
    /// Steps that failed, and were tried again.
    pub failed: Counter,
}

impl SearchMetrics {
    /// Adds them to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let search = registry.sub_registry_with_prefix("search");
        search.register("documents", "Listings in the index", self.documents.clone());
        search.register("bytes", "Bytes of the index on disk", self.bytes.clone());
        let what = "When the index last had all listings, in seconds since 1970";
        search.register("current_timestamp_seconds", what, self.current.clone());
        search.register("rebuilt", "Times the index was made anew", self.rebuilt.clone());
        search.register("failed", "Steps of the index that failed", self.failed.clone());
    }
}

/// What is shared with other servers over Redis.
#[derive(Clone, Default)]
pub struct RedisMetrics {
    /// 1 while what servers tell is heard.
    pub hears: Gauge,
    /// Questions that were not answered in time, or refused.
    pub failed: Counter,
    /// Messages that say nothing to this server.
    pub unread: Counter,
}

impl RedisMetrics {
    /// Adds them to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let redis = registry.sub_registry_with_prefix("redis");
        redis.register("hears", "Whether Redis is heard", self.hears.clone());
        redis.register("failed", "Questions without an answer", self.failed.clone());
        redis.register("unread", "Messages that nobody can read", self.unread.clone());
    }
}

/// What was refused, by kind: also what the log has no line for.
#[derive(Debug, Clone, Default)]
pub struct RefusalMetrics(Family<KindLabel, Counter>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

impl RefusalMetrics {
    /// Adds them to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("refusals", "What was refused, by kind", self.0.clone());
    }

    /// Something was refused.
    pub fn refused(&self, kind: &'static str) {
        self.0.get_or_create(&KindLabel { kind }).inc();
    }
}

/// Requests by what was asked and answered.
#[derive(Clone, Default)]
pub struct HttpMetrics {
    requests: Family<HttpLabels, Counter>,
    time_us: Family<RouteLabels, Counter>,
    running: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HttpLabels {
    /// The route as it is declared, never the path: its values are few.
    route: String,
    method: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
    method: String,
}

/// Counts a request as running for as long as it lives: one that is cancelled ends as well.
pub struct Running(Gauge);

impl HttpMetrics {
    /// Adds them to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let http = registry.sub_registry_with_prefix("http");
        http.register("requests", "Requests answered", self.requests.clone());
        http.register("request_us", "Microseconds spent on requests", self.time_us.clone());
        http.register("requests_running", "Requests being answered", self.running.clone());
    }

    /// A request came.
    pub fn begin(&self) -> Running {
        self.running.inc();
        Running(self.running.clone())
    }

    /// A request was answered.
    pub fn answered(&self, route: &str, method: &str, status: u16, took_us: u64) {
        let (route, method) = (route.to_owned(), method.to_owned());
        let labels = RouteLabels { route: route.clone(), method: method.clone() };
        self.time_us.get_or_create(&labels).inc_by(took_us);
        let labels = HttpLabels { route, method, status };
        self.requests.get_or_create(&labels).inc();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;

    use super::*;
    use crate::telemetry::process::Process;

    fn render(registry: &Registry) -> String {
        let mut rendered = String::new();
        text::encode(&mut rendered, registry).expect("text");
        rendered
    }

    #[test]
    fn requests_are_counted_by_route() {
        let mut registry = Registry::default();
        let http = HttpMetrics::default();
        http.register(&mut registry);
        let running = http.begin();
        http.answered("/v1/x/{id}", "GET", 200, 7);
        let rendered = render(&registry);
        for line in [
            "http_requests_total{route=\"/v1/x/{id}\",method=\"GET\",status=\"200\"} 1",
            "http_request_us_total{route=\"/v1/x/{id}\",method=\"GET\"} 7",
            "http_requests_running 1",
        ] {
            assert!(rendered.contains(line), "{line} in:\n{rendered}");
        }
        drop(running);
        assert!(render(&registry).contains("http_requests_running 0"));
    }

    #[test]
    fn the_process_is_measured() {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process));
        let rendered = render(&registry);
        for name in
            ["process_resident_bytes", "process_cpu_us_total", "process_files", "process_threads"]
        {
            let line = rendered.lines().find(|line| line.starts_with(name));
            let value = line.and_then(|line| line.split(' ').nth(1)?.parse::<u64>().ok());
            assert!(value.is_some(), "{name} in:\n{rendered}");
        }
    }
}
