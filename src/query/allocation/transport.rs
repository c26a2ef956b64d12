//! The transport problem: amounts that are needed at several places come from sites of limited capacity, at the least
//! total cost. As much as possible is served; among plans that serve the same, the cheapest wins.
//!
//! Linear programs are solved by `microlp`. Only the cheapest arcs of each demand enter the first program; the residual
//! graph of its solution then shows which other arcs could improve it, until none can, so that the plan is optimal over
//! all arcs.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use microlp::{ComparisonOp, LinearExpr, OptimizationDirection, Problem, SolutionStatus, SolveOptions, Variable};

use crate::query::cancel::{CancelToken, Cancelled};

/// Arcs of each demand in the first program.
const FIRST_ARCS: usize = 20;
/// Arcs of each demand that enter a further program: those that could improve the plan most.
const FURTHER_ARCS: usize = 10;
/// An arc improves a plan if it saves more than this per unit; costs are compared in units of the caller.
const TOLERANCE: f64 = 1e-6;
/// Time for plans that keep demands together; the best plan found so far is used after it.
const SEARCH_TIME: Duration = Duration::from_secs(3);
/// Relative difference to the bound at which the search for such a plan may stop.
const SEARCH_GAP: f64 = 0.001;

/// A possible way from a site to a demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransportArc {
    /// Index of the demand.
    pub demand: usize,
    /// Index of the site.
    pub site: usize,
    /// Cost of one unit, at least 0.
    pub cost: f64,
}

/// A transport problem.
#[derive(Clone, Debug)]
pub struct Transport {
    /// Units needed by each demand.
    pub demands: Vec<u32>,
    /// Units that each site has.
    pub capacities: Vec<u32>,
    /// The possible ways, each pair once.
    pub arcs: Vec<TransportArc>,
    /// Whether each demand is served by one site, or not at all.
    pub together: bool,
}

/// An amount that flows over an arc.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    /// The arc.
    pub arc: TransportArc,
    /// Units, above 0.
    pub amount: u32,
}

/// A plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransportPlan {
    /// The flows, by demand and cost.
    pub flows: Vec<Flow>,
    /// 0 for a plan that is proven optimal; otherwise its cost exceeds the least by at most this fraction.
    pub gap: f64,
}

impl TransportPlan {
    /// Total units served.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.flows.iter().map(|flow| u64::from(flow.amount)).sum()
    }

    /// Total cost of the units served.
    #[must_use]
    pub fn cost(&self) -> f64 {
        self.flows.iter().map(|flow| flow.arc.cost * f64::from(flow.amount)).sum()
    }
}

/// What one more unit of capacity at a site would change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShadowPrice {
    /// Index of the site.
    pub site: usize,
    /// Whether it would serve one more unit.
    pub serves_more: bool,
    /// Cost saved by it; negative if serving one more unit adds cost.
    pub saved: f64,
}

impl Transport {
    /// Serves the demands one after the other, each from its cheapest sites.
    #[must_use]
    pub fn greedy(&self) -> TransportPlan {
        let mut left = self.capacities.clone();
        let mut flows = Vec::new();
        for (demand, arcs) in self.arcs_by_demand().into_iter().enumerate() {
            let mut needed = self.demands[demand];
            for arc in arcs {
                let whole = !self.together || left[arc.site] >= needed;
                let amount = if whole { needed.min(left[arc.site]) } else { 0 };
                if amount > 0 {
                    left[arc.site] -= amount;
                    needed -= amount;
                    flows.push(Flow { arc, amount });
                }
            }
        }
        TransportPlan { flows, gap: 1.0 }
    }

