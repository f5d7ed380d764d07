"""HTML pieces of the report: one style sheet, tables, pictures as data URIs. Everything is escaped here."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { --ink: #1b2430; --soft: #5c6773; --line: #dfe4ea; --panel: #0d1117; --card: #ffffff; --page: #f3f5f8;
        --ok: #1a7f37; --look: #9a6700; --worry: #c1121f; --unknown: #57606a; --caution: #fff3bf; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI",
       Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 0 20px 48px; }
.caution { background: #ffd33d; color: #1b1f24; text-align: center; font-weight: 700; letter-spacing: .04em;
           padding: 9px 16px; font-size: 16px; }
header { padding: 26px 0 10px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -.01em; }
header p { margin: 0; color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 18px 22px;
          margin-top: 18px; }
h2 { font-size: 18px; margin: 0 0 10px; }
h3 { font-size: 15px; margin: 18px 0 6px; }
p { margin: 0 0 10px; }
.note { color: var(--soft); font-size: 13.5px; }
.verdict { border-left: 6px solid var(--unknown); }
.verdict.ok { border-left-color: var(--ok); } .verdict.look { border-left-color: var(--look); }
.verdict.worry { border-left-color: var(--worry); }
.verdict h2 { font-size: 19px; }
ul.flags { list-style: none; padding: 0; margin: 8px 0 0; }
ul.flags li { display: flex; gap: 10px; padding: 6px 0; border-top: 1px solid var(--line); align-items: baseline; }
.badge { display: inline-block; min-width: 58px; text-align: center; border-radius: 20px; padding: 1px 9px;
         font-size: 12px; font-weight: 600; color: #fff; background: var(--unknown); white-space: nowrap; flex: none; }
.badge.ok { background: var(--ok); } .badge.look { background: var(--look); } .badge.worry { background: var(--worry); }
.badge.unknown { background: #fff; color: var(--unknown); box-shadow: inset 0 0 0 1px #b6bec7; }
figure { margin: 0; }
figure.dark { background: var(--panel); border-radius: 8px; padding: 8px; }
figure img { display: block; width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: 13.5px; padding: 8px 2px 0; }
figure.dark figcaption { color: #9aa5b1; padding: 8px 6px 4px; }
.scroll { overflow-x: auto; } section > .scroll table { min-width: 720px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 12.5px; border-bottom: 2px solid var(--line);
     padding: 5px 10px 5px 0; vertical-align: bottom; }
td { border-bottom: 1px solid var(--line); padding: 6px 10px 6px 0; vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.strong { font-weight: 600; }
.swatch { display: inline-block; width: 13px; height: 13px; border-radius: 3px; border: 1px solid rgba(0,0,0,.35);
          vertical-align: -2px; margin-right: 8px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 0; margin: 12px 0 0; list-style: none;
          font-size: 13.5px; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(380px, 1fr)); gap: 6px 28px; }
.columns > * { min-width: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 10px; margin: 4px 0 6px; }
.tile { background: var(--page); border-radius: 8px; padding: 10px 12px; }
.tile b { display: block; font-size: 23px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
details { margin-top: 12px; } summary { cursor: pointer; font-weight: 600; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: 12px/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas,
      monospace; background: var(--page); border-radius: 6px; padding: 12px; }
footer { color: var(--soft); font-size: 13px; padding: 22px 0 0; }
@media (max-width: 520px) { .columns { grid-template-columns: 1fr; } section { padding: 14px; } }
@page { size: A4; margin: 12mm; }
@media print {
  body { background: #fff; font-size: 10.5pt; } main { max-width: none; padding: 0; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  section { border: 0; padding: 0; margin-top: 14px; } section.verdict { border-left: 6px solid; padding-left: 12px; }
  figure, tr, li { break-inside: avoid; } h2, h3 { break-after: avoid; } .scroll { overflow: visible; }
  section > .scroll table { min-width: 0; } table { font-size: 9pt; } .columns { grid-template-columns: 1fr 1fr; }
}
"""

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Html(str):
    """Text that is HTML already; every other string is escaped."""


