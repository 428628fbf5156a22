//! HorizonArbiter, first form: among the horizons with an edge left after cost, the one with the best edge per
//! unit of its own risk wins; 70 % winner and 30 % adjacent horizon of the same sign make the blended edge.
//! Ties go to the shorter horizon.

use super::zoo_balancer::Forecast;
use crate::domain::Horizon;

/// One horizon's edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// The forecast it comes from.
    pub forecast: Forecast,
    /// Signed edge after cost, bps (gross edge where the cost gate is off).
    pub net_bps: f64,
}

/// The winner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The winning horizon.
    pub horizon: Horizon,
    /// Blended signed edge, bps.
    pub net_bps: f64,
    /// |edge| per σ of the winning horizon: what names are ranked by.
    pub quality: f64,
}

/// Picks the best horizon that ends before `minutes_left`.
pub fn choose(edges: &[Option<Edge>; Horizon::COUNT], minutes_left: i64, adjacent_weight: f64) -> Option<Choice> {
    let mut best: Option<(usize, f64)> = None;
    for (i, edge) in edges.iter().enumerate() {
        let Some(edge) = edge else { continue };
        let quality = libm::fabs(edge.net_bps) / f64::from(edge.forecast.sigma_bps);
        if Horizon::ALL[i].minutes() <= minutes_left && quality > 0.0 && best.is_none_or(|(_, q)| quality > q) {
            best = Some((i, quality));
        }
    }
    let (i, quality) = best?;
    let winner = edges[i]?.net_bps;
    let neighbours = [i.checked_sub(1), Some(i + 1)];
    let adjacent = neighbours
        .into_iter()
        .flatten()
        .filter_map(|j| edges.get(j).copied().flatten())
        .map(|e| e.net_bps)
        .filter(|net| net * winner > 0.0)
        .max_by(|a, b| libm::fabs(*a).total_cmp(&libm::fabs(*b)));
    let net_bps = adjacent.map_or(winner, |a| (1.0 - adjacent_weight) * winner + adjacent_weight * a);
    Some(Choice { horizon: Horizon::ALL[i], net_bps, quality })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(net_bps: f64, sigma_bps: f32) -> Option<Edge> {
        let forecast = Forecast { score: 1.0, alpha_bps: 1.0, sigma_bps };
        Some(Edge { forecast, net_bps })
    }

    #[test]
    fn the_best_edge_per_risk_wins_and_its_neighbour_is_blended_in() {
        let edges = [edge(2.0, 10.0), edge(4.0, 14.0), edge(3.0, 17.0), None, edge(-9.0, 35.0)];
        let choice = choose(&edges, 60, 0.3).unwrap();
        assert_eq!(choice.horizon, Horizon::M10);
        assert!((choice.net_bps - (0.7 * 4.0 + 0.3 * 3.0)).abs() < 1e-9);
        let short = choose(&edges, 5, 0.3).unwrap();
        assert_eq!(short.horizon, Horizon::M5, "horizons beyond the flat time are masked");
        assert_eq!(choose(&edges, 4, 0.3), None);
    }

    #[test]
    fn an_opposite_neighbour_is_left_out_and_no_edge_means_no_choice() {
        let edges = [edge(-2.0, 10.0), edge(4.0, 10.0), None, None, None];
        assert!((choose(&edges, 60, 0.3).unwrap().net_bps - 4.0).abs() < 1e-9);
        assert_eq!(choose(&[edge(0.0, 10.0), None, None, None, None], 60, 0.3), None);
    }
}
