"""report.html: the cards' figures as plots, one self-contained page."""
from html import escape

import numpy as np

import svg
from card import TITLES, SPECIFICATIONS
from data import HORIZONS
from evidence import detectable, say_p, sign_flip_p, spread_days
from families import FAMILIES, NEURAL, TWINS

STYLE = """
:root { --ink:#1c2733; --soft:#66727f; --page:#fbfcfd; --card:#ffffff; --rule:#dde3e9; --own:#1f6fb2; --second:#c4762b; --third:#8a939c }
@media (prefers-color-scheme: dark) { :root { --ink:#e6ebf0; --soft:#98a4b0; --page:#12171c; --card:#1a2128; --rule:#313b45; --own:#5aa9e6; --second:#e39a54; --third:#7f8a95 } }
body { margin:0; background:var(--page); color:var(--ink); font:15px/1.55 system-ui, sans-serif }
main { max-width:1100px; margin:0 auto; padding:36px 20px 60px }
h1 { font-size:26px; margin:0 0 4px } h2 { font-size:18px; margin:40px 0 6px } p { max-width:78ch; margin:6px 0 } .soft, figcaption { color:var(--soft) }
.answer { background:var(--card); border:1px solid var(--rule); border-left:4px solid var(--own); border-radius:6px; padding:12px 18px; margin:20px 0 }
figure { margin:10px 0 0; background:var(--card); border:1px solid var(--rule); border-radius:6px; padding:14px; overflow-x:auto }
figure svg { width:100%; min-width:760px; height:auto; display:block } figcaption { margin-top:8px; font-size:13px }
svg text { font:12px system-ui, sans-serif; fill:var(--ink) } svg .tick, svg .soft { fill:var(--soft) } svg .tick { font-size:11px } svg .title { font-weight:600 }
.grid { stroke:var(--rule) } .zero { stroke:var(--soft); stroke-width:1 } circle.own, rect.own { fill:var(--own) } circle.base { fill:var(--third) }
.whisker { stroke-width:2; stroke-linecap:round } .whisker.own { stroke:var(--own); opacity:.45 } .whisker.base { stroke:var(--third); opacity:.6 }
.line { fill:none; stroke-width:1.8 } .s0 { stroke:var(--own) } .s1 { stroke:var(--second) } .s2 { stroke:var(--third) }
.key b { font-weight:600 } .key .s0 { color:var(--own) } .key .s1 { color:var(--second) } .key .s2 { color:var(--third) }
.scroll { overflow-x:auto } table { border-collapse:collapse; font-size:13px; margin:10px 0; min-width:640px } th, td { padding:4px 10px; border-bottom:1px solid var(--rule); text-align:right; white-space:nowrap }
th:first-child, td:first-child { text-align:left } th { color:var(--soft); font-weight:600 }
"""


def page(data, plan, oof, evidence, about, files, costs, week) -> str:
    quick = "<p><b>A quick run: few days and rows. Nothing here is evidence.</b></p>" if plan.quick else ""
    body = [f"<h1>Model zoo {escape(about['zoo'])}</h1>",
            f'<p class="soft">{len(FAMILIES)} families × {len(HORIZONS)} horizons and {len(evidence.barriers)} barrier models. Trained on '
            f"{about['training']['days']} days to {about['training']['last_day']}, scored on {len(oof.days)} days out of fold. Details: CARDS.md and cards/.</p>", quick,
            _answer(oof, evidence, costs), _families(evidence), _twins(evidence), _over_time(oof, evidence), _without(evidence),
            _seeds(evidence), _barriers(evidence), _costs(costs, files), _week(week)]
    return (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Model zoo {escape(about["zoo"])}</title>'
            f"<style>{STYLE}</style></head><body><main>{''.join(body)}</main></body></html>\n")


def _section(title, text, figure, caption=""):
    return f"<h2>{title}</h2><p>{text}</p><figure>{figure}{f'<figcaption>{caption}</figcaption>' if caption else ''}</figure>"


def _mean_and_spread(daily):
    return np.nanmean(daily), spread_days(daily)


def _answer(oof, evidence, costs):
    cells, n = evidence.cells, len(evidence.cells)
    shown = sum(c.verdict == "shown" for c in cells)
    helps = sum(c.contribution == "shown" for c in cells)
    mde = np.median([c.mde for c in cells])
    barriers = sum(b.base_log_loss > b.log_loss and b.p_gain < 0.05 for b in evidence.barriers)
    worth = [str(h) for h, v in zip(HORIZONS, evidence.ics["combined"]) if np.nanmean(v) > 0 and sign_flip_p(v) < 0.05]
    return (f'<div class="answer"><p><b>What was shown.</b> Of {n} cells (family × horizon), {shown} have a forecast that is shown to beat zero and the better '
            f"of reversal and ridge; {helps} are shown to beat their own ablated twin. {len(oof.days)} days can show a mean IC of about {mde:.3f} in the median cell: "
            f"absence of proof is not proof of absence. The combined score differs from zero (p &lt; .05, not corrected) at {', '.join(worth) + ' minutes' if worth else 'no horizon'}. "
            f"{barriers} of {len(evidence.barriers)} barrier models beat the volatility-only table (p &lt; .05). "
            f"The p values aren't corrected for the {len(SPECIFICATIONS)} specifications looked at.</p></div>")


