//! What the process takes: memory, processor time, descriptors, threads. Read from /proc when
//! somebody asks.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use serde::Serialize;

/// Measures this process.
#[derive(Debug)]
pub struct Process;

/// One look at the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Resident memory.
    pub resident_bytes: u64,
    /// Processor time, user and system.
    pub cpu_us: u64,
    /// Open files, sockets included.
    pub files: u64,
    /// Threads.
    pub threads: u64,
}

impl Usage {
    /// Looks at this process; `None` where the system does not tell.
    pub fn now() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The name in parentheses may hold anything; what follows is numbers (proc(5)).
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let tick_us = 1_000_000 / rustix::param::clock_ticks_per_second().max(1);
        let page = u64::try_from(rustix::param::page_size()).ok()?;
        let files = fs::read_dir("/proc/self/fd").ok()?.count();
        Some(Self {
            resident_bytes: field(24)?.saturating_mul(page),
            cpu_us: field(14)?.saturating_add(field(15)?).saturating_mul(tick_us),
            files: u64::try_from(files).ok()?,
            threads: field(20)?,
        })
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(usage) = Usage::now() else {
            return Ok(());
        };
        let gauges = [
            ("process_resident_bytes", "Resident memory", usage.resident_bytes),
            ("process_files", "Open files, sockets included", usage.files),
            ("process_threads", "Threads", usage.threads),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let cpu = ConstCounter::new(usage.cpu_us);
        let help = "Microseconds of processor time, user and system";
        cpu.encode(encoder.encode_descriptor(
            "process_cpu_us",
            help,
            None,
            cpu.metric_type(),
        )?)
    }
}
