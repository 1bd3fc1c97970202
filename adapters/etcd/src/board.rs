//! The board on which several gateways walk a plan together.
//!
//! A gateway has one lease. With it go the tenures that it holds, and what it told that nobody has counted. A tenure is
//! the revision in which the leader's key was made; a version is the revision in which the state was written: etcd
//! compares both in the transaction that writes, so nobody needs a clock.

mod keys;
mod session;

use crate::config::{Config, behind};
use crate::failure::Failure;
use crate::messages::{
    Compare, DeleteRangeRequest, KeyValue, Number, Op, PutRequest, RangeRequest, RequestOp, TxnRequest, TxnResponse,
};
use keys::Keys;
use session::{Session, Sessions};
use std::sync::Arc;
use tidegate_traffic::plan::State;
use tidegate_traffic::ports::{Answer, Board, BoardError, Over, PIECES, Piece, Posted, Seen, Told};

/// States that are looked at when plans are forgotten.
const STATES: i64 = 1000;
/// Before the name of who wrote a state, in the last line of its text.
const BY: &str = "by ";

/// A board in etcd, beside the config that its gateways read: that at `/tidegate/` or `/tidegate` has
/// `/tidegate-plans/`. Its user may read and write there.
///
/// Each call takes a few seconds at most, whatever etcd does.
#[derive(Debug)]
pub struct EtcdBoard {
    prefix: String,
    name: String,
    sessions: Sessions,
}

// === impl EtcdBoard ===

impl EtcdBoard {
    /// A board that is not connected yet, for the gateways that read this config. `name` is what others see of this
    /// one.
    #[must_use]
    pub fn new(config: &Config, name: &str) -> Self {
        let config = Arc::new(config.of_plans());
        let name = name.chars().filter(|char| !char.is_control()).collect();
        Self { prefix: config.key.clone(), name, sessions: Sessions::new(config) }
    }

    async fn look_at(&self, plan: &str) -> Result<Seen, BoardError> {
        let keys = Keys::new(&self.prefix, plan);
        let session = self.sessions.get()?;
        let tenure = self.sessions.tenure(plan);
        let mine = Compare::new(keys.leader(), Vec::new(), Number::Create(tenure.unwrap_or(0)));
        let (mut success, mut failure) = (Vec::new(), Vec::new());
        if !self.sessions.is_present(plan) {
            let here = put(keys.gateway(session.lease), self.name.clone(), session.lease);
            success.push(here.clone());
            failure.push(here);
        }
        if tenure.is_none() {
            success.push(put(keys.leader(), self.name.clone(), session.lease));
        }
        success.extend([range(keys.state(), 1), range(keys.told(), PIECES as i64)]);
        failure.extend([range(keys.state(), 1), range(keys.leader(), 1)]);
        let request = TxnRequest { compare: vec![mine], success, failure };
        let answer = self.txn(&session, "looking", request).await?;
        self.sessions.set_present(&session, plan);
        self.seen(&session, plan, tenure, answer)
    }

    fn seen(
        &self,
        session: &Session,
        plan: &str,
        tenure: Option<i64>,
        mut answer: TxnResponse,
    ) -> Result<Seen, BoardError> {
        let mut read = || answer.responses.pop().and_then(|response| response.range).unwrap_or_default().kvs;
        let (last, state) = (read(), read());
        let posted = state.first().map(posted).transpose()?;
        let (tenure, leader, told) = if answer.succeeded {
            let made = answer.header.unwrap_or_default().revision;
            (Some(tenure.unwrap_or(made)), self.name.clone(), last.iter().map(piece).collect())
        } else {
            // The answer to our own candidacy may have been lost.
            let leader = last.into_iter().next().unwrap_or_default();
            let ours = (leader.lease == session.lease).then_some(leader.create_revision);
            (ours, text(&leader.value), Vec::new())
        };
        self.sessions.set_tenure(session, plan, tenure);
        Ok(Seen { tenure: tenure.map(number), leader, posted, told })
    }

    async fn put_told(&self, plan: &str, told: &Told) -> Result<(), BoardError> {
        let session = self.sessions.get()?;
        let key = Keys::new(&self.prefix, plan).piece(session.lease, self.sessions.next_number());
        let success = vec![put(key, told.to_string(), session.lease)];
        self.txn(&session, "telling", TxnRequest { success, ..TxnRequest::default() }).await.map(drop)
    }

    async fn write_over(&self, plan: &str, state: &State, over: &Over) -> Result<bool, BoardError> {
        let session = self.sessions.get()?;
        let keys = Keys::new(&self.prefix, plan);
        let mut compare = vec![Compare::new(keys.state(), Vec::new(), Number::Mod(over.version.cast_signed()))];
        let tenure = over.tenure.map(u64::cast_signed);
        compare.extend(tenure.map(|tenure| Compare::new(keys.leader(), Vec::new(), Number::Create(tenure))));
        let mut success = vec![put(keys.state(), format!("{state}{BY}{}\n", self.name), 0)];
        success.extend(over.counted.iter().map(|id| delete(id.clone().into_bytes())));
        let request = TxnRequest { compare, success, failure: Vec::new() };
        Ok(self.txn(&session, "writing", request).await?.succeeded)
    }

