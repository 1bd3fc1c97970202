//! A service that does so many calls at once, behind a bulkhead, under an open loop of calls.

use crate::plans::Bits;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;
use tidegate_traffic::bulkhead::{Entry, Figures, Machine, Settings, Told};
use tidegate_traffic::priority::Class;

/// What the service is like for a while.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) lasts: Duration,
    /// Calls that the service does at once; others wait in it.
    pub(super) at_once: usize,
    /// How long it takes for each.
    pub(super) takes: Duration,
    /// Calls that come in a second.
    pub(super) calls: u64,
}

/// What became of the calls that came while a load lasted, its first second left out.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) good: u64,
    /// From coming to the end.
    pub(super) took: Vec<Duration>,
    pub(super) critical: (u64, u64),
    pub(super) figures: Figures,
}

#[derive(Clone, Copy)]
struct Call {
    came: Duration,
    began: Duration,
    class: Class,
    /// It comes in the part of the load that is looked at.
    counts: bool,
}

pub(super) struct World {
    machine: Machine,
    bits: Bits,
    now: Duration,
    calls: HashMap<u64, Call>,
    next: u64,
    /// Those who wait for the bulkhead, by its numbers; and when they give up.
    waiting: HashMap<u64, u64>,
    until: BTreeMap<(Duration, u64), ()>,
    in_service: usize,
    /// Those who wait in the service.
    service_queue: VecDeque<u64>,
    ends: BTreeMap<(Duration, u64), ()>,
}

impl World {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            machine: Machine::new(settings, Duration::ZERO),
            bits: Bits(7),
            now: Duration::ZERO,
            calls: HashMap::new(),
            next: 0,
            waiting: HashMap::new(),
            until: BTreeMap::new(),
            in_service: 0,
            service_queue: VecDeque::new(),
            ends: BTreeMap::new(),
        }
    }

    /// Serves a load to its end. A twentieth of the calls is critical.
    pub(super) fn run(&mut self, load: Load) -> Seen {
        let mut seen = Seen::default();
        let (start, end) = (self.now, self.now + load.lasts);
        let mut comes = start;
        while comes < end {
            self.now = comes;
            self.until(comes, load, &mut seen);
            let class = if self.bits.below(20) == 0 { Class::Critical } else { Class::Normal };
            let counts = comes >= start + Duration::from_secs(1);
            self.come(Call { came: comes, began: comes, class, counts }, load, &mut seen);
            // Uniform around the mean.
            let mean = 1_000_000_000 / load.calls;
            comes += Duration::from_nanos(mean / 2 + self.bits.below(mean));
        }
        seen.took.sort_unstable();
        seen.figures = self.machine.figures();
        seen
    }

    fn come(&mut self, call: Call, load: Load, seen: &mut Seen) {
        if call.counts && call.class == Class::Critical {
            seen.critical.1 += 1;
        }
        let id = self.next;
        self.next += 1;
        self.calls.insert(id, call);
        match self.machine.enter(call.class, None, self.now) {
            Entry::Admitted => self.begin(id, load),
            Entry::Queued(place) => {
                self.waiting.insert(place.id, id);
                self.until.insert((place.until, place.id), ());
            }
            Entry::Refused(_) => drop(self.calls.remove(&id)),
        }
        self.tell(load);
    }

    fn begin(&mut self, id: u64, load: Load) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.began = self.now;
        }
        if self.in_service < load.at_once {
            self.serve(id, load);
        } else {
            self.service_queue.push_back(id);
        }
    }

    fn serve(&mut self, id: u64, load: Load) {
        self.in_service += 1;
        // A tenth more or less.
        let takes = u64::try_from(load.takes.as_nanos()).expect("short");
        let takes = Duration::from_nanos(takes * 9 / 10 + self.bits.below(takes / 5));
        self.ends.insert((self.now + takes, id), ());
    }

    fn tell(&mut self, load: Load) {
        for (place, told) in self.machine.told().collect::<Vec<_>>() {
            let Some(id) = self.waiting.remove(&place) else { continue };
            match told {
                Told::Admitted => self.begin(id, load),
                Told::Refused(_) => drop(self.calls.remove(&id)),
            }
        }
    }

    /// All that happens before then.
    fn until(&mut self, then: Duration, load: Load, seen: &mut Seen) {
        loop {
            let end = self.ends.first_key_value().map(|((at, id), ())| (*at, *id));
            let out = self.until.first_key_value().map(|((at, id), ())| (*at, *id));
            let ends_first = end.is_some_and(|end| out.is_none_or(|out| end.0 <= out.0));
            match (end, out) {
                (Some((at, id)), _) if ends_first && at <= then => {
                    self.ends.pop_first();
                    self.now = at;
                    self.end(id, load, seen);
                }
                (_, Some((at, place))) if !ends_first && at <= then => {
                    self.until.pop_first();
                    self.now = at;
                    if self.machine.leave(place, at).is_some()
                        && let Some(id) = self.waiting.remove(&place)
                    {
                        self.calls.remove(&id);
                    }
                }
                _ => break,
            }
            self.tell(load);
        }
        self.now = then;
    }

    fn end(&mut self, id: u64, load: Load, seen: &mut Seen) {
        self.in_service -= 1;
        while self.in_service < load.at_once
            && let Some(next) = self.service_queue.pop_front()
        {
            self.serve(next, load);
        }
        let Some(call) = self.calls.remove(&id) else { return };
        let chance = self.bits.below(u64::MAX);
        self.machine.release(Some((call.began, self.now)), self.now, chance);
        if call.counts {
            seen.good += 1;
            seen.took.push(self.now - call.came);
            seen.critical.0 += u64::from(call.class == Class::Critical);
        }
    }
}
