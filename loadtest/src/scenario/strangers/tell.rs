//! Can answers and their times be told apart? Pure.

use std::collections::BTreeMap;

/// Times that differ less are no help to anybody: in 55 of a hundred pairs the answer about the chat
/// that exists would be the longer one.
const DISTANCE_MIN: f64 = 0.05;
/// And chance makes a difference of so many standard errors once in 1.7 million runs.
const ERRORS_MIN: f64 = 5.0;

/// What is shown of an answer: enough to see what differs, and no history of a chat.
const EXCERPT_BYTES: usize = 60;

/// Whether the chat that was asked for exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// It does, between two other people.
    Existing,
    /// It does not.
    Absent,
}

impl Target {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Existing, Self::Absent];
}

/// Everything that one kind of question brought.
#[derive(Debug, Default)]
pub struct Answers {
    /// Each answer, and how often it came for either target.
    said: BTreeMap<Vec<u8>, [u64; 2]>,
    /// Nanoseconds, for either target.
    times: [Vec<u64>; 2],
}

impl Answers {
    /// Notes an answer, without what the asker itself had sent.
    pub fn note(&mut self, target: Target, answer: Vec<u8>, nanos: u64) {
        self.said.entry(answer).or_default()[target as usize] += 1;
        self.times[target as usize].push(nanos);
    }

    /// Two answers that differ, about different targets if there are such: what stands in each where
    /// they part, and a little before.
    pub fn difference(&self) -> Option<[&[u8]; 2]> {
        let mut answers = self.said.keys();
        let (first, second) = (answers.next()?, answers.next()?);
        let about = |target: Target| {
            let ours = move |(_, times): &(_, &[u64; 2])| times[target as usize] > 0;
            self.said.iter().filter(ours).map(|(answer, _)| answer)
        };
        let pair = about(Target::Absent).next().and_then(|absent| {
            about(Target::Existing).find(|existing| *existing != absent).map(|one| (one, absent))
        });
        let (one, other) = pair.unwrap_or((first, second));
        let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
        let from = same.saturating_sub(EXCERPT_BYTES / 2);
        let excerpt = |answer: &Vec<u8>| from..answer.len().min(from + EXCERPT_BYTES);
        Some([&one[excerpt(one)], &other[excerpt(other)]])
    }

    /// Whether every answer has this in it.
    pub fn all_have(&self, part: &[u8]) -> bool {
        let has = |answer: &Vec<u8>| answer.windows(part.len()).any(|bytes| bytes == part);
        self.said.keys().all(has)
    }

    /// Both lists of times, ascending.
    pub fn sorted(mut self) -> [Vec<u64>; 2] {
        self.times.iter_mut().for_each(|times| times.sort_unstable());
        self.times
    }
}