    /// The plan that serves most at the least total cost.
    ///
    /// # Errors
    /// When it is cancelled.
    pub fn solve(&self, cancel: &CancelToken) -> Result<TransportPlan, Cancelled> {
        if self.together {
            return Ok(self.solve_together());
        }
        // What is not served cheaply by the nearest sites goes where serving one after the other would send it.
        let greedy = self.greedy();
        let greedy: HashSet<(usize, usize)> =
            greedy.flows.iter().map(|flow| (flow.arc.demand, flow.arc.site)).collect();
        let mut used: Vec<TransportArc> = Vec::new();
        let mut rest: Vec<Vec<TransportArc>> = Vec::with_capacity(self.demands.len());
        for arcs in self.arcs_by_demand() {
            let mut others = Vec::new();
            for (rank, arc) in arcs.into_iter().enumerate() {
                let pair = (arc.demand, arc.site);
                let is_first = rank < FIRST_ARCS || greedy.contains(&pair);
                if is_first { used.push(arc) } else { others.push(arc) }
            }
            rest.push(others);
        }
        loop {
            cancel.check()?;
            let plan = self.solve_split(&used);
            let potentials = Residual::of(self, &used, &plan).potentials();
            let reduced =
                |arc: &TransportArc| potentials[arc.demand] + arc.cost - potentials[self.demands.len() + arc.site];
            let before = used.len();
            for arcs in &mut rest {
                arcs.sort_by(|a, b| reduced(a).total_cmp(&reduced(b)));
                let improving = arcs.iter().take(FURTHER_ARCS).filter(|arc| reduced(arc) < -TOLERANCE).count();
                used.extend(arcs.drain(..improving));
            }
            if used.len() == before {
                return Ok(plan);
            }
        }
    }

    /// What one more unit at each exhausted site would change, the greatest effect first; sites without effect are left
    /// out. Only for plans of [`Self::solve`] that may split demands.
    #[must_use]
    pub fn shadow_prices(&self, plan: &TransportPlan) -> Vec<ShadowPrice> {
        let residual = Residual::of(self, &self.arcs, plan);
        let (from_sink, _) = residual.distances(residual.sink());
        let price = |site: usize| {
            let saved = -from_sink[self.demands.len() + site];
            let serves_more = saved > self.penalty() / 2.0;
            let saved = if serves_more { saved - self.penalty() } else { saved };
            (serves_more || saved > TOLERANCE).then_some(ShadowPrice { site, serves_more, saved })
        };
        let mut prices: Vec<ShadowPrice> = (0..self.capacities.len()).filter_map(price).collect();
        prices.sort_by(|a, b| b.serves_more.cmp(&a.serves_more).then_with(|| b.saved.total_cmp(&a.saved)));
        prices
    }

    /// The best plan if a site had more units, from the best plan without them: each further unit goes where it saves
    /// most, along a path of the residual graph. Only for plans that may split demands.
    ///
    /// # Errors
    /// When it is cancelled.
    pub fn with_more(
        &self,
        plan: &TransportPlan,
        site: usize,
        units: u32,
        cancel: &CancelToken,
    ) -> Result<TransportPlan, Cancelled> {
        let (sites, mut left) = (self.demands.len(), units);
        let mut plan = plan.clone();
        // Units that the site has left without more would be used already if they saved anything.
        while left > 0 {
            cancel.check()?;
            let residual = Residual::of(self, &self.arcs, &plan);
            let (costs, before) = residual.distances(residual.sink());
            if costs[sites + site] >= -TOLERANCE {
                break;
            }
            let path = residual.path(&before, sites + site);
            let amount = path.windows(2).map(|step| self.movable(&plan, step[0], step[1])).fold(left, u32::min);
            if path.first() != Some(&residual.sink()) || amount == 0 {
                break;
            }
            self.move_along(&mut plan, &path, amount);
            left -= amount;
        }
        plan.flows.sort_by(|a, b| a.arc.demand.cmp(&b.arc.demand).then_with(|| a.arc.cost.total_cmp(&b.arc.cost)));
        Ok(plan)
    }