    async fn leave_plan(&self, plan: &str) -> Result<(), BoardError> {
        let Some(session) = self.sessions.current()? else { return Ok(()) };
        let keys = Keys::new(&self.prefix, plan);
        let tenure = self.sessions.tenure(plan).unwrap_or(-1);
        let mine = Compare::new(keys.leader(), Vec::new(), Number::Create(tenure));
        let gone = delete(keys.gateway(session.lease));
        let request =
            TxnRequest { compare: vec![mine], success: vec![gone.clone(), delete(keys.leader())], failure: vec![gone] };
        self.txn(&session, "leaving", request).await?;
        self.sessions.forget(plan);
        Ok(())
    }

    async fn sweep_others(&self, known: &[String]) -> Result<(), BoardError> {
        let session = self.sessions.get()?;
        let known: Vec<Vec<u8>> = known.iter().map(|plan| Keys::new(&self.prefix, plan).state()).collect();
        let states = Keys::states(&self.prefix);
        let all = RangeRequest {
            range_end: behind(&states),
            key: states,
            limit: STATES,
            keys_only: true,
            ..RangeRequest::default()
        };
        let success = vec![Op::Range(all).into()];
        let answer = self.txn(&session, "sweeping", TxnRequest { success, ..TxnRequest::default() }).await?;
        let found = answer.responses.into_iter().filter_map(|response| response.range).flat_map(|range| range.kvs);
        for state in found.filter(|state| !known.iter().any(|known| *known == state.key)) {
            let Some(keys) = Keys::of_state(&self.prefix, &state.key) else { continue };
            let gateways = keys.gateways();
            let compare = vec![
                Compare::new(gateways.clone(), behind(&gateways), Number::Create(0)),
                Compare::new(state.key.to_vec(), Vec::new(), Number::Mod(state.mod_revision)),
            ];
            let success = vec![delete(state.key.to_vec())];
            self.txn(&session, "sweeping", TxnRequest { compare, success, failure: Vec::new() }).await?;
        }
        Ok(())
    }

    async fn txn(
        &self,
        session: &Session,
        asked: &'static str,
        request: TxnRequest,
    ) -> Result<TxnResponse, BoardError> {
        let answer = session.client.clone().txn(asked, request).await;
        answer.map_err(|failure: Failure| self.sessions.failed(session, &failure))
    }
}

impl Board for EtcdBoard {
    fn name(&self) -> &str {
        &self.name
    }

    fn alive(&self) -> Answer<'_, ()> {
        Box::pin(self.sessions.renew())
    }

    fn look<'b>(&'b self, plan: &'b str) -> Answer<'b, Seen> {
        Box::pin(self.look_at(plan))
    }

    fn tell<'b>(&'b self, plan: &'b str, told: &'b Told) -> Answer<'b, ()> {
        Box::pin(self.put_told(plan, told))
    }

    fn write<'b>(&'b self, plan: &'b str, state: &'b State, over: &'b Over) -> Answer<'b, bool> {
        Box::pin(self.write_over(plan, state, over))
    }

    fn leave<'b>(&'b self, plan: &'b str) -> Answer<'b, ()> {
        Box::pin(self.leave_plan(plan))
    }

    fn sweep<'b>(&'b self, known: &'b [String]) -> Answer<'b, ()> {
        Box::pin(self.sweep_others(known))
    }
}

fn posted(state: &KeyValue) -> Result<Posted, BoardError> {
    let whole = text(&state.value);
    let (plan, by) = match whole.trim_end().rsplit_once('\n') {
        Some((plan, last)) if last.starts_with(BY) => (plan, &last[BY.len()..]),
        _ => (&*whole, ""),
    };
    let unreadable = |error| BoardError { reason: format!("the value of {} in etcd: {error}", text(&state.key)) };
    let plan = plan.parse().map_err(unreadable)?;
    Ok(Posted { state: plan, version: number(state.mod_revision), by: by.to_owned() })
}

/// What cannot be read counts nothing, and is removed with the rest.
fn piece(pair: &KeyValue) -> Piece {
    Piece { id: text(&pair.key), told: text(&pair.value).parse().unwrap_or_default() }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Revisions are positive.
fn number(revision: i64) -> u64 {
    revision.cast_unsigned()
}

fn put(key: Vec<u8>, value: String, lease: i64) -> RequestOp {
    Op::Put(PutRequest { key, value: value.into_bytes(), lease }).into()
}

fn delete(key: Vec<u8>) -> RequestOp {
    Op::Delete(DeleteRangeRequest { key }).into()
}

/// One key; all that begin with it if it ends in `/`.
fn range(key: Vec<u8>, limit: i64) -> RequestOp {
    Op::Range(RangeRequest { range_end: behind(&key), key, limit, ..RangeRequest::default() }).into()
}
