#!/usr/bin/env python3
"""Draws traces as SVG: a row for each span, its links as arrows to the spans that they lead to.

usage: traces.py FILE|URL... > picture.svg

Reads OTLP JSON lines, as the file exporter and collectors write them, or an answer of Jaeger's `/api/v3/traces/ID`.
"""
import json
import sys
import urllib.request
from html import escape

ROW, LEFT, NAMES, BARS, RIGHT = 24, 16, 330, 250, 150
COLORS = {"process": "#3b6fb5", "send": "#b5653b", "get": "#6b9a5b", "put": "#2f7d4f", "flush": "#8a5fa8"}
LINKS = {"previous": "#2f7d4f", "joined": "#3b6fb5", "merged": "#8a5fa8"}


def load(place):
    if place.startswith("http"):
        text = urllib.request.urlopen(place).read().decode()
    else:
        text = open(place, encoding="utf-8").read()
    documents = [json.loads(text)] if place.startswith("http") else [json.loads(line) for line in text.splitlines()]
    for document in documents:
        for resource in document.get("result", document).get("resourceSpans", []):
            for scope in resource["scopeSpans"]:
                yield from scope["spans"]


def attributes(thing):
    return {pair["key"]: next(iter(pair["value"].values())) for pair in thing.get("attributes", [])}


def main(places):
    if not places:
        sys.exit(__doc__)
    spans = {span["spanId"]: span for place in places for span in load(place)}
    children = {}
    for span in spans.values():
        parent = span.get("parentSpanId", "")
        children.setdefault(parent if parent in spans else "", []).append(span)
    for group in children.values():
        group.sort(key=lambda span: int(span["startTimeUnixNano"]))
    rows = []

    def visit(span, depth, begin):
        rows.append((span, depth, begin))
        for child in children.get(span["spanId"], []):
            visit(child, depth + 1, begin)

    for root in children.get("", []):
        visit(root, 0, int(root["startTimeUnixNano"]))
    longest = max(int(span["endTimeUnixNano"]) - begin for span, _, begin in rows) or 1
    places_of = {}
    parts = []
    y = LEFT
    last = None
    for span, depth, begin in rows:
        if span["traceId"] != last:
            y += 10 if last else 0
            parts.append(f'<text x="{LEFT}" y="{y + 12}" class="t">trace {span["traceId"]}</text>')
            y += ROW
            last = span["traceId"]
        places_of[span["spanId"]] = y
        facts = attributes(span)
        name = span["name"]
        if "messaging.kafka.offset" in facts and name.startswith("process"):
            name += f'  @{facts["messaging.kafka.offset"]}'
        color = COLORS.get(span["name"].split()[0], "#777777")
        start = (int(span["startTimeUnixNano"]) - begin) / longest * BARS
        length = (int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / longest * BARS
        time = (int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / 1e6
        parts.append(f'<text x="{LEFT + 12 + depth * 18}" y="{y + 13}">{escape(name)}</text>')
        parts.append(
            f'<rect x="{NAMES + start:.1f}" y="{y + 3}" width="{max(length, 2):.1f}" height="12" rx="2" fill="{color}"/>')
        if time >= 0.0005:
            parts.append(f'<text x="{NAMES + start + max(length, 2) + 5:.1f}" y="{y + 13}" class="d">{time:.3f} ms</text>')
        y += ROW
    edge = NAMES + BARS + 70
    lane = {}
    for span, _, _ in rows:
        for link in span.get("links", []):
            kind = attributes(link).get("tributary.link", "")
            target = places_of.get(link["spanId"])
            # A read's links say again what the write's links say.
            if target is None or span["name"].startswith("get") and kind == "previous":
                continue
            source = places_of[span["spanId"]] + 9
            target += 9
            bend = edge + 18 + 14 * (lane.setdefault((span["spanId"], link["spanId"]), len(lane)) % 8)
            color = LINKS.get(kind, "#777777")
            parts.append(
                f'<path d="M{edge} {source} C{bend + 20} {source} {bend + 20} {target} {edge} {target}" fill="none" '
                f'stroke="{color}" marker-end="url(#{kind if kind in LINKS else "other"})"/>')
            parts.append(f'<text x="{edge - 4}" y="{source + 4}" text-anchor="end" class="l" style="fill:{color}">{kind}</text>')
    width, height = edge + RIGHT, y + LEFT
    heads = "".join(
        f'<marker id="{kind}" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="{color}"/></marker>' for kind, color in [*LINKS.items(), ("other", "#777777")])
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        "<style>text{font:12px 'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#222}.t{font-weight:bold}.d{fill:#666}"
        ".l{font-size:11px}</style>"
        f'<defs>{heads}</defs><rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>')


main(sys.argv[1:])
