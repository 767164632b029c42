//! What servers share, on a real Redis that each test starts for itself (`redis-server` of the system, on a
//! socket in a directory of its own). `make test-real PART=redis` runs these.

mod bus;
mod cache;
mod counters;
mod permissions;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use barterline::cluster::{Cluster, Settings};
use barterline::telemetry::metrics::RedisMetrics;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// For everything that has to come, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long anybody waits for Redis here.
const TIMEOUT: Duration = Duration::from_millis(500);

/// A Redis of one test.
struct Redis {
    dir: TempDir,
    process: Child,
}

impl Redis {
    fn start() -> Self {
        let dir = TempDir::new().expect("a directory");
        let process = Self::launch(&dir);
        Self { dir, process }
    }

    fn launch(dir: &TempDir) -> Child {
        let socket = Self::socket(dir);
        let _ = std::fs::remove_file(&socket);
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]);
        command.arg(&socket).arg("--dir").arg(dir.path()).stdout(Stdio::null());
        command.spawn().expect("redis-server starts: it is in Debian's package of this name")
    }

    fn socket(dir: &TempDir) -> PathBuf {
        dir.path().join("redis.sock")
    }

    /// A server's part in it.
    fn server(&self) -> Cluster {
        self.server_of("test:1")
    }

    fn server_of(&self, prefix: &str) -> Cluster {
        self.server_as("", "", prefix)
    }

    fn server_as(&self, user: &str, password: &str, prefix: &str) -> Cluster {
        let settings = Settings {
            url: format!("redis+unix://{}", Self::socket(&self.dir).display()),
            user: user.to_owned(),
            password: password.to_owned(),
            prefix: prefix.to_owned(),
            timeout: TIMEOUT,
        };
        Cluster::new(settings, Uuid::new_v4(), RedisMetrics::default()).expect("a client")
    }

    /// Says something to it as its operator would.
    fn say(&self, words: &[&str]) {
        let mut command = Command::new("redis-cli");
        command.arg("-s").arg(Self::socket(&self.dir)).args(words);
        let output = command.output().expect("redis-cli");
        let answer = String::from_utf8_lossy(&output.stdout);
        assert_eq!(answer.trim(), "OK", "{words:?}");
    }

    /// Waits until it answers.
    async fn answers(&self) {
        let server = self.server();
        until("Redis answers", async || server.take("probe", 1, 0).await.is_some()).await;
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).expect("a signal");
    }

    fn kill(&mut self) {
        self.process.kill().expect("a signal");
        self.process.wait().expect("an end");
    }

    fn restart(&mut self) {
        self.process = Self::launch(&self.dir);
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A server that speaks and listens.
struct Running {
    cluster: Cluster,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(redis: &Redis) -> Self {
        Self::run(redis.server())
    }

    fn run(cluster: Cluster) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(cluster.clone().run(stop.clone()));
        Self { cluster, stop, task }
    }

    async fn hears(&self) {
        until("Redis is heard", async || self.cluster.hears()).await;
    }

    async fn hears_nothing(&self) {
        until("Redis is missed", async || !self.cluster.hears()).await;
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("an end");
    }
}

/// Waits for something that has to come.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}
