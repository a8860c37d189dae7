"""What every figure looks like: colours, sizes, fonts, and files that are identical when written twice.

Colours are the palette of Okabe and Ito (https://jfly.uni-koeln.de/color/), told apart by all common kinds of
colour vision. Layout is in inches and worked out here rather than by a layout engine, so it never shifts.
"""

from functools import cache, wraps
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from qdsurf.errors import InputError
from qdsurf.storage.files import written_whole

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
INK, GREY, PALE = "#222222", "#6E6E6E", "#D0D0D0"
CLASS_COLOURS = {"precursor-surface": BLUE, "precursor-ligand": VERMILLION, "ligand-surface": GREEN}
SERIES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)

DOUBLE_COLUMN_IN = 7.0  # width of a figure across both columns of a checkpoint page
TEXT_PT, SMALL_PT = 8.0, 7.0
POINTS_PER_INCH = 72.0

_RC = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],  # the first ships with matplotlib
    "font.size": TEXT_PT,
    "axes.labelsize": TEXT_PT,
    "axes.titlesize": TEXT_PT,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "legend.fontsize": SMALL_PT,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.unicode_minus": True,
    "figure.facecolor": "white",
    "svg.fonttype": "none",  # text stays text: it can be searched, edited and read aloud
    "svg.hashsalt": "qdsurf",  # identifiers inside the SVG do not change from run to run
    "path.simplify": False,
}


def styled(draw):
    """Run a drawing function with the style of this module and leave the global settings as they were."""

    @wraps(draw)
    def inner(*args, **kwargs):
        with rc_context(_RC):
            return draw(*args, **kwargs)

    return inner


def canvas(width_in: float, height_in: float) -> Figure:
    """Make an empty figure of this size."""
    return Figure(figsize=(width_in, height_in))


def nothing(title: str, reason: str) -> Figure:
    """A figure that says that there is nothing to draw, and why."""
    figure = canvas(4.0, 1.0)
    figure.text(0.5, 0.5, f"{title}\n{reason}", ha="center", va="center")
    return figure


def axes_at(figure: Figure, left_in: float, bottom_in: float, width_in: float, height_in: float, **options) -> Axes:
    """Add axes whose frame stands at a place given in inches from the lower left corner."""
    width, height = figure.get_size_inches()
    return figure.add_axes((left_in / width, bottom_in / height, width_in / width, height_in / height), **options)


def write(figure: Figure, path: str | Path) -> Path:
    """Write a figure to one file, in the format that its suffix names, the same bytes every time.

    Raises
    ------
    InputError : the suffix is neither .svg nor .png.
    """
    path = Path(path)
    metadata = {".svg": {"Date": None}, ".png": {"Software": None}}
    if path.suffix.lower() not in metadata:
        given = path.suffix or "without a suffix"
        raise InputError(f"{path}: a figure is written as .svg or .png, a structure also as .html, not {given!r}")
    with written_whole(path) as temporary, rc_context(_RC):
        figure.savefig(temporary, dpi=200, metadata=metadata[path.suffix.lower()])
    return path


def save(figure: Figure, path_stem: str | Path) -> tuple[Path, Path]:
    """Write a figure as SVG (text as text) and as PNG (200 dots per inch).

    Parameters
    ----------
    figure : what to write.
    path_stem : path without suffix; a dot in the name, as in an alloy, is no suffix.

    Returns
    -------
    Paths of the SVG and the PNG file.
    """
    return write(figure, f"{path_stem}.svg"), write(figure, f"{path_stem}.png")


def tint(colour, fraction: float) -> tuple[float, float, float]:
    """Mix a colour with white; fraction 0 leaves it, 1 gives white. Opaque, so overlaps do not darken."""
    return tuple(channel + (1 - channel) * fraction for channel in to_rgb(colour))


@cache
def text_width_in(text: str, size_pt: float, bold: bool = False) -> float:
    """Width of one line of text, in inch."""
    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    return float(TextPath((0, 0), text, size=size_pt, prop=font).get_extents().width) / POINTS_PER_INCH if text else 0.0


def wrap(text: str, width_in: float, size_pt: float, max_lines: int | None = None) -> str:
    """Break text between words so that each line fits; what passes max_lines ends in an ellipsis."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width_in(longer, size_pt) > width_in:
            lines.append(word)
        else:
            lines[-1] = longer
    if max_lines is not None and len(lines) > max_lines:
        lines = lines[:max_lines]
        while lines[-1] and text_width_in(lines[-1] + "…", size_pt) > width_in:
            lines[-1] = lines[-1][:-1]
        lines[-1] = lines[-1].rstrip(" ,;") + "…"
    return "\n".join(lines)


def words(name: str) -> str:
    """Turn a name from a table into words: underscores become spaces."""
    return name.replace("_", " ")


def number(value: float, decimals: int = 2) -> str:
    """Print a number with a true minus sign, and zero without a sign."""
    text = f"{value:.{decimals}f}"
    return (text.lstrip("-") if float(text) == 0 else text).replace("-", "\N{MINUS SIGN}")


def spread(wanted: list[float], gap: float, low: float, high: float) -> list[float]:
    """Move label positions apart until neighbours stand at least `gap` from each other, within low and high.

    Parameters
    ----------
    wanted : position that each label would take alone, any order; all in the unit of gap, low and high.

    Returns
    -------
    Positions in the order of `wanted`. Where the room is too small for all, the labels share it evenly.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    if not order:
        return []
    gap = min(gap, (high - low) / max(len(order) - 1, 1))
    placed = []
    for index in order:
        placed.append(max(wanted[index], placed[-1] + gap if placed else low))
    ceiling = high
    for rank in reversed(range(len(placed))):
        placed[rank] = min(placed[rank], ceiling)
        ceiling = placed[rank] - gap
    result = [0.0] * len(wanted)
    for rank, index in enumerate(order):
        result[index] = placed[rank]
    return result
