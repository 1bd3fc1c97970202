//! A bulkhead as one would write it first: one list of all who wait.

use std::time::Duration;
use tidegate_traffic::bulkhead::{Entry, Limit, Place, Refusal, Settings, Told, Why};
use tidegate_traffic::priority::Class;

/// A bulkhead of a fixed limit.
pub(super) struct Naive {
    settings: Settings,
    pub(super) in_flight: u32,
    /// In the order of coming.
    pub(super) waiting: Vec<(u64, Class, Option<Duration>, Duration)>,
    ids: u64,
    service: Option<Duration>,
    pub(super) told: Vec<(u64, Told)>,
}

impl Naive {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, in_flight: 0, waiting: Vec::new(), ids: 0, service: None, told: Vec::new() }
    }

    fn limit(&self) -> u32 {
        match self.settings.limit {
            Limit::Fixed(limit) => limit,
            Limit::Adaptive(_) => panic!("fixed ones alone"),
        }
    }

    fn has_room(&self, class: Class) -> bool {
        self.in_flight < self.settings.shares.of(class, self.limit())
    }

    /// The time in which so many calls end, all places taken.
    fn time_of(&self, calls: usize) -> Duration {
        self.service.unwrap_or_default() * u32::try_from(calls).expect("few") / self.limit()
    }

    fn refusal(&self, why: Why) -> Refusal {
        Refusal { why, retry_after: self.service.map(|_| self.time_of(self.waiting.len() + 1)) }
    }

    pub(super) fn enter(&mut self, class: Class, deadline: Option<Duration>, now: Duration) -> Entry {
        let before = self.waiting.iter().filter(|waiting| waiting.1 >= class).count();
        if before == 0 && self.has_room(class) {
            self.in_flight += 1;
            return Entry::Admitted;
        }
        if self.settings.queue == 0 {
            return Entry::Refused(self.refusal(Why::Limit));
        }
        let end = now + self.service.map_or(Duration::ZERO, |service| self.time_of(before + 1) + service);
        if deadline.is_some_and(|deadline| end > deadline) {
            return Entry::Refused(self.refusal(Why::Deadline));
        }
        if self.waiting.len() == self.settings.queue as usize {
            let lowest = self.waiting.iter().map(|waiting| waiting.1).min().expect("a full queue");
            if lowest >= class {
                return Entry::Refused(self.refusal(Why::Queue));
            }
            let last = self.waiting.iter().rposition(|waiting| waiting.1 == lowest).expect("one");
            let (id, ..) = self.waiting.remove(last);
            self.told.push((id, Told::Refused(self.refusal(Why::Displaced))));
        }
        let until = deadline.unwrap_or(Duration::MAX).min(now + self.settings.wait);
        let place = Place { id: self.ids, until };
        self.ids += 1;
        self.waiting.push((place.id, class, deadline, until));
        Entry::Queued(place)
    }

    pub(super) fn release(&mut self, took: Option<Duration>, now: Duration) {
        self.in_flight -= 1;
        if let Some(took) = took {
            self.service = Some(self.service.map_or(took, |service| service - service / 8 + took / 8));
        }
        self.serve(now);
    }

    pub(super) fn leave(&mut self, id: u64, now: Duration) -> Option<Refusal> {
        let at = self.waiting.iter().position(|waiting| waiting.0 == id)?;
        let (_, _, deadline, _) = self.waiting.remove(at);
        self.serve(now);
        let why = if deadline.is_some_and(|deadline| deadline <= now) { Why::Deadline } else { Why::Waited };
        Some(self.refusal(why))
    }

    /// The next is the first of the highest class.
    fn serve(&mut self, now: Duration) {
        while let Some(highest) = self.waiting.iter().map(|waiting| waiting.1).max() {
            if !self.has_room(highest) {
                return;
            }
            let first = self.waiting.iter().position(|waiting| waiting.1 == highest).expect("one");
            let (id, _, deadline, until) = self.waiting.remove(first);
            let cannot = deadline.is_some_and(|deadline| now + self.service.unwrap_or_default() > deadline);
            if cannot || until <= now {
                let why = if cannot { Why::Deadline } else { Why::Waited };
                self.told.push((id, Told::Refused(self.refusal(why))));
            } else {
                self.in_flight += 1;
                self.told.push((id, Told::Admitted));
            }
        }
    }
}
