//! A bounded queue that takes the jobs of its callers in turn, so that many jobs of one caller delay the first job of
//! another by at most one.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A queue of jobs `J` of callers `C`.
pub(crate) struct FairQueue<C, J> {
    limit: usize,
    waiting: Mutex<WaitingJobs<C, J>>,
    changed: Condvar,
}

struct WaitingJobs<C, J> {
    /// Callers that have waiting jobs, the next one first, each with its jobs and their tickets in the order of arrival.
    turns: VecDeque<(C, VecDeque<(u64, J)>)>,
    count: usize,
    next_ticket: u64,
    is_closed: bool,
}

impl<C: Clone + PartialEq, J> FairQueue<C, J> {
    /// An empty queue for at most `limit` waiting jobs.
    pub(crate) fn new(limit: usize) -> Self {
        let waiting = WaitingJobs { turns: VecDeque::new(), count: 0, next_ticket: 0, is_closed: false };
        Self { limit, waiting: Mutex::new(waiting), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, WaitingJobs<C, J>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job and returns its ticket; `None` if the queue is full.
    pub(crate) fn push(&self, caller: C, job: J) -> Option<u64> {
        let mut waiting = self.lock();
        if waiting.count >= self.limit {
            return None;
        }
        let ticket = waiting.next_ticket;
        waiting.next_ticket += 1;
        waiting.count += 1;
        match waiting.turns.iter_mut().find(|(own, _)| *own == caller) {
            Some((_, jobs)) => jobs.push_back((ticket, job)),
            None => waiting.turns.push_back((caller, VecDeque::from([(ticket, job)]))),
        }
        self.changed.notify_one();
        Some(ticket)
    }

    /// Waits for a job and takes it, with its caller; `None` once the queue is closed.
    pub(crate) fn take(&self) -> Option<(C, J)> {
        let mut waiting = self.lock();
        loop {
            if waiting.is_closed {
                return None;
            }
            if let Some((caller, mut jobs)) = waiting.turns.pop_front() {
                let taken = jobs.pop_front();
                if !jobs.is_empty() {
                    waiting.turns.push_back((caller.clone(), jobs));
                }
                if let Some((_, job)) = taken {
                    waiting.count -= 1;
                    return Some((caller, job));
                }
            } else {
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Ends the turn of a caller whose job is done: those who came meanwhile are next.
    pub(crate) fn end_turn(&self, caller: &C) {
        let mut waiting = self.lock();
        let at = waiting.turns.iter().position(|(own, _)| own == caller);
        if let Some(turn) = at.and_then(|at| waiting.turns.remove(at)) {
            waiting.turns.push_back(turn);
        }
    }

    /// Removes a job if it still waits. The caller drops it, outside the lock: a job may own what owns the queue.
    pub(crate) fn remove(&self, ticket: u64) -> Option<J> {
        let mut waiting = self.lock();
        let mut places = waiting.turns.iter().enumerate();
        let (turn, at) =
            places.find_map(|(turn, (_, jobs))| Some((turn, jobs.iter().position(|(own, _)| *own == ticket)?)))?;
        let (_, jobs) = waiting.turns.get_mut(turn)?;
        let removed = jobs.remove(at);
        if jobs.is_empty() {
            waiting.turns.remove(turn);
        }
        waiting.count -= 1;
        removed.map(|(_, job)| job)
    }

    /// Ends all that wait for a job.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }
}