    /// Units that can move over an edge of the residual graph.
    fn movable(&self, plan: &TransportPlan, from: usize, to: usize) -> u32 {
        let demands = self.demands.len();
        let (unserved, sink) = (demands + self.capacities.len(), demands + self.capacities.len() + 1);
        let sum = |is_own: &dyn Fn(&Flow) -> bool| -> u32 {
            plan.flows.iter().filter(|flow| is_own(flow)).map(|flow| flow.amount).sum()
        };
        match (from, to) {
            (from, to) if from == unserved && to < demands => self.demands[to] - sum(&|flow| flow.arc.demand == to),
            (from, to) if from == sink && to == unserved => u32::MAX,
            (from, to) if from == sink => sum(&|flow| demands + flow.arc.site == to),
            (from, to) if (demands..unserved).contains(&from) && to < demands => {
                sum(&|flow| flow.arc.demand == to && demands + flow.arc.site == from)
            }
            _ => u32::MAX,
        }
    }

    /// Moves units along a path of the residual graph: an edge to a site serves more there, one from a site less.
    fn move_along(&self, plan: &mut TransportPlan, path: &[usize], amount: u32) {
        let demands = self.demands.len();
        let sites = demands..demands + self.capacities.len();
        for step in path.windows(2) {
            let (demand, site, adds) = match (step[0], step[1]) {
                (demand, site) if demand < demands && sites.contains(&site) => (demand, site - demands, true),
                (site, demand) if demand < demands && sites.contains(&site) => (demand, site - demands, false),
                _ => continue,
            };
            let is_own = |arc: &TransportArc| arc.demand == demand && arc.site == site;
            match plan.flows.iter_mut().find(|flow| is_own(&flow.arc)) {
                Some(flow) if adds => flow.amount += amount,
                Some(flow) => flow.amount -= amount,
                None => {
                    plan.flows.extend(self.arcs.iter().find(|arc| is_own(arc)).map(|arc| Flow { arc: *arc, amount }));
                }
            }
        }
        plan.flows.retain(|flow| flow.amount > 0);
    }

    /// The arcs of each demand, cheapest first.
    fn arcs_by_demand(&self) -> Vec<Vec<TransportArc>> {
        let mut by_demand = vec![Vec::new(); self.demands.len()];
        for arc in &self.arcs {
            by_demand[arc.demand].push(*arc);
        }
        for arcs in &mut by_demand {
            arcs.sort_by(|a, b| a.cost.total_cmp(&b.cost).then_with(|| a.site.cmp(&b.site)));
        }
        by_demand
    }

    /// Cost of a unit that is not served: more than any rearrangement of the others can cost.
    fn penalty(&self) -> f64 {
        let longest = self.arcs.iter().map(|arc| arc.cost).fold(0.0, f64::max);
        let steps = self.demands.len().min(self.capacities.len()) + 1;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let penalty = (longest + 1.0) * steps as f64;
        penalty
    }

    /// The best plan over some arcs. The vertices of this polytope are integral, so rounding only removes the noise of
    /// the solver.
    fn solve_split(&self, arcs: &[TransportArc]) -> TransportPlan {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let variables: Vec<Variable> =
            arcs.iter().map(|arc| problem.add_var(arc.cost, (0.0, f64::from(self.demands[arc.demand])))).collect();
        let mut of_demand: Vec<LinearExpr> = vec![LinearExpr::empty(); self.demands.len()];
        let mut of_site: Vec<LinearExpr> = vec![LinearExpr::empty(); self.capacities.len()];
        for (arc, variable) in arcs.iter().zip(&variables) {
            of_demand[arc.demand].add(*variable, 1.0);
            of_site[arc.site].add(*variable, 1.0);
        }
        let penalty = self.penalty();
        for (mut sum, needed) in of_demand.into_iter().zip(&self.demands) {
            sum.add(problem.add_var(penalty, (0.0, f64::from(*needed))), 1.0);
            problem.add_constraint(sum, ComparisonOp::Eq, f64::from(*needed));
        }
        for (sum, capacity) in of_site.into_iter().zip(&self.capacities) {
            problem.add_constraint(sum, ComparisonOp::Le, f64::from(*capacity));
        }
        let solution = problem.solve().ok().and_then(|outcome| outcome.into_solution().ok());
        let Some(solution) = solution else { return self.greedy() };
        let flows = arcs.iter().zip(&variables).map(|(arc, variable)| (*arc, solution.var_value(*variable)));
        TransportPlan { flows: flows_of(flows), gap: 0.0 }
    }

