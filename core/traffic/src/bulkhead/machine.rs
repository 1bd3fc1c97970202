//! Who is in flight, who waits, and who goes next.

use super::{Limit, Settings};
use crate::gradient::{Gradient, Sample};
use crate::priority::Class;
use std::collections::VecDeque;
use std::time::Duration;

/// Why a call is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The limit is reached, and nobody may wait.
    Limit,
    /// The queue is full.
    Queue,
    /// The deadline would pass while it waits.
    Deadline,
    /// It waited as long as it may.
    Waited,
    /// It waited, and a call of a higher class took its place.
    Displaced,
}

impl Why {
    /// All.
    pub const ALL: [Self; 5] = [Self::Limit, Self::Queue, Self::Deadline, Self::Waited, Self::Displaced];

    /// The word for it in logs and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Queue => "queue",
            Self::Deadline => "deadline",
            Self::Waited => "waited",
            Self::Displaced => "displaced",
        }
    }
}

/// A call is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub why: Why,
    /// After which time those who wait now will have been served, if that can be told.
    pub retry_after: Option<Duration>,
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Counts all that ever waited.
    pub id: u64,
    /// When it has waited long enough: then it is to [`leave`](Machine::leave).
    pub until: Duration,
}

/// What becomes of a call that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It is in flight. To be given back once, by [`Machine::release`].
    Admitted,
    /// It waits until it is [told](Machine::told).
    Queued(Place),
    /// It is not made.
    Refused(Refusal),
}

/// What one who waited is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is in flight. To be given back once, by [`Machine::release`].
    Admitted,
    /// It is not made.
    Refused(Refusal),
}

/// What a bulkhead is like at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Calls in flight.
    pub in_flight: u32,
    /// Calls that may be in flight.
    pub limit: u32,
    /// Calls that wait.
    pub queued: u32,
    /// Calls that may wait.
    pub queue: u32,
    /// How long calls take, as far as it is known.
    pub service: Option<Duration>,
}

/// The places of a bulkhead. Times are those of any clock; one that goes back is taken for one that stands.
#[derive(Clone, Debug)]
pub struct Machine {
    settings: Settings,
    gradient: Option<Gradient>,
    in_flight: u32,
    /// By class.
    queues: [VecDeque<Waiting>; Class::ALL.len()],
    queued: u32,
    next: u64,
    service: Option<Duration>,
    now: Duration,
    told: Vec<(u64, Told)>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    place: Place,
    deadline: Option<Duration>,
}

// === impl Machine ===

impl Machine {
    /// One with all places free.
    #[must_use]
    pub fn new(settings: Settings, now: Duration) -> Self {
        Self {
            gradient: gradient(&settings, now),
            settings,
            in_flight: 0,
            queues: Default::default(),
            queued: 0,
            next: 0,
            service: None,
            now,
            told: Vec::new(),
        }
    }

    /// A call comes, that has to end by `deadline`.
    pub fn enter(&mut self, class: Class, deadline: Option<Duration>, now: Duration) -> Entry {
        self.pass(now);
        let ahead = self.ahead(class);
        if ahead == 0 && self.in_flight < self.room(class) {
            self.in_flight += 1;
            return Entry::Admitted;
        }
        let refused = |machine: &Self, why| Entry::Refused(machine.refusal(why));
        if self.settings.queue == 0 {
            return refused(self, Why::Limit);
        }
        if deadline.is_some_and(|deadline| deadline < self.expected_end(ahead)) {
            return refused(self, Why::Deadline);
        }
        if self.queued >= self.settings.queue && !self.displace(class) {
            return refused(self, Why::Queue);
        }
        let longest = self.now.saturating_add(self.settings.wait);
        let place = Place { id: self.next, until: deadline.map_or(longest, |deadline| deadline.min(longest)) };
        self.next += 1;
        self.queued += 1;
        self.queues[class.index()].push_back(Waiting { place, deadline });
        Entry::Queued(place)
    }

    /// A call that was admitted has ended, or its caller has left. A `sample` is of one that says how long calls take;
    /// `chance` is that of [`Gradient::observe`].
    pub fn release(&mut self, sample: Option<(Duration, Duration)>, now: Duration, chance: u64) {
        self.pass(now);
        if let Some((began, ended)) = sample {
            let took = ended.saturating_sub(began);
            self.service = Some(self.service.map_or(took, |service| service - service / 8 + took / 8));
            if let Some(gradient) = &mut self.gradient {
                gradient.observe(Sample { began, ended, in_flight: self.in_flight }, chance);
            }
        }
        debug_assert!(self.in_flight > 0, "what is given back was taken");
        self.in_flight = self.in_flight.saturating_sub(1);
        self.serve();
    }

