"""The page's style sheet: light, one column, legible on a telephone and on paper."""

STYLE = """
:root { color-scheme: light; --ink: #1f2933; --muted: #52606d; --line: #d9dee4;
  --soft: #f5f7fa; --good: #00694b; --bad: #a63603; --accent: #0072b2; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 1rem; max-width: 66rem; background: #fff; color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
h1 { margin: .5rem 0 0; font-size: 1.7rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 0 0 .6rem; font-size: 1.25rem; line-height: 1.3; }
header p { margin: 0; color: var(--muted); }
a { color: var(--accent); }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .8rem 0 1.2rem; padding: .5rem 0;
  border-block: 1px solid var(--line); font-size: .9rem; }
section { margin: 0 0 2.2rem; }
section > p, .note, dd, dt, li { max-width: 46rem; }
p { margin: 0 0 .7rem; }
.note, figcaption { color: var(--muted); font-size: .86rem; }
.pass { color: var(--good); font-weight: 600; }
.fail { color: var(--bad); font-weight: 600; }
.open { font-weight: 600; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 20rem)); gap: .7rem;
  margin: 0 0 1rem; }
.tiles > div { padding: .7rem .9rem; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--soft); }
.tiles dt { color: var(--muted); font-size: .86rem; overflow-wrap: anywhere; }
.tiles dd { margin: 0; font-size: 1.6rem; font-weight: 650; line-height: 1.25; }
.tiles dd.small { font-size: .86rem; font-weight: 400; line-height: 1.4; }
.pictures { display: flex; flex-wrap: wrap; gap: 0 1.5rem; align-items: flex-start; }
.pictures > * { flex: 1 1 20rem; min-width: 0; max-width: 30rem; }
.pictures > .wide { flex-basis: 100%; max-width: none; }
figure { margin: 0 0 1rem; }
figcaption { max-width: 44rem; }
.spectrogram { display: block; width: 100%; height: 8rem; image-rendering: pixelated; }
audio { display: block; width: 100%; margin: .3rem 0; }
svg { display: block; width: 100%; height: auto; }
.table { overflow-x: auto; margin: 0 0 .8rem; max-width: 100%; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
caption { padding: .2rem 0; font-weight: 600; text-align: left; }
th, td { padding: .28rem .8rem .28rem 0; border-bottom: 1px solid var(--line);
  text-align: right; vertical-align: top; white-space: nowrap; }
th { font-weight: 600; }
tbody th { font-weight: 400; }
th.text, td.text { text-align: left; }
th.long, td.long { min-width: 14rem; max-width: 34rem; white-space: normal;
  overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; white-space: normal; }
tr.group th { padding-top: .6rem; text-align: left; font-weight: 600; }
tr.marked > * { background: #fff4d6; font-weight: 600; }
.selection dt { font-weight: 600; }
.selection dd { margin: 0 0 .5rem; }
summary { margin: .4rem 0; color: var(--accent); cursor: pointer; }
pre { overflow-x: auto; padding: .8rem; background: var(--soft); font-size: .82rem; }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  figure, .tiles > div, tr { break-inside: avoid; }
  h2, caption { break-after: avoid; }
  .table { overflow: visible; }
  th, td { white-space: normal; }
  details::details-content { content-visibility: visible; display: block; }
  pre { white-space: pre-wrap; }
}
"""