    /// The best plan that serves each demand from one site. Two integer programs, bounded in time: the first serves as
    /// much as possible, the second finds the cheapest plan that serves as much.
    fn solve_together(&self) -> TransportPlan {
        let greedy = self.greedy();
        let fits = |arc: &&TransportArc| self.demands[arc.demand] <= self.capacities[arc.site];
        let arcs: Vec<TransportArc> = self.arcs.iter().filter(fits).copied().collect();
        let units = |arc: &TransportArc| f64::from(self.demands[arc.demand]);
        let start: Vec<bool> = arcs.iter().map(|arc| greedy.flows.iter().any(|flow| flow.arc == *arc)).collect();
        let Some((most, most_gap)) = self.choose(&arcs, |arc| -units(arc), 0.0, &start) else { return greedy };
        let served = arcs.iter().zip(&most).filter(|(_, chosen)| **chosen).map(|(arc, _)| units(arc)).sum();
        let cheapest = self.choose(&arcs, |arc| arc.cost * units(arc), served, &most);
        let (chosen, gap) = cheapest.map_or((most, 1.0), |(chosen, gap)| (chosen, gap.max(most_gap)));
        let flows = arcs.iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(arc, _)| (*arc, units(arc)));
        TransportPlan { flows: flows_of(flows), gap }
    }

    /// Chooses arcs of least total weight that serve at least so many units, each demand by at most one arc; with the
    /// relative gap to the bound. `None` if the solver finds nothing.
    fn choose(
        &self,
        arcs: &[TransportArc],
        weight: impl Fn(&TransportArc) -> f64,
        served: f64,
        start: &[bool],
    ) -> Option<(Vec<bool>, f64)> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let variables: Vec<Variable> = arcs.iter().map(|arc| problem.add_binary_var(weight(arc))).collect();
        let mut of_demand: Vec<LinearExpr> = vec![LinearExpr::empty(); self.demands.len()];
        let mut of_site: Vec<LinearExpr> = vec![LinearExpr::empty(); self.capacities.len()];
        let mut total = LinearExpr::empty();
        for (arc, variable) in arcs.iter().zip(&variables) {
            let units = f64::from(self.demands[arc.demand]);
            of_demand[arc.demand].add(*variable, 1.0);
            of_site[arc.site].add(*variable, units);
            total.add(*variable, units);
        }
        for sum in of_demand {
            problem.add_constraint(sum, ComparisonOp::Le, 1.0);
        }
        for (sum, capacity) in of_site.into_iter().zip(&self.capacities) {
            problem.add_constraint(sum, ComparisonOp::Le, f64::from(*capacity));
        }
        problem.add_constraint(total, ComparisonOp::Ge, served);
        let mut options = SolveOptions::default();
        options.time_limit = Some(SEARCH_TIME);
        options.mip_gap = SEARCH_GAP;
        options.warm_start =
            Some(variables.iter().zip(start).map(|(variable, on)| (*variable, f64::from(u8::from(*on)))).collect());
        let solution = problem.solve_with(options).ok()?.into_solution().ok()?;
        let chosen = variables.iter().map(|variable| solution.var_value(*variable) > 0.5).collect();
        let gap = if solution.status() == SolutionStatus::Optimal { 0.0 } else { solution.gap().unwrap_or(1.0) };
        Some((chosen, gap))
    }
}

/// Flows above zero, by demand and cost.
fn flows_of(amounts: impl Iterator<Item = (TransportArc, f64)>) -> Vec<Flow> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to the demand, which is a u32")]
    let flow = |(arc, amount): (TransportArc, f64)| Flow { arc, amount: amount.round().max(0.0) as u32 };
    let mut flows: Vec<Flow> = amounts.map(flow).filter(|flow| flow.amount > 0).collect();
    flows.sort_by(|a, b| a.arc.demand.cmp(&b.arc.demand).then_with(|| a.arc.cost.total_cmp(&b.arc.cost)));
    flows
}

