//! How much was done at all servers together, by the clock of Redis.

use std::time::Duration;

use redis::Script;

use super::Cluster;

/// What became of a take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// For how long it has to wait; zero: it was taken.
    pub wait: Duration,
    /// How far ahead of the steady rate what was taken is.
    pub early: Duration,
}

/// How guesses are delayed (`limits/log_ins.rs` says why).
#[derive(Debug, Clone, Copy)]
pub struct Guesses {
    /// Tries before the first wait.
    pub free: u32,
    /// The longest wait.
    pub delay_max: Duration,
    /// After so long without a try, those before are forgotten.
    pub forget_after: Duration,
    /// For so long a place is familiar.
    pub familiar_for: Duration,
}

/// How often Redis is told of a new password until it has taken that.
const ANEW_TRIES: usize = 60;
/// Between two of these: this, and up to as much again.
const ANEW_PAUSE: Duration = Duration::from_secs(3);
/// Familiar places of one account, the newest.
const PLACES_MAX: usize = 32;

/// The generic cell rate algorithm, as `limits/budget.rs` has it: microseconds between two at the steady rate,
/// and by how many one may be ahead. Gives the wait and how far ahead one is. A number in Lua is exact to
/// 2^53, which microseconds since 1970 reach in the year 2255.
const TAKE: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local early = due - now
if early > tonumber(ARGV[2]) then
  return {early - tonumber(ARGV[2]), early}
end
due = due + tonumber(ARGV[1])
redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', math.ceil((due - now) / 1000))
return {0, due - now}
";

/// One try at a password: gives the milliseconds to wait for it.
const GUESS: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local since = redis.call('ZSCORE', KEYS[2], ARGV[1])
if since and tonumber(since) + tonumber(ARGV[5]) >= now then return 0 end
local tries = redis.call('HMGET', KEYS[1], 'count', 'next')
local wait = tonumber(tries[2] or '0') - now
if wait > 0 then return wait end
local count = tonumber(tries[1] or '0') + 1
redis.call('HSET', KEYS[1], 'count', count)
local beyond = count - tonumber(ARGV[2])
if beyond >= 0 then
  local delay = math.min(1000 * 2 ^ math.min(beyond, 10), tonumber(ARGV[3]))
  redis.call('HSET', KEYS[1], 'next', string.format('%.0f', now + delay))
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 0
";

/// A try that was none.
const GIVE_BACK: &str = r"
local count = tonumber(redis.call('HGET', KEYS[1], 'count') or '0') - 1
if count <= 0 then return redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'count', count)
return redis.call('HDEL', KEYS[1], 'next')
";

/// The right password: the tries are over, and the place is familiar; with a new password, only this one.
const SUCCEED: &str = r"
local t = redis.call('TIME')
redis.call('DEL', KEYS[1])
if ARGV[2] == '1' then redis.call('DEL', KEYS[2]) end
redis.call('ZADD', KEYS[2], t[1] * 1000, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', t[1] * 1000 - tonumber(ARGV[3]))
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[4]))
return redis.call('PEXPIRE', KEYS[2], ARGV[3])
";

pub struct Scripts {
    take: Script,
    guess: Script,
    give_back: Script,
    succeed: Script,
}

impl Scripts {
    pub fn new() -> Self {
        Self {
            take: Script::new(TAKE),
            guess: Script::new(GUESS),
            give_back: Script::new(GIVE_BACK),
            succeed: Script::new(SUCCEED),
        }
    }
}

impl Cluster {
    /// Takes one from the meter of this name. `None`: Redis did not say.
    pub async fn take(&self, meter: &str, period_us: u64, ahead_us: u64) -> Option<Taken> {
        let mut script = self.0.scripts.take.key(self.name(meter));
        script.arg(period_us).arg(ahead_us);
        let (wait, early): (u64, u64) = self.0.link.invoke(&script).await?;
        Some(Taken { wait: Duration::from_micros(wait), early: Duration::from_micros(early) })
    }

    /// Counts a try at the password of `account` from `place`; gives the wait for it, which is zero where it
    /// counts. `None`: Redis did not say.
    pub async fn guess(&self, account: &str, place: &str, rules: Guesses) -> Option<Duration> {
        let [tries, places] = self.guesses_at(account);
        let mut script = self.0.scripts.guess.key(tries);
        script.key(places).arg(place).arg(rules.free).arg(millis(rules.delay_max));
        script.arg(millis(rules.forget_after)).arg(millis(rules.familiar_for));
        let wait: u64 = self.0.link.invoke(&script).await?;
        Some(Duration::from_millis(wait))
    }

    /// A try that was counted was none.
    pub async fn give_guess_back(&self, account: &str) {
        let [tries, _] = self.guesses_at(account);
        let script = self.0.scripts.give_back.key(tries);
        let _: Option<i64> = self.0.link.invoke(&script).await;
    }

    /// The password was right: the place is familiar.
    pub async fn guessed(&self, account: &str, place: &str, rules: Guesses) {
        self.succeed(account, place, false, rules).await;
    }

    /// The password is another, set from this place: no other is familiar. Waits until Redis has it, for some
    /// minutes at most.
    pub async fn guessed_anew(&self, account: &str, place: &str, rules: Guesses) {
        for _ in 0..ANEW_TRIES {
            if self.succeed(account, place, true, rules).await {
                return;
            }
            tokio::time::sleep(ANEW_PAUSE + rand::random_range(Duration::ZERO..ANEW_PAUSE)).await;
        }
        tracing::warn!("places stay familiar from before a password was changed");
    }

    async fn succeed(&self, account: &str, place: &str, anew: bool, rules: Guesses) -> bool {
        let [tries, places] = self.guesses_at(account);
        let mut script = self.0.scripts.succeed.key(tries);
        script.key(places).arg(place).arg(u8::from(anew)).arg(millis(rules.familiar_for));
        script.arg(PLACES_MAX);
        self.0.link.invoke::<i64>(&script).await.is_some()
    }

    /// Both in one part of a divided Redis.
    fn guesses_at(&self, account: &str) -> [String; 2] {
        [self.name(&format!("{{{account}}}:tries")), self.name(&format!("{{{account}}}:places"))]
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
