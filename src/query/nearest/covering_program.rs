//! The best covering set among candidates, as an integer program solved by `microlp`.

use std::time::Duration;

use microlp::{ComparisonOp, LinearExpr, OptimizationDirection, Problem, SolutionStatus, SolveOptions, Variable};

/// Which covering set is the best.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    /// The farthest member is as near as possible.
    #[default]
    Nearest,
    /// The number of members is least, then their total distance.
    Fewest,
    /// The total distance of the members is least.
    Balanced,
}

/// Options of a covering set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoverOptions {
    /// Which set is the best.
    pub prefer: Prefer,
    /// Maximum number of members. If they cannot cover the demand, the set covers most of it.
    pub max_members: Option<usize>,
}

/// Time of one program; the best set found so far is used after it.
const SEARCH_TIME: Duration = Duration::from_millis(1_500);
/// With `balanced`, a further member costs as much as this distance, so that of two equal sets the smaller wins.
const MEMBER_KM: f64 = 0.1;

/// A resource that contributes to the demand.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Its distance, kilometres.
    pub(super) distance_km: f64,
    /// What it has of each requirement.
    pub(super) gives: Vec<f64>,
}

/// A chosen set.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ChosenSet {
    /// Indices of the candidates, ascending.
    pub(super) members: Vec<usize>,
    /// 0 if the set is proven to be the best; otherwise a bound of its relative distance to the best.
    pub(super) gap: f64,
}

/// A program: candidates, nearest first, and how much is needed of each requirement.
#[derive(Clone, Copy)]
pub(super) struct CoveringProgram<'a> {
    pub(super) needed: &'a [f64],
    pub(super) candidates: &'a [Candidate],
    pub(super) max_members: Option<usize>,
}

impl CoveringProgram<'_> {
    /// The best set. It covers of each requirement as much as all candidates together do, unless the number of members
    /// is limited below what that takes: then it covers most. `None` if the solver fails.
    pub(super) fn choose(&self, prefer: Prefer, start: &[usize]) -> Option<ChosenSet> {
        let total_km: f64 = self.candidates.iter().map(|own| own.distance_km).sum();
        // The distances of a whole set weigh less than one member.
        let fewest = |own: &Candidate| 1.0 + own.distance_km / (total_km + 1.0);
        let found = match prefer {
            Prefer::Fewest => self.cover(fewest, start),
            Prefer::Balanced => self.cover(|own| own.distance_km + MEMBER_KM, start),
            Prefer::Nearest => self.nearest(fewest, start),
        };
        found.or_else(|| self.cover_most(start))
    }

    /// The set whose farthest member is nearest: the shortest prefix of the candidates that covers with few enough
    /// members.
    fn nearest(&self, weight: impl Fn(&Candidate) -> f64 + Copy, start: &[usize]) -> Option<ChosenSet> {
        let reachable = self.reachable();
        let covers = |length: usize| {
            let prefix = CoveringProgram { candidates: &self.candidates[..length], ..*self };
            let inside: Vec<usize> = start.iter().copied().filter(|at| *at < length).collect();
            let is_enough = prefix.reachable().iter().zip(&reachable).all(|(has, all)| *has >= all - 1e-9);
            if is_enough { prefix.cover(weight, &inside) } else { None }
        };
        let (mut low, mut high) = (1, self.candidates.len());
        let mut best = covers(high)?;
        while low < high {
            let middle = usize::midpoint(low, high);
            match covers(middle) {
                Some(found) => (best, high) = (found, middle),
                None => low = middle + 1,
            }
        }
        Some(best)
    }

    /// What all candidates together have of each requirement, at most what is needed.
    fn reachable(&self) -> Vec<f64> {
        let sum = |at: usize| self.candidates.iter().map(|own| own.gives[at]).sum::<f64>();
        self.needed.iter().enumerate().map(|(at, needed)| needed.min(sum(at))).collect()
    }

    /// The set of least weight that covers what can be reached; `None` if the limit of members does not allow it.
    fn cover(&self, weight: impl Fn(&Candidate) -> f64, start: &[usize]) -> Option<ChosenSet> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let variables: Vec<Variable> = self.candidates.iter().map(|own| problem.add_binary_var(weight(own))).collect();
        for (at, reachable) in self.reachable().into_iter().enumerate() {
            problem.add_constraint(self.sum(&variables, at), ComparisonOp::Ge, reachable - 1e-6);
        }
        self.limit(&mut problem, &variables);
        solve(&problem, &variables, start)
    }

    /// The set that covers most, as the mean share of the requirements.
    fn cover_most(&self, start: &[usize]) -> Option<ChosenSet> {
        let total_km: f64 = self.candidates.iter().map(|own| own.distance_km).sum();
        let mut problem = Problem::new(OptimizationDirection::Maximize);
        let near = |own: &Candidate| -1e-4 * own.distance_km / (total_km + 1.0);
        let variables: Vec<Variable> = self.candidates.iter().map(|own| problem.add_binary_var(near(own))).collect();
        for (at, needed) in self.needed.iter().enumerate() {
            let covered = problem.add_var(1.0 / needed, (0.0, *needed));
            let mut surplus = self.sum(&variables, at);
            surplus.add(covered, -1.0);
            problem.add_constraint(surplus, ComparisonOp::Ge, 0.0);
        }
        self.limit(&mut problem, &variables);
        let start = self.max_members.map_or(start, |most| start.get(..most).unwrap_or(start));
        solve(&problem, &variables, start)
    }

    fn sum(&self, variables: &[Variable], at: usize) -> LinearExpr {
        let mut sum = LinearExpr::empty();
        for (own, variable) in self.candidates.iter().zip(variables).filter(|(own, _)| own.gives[at] > 0.0) {
            sum.add(*variable, own.gives[at]);
        }
        sum
    }

    fn limit(&self, problem: &mut Problem, variables: &[Variable]) {
        #[expect(clippy::cast_precision_loss, reason = "at most 100")]
        if let Some(most) = self.max_members {
            let mut count = LinearExpr::empty();
            for variable in variables {
                count.add(*variable, 1.0);
            }
            problem.add_constraint(count, ComparisonOp::Le, most as f64);
        }
    }
}

fn solve(problem: &Problem, variables: &[Variable], start: &[usize]) -> Option<ChosenSet> {
    let mut options = SolveOptions::default();
    options.time_limit = Some(SEARCH_TIME);
    let on = |at: usize| f64::from(u8::from(start.contains(&at)));
    options.warm_start = Some(variables.iter().enumerate().map(|(at, variable)| (*variable, on(at))).collect());
    let solution = problem.solve_with(options).ok()?.into_solution().ok()?;
    let is_chosen = |(_, variable): &(usize, &Variable)| solution.var_value(**variable) > 0.5;
    let members = variables.iter().enumerate().filter(is_chosen).map(|(at, _)| at).collect();
    let gap = if solution.status() == SolutionStatus::Optimal { 0.0 } else { solution.gap().unwrap_or(1.0) };
    Some(ChosenSet { members, gap })
}