/// The residual graph of a plan: demands, sites, then the node of unserved units and the sink.
struct Residual {
    nodes: usize,
    /// By node: successors and costs.
    edges: Vec<Vec<(usize, f64)>>,
}

impl Residual {
    /// The graph of the plan that is optimal over some arcs, so that it has no negative cycle.
    fn of(transport: &Transport, arcs: &[TransportArc], plan: &TransportPlan) -> Self {
        let (demands, sites) = (transport.demands.len(), transport.capacities.len());
        let (unserved, sink) = (demands + sites, demands + sites + 1);
        let mut edges = vec![Vec::new(); demands + sites + 2];
        for arc in arcs {
            edges[arc.demand].push((demands + arc.site, arc.cost));
        }
        let (mut served, mut used) = (vec![0_u32; demands], vec![0_u32; sites]);
        for Flow { arc, amount } in &plan.flows {
            edges[demands + arc.site].push((arc.demand, -arc.cost));
            served[arc.demand] += amount;
            used[arc.site] += amount;
        }
        let penalty = transport.penalty();
        for (demand, served) in served.iter().enumerate() {
            edges[demand].push((unserved, penalty));
            if *served < transport.demands[demand] {
                edges[unserved].push((demand, -penalty));
            }
        }
        for (site, used) in used.iter().enumerate() {
            if *used < transport.capacities[site] {
                edges[demands + site].push((sink, 0.0));
            }
            if *used > 0 {
                edges[sink].push((demands + site, 0.0));
            }
        }
        edges[unserved].push((sink, 0.0));
        if served.iter().zip(&transport.demands).any(|(served, needed)| served < needed) {
            edges[sink].push((unserved, 0.0));
        }
        Self { nodes: demands + sites + 2, edges }
    }

    fn sink(&self) -> usize {
        self.nodes - 1
    }

    /// Potentials with which no edge has a negative reduced cost.
    fn potentials(&self) -> Vec<f64> {
        self.shortest((0..self.nodes).collect(), vec![0.0; self.nodes]).0
    }

    /// The nodes of the cheapest path to a node, by the node before each.
    fn path(&self, before: &[Option<usize>], to: usize) -> Vec<usize> {
        let steps = std::iter::successors(Some(to), |node| before[*node]).take(self.nodes);
        let mut path: Vec<usize> = steps.collect();
        path.reverse();
        path
    }

    /// Least costs of paths from a node, infinite for nodes that it does not reach, and the node before each.
    fn distances(&self, from: usize) -> (Vec<f64>, Vec<Option<usize>>) {
        let mut costs = vec![f64::INFINITY; self.nodes];
        costs[from] = 0.0;
        self.shortest(VecDeque::from([from]), costs)
    }

    /// Bellman and Ford's algorithm with a queue. The rounds are bounded, so that rounding errors of a solver cannot
    /// make it run for ever.
    fn shortest(&self, mut queue: VecDeque<usize>, mut costs: Vec<f64>) -> (Vec<f64>, Vec<Option<usize>>) {
        let mut before = vec![None; self.nodes];
        let mut waiting = vec![false; self.nodes];
        for node in &queue {
            waiting[*node] = true;
        }
        let mut steps = self.nodes.saturating_mul(self.nodes);
        while let Some(node) = queue.pop_front().filter(|_| steps > 0) {
            steps -= 1;
            waiting[node] = false;
            for (to, cost) in &self.edges[node] {
                let through = costs[node] + cost;
                if through < costs[*to] - TOLERANCE / 1e3 {
                    costs[*to] = through;
                    before[*to] = Some(node);
                    if !std::mem::replace(&mut waiting[*to], true) {
                        queue.push_back(*to);
                    }
                }
            }
        }
        (costs, before)
    }
}