    /// One who waits does so no more. Says why, if it had waited long enough; `None` if it did not wait.
    pub fn leave(&mut self, id: u64, now: Duration) -> Option<Refusal> {
        self.pass(now);
        let (class, at) = self.queues.iter().enumerate().find_map(|(class, queue)| {
            // The queue is in the order of ids.
            queue.binary_search_by_key(&id, |waiting| waiting.place.id).ok().map(|at| (class, at))
        })?;
        let waiting = self.queues[class].remove(at)?;
        self.queued -= 1;
        // It may have stood before one that has room.
        self.serve();
        Some(self.refusal(waiting.given_up(self.now)))
    }

    /// Takes what those who waited are to be told, in the order in which it came about.
    pub fn told(&mut self) -> impl Iterator<Item = (u64, Told)> {
        std::mem::take(&mut self.told).into_iter()
    }

    /// Whether somebody is to be told something.
    #[must_use]
    pub fn has_told(&self) -> bool {
        !self.told.is_empty()
    }

    /// Goes on with other settings. What is in flight or waits stays.
    pub fn set(&mut self, settings: Settings) {
        if settings.limit != self.settings.limit {
            self.gradient = gradient(&settings, self.now);
        }
        self.settings = settings;
        self.serve();
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Its levels.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let (queued, queue) = (self.queued, self.settings.queue);
        Figures { in_flight: self.in_flight, limit: self.limit(), queued, queue, service: self.service }
    }

    fn limit(&self) -> u32 {
        match (&self.gradient, self.settings.limit) {
            (Some(gradient), _) => gradient.limit(),
            (None, Limit::Fixed(limit)) => limit,
            (None, Limit::Adaptive(settings)) => settings.initial,
        }
    }

    fn room(&self, class: Class) -> u32 {
        self.settings.shares.of(class, self.limit())
    }

    fn pass(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// Those who are served before one of this class that comes now.
    fn ahead(&self, class: Class) -> usize {
        self.queues[class.index()..].iter().map(VecDeque::len).sum()
    }

    /// When a call would end that has so many before it; now, if that cannot be told.
    fn expected_end(&self, ahead: usize) -> Duration {
        let Some(service) = self.service else { return self.now };
        self.now.saturating_add(self.drained(ahead + 1)).saturating_add(service)
    }

    /// How long it takes until so many calls have ended.
    fn drained(&self, calls: usize) -> Duration {
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        self.service.unwrap_or_default().saturating_mul(calls) / self.limit().max(1)
    }

    fn refusal(&self, why: Why) -> Refusal {
        let retry_after = self.service.map(|_| self.drained(self.queued as usize + 1));
        Refusal { why, retry_after }
    }

    /// Takes the place of the one who came last of the lowest class below `class`.
    fn displace(&mut self, class: Class) -> bool {
        let lower = &mut self.queues[..class.index()];
        let Some(displaced) = lower.iter_mut().find_map(VecDeque::pop_back) else { return false };
        self.queued -= 1;
        self.refuse(displaced, Why::Displaced);
        true
    }

    fn refuse(&mut self, waiting: Waiting, why: Why) {
        let refusal = self.refusal(why);
        self.told.push((waiting.place.id, Told::Refused(refusal)));
    }

    /// Lets those go on for whom there is room.
    fn serve(&mut self) {
        for class in Class::ALL.into_iter().rev() {
            while self.in_flight < self.room(class) {
                let Some(waiting) = self.queues[class.index()].pop_front() else { break };
                self.queued -= 1;
                let ends = self.now.saturating_add(self.service.unwrap_or_default());
                if waiting.place.until <= self.now || waiting.deadline.is_some_and(|deadline| deadline < ends) {
                    let why =
                        waiting.deadline.filter(|deadline| *deadline < ends).map_or(Why::Waited, |_| Why::Deadline);
                    self.refuse(waiting, why);
                    continue;
                }
                self.in_flight += 1;
                self.told.push((waiting.place.id, Told::Admitted));
            }
            if !self.queues[class.index()].is_empty() {
                // Those below have no more room than it.
                return;
            }
        }
    }
}

impl Waiting {
    /// Why one who leaves now does so.
    fn given_up(&self, now: Duration) -> Why {
        if self.deadline.is_some_and(|deadline| deadline <= now) { Why::Deadline } else { Why::Waited }
    }
}

fn gradient(settings: &Settings, now: Duration) -> Option<Gradient> {
    match settings.limit {
        Limit::Fixed(_) => None,
        Limit::Adaptive(settings) => Some(Gradient::new(settings, now)),
    }
}
