//! A server of its own, and people on it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use barterline_domain::ids::ChatId;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::backend;
use super::http::{Answer, Call};
use super::tls::{Certificate, Files, Secured};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_barterline");

/// What nobody who waits for a test's end should wait for.
const LIMITS: [&str; 24] = [
    "CONNECTION_PER_MINUTE",
    "CONNECTION_BURST",
    "USER_PER_MINUTE",
    "USER_BURST",
    "CHAT_PER_MINUTE",
    "CHAT_BURST",
    "NEW_CHATS_PER_HOUR",
    "NEW_CHATS_BURST",
    "ADDRESS_PER_MINUTE",
    "ADDRESS_BURST",
    "REQUESTS_PER_MINUTE",
    "REQUESTS_BURST",
    "DOWNLOADS_PER_MINUTE",
    "DOWNLOADS_BURST",
    "LOG_INS_PER_MINUTE",
    "LOG_INS_BURST",
    "REGISTRATIONS_PER_HOUR",
    "REGISTRATIONS_BURST",
    "REFRESHES_PER_MINUTE",
    "REFRESHES_BURST",
    "MAIL_REQUESTS_PER_HOUR",
    "MAIL_REQUESTS_BURST",
    "MAILS_PER_HOUR",
    "MAILS_BURST",
];

/// A running server with a data directory of its own.
pub struct World {
    pub listening: SocketAddr,
    pub admin: SocketAddr,
    pub first_line: String,
    /// Where everything else goes, if the server was started for that.
    pub secured: Option<Secured>,
    stdout: BufReader<ChildStdout>,
    server: Child,
    dir: TempDir,
}

/// Somebody with an account who is logged in.
pub struct Person {
    pub id: String,
    pub token: String,
    pub refresh_token: String,
}

/// `barterline` with nothing of this process's settings.
pub fn barterline() -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `barterline serve` on free ports, on the backend under test.
pub fn serve(data: &Path) -> Command {
    let mut command = barterline();
    backend::share_keys(data);
    command.args(["serve", "--admin-listen", "127.0.0.1:0", "--data"]).arg(data);
    command.env("BARTERLINE_LISTEN", "127.0.0.1:0").envs(backend::settings());
    command
}

impl World {
    /// Starts a server and waits until it is ready.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// The same, with more arguments.
    pub fn with(arguments: &[&str]) -> Self {
        Self::on(TempDir::new().expect("a directory"), |command| {
            command.args(arguments);
        })
    }

    /// The same, with a variable of the environment.
    pub fn with_setting(variable: &str, value: &str) -> Self {
        Self::with_settings(&[(variable, value)])
    }

    /// The same, with several.
    pub fn with_settings(variables: &[(&str, &str)]) -> Self {
        Self::on(TempDir::new().expect("a directory"), |command| {
            command.envs(variables.iter().copied());
        })
    }

    /// A server to talk to under TLS: whatever is said to it goes that way.
    pub fn secured(certificate: &Certificate, settings: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().expect("a directory");
        let files = Files::within(dir.path());
        files.hold(certificate);
        let terminal = File::create(dir.path().join("terminal")).expect("a file");
        let mut world = Self::on(dir, |command| {
            command.stderr(terminal).args(["--tls-listen", "127.0.0.1:0"]).args(files.flags());
            command.envs(settings.iter().copied());
        });
        let at = address(&world.first_line, "tls").expect("an address");
        world.secured = Some(Secured { at, config: Arc::new(certificate.trusted()) });
        world
    }

    /// A server whose log is kept: one JSON object a line.
    pub fn logged(settings: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().expect("a directory");
        let terminal = File::create(dir.path().join("terminal")).expect("a file");
        Self::on(dir, |command| {
            command.stderr(terminal).env("BARTERLINE_LOG__JSON", "true");
            command.envs(settings.iter().copied());
        })
    }

    /// A server that mails into files, and whose log is kept with all that it says.
    pub fn mailing(settings: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().expect("a directory");
        let terminal = File::create(dir.path().join("terminal")).expect("a file");
        let mails = dir.path().join("mail");
        Self::on(dir, |command| {
            command.stderr(terminal).env("BARTERLINE_LOG__JSON", "true");
            command.env("BARTERLINE_LOG__LEVEL", "debug");
            command.env("BARTERLINE_MAIL__TRANSPORT", "file");
            command.env("BARTERLINE_MAIL__DIRECTORY", mails);
            command.env("BARTERLINE_MAIL__FROM", "Shop <no-reply@shop.example>");
            command.env("BARTERLINE_MAIL__LINK", "https://shop.example/account");
            command.envs(settings.iter().copied());
        })
    }

    /// A server that starts with so few open files allowed, of all that the system allows.
    pub fn with_few_files(files: u32) -> Self {
        Self::on(TempDir::new().expect("a directory"), |command| {
            let mut shell = Command::new("/bin/sh");
            let raised = format!("ulimit -Sn {files} && exec \"$0\" \"$@\"");
            shell.arg("-c").arg(raised).arg(command.get_program()).args(command.get_args());
            shell
                .env_clear()
                .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
            *command = shell;
        })
    }

