//! `latency.html`: the percentile curves of a session in one self-contained page (inline SVG, no script, no link).
//!
//! Axes as HdrHistogram's plotter draws them: across, 1/(1 − percentile) on a log scale, so that each nine takes
//! the same room; up, latency on a log scale.

use std::fmt::Write as _;

use super::latency::{Hop, LatencyRecorder};
use super::summary::Summary;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 520.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 40.0;
/// Nines across: 50 % would be 0.3, 99.999 % is 5.
const NINES: f64 = 5.0;
/// Decades up: 10⁰ ns to 10¹¹ ns.
const DECADES: f64 = 11.0;
/// One colour per hop, told apart by colour-blind readers as far as eleven can be.
const COLOURS: [&str; Hop::COUNT] = [
    "#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377", "#333333", "#999933", "#882255", "#44aa99",
    "#dd7788",
];

/// The page.
pub(super) fn html(summary: &Summary, latency: &LatencyRecorder) -> String {
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Latency by percentile\">\n");
    grid(&mut svg);
    let drawn = Hop::ALL.into_iter().filter(|&hop| latency.count(hop) > 0);
    for (place, hop) in drawn.enumerate() {
        curve(&mut svg, latency, hop, place);
    }
    svg.push_str("</svg>\n");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Latency</title>\n\
         <style>body{{font:14px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}}\
         svg{{width:100%}}text{{font:11px system-ui,sans-serif;fill:#444}}pre{{white-space:pre-wrap}}</style>\n\
         <h1>Latency by percentile</h1>\n<p>Wall time, {} at speed {}x.</p>\n{svg}<pre>{}</pre>\n</html>\n",
        escaped(&summary.source),
        summary.speed,
        escaped(&summary.table()),
    )
}

/// Across, from a quantile: log10 of 1/(1 − quantile), cut at [`NINES`].
fn x_of(quantile: f64) -> f64 {
    let nines = -libm::log10((1.0 - quantile).max(1e-12));
    LEFT + (WIDTH - LEFT - RIGHT) * (nines.clamp(0.0, NINES) / NINES)
}

/// Up, from nanoseconds.
fn y_of(ns: f64) -> f64 {
    HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (libm::log10(ns.max(1.0)).clamp(0.0, DECADES) / DECADES)
}

fn grid(svg: &mut String) {
    let ticks = [(0.0, "0"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")];
    for (quantile, label) in ticks {
        let (x, bottom) = (x_of(quantile), HEIGHT - BOTTOM);
        let _ = writeln!(svg, "<path d=\"M{x:.1} {TOP}V{bottom}\" stroke=\"#ddd\"/>");
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>", bottom + 18.0);
    }
    let labels =
        ["1 ns", "10 ns", "100 ns", "1 µs", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s"];
    let mut ns = 1.0;
    for label in labels {
        let (y, right) = (y_of(ns), WIDTH - RIGHT);
        let _ = writeln!(svg, "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/>");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", LEFT - 8.0, y + 4.0);
        ns *= 10.0;
    }
}

fn curve(svg: &mut String, latency: &LatencyRecorder, hop: Hop, place: usize) {
    let colour = COLOURS[hop as usize];
    let points = latency.percentiles(hop);
    let mut path = String::new();
    for (i, (quantile, ns, _)) in points.into_iter().enumerate() {
        let command = if i == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{command}{:.1} {:.1}", x_of(quantile), y_of(ns as f64));
    }
    let _ = writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>");
    let (x, y) = (WIDTH - RIGHT + 16.0, TOP + 14.0 + 20.0 * place as f64);
    let _ = writeln!(svg, "<path d=\"M{x} {:.1}h22\" stroke=\"{colour}\" stroke-width=\"3\"/>", y - 4.0);
    let _ = writeln!(svg, "<text x=\"{}\" y=\"{y}\">{}</text>", x + 30.0, hop.name());
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
