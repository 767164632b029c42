//! Every metric by name, once.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

use super::process::Process;

/// All metrics of the server. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    /// Requests answered.
    pub http: Http,
}

/// Requests by what was asked and answered.
#[derive(Clone, Default)]
pub struct Http {
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

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("barterline");
        let http = Http::default();
        registry.register(
            "http_requests",
            "Requests answered",
            http.requests.clone(),
        );
        registry.register(
            "http_request_microseconds",
            "Time spent on requests",
            http.time_us.clone(),
        );
        registry.register(
            "http_requests_running",
            "Requests that are being answered",
            http.running.clone(),
        );
        registry.register_collector(Box::new(Process));
        Self {
            registry: Arc::new(Mutex::new(registry)),
            http,
        }
    }
}

impl Metrics {
    /// Adds a metric; `name` without the prefix `barterline_`.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry.lock().register(name, help, metric);
    }

    /// Adds a number that only grows.
    pub fn counter(&self, name: &str, help: &str) -> Counter<u64, AtomicU64> {
        let counter = Counter::default();
        self.register(name, help, counter.clone());
        counter
    }

    /// Adds a number that goes up and down.
    pub fn gauge(&self, name: &str, help: &str) -> Gauge {
        let gauge = Gauge::default();
        self.register(name, help, gauge.clone());
        gauge
    }

    /// All values in the text format of OpenMetrics 1.0.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut text, &self.registry.lock());
        text
    }
}

/// Counts a request as running for as long as it lives: one that is cancelled ends as well.
pub struct Running(Gauge);

impl Http {
    /// A request came.
    pub fn begin(&self) -> Running {
        self.running.inc();
        Running(self.running.clone())
    }

    /// A request was answered.
    pub fn answered(&self, route: &str, method: &str, status: u16, took_us: u64) {
        let (route, method) = (route.to_owned(), method.to_owned());
        let labels = RouteLabels {
            route: route.clone(),
            method: method.clone(),
        };
        self.time_us.get_or_create(&labels).inc_by(took_us);
        let labels = HttpLabels {
            route,
            method,
            status,
        };
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
    use super::*;

    #[test]
    fn metrics_have_names_and_values() {
        let metrics = Metrics::default();
        let running = metrics.http.begin();
        metrics.http.answered("/v1/x/{id}", "GET", 200, 7);
        metrics.counter("things", "Things").inc();
        let text = metrics.render();
        for line in [
            "barterline_http_requests_total{route=\"/v1/x/{id}\",method=\"GET\",status=\"200\"} 1",
            "barterline_http_requests_running 1",
            "barterline_things_total 1",
        ] {
            assert!(text.contains(line), "{line} in:\n{text}");
        }
        drop(running);
        assert!(metrics.render().contains("barterline_http_requests_running 0"));
    }

    #[test]
    fn the_process_is_measured() {
        let text = Metrics::default().render();
        for name in [
            "process_resident_memory_bytes",
            "process_cpu_microseconds_total",
            "process_open_fds",
            "process_threads",
        ] {
            let line = text.lines().find(|line| {
                line.strip_prefix("barterline_")
                    .is_some_and(|line| line.starts_with(name))
            });
            let value = line.and_then(|line| line.split(' ').nth(1)?.parse::<u64>().ok());
            assert!(value.is_some(), "{name} in:\n{text}");
        }
    }
}