def text(value: object) -> Html:
    """Escape a value unless it is `Html`.

    Examples
    --------
    >>> text("<b>")
    '&lt;b&gt;'
    """
    return value if isinstance(value, Html) else Html(escape(str(value)))


def document(title: str, caution: str, body: Iterable[str]) -> str:
    """A whole page. The content policy forbids it to load anything, so a viewer stays offline."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<div class="caution" role="alert">{text(caution)}</div>\n<main>\n'
        + "\n".join(body)
        + f'\n</main>\n<div class="caution">{text(caution)}</div>\n</body>\n</html>\n'
    )


def section(title: str, *parts: str | None, kind: str = "") -> Html:
    """A titled box; parts that are ``None`` are left out."""
    inside = "\n".join(text(part) for part in parts if part is not None)
    return Html(f'<section class="{escape(kind)}">\n<h2>{text(title)}</h2>\n{inside}\n</section>')


def paragraph(content: str, kind: str = "") -> Html:
    """A paragraph, ``kind`` "note" for small print."""
    return Html(f'<p class="{escape(kind)}">{text(content)}</p>')


def picture(png: bytes, description: str, caption: str = "", dark: bool = False) -> Html:
    """A PNG inside the page; the description is for those who cannot see it."""
    data = base64.b64encode(png).decode("ascii")
    below = f"<figcaption>{text(caption)}</figcaption>" if caption else ""
    kind = ' class="dark"' if dark else ""
    return Html(f'<figure{kind}><img alt="{escape(description)}" src="data:image/png;base64,{data}">{below}</figure>')


def table(head: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[int] = ()) -> Html:
    """A table; ``numbers`` are the columns that are set right-aligned."""

    def cell(tag: str, position: int, value: object) -> str:
        kind = ' class="number"' if position in numbers else ""
        return f"<{tag}{kind}>{text(value)}</{tag}>"

    lines = ["<tr>" + "".join(cell("th", n, v) for n, v in enumerate(head)) + "</tr>"] if head else []
    body = ["<tr>" + "".join(cell("td", n, v) for n, v in enumerate(row)) + "</tr>" for row in rows]
    top = f"<thead>{lines[0]}</thead>" if lines else ""
    return Html(f'<div class="scroll"><table>{top}<tbody>{"".join(body)}</tbody></table></div>')


def badge(level: str) -> Html:
    """The level as a word on its colour: never colour alone."""
    words = {"ok": "fine", "look": "look", "worry": "worrying", "unknown": "note"}
    return Html(f'<span class="badge {escape(level)}">{text(words.get(level, level))}</span>')


def swatch(colour: Sequence[int], name: str) -> Html:
    """A class's colour before its name."""
    red, green, blue = (int(c) for c in colour)
    return Html(f'<span class="swatch" style="background:rgb({red},{green},{blue})"></span>{text(name)}')


def legend(items: Iterable[str]) -> Html:
    """A row of swatches that wraps."""
    return Html('<ul class="legend">' + "".join(f"<li>{text(item)}</li>" for item in items) + "</ul>")


def columns(*parts: str | None) -> Html:
    """Parts side by side where there is room."""
    return Html('<div class="columns">' + "".join(f"<div>{text(p)}</div>" for p in parts if p is not None) + "</div>")


def tiles(items: Iterable[tuple[object, str]]) -> Html:
    """Large numbers, each with what it counts."""
    shown = "".join(f'<div class="tile"><b>{text(value)}</b><span>{text(name)}</span></div>' for value, name in items)
    return Html(f'<div class="tiles">{shown}</div>')


def link(target: str, content: str) -> Html:
    """A link to a file beside the page."""
    return Html(f'<a href="{escape(target)}">{text(content)}</a>')


def details(summary: str, content: str) -> Html:
    """Text that opens on a click."""
    return Html(f"<details><summary>{text(summary)}</summary><pre>{text(content)}</pre></details>")