/// The value below which this share of `sorted` lies; 0 of nothing.
pub fn quantile(sorted: &[u64], share: f64) -> u64 {
    let rank = (sorted.len() as f64 * share) as usize;
    sorted.get(rank.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

/// How well times tell: the chance that one of `longer` is above one of `shorter`, a tie counting
/// half. It is the area under the ROC curve of the best guess by a threshold, and Mann and Whitney's
/// U divided by the number of pairs. Both lists ascend; 0.5 if either is empty.
pub fn area_under_curve(longer: &[u64], shorter: &[u64]) -> f64 {
    if longer.is_empty() || shorter.is_empty() {
        return 0.5;
    }
    let (mut below, mut up_to, mut won) = (0, 0, 0.0);
    for time in longer {
        below += shorter[below..].iter().take_while(|other| *other < time).count();
        up_to = up_to.max(below);
        up_to += shorter[up_to..].iter().take_while(|other| *other <= time).count();
        won += (below + up_to) as f64 / 2.0;
    }
    won / longer.len() as f64 / shorter.len() as f64
}

/// The standard error of [`area_under_curve`] where there is nothing to tell.
pub fn standard_error(longer: usize, shorter: usize) -> f64 {
    let (n, m) = (longer.max(1) as f64, shorter.max(1) as f64);
    ((n + m + 1.0) / (12.0 * n * m)).sqrt()
}

/// Whether an area that far from one half is a promise broken.
pub fn is_told(area: f64, error: f64) -> bool {
    let distance = (area - 0.5).abs();
    distance > DISTANCE_MIN && distance > ERRORS_MIN * error
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{Rng as _, SeedableRng as _};

    use super::*;

    /// Every pair looked at.
    fn by_hand(longer: &[u64], shorter: &[u64]) -> f64 {
        let pairs = longer.iter().flat_map(|a| shorter.iter().map(move |b| (a, b)));
        let won: f64 =
            pairs.map(|(a, b)| f64::from(u8::from(a > b) + u8::from(a >= b)) / 2.0).sum();
        won / (longer.len() * shorter.len()) as f64
    }

    fn sorted(rng: &mut SmallRng, count: usize, range: std::ops::Range<u64>) -> Vec<u64> {
        let mut times: Vec<u64> = (0..count).map(|_| rng.random_range(range.clone())).collect();
        times.sort_unstable();
        times
    }

    #[test]
    fn the_area_is_that_of_all_pairs() {
        assert!((area_under_curve(&[2, 3], &[1, 1]) - 1.0).abs() < 1e-12);
        assert!(area_under_curve(&[1], &[2, 3]).abs() < 1e-12);
        assert!((area_under_curve(&[5, 5], &[5]) - 0.5).abs() < 1e-12);
        let mut rng = SmallRng::seed_from_u64(3);
        for _ in 0..50 {
            let (a, b) = (sorted(&mut rng, 40, 0..30), sorted(&mut rng, 31, 5..33));
            assert!((area_under_curve(&a, &b) - by_hand(&a, &b)).abs() < 1e-12);
        }
    }

    #[test]
    fn what_differs_is_told_and_what_does_not_is_not() {
        let mut rng = SmallRng::seed_from_u64(4);
        let error = standard_error(2_000, 2_000);
        assert!((error - 0.009_13).abs() < 1e-4);
        let [a, b, c] = [0..1_000, 0..1_000, 150..1_150].map(|r| sorted(&mut rng, 2_000, r));
        assert!(!is_told(area_under_curve(&a, &b), error));
        assert!(is_told(area_under_curve(&c, &a), error));
        assert!(is_told(area_under_curve(&a, &c), error), "faster is told as well");
        assert!(!is_told(0.58, standard_error(100, 100)), "chance, of so few");
        assert!(!is_told(0.53, standard_error(100_000, 100_000)), "certain, and no help");
    }

    #[test]
    fn answers_are_compared_byte_by_byte() {
        let mut answers = Answers::default();
        answers.note(Target::Existing, b"none: a".to_vec(), 30);
        answers.note(Target::Absent, b"none: a".to_vec(), 10);
        assert!(answers.difference().is_none() && answers.all_have(b"none"));
        let long = |end: &str| format!("none: {}{end}", "a".repeat(200)).into_bytes();
        answers.note(Target::Existing, long("b"), 20);
        assert_eq!(answers.difference().map(|both| both.map(<[u8]>::len)), Some([60, 7]));
        answers.note(Target::Existing, b"other".to_vec(), 40);
        assert!(!answers.all_have(b"none"));
        let mut answers = Answers::default();
        answers.note(Target::Existing, long("b"), 20);
        answers.note(Target::Existing, long("c"), 30);
        answers.note(Target::Absent, long("d"), 10);
        let [one, other] = answers.difference().expect("they differ");
        assert!(one.ends_with(b"ab") && other.ends_with(b"ad"));
        assert_eq!(answers.sorted(), [vec![20, 30], vec![10]]);
        assert_eq!(
            (quantile(&[1, 2, 3, 4], 0.5), quantile(&[7], 0.9), quantile(&[], 0.5)),
            (3, 7, 0)
        );
    }
}