    /// What a server whose log is kept wrote into it.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("terminal")).expect("a file")
    }

    /// Waits until a server whose log is kept logs this.
    pub fn until_logged(&self, words: &str) {
        let patience = Instant::now() + Duration::from_secs(20);
        // A line of it, to its end.
        while !self.log().rsplit_once(words).is_some_and(|(_, rest)| rest.contains('\n')) {
            assert!(Instant::now() < patience, "nothing about {words:?}");
        }
    }

    /// The files of a server under TLS.
    pub fn certificate_files(&self) -> Files {
        Files::within(self.dir.path())
    }

    /// A server that seeds the demo; what it says to the person at the terminal is kept.
    pub fn demo() -> Self {
        Self::demo_on(TempDir::new().expect("a directory"))
    }

    /// Stops the server and starts one that seeds the demo on the same data.
    pub fn restart_demo(mut self) -> Self {
        assert!(self.stop().success());
        let dir = std::mem::replace(&mut self.dir, TempDir::new().expect("a directory"));
        Self::demo_on(dir)
    }

    fn demo_on(dir: TempDir) -> Self {
        let terminal = File::create(dir.path().join("terminal")).expect("a file");
        Self::on(dir, |command| {
            command.arg("--demo").stderr(terminal);
        })
    }

    /// The password of a demo account, as it was printed.
    pub fn demo_password(&self, email: &str) -> Option<String> {
        let printed = fs::read_to_string(self.dir.path().join("terminal")).expect("a file");
        let line = printed.lines().find(|line| line.contains(email))?;
        Some(line.split_once("password ")?.1.to_owned())
    }

    /// A server that keeps everything itself, whatever the others do, on data that are there.
    pub fn on_a_laptop(dir: TempDir) -> Self {
        Self::on(dir, |command| {
            command.env("BARTERLINE_STORAGE__BACKEND", "embedded");
        })
    }

    fn on(dir: TempDir, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = serve(&dir.path().join("data"));
        // Read by nobody: it must not fill up.
        command.stderr(Stdio::null());
        // There are no balancers to be told.
        command.env("BARTERLINE_SERVER__DRAIN_NOTICE_MS", "0");
        // They do with the room that there is.
        command.env("BARTERLINE_MEDIA__KEEP_FREE_MIB", "0");
        // Tests are in a hurry; those of the limits lower them.
        command.envs(LIMITS.iter().map(|limit| (format!("BARTERLINE_LIMITS__{limit}"), "1000000")));
        change(&mut command);
        let mut server = command.spawn().expect("the binary starts");
        let mut stdout = BufReader::new(server.stdout.take().expect("a pipe"));
        let mut first_line = String::new();
        stdout.read_line(&mut first_line).expect("a line");
        Self {
            // Where it is shut nobody is there.
            listening: address(&first_line, "listening").unwrap_or(([127, 0, 0, 1], 0).into()),
            admin: address(&first_line, "admin").expect("an address"),
            first_line,
            secured: None,
            stdout,
            server,
            dir,
        }
    }

    /// Stops the server and starts another on the same data.
    pub fn restart(self) -> Self {
        self.restart_with(&[])
    }

    /// The same, with other settings.
    pub fn restart_with(mut self, variables: &[(&str, &str)]) -> Self {
        assert!(self.stop().success());
        self.succeed(variables)
    }

    /// Kills the server without a word and starts another on the same data.
    pub fn crash(mut self) -> Self {
        self.signal(Signal::KILL);
        self.server.wait().expect("the server ends");
        self.succeed(&[])
    }

    /// Starts another server where this one has ended.
    pub fn start_again(self) -> Self {
        self.start_again_with(&[])
    }

    /// The same, with settings.
    pub fn start_again_with(mut self, variables: &[(&str, &str)]) -> Self {
        self.succeed(variables)
    }

    fn succeed(&mut self, variables: &[(&str, &str)]) -> Self {
        let dir = std::mem::replace(&mut self.dir, TempDir::new().expect("a directory"));
        Self::on(dir, |command| {
            command.envs(variables.iter().copied());
        })
    }

    /// Waits until the admin port says that nobody should come any more.
    pub fn until_unready(&self) {
        let patience = Instant::now() + Duration::from_secs(20);
        while Call::new("GET", "/health/ready").send(self.admin).status == 200 {
            assert!(Instant::now() < patience, "still ready");
        }
    }

    /// Waits until so many requests wait for a change.
    pub fn until_polls(&self, count: usize) {
        let patience = Instant::now() + Duration::from_secs(20);
        let line = format!("barterline_hub_polls {count}\n");
        while !Call::new("GET", "/metrics").send(self.admin).expect(200).body.contains(&line) {
            assert!(Instant::now() < patience, "not {count} polls");
        }
    }

    /// Asks the server to stop, and waits for it.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Waits for a server that was told to stop.
    pub fn ended(&mut self) -> ExitStatus {
        self.server.wait().expect("the server ends")
    }

    /// What a server that has ended wrote behind its first line.
    pub fn more_output(&mut self) -> String {
        let mut more = String::new();
        self.stdout.read_to_string(&mut more).expect("text");
        more
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.process(), signal).expect("a signal");
    }

    pub fn process(&self) -> Pid {
        let pid = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw);
        pid.expect("a process id")
    }

    pub fn pid(&self) -> u32 {
        self.server.id()
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn call(&self, call: Call) -> Answer {
        match &self.secured {
            None => call.send(self.listening),
            Some(secured) => call.send_secured(secured),
        }
    }

    /// Makes a request of the operators' port, with its token.
    pub fn staff(&self, method: &str, path: &str) -> Answer {
        let token = fs::read_to_string(self.data().join("admin-token")).expect("a token");
        Call::new(method, path).token(token.trim()).send(self.admin)
    }

    /// What staff see in their list of one chat's reports, the newest first.
    pub fn reports(&self, chat: ChatId) -> Vec<Value> {
        let mut found = Vec::new();
        let mut path = "/reports?limit=100".to_owned();
        loop {
            let page = self.staff("GET", &path).expect(200).json();
            let reports = page["reports"].as_array().expect("reports").iter();
            found.extend(reports.filter(|report| report["chat"] == json!(chat)).cloned());
            let Some(next) = page["next"].as_str() else { return found };
            path = format!("/reports?limit=100&before={next}");
        }
    }

    /// What the audit log has about a subject or by an actor, of all that there is: actor, action,
    /// detail.
    pub fn noted(&self, who: &str) -> Vec<(String, String, Value)> {
        let (mut found, mut path) = (Vec::new(), "/audit?limit=100".to_owned());
        loop {
            let page = self.staff("GET", &path).expect(200).json();
            assert!(!page.to_string().contains('@'), "no addresses: {page}");
            for entry in page["entries"].as_array().expect("entries") {
                if entry["subject"] == who || entry["actor"] == who {
                    let text = |name: &str| entry[name].as_str().expect(name).to_owned();
                    found.push((text("actor"), text("action"), entry["detail"].clone()));
                }
            }
            let Some(next) = page["next"].as_u64() else { return found };
            path = format!("/audit?limit=100&after={next}");
        }
    }

    /// What a socket's `send` does, over HTTP.
    pub fn send(&self, person: &Person, chat: ChatId, key: &str, body: &Value) -> Answer {
        self.call(person.send(chat, key, body))
    }

    /// Makes a request on a thread of its own: the answer may be long in coming.
    pub fn begin(&self, call: Call) -> JoinHandle<Answer> {
        let listening = self.listening;
        thread::spawn(move || call.send(listening))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.call(Call::new("GET", path))
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Call::new("POST", path).json(body))
    }

    /// An address that is nobody's on another server, which may have the same store.
    pub fn email(&self, name: &str) -> String {
        let dir = self.dir.path().file_name().and_then(|dir| dir.to_str()).expect("a name");
        format!("{name}{dir}@example.org")
    }

    /// Registers somebody.
    pub fn register(&self, name: &str) -> Answer {
        let email = self.email(name);
        let body = json!({ "email": email, "password": "correct horse", "name": name });
        self.post("/v1/accounts", &body)
    }

    /// Registers somebody and logs them in.
    pub fn person(&self, name: &str) -> Person {
        self.register(name).expect(201);
        self.log_in(name)
    }

    pub fn log_in(&self, name: &str) -> Person {
        self.log_in_with(&self.email(name), "correct horse")
    }

    pub fn log_in_with(&self, email: &str, password: &str) -> Person {
        let body = json!({ "email": email, "password": password });
        let session = self.post("/v1/sessions", &body).expect(201).json();
        let text = |key: &str| session[key].as_str().expect("a string").to_owned();
        let (token, refresh_token) = (text("access_token"), text("refresh_token"));
        Person { id: text("user"), token, refresh_token }
    }

    /// Puts something up for sale; gives its id.
    pub fn listing(&self, seller: &Person) -> String {
        let body = json!({ "title": "Bike", "price": { "minor": 12_000, "currency": "EUR" } });
        let call = Call::new("POST", "/v1/listings").token(&seller.token).json(&body);
        let listing = self.call(call).expect(201).json();
        listing["id"].as_str().expect("an id").to_owned()
    }
}

impl Person {
    /// A message over HTTP.
    pub fn send(&self, chat: ChatId, key: &str, body: &Value) -> Call {
        let call = Call::new("POST", &format!("/v1/chats/{chat}/events")).token(&self.token);
        call.header("idempotency-key", key).json(body)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Our own child, by its handle; gone already after `stop`.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// An address in a server's first line.
fn address(first_line: &str, key: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(first_line).expect("the first line is JSON");
    line[key].as_str().and_then(|text| text.parse().ok())
}

/// Runs a command that must end by itself: exit code, standard output, standard error.
pub fn run(mut command: Command) -> (i32, String, String) {
    let mut child = command.spawn().expect("the binary starts");
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().expect("a pipe").read_to_string(&mut out).expect("text");
    child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("text");
    let code = child.wait().expect("it ends").code().expect("an exit code");
    (code, out, err)
}
