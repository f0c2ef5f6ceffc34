"""Rendering of a trace as one self-contained HTML page with its pictures and texts."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from html import escape

from rolesynth_assets.cli.lineage.trace_tree import run_url
from rolesynth_assets.lineage.trace.graph import Kind, Node, NodeId, Trace

_STYLE = """
:root { --ink: #1c2330; --faint: #667085; --rule: #e4e7ec; --paper: #fff; --ground: #f6f7f9;
  --cause: #0e7490; --effect: #6d28d9; --warn: #b42318; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground);
  margin: 0 auto; max-width: 70rem; padding: 2rem 1.5rem 4rem; }
h1 { font-size: 1.35rem; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 2rem 0 .6rem; padding-bottom: .3rem; border-bottom: 2px solid; }
h2.cause { color: var(--cause); } h2.effect { color: var(--effect); }
ul { list-style: none; margin: 0; padding: 0; }
ul ul { margin-left: .8rem; padding-left: .9rem; border-left: 2px solid var(--rule); }
.card { background: var(--paper); border: 1px solid var(--rule); border-radius: 8px;
  margin: .35rem 0; padding: .45rem .8rem; }
.subject { display: flex; gap: 1.5rem; padding: 1.2rem; flex-wrap: wrap; }
.subject > div { flex: 1 1 24rem; min-width: 0; }
.kind { font-size: .72rem; text-transform: uppercase; letter-spacing: .05em; color: var(--faint);
  margin-right: .4rem; }
.warn { color: var(--warn); font-weight: 600; margin-left: .5rem; }
.run { float: right; margin-left: .8rem; font-size: .8rem; color: var(--faint); }
.again { color: var(--faint); }
img { max-width: 22rem; max-height: 22rem; border: 1px solid var(--rule); border-radius: 6px;
  image-rendering: auto; align-self: flex-start; }
summary { cursor: pointer; overflow-wrap: anywhere; }
details img { display: block; max-width: 14rem; margin: .5rem 0; }
dl { display: grid; grid-template-columns: 10rem 1fr; gap: .25rem 1rem; margin: .5rem 0 .2rem; }
dt { color: var(--faint); } dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
"""


def trace_page(trace: Trace, ui: str, pictures: Mapping[NodeId, tuple[str, bytes]]) -> str:
    """Return a trace as HTML that needs no other file, no script and no network.

    Every text is untrusted data and is escaped.

    Args:
        trace: the trace.
        ui: address of the Dagster UI, to which run ids link.
        pictures: media type and encoded bytes of the nodes that have a picture.
    """
    subject = trace.nodes[trace.subject]
    seen = {trace.subject}
    parts = []
    for title, css, step in (
        ("Comes from", "cause", trace.causes),
        ("Led to", "effect", trace.effects),
    ):
        nodes = step(trace.subject)
        if nodes:
            items = "".join(_item(node, step, seen, ui, pictures) for node in nodes)
            parts.append(f'<h2 class="{css}">{title}</h2><ul>{items}</ul>')
    if trace.notes:
        notes = "".join(f"<li class=card>{escape(note)}</li>" for note in trace.notes)
        parts.append(f"<h2>Not followed</h2><ul>{notes}</ul>")
    shown = _nearest_picture(trace, pictures)
    title = escape(f"{subject.id.kind} {subject.label}")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style><body>"
        f'<section class="card subject"><div>{_run(subject, ui)}<h1>{_head(subject)}</h1>'
        f"{_facts(subject)}</div>{shown}</section>{''.join(parts)}</body></html>"
    )


def _item(
    node: Node,
    step: Callable[[NodeId], list[Node]],
    seen: set[NodeId],
    ui: str,
    pictures: Mapping[NodeId, tuple[str, bytes]],
) -> str:
    further = step(node.id)
    if node.id in seen:
        return f'<li><div class="card again">{_head(node)} (as above)</div></li>'
    seen.add(node.id)
    below = "".join(_item(child, step, seen, ui, pictures) for child in further)
    body = (_image(*pictures[node.id], node.label) if node.id in pictures else "") + _facts(node)
    is_open = " open" if node.id in pictures or node.id.kind is Kind.MORE else ""
    return (
        f"<li><details class=card{is_open}><summary>{_run(node, ui)}{_head(node)}</summary>{body}"
        f"</details>{f'<ul>{below}</ul>' if below else ''}</li>"
    )


def _head(node: Node) -> str:
    kind = "" if node.id.kind is Kind.MORE else f"<span class=kind>{escape(node.id.kind)}</span>"
    warning = f"<span class=warn>{escape(node.warning)}</span>" if node.warning else ""
    return f"{kind}{escape(node.label)}{warning}"


def _run(node: Node, ui: str) -> str:
    if not node.run_id:
        return ""
    link = escape(run_url(ui, node.run_id), quote=True)
    return f'<a class=run href="{link}">run {escape(node.run_id[:8])}</a>'


def _facts(node: Node) -> str:
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in node.facts.items()
    )
    return f"<dl>{rows}</dl>" if rows else ""


def _nearest_picture(trace: Trace, pictures: Mapping[NodeId, tuple[str, bytes]]) -> str:
    """Return the subject's own picture, or that of a direct cause; empty if there is none."""
    near = [trace.nodes[trace.subject], *trace.causes(trace.subject)]
    node = next((node for node in near if node.id in pictures), None)
    return _image(*pictures[node.id], node.label) if node else ""


def _image(media_type: str, data: bytes, alt: str) -> str:
    encoded = base64.b64encode(data).decode("ascii")
    source = f"data:{escape(media_type, quote=True)};base64,{encoded}"
    return f'<img alt="{escape(alt, quote=True)}" src="{source}">'
