"""Style of all figures: colours, fonts, sizes in inch, text layout, and files that are identical in every run.

Colours are the palette of Okabe and Ito (https://jfly.uni-koeln.de/color/), which is distinguishable in all common
kinds of colour vision. The layout is computed in inches in this package and not by a layout engine, so it is
reproducible.
"""

from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from matplotlib.typing import ColorType

from qdsurf.errors import InputError
from qdsurf.storage.files import written_whole

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
INK, GREY, PALE = "#222222", "#6E6E6E", "#D0D0D0"
CLASS_COLOURS = {"precursor-surface": BLUE, "precursor-ligand": VERMILLION, "ligand-surface": GREEN}
SERIES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)

DOUBLE_COLUMN_IN = 7.0  # width of a figure across both columns of a journal page
TEXT_PT, SMALL_PT = 8.0, 7.0
POINTS_PER_INCH = 72.0

_RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],  # matplotlib ships the first one
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
    "svg.fonttype": "none",  # text in an SVG can be searched, edited and read aloud
    "svg.hashsalt": "qdsurf",  # identifiers in an SVG are the same in every run
    "path.simplify": False,
}

Arguments = ParamSpec("Arguments")
Drawing = TypeVar("Drawing")


def styled(draw: Callable[Arguments, Drawing]) -> Callable[Arguments, Drawing]:
    """Make a drawing function use this style, without a change of the global settings of matplotlib.

    Parameters
    ----------
    draw : callable
        Function that draws a figure.

    Returns
    -------
    callable
        Function with the same arguments and result.
    """

    @wraps(draw)
    def draw_in_style(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Drawing:
        with rc_context(_RC):
            return draw(*args, **kwargs)

    return draw_in_style


def canvas(width_in: float, height_in: float) -> Figure:
    """Make an empty figure.

    Parameters
    ----------
    width_in, height_in : float
        Size in inch.

    Returns
    -------
    matplotlib.figure.Figure
        Figure without axes.
    """
    return Figure(figsize=(width_in, height_in))


def message_figure(title: str, reason: str) -> Figure:
    """Make a figure that only states why there is nothing to draw.

    Parameters
    ----------
    title : str
        First line.
    reason : str
        Text below the title.

    Returns
    -------
    matplotlib.figure.Figure
        Figure with the two texts.
    """
    figure = canvas(4.0, 1.0)
    figure.text(0.5, 0.5, f"{title}\n{reason}", ha="center", va="center")
    return figure


def axes_at(figure: Figure, left_in: float, bottom_in: float, width_in: float, height_in: float) -> Axes:
    """Add axes at a position in inch.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Figure to which the axes are added.
    left_in, bottom_in : float
        Lower left corner of the frame of the axes, measured from the lower left corner of the figure, in inch.
    width_in, height_in : float
        Size of the frame in inch.

    Returns
    -------
    matplotlib.axes.Axes
        New axes.
    """
    width, height = figure.get_size_inches()
    return figure.add_axes((left_in / width, bottom_in / height, width_in / width, height_in / height))


def write_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure to one file. The same figure always gives the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Figure to write.
    path : str or pathlib.Path
        File with the suffix .svg (text remains text) or .png (200 dots per inch).

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        The suffix is neither .svg nor .png.
    """
    path = Path(path)
    metadata: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".png": {"Software": None}}
    if path.suffix.lower() not in metadata:
        given = f"the suffix {path.suffix!r}" if path.suffix else "a name without suffix"
        raise InputError(
            f"{path}: cannot write a figure to {given}. Figures are written as .svg or .png, structures also as .html. "
            "Change the suffix of the file."
        )
    with written_whole(path) as temporary, rc_context(_RC):
        figure.savefig(temporary, dpi=200, metadata=metadata[path.suffix.lower()])
    return path


def write_svg_and_png(figure: Figure, path_stem: str | Path) -> tuple[Path, Path]:
    """Write a figure as SVG and as PNG.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Figure to write.
    path_stem : str or pathlib.Path
        Path without suffix. A dot in the name, as in the name of an alloy, is part of the name.

    Returns
    -------
    tuple of pathlib.Path
        The SVG file and the PNG file.
    """
    return write_figure(figure, f"{path_stem}.svg"), write_figure(figure, f"{path_stem}.png")


def tint(colour: ColorType, fraction: float) -> tuple[float, float, float]:
    """Mix a colour with white. The result is opaque, so overlapping areas do not become darker.

    Parameters
    ----------
    colour : matplotlib colour
        Colour to mix.
    fraction : float
        Fraction of white: 0 returns the colour, 1 returns white.

    Returns
    -------
    tuple of float
        Red, green and blue between 0 and 1.
    """
    red, green, blue = (channel + (1 - channel) * fraction for channel in to_rgb(colour))
    return red, green, blue


@cache
def text_width_in(text: str, size_pt: float) -> float:
    """Compute the width of one line of text.

    Parameters
    ----------
    text : str
        Text without line breaks.
    size_pt : float
        Font size in points.

    Returns
    -------
    float
        Width in inch.
    """
    font = FontProperties(family="DejaVu Sans", weight="normal")
    return float(TextPath((0, 0), text, size=size_pt, prop=font).get_extents().width) / POINTS_PER_INCH if text else 0.0


def wrap(text: str, width_in: float, size_pt: float, max_lines: int | None = None) -> str:
    """Break text between words so that each line fits into a width.

    Parameters
    ----------
    text : str
        Text to break.
    width_in : float
        Largest width of a line in inch. A single word may be wider.
    size_pt : float
        Font size in points.
    max_lines : int, optional
        Largest number of lines. Longer text is cut and ends in an ellipsis. By default, all lines are returned.

    Returns
    -------
    str
        Text with line breaks.
    """
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


def with_spaces(name: str) -> str:
    """Replace the underscores of a name from a table by spaces.

    Parameters
    ----------
    name : str
        Name, such as that of a state or step.

    Returns
    -------
    str
        Name with spaces.
    """
    return name.replace("_", " ")


def format_number(value: float, decimals: int = 2) -> str:
    """Format a number with a typographic minus sign. Zero has no sign.

    Parameters
    ----------
    value : float
        Number.
    decimals : int
        Number of decimals.

    Returns
    -------
    str
        Formatted number.
    """
    text = f"{value:.{decimals}f}"
    return (text.lstrip("-") if float(text) == 0 else text).replace("-", "\N{MINUS SIGN}")


def spread_labels(wanted: list[float], gap: float, low: float, high: float) -> list[float]:
    """Move label positions apart so that they do not overlap.

    Parameters
    ----------
    wanted : list of float
        Preferred position of each label in any order, in the unit of `gap`, `low` and `high`.
    gap : float
        Smallest distance between neighbouring labels.
    low, high : float
        Lowest and highest position.

    Returns
    -------
    list of float
        Positions in the order of `wanted`. If the range is too small for all labels, they are spaced evenly.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    if not order:
        return []
    gap = min(gap, (high - low) / max(len(order) - 1, 1))
    placed: list[float] = []
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
