//! Which few of many workloads a buyer looks at first: matrix multiplication in several precisions, then what surrounds it.
//!
//! What surprises people: a workload that sets two devices side by side goes before one on which a single device has both
//! figures, whatever it computes.

use super::{Procurement, Row, Workload};

/// Beginnings of problems with how many precisions of each come first, in this order.
const FIRST: [(&str, usize); 5] = [("gemm", 3), ("gemv", 1), ("attention", 1), ("transformer-layer", 1), ("memory", 1)];

impl Workload {
    /// Rows that have both a rate and an energy.
    pub fn complete(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.rate_per_s.is_some() && row.work_per_j.is_some())
    }
    fn compares(&self) -> bool {
        self.complete().count() > 1
    }
    fn size(&self) -> f64 {
        self.case.work.flop.get().max(self.case.work.bytes.get())
    }
}

impl Procurement {
    /// At most so many workloads with a complete row, what a buyer looks at first: of each problem and precision the largest
    /// shape.
    pub fn principal(&self, most: usize) -> Vec<&Workload> {
        let mut left = largest(self);
        left.sort_by_key(|work| (!work.compares(), place(work)));
        let mut chosen: Vec<&Workload> = Vec::new();
        for (index, (_, count)) in FIRST.iter().enumerate() {
            let own = left.iter().filter(|work| work.compares() && place(work) == index).take(*count);
            chosen.extend(own.copied());
        }
        let rest = left.iter().filter(|work| !chosen.iter().any(|own| std::ptr::eq(*own, **work))).copied();
        let rest: Vec<&Workload> = rest.collect();
        chosen.extend(rest);
        chosen.truncate(most);
        chosen.sort_by_key(|work| (!work.compares(), place(work)));
        chosen
    }
}

fn place(work: &Workload) -> usize {
    // Batched products are not the first thing that somebody who says "gemm" means.
    let named = |(first, _): &(&str, usize)| {
        work.case.problem == *first || (*first != "gemm" && work.case.problem.starts_with(first))
    };
    FIRST.iter().position(named).unwrap_or(FIRST.len())
}

/// Of each problem and precision the largest shape, if possible one that sets devices side by side.
fn largest(found: &Procurement) -> Vec<&Workload> {
    let mut best: Vec<&Workload> = Vec::new();
    for work in found.workloads.iter().filter(|work| work.complete().next().is_some()) {
        let kind = |work: &Workload| (work.case.problem.clone(), work.case.element);
        match best.iter_mut().find(|own| kind(own) == kind(work)) {
            Some(own) if (work.compares(), work.size()) > (own.compares(), own.size()) => *own = work,
            Some(_) => {}
            None => best.push(work),
        }
    }
    best
}