def _families(evidence):
    names = [TITLES[f] for f in FAMILIES] + ["combined", "ridge", "reversal"]
    keys = [*FAMILIES, "combined", "ridge", "reversal"]
    panels = [(f"{h} min", [_mean_and_spread(evidence.ics[n][k]) for n in keys]) for k, h in enumerate(HORIZONS)]
    return _section("Rank IC out of fold", "Rank correlation across names per minute, averaged per day. Whiskers: 95 % interval over days.",
                    svg.intervals(names, panels, "Rank IC of each family by horizon", ("combined", "ridge", "reversal")), "Grey: the zoo's mean and the two baselines.")


def _twins(evidence):
    names = [TITLES[f] for f in FAMILIES]
    panels = []
    for k, h in enumerate(HORIZONS):
        gains = [evidence.ics[f][k] - evidence.ics[TWINS[f][0]][k] for f in FAMILIES]
        panels.append((f"{h} min", [*map(_mean_and_spread, gains)]))
    twins = "; ".join(f"{TITLES[f]}: {TWINS[f][1]}" for f in FAMILIES)
    return _section("Each family against its twin", "Paired daily gain in IC over the same model without its idea. Right of zero: the idea helps.",
                    svg.intervals(names, panels, "Gain over the ablated twin by horizon"), f"Twins. {escape(twins)}.")


def _over_time(oof, evidence):
    keys = {"combined": "combined", "ensemble": "ensemble", "reversal": "reversal"}
    panels = [(f"{h} min", {n: np.nancumsum(evidence.ics[key][k]) for n, key in keys.items()}) for k, h in enumerate(HORIZONS)]
    key = " · ".join(f'<b class="s{i}">{n}</b>' for i, n in enumerate(keys))
    return _section("Over the days", "Sum of daily IC over the out-of-fold days, in order.",
                    svg.lines(panels, "Cumulative daily IC", (oof.days[0].date, oof.days[-1].date)), f'<span class="key">{key}</span>. The days come in separate runs; the holes are not drawn.')


def _without(evidence):
    names = [TITLES[f] for f in FAMILIES]
    by = {(c.family, c.horizon): c for c in evidence.cells}
    panels = [(f"{h} min", [(by[f, h].loss_without, 0.0) for f in FAMILIES]) for h in HORIZONS]
    return _section("Leave one out", "Daily IC that the combined score loses when the family is taken out. Right of zero: the family helps.",
                    svg.intervals(names, panels, "Leave-one-out loss by horizon"))


def _table(head, rows):
    cells = lambda row, tag: "".join(f"<{tag}>{c}</{tag}>" for c in row)
    body = "".join(f"<tr>{cells(r, 'td')}</tr>" for r in rows)
    return f'<div class="scroll"><table><tr>{cells(head, "th")}</tr>{body}</table></div>'


def _seeds(evidence):
    rows = []
    for f in FAMILIES:
        values = [c.seeds for c in evidence.cells if c.family == f]
        if np.isfinite(values).any():
            rows.append([TITLES[f] + (" (net)" if f in NEURAL else ""), *(f"{v:.4f}" for v in values)])
    if not rows:
        return ""
    return ("<h2>Spread between seeds</h2><p>Standard deviation of the mean IC between three seeds, on the last two folds only. A gain smaller than this is luck of the draw.</p>"
            + _table(["family", *(f"{h} min" for h in HORIZONS)], rows))


def _barriers(evidence):
    panels = [(b.name, [(p, r) for p, r, _ in b.reliability]) for b in evidence.barriers]
    rows = [[b.name, f"{b.rate:.3f}", f"{b.base_log_loss - b.log_loss:+.5f}", escape(say_p(b.p_gain)), f"{b.auc:.3f}", f"{b.base_auc:.3f}",
             *(f"{100 * s:.1f} % → {r:.3f} / {base:.3f}" for s, r, base in b.gates.values())] for b in evidence.barriers]
    gates = list(evidence.barriers[0].gates)
    return (_section("Barrier models", "Forecast probability against event rate, tenths of the out-of-fold rows. On the diagonal = calibrated.", svg.reliability(panels, "Reliability of the barrier models"))
            + "<p>Gates are lifts over the rate that volatility and time of day alone give. Per gate: share of rows on which it fires → event rate there / volatility-only rate there.</p>"
            + _table(["event", "rate", "gain, nats", "p", "AUC", "AUC, volatility only", *gates], rows))


def _costs(costs, files):
    items = sorted(((TITLES.get(n, n), v) for n, v in costs.by_family.items()), key=lambda x: -x[1])
    return _section("Cost of inference", f"Microseconds a row, all horizons of a family, ONNX Runtime on one thread, 200 rows a pass: {costs.total:.1f} in all, {len(files)} files.",
                    svg.bars(items, "µs", "Cost per row by family"))


def _week(week):
    if week is None:
        return "<h2>Test week</h2><p>Not opened for this zoo.</p>"
    names = list(week["daily_ic"])
    panels = [(f"{h} min", [_mean_and_spread(week["daily_ic"][n][str(h)]) for n in names]) for h in HORIZONS]
    mde = np.median([detectable(week["daily_ic"][f][str(h)]) for f in FAMILIES for h in HORIZONS])
    return _section("Test week", f"{week['days'][0]} to {week['days'][-1]}, opened once for this zoo. Five days can show an IC of about {mde:.3f} at best.",
                    svg.intervals([TITLES.get(n, n) for n in names], panels, "Rank IC in the test week", ("combined", "reversal")))
