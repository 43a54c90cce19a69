"""Bar charts as SVG, by plain Python.

A row is a heading, or a bar of parts with its spread. Not a program. Nothing here knows what is shown.
"""

import dataclasses
from xml.sax.saxutils import escape, quoteattr

WIDTH = 760
LABEL_WIDTH = 170
VALUE_WIDTH = 110  # behind the longest bar
LINE = 22
BAR = 14
COLOURS = ("#3465a4", "#f57900", "#73d216", "#75507b", "#c17d11", "#cc0000", "#888a85")
INK, FAINT = "#2e3436", "#d3d7cf"


@dataclasses.dataclass(frozen=True)
class Bar:
    label: str
    parts: tuple  # of values, from the left to the right
    least: float | None = None
    most: float | None = None
    digits: int = 2

    @property
    def value(self):
        return sum(self.parts)


@dataclasses.dataclass(frozen=True)
class Heading:
    label: str


def text(x, y, words, anchor="start", weight="normal", size=13):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" font-size="{size}" '
            f'fill="{INK}">{escape(words)}</text>')


def box(x, y, width, height, colour):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0, width):.1f}" height="{height}" fill={quoteattr(colour)}/>'


def line(x1, y1, x2, y2, colour=INK):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke={quoteattr(colour)}/>'


def draw_bar(bar, y, scale):
    """The parts behind each other, the spread over them, the value behind."""
    at, top, middle = LABEL_WIDTH, y + (LINE - BAR) / 2, y + LINE / 2
    yield line(LABEL_WIDTH, y, LABEL_WIDTH, y + LINE, FAINT)
    yield text(LABEL_WIDTH - 8, middle + 4, bar.label, "end")
    for part, colour in zip(bar.parts, COLOURS):
        yield box(at, top, part * scale, BAR, colour)
        at += part * scale
    end = at
    if bar.least is not None:
        low, high = (LABEL_WIDTH + value * scale for value in (bar.least, bar.most))
        end = max(at, high)
        yield line(low, middle, high, middle)
        yield from (line(x, middle - 4, x, middle + 4) for x in (low, high))
    yield text(end + 6, middle + 4, f"{bar.value:.{bar.digits}f}")


def draw_legend(parts, y):
    x = LABEL_WIDTH
    for name, colour in zip(parts, COLOURS):
        yield box(x, y - 10, 12, 12, colour)
        yield text(x + 17, y, name, size=12)
        x += 35 + 7 * len(name)


def bar_chart(title, parts, rows):
    """The text of a picture. parts: names of the bars' parts, for the legend."""
    bars = [row for row in rows if isinstance(row, Bar)]
    longest = max([bar.value for bar in bars] + [bar.most for bar in bars if bar.most is not None])
    scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / longest
    y = 34
    shapes = [text(12, 22, title, weight="bold", size=14)]
    if len(parts) > 1:
        shapes += draw_legend(parts, y + 12)
        y += 24
    for row in rows:
        if isinstance(row, Heading):
            y += 6
            shapes.append(text(12, y + 16, row.label, weight="bold", size=12))
        else:
            shapes += draw_bar(row, y, scale)
        y += LINE
    height = y + 12
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
                      f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" role="img" '
                      f'aria-label={quoteattr(title)}>',
                      box(0, 0, WIDTH, height, "#ffffff"), *shapes, "</svg>", ""])
