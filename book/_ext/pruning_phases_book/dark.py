"""Figures in the dark: each SVG of ours also says how it looks on a dark page, so that one file serves both.

A browser draws a picture in the colour scheme of the page, which ``prefers-color-scheme`` asks for inside the SVG; one that does not
shows it as in the light, on white. Greys turn round; colours keep their hue and become light enough to be seen; what lies inside a map
(cells, and the lines and words on them) stays as it is.
"""

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

PAPER = "#121212"
"""The theme's dark page."""
_SVG = "{http://www.w3.org/2000/svg}"
_COLOR = re.compile(r"(fill|stroke): (#[0-9a-f]{6})")
# OKLab: B. Ottosson, A perceptual color space for image processing (2020)
_TO_LMS = np.array(
    [[0.4122215, 0.5363325, 0.0514460], [0.2119035, 0.6806995, 0.1073970], [0.0883025, 0.2817188, 0.6299787]]
)
_TO_LAB = np.array(
    [[0.2104543, 0.7936178, -0.0040720], [1.9779985, -2.4285922, 0.4505937], [0.0259040, 0.7827718, -0.8086758]]
)
_GREY = 0.02
"""Chroma below which a colour is a grey."""


def linear(color: str) -> np.ndarray:
    """Linear red, green and blue (0 to 1) of a colour #rrggbb (IEC 61966-2-1)."""
    v = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def in_the_dark(color: str) -> str:
    """The colour that stands for `color` (#rrggbb) on the dark page.

    By OKLab lightness L: greys get 0.92 - 0.74 L^1.8, which makes white `PAPER`; colours darker than 0.75 come half way up to it.
    """
    lightness, *chroma = _TO_LAB @ np.cbrt(_TO_LMS @ linear(color))
    if np.hypot(*chroma) < _GREY:
        lab = [0.92 - 0.74 * lightness**1.8, 0, 0]
    else:
        lab = [max(lightness, (lightness + 0.75) / 2), *chroma]
    v = np.clip(np.linalg.solve(_TO_LMS, np.linalg.solve(_TO_LAB, lab) ** 3), 0, 1)
    v = np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(255 * one):02x}" for one in v)


def _inside_maps(picture: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """Parts of a figure that lie on the cells of a map, and hatches."""
    yield from picture.iter(f"{_SVG}pattern")
    for axes in picture.iter(f"{_SVG}g"):
        parts = [(part, part.get("id", "")) for part in axes]
        if not axes.get("id", "").startswith("axes_") or not any(
            name.startswith("QuadMesh") or any(map(_has_cells, part.iter(f"{_SVG}image"))) for part, name in parts
        ):
            continue
        frame = np.array(re.findall(r"[-\d.]+", parts[0][0].find(f"{_SVG}path").get("d")), float).reshape(-1, 2)
        for part, name in parts:
            if name.startswith("text"):
                place = re.search(r"translate\(([-\d.]+) ([-\d.]+)\)", ElementTree.tostring(part, "unicode"))
                place = np.array(place.groups(), float) if place else frame[0]  # none in words with a halo
                if (place < frame.min(axis=0)).any() or (place > frame.max(axis=0)).any():
                    continue  # a title or a letter
            elif name.startswith("legend"):
                yield from (key for key in part if key.get("id", "").startswith("patch"))
                continue
            elif name.startswith(("matplotlib.axis", "axes")) or _is_spine(part):
                continue
            yield part


def _has_cells(image: ElementTree.Element) -> bool:
    """Whether a picture inside a figure covers most of its place, as the cells of a map do and points do not."""
    data = image.get("{http://www.w3.org/1999/xlink}href").partition("base64,")[2]
    with Image.open(io.BytesIO(base64.b64decode(data))) as pixels:
        return np.asarray(pixels.convert("RGBA"))[..., 3].mean() > 127


def _is_spine(part: ElementTree.Element) -> bool:
    path = part.find(f"{_SVG}path")
    return part.get("id", "").startswith("patch") and path is not None and len(re.findall("[ML]", path.get("d"))) == 2


def with_dark_colors(svg: str) -> str:
    """A figure drawn by matplotlib with a style for dark pages in it; another picture, or one that has such a style, unchanged."""
    if "Matplotlib v" not in svg or "prefers-color-scheme" in svg:
        return svg
    for prefix, space in (("", _SVG[1:-1]), ("xlink", "http://www.w3.org/1999/xlink")):
        ElementTree.register_namespace(prefix, space)
    picture = ElementTree.fromstring(svg)
    for part in _inside_maps(picture):
        part.set("fill", "#000000")  # as where nothing is said
        for node in part.iter():
            if style := node.get("style"):
                node.set("style", style.replace(": #", ":#"))  # the same, and not found below
    found = sorted({pair for node in picture.iter() for pair in _COLOR.findall(node.get("style", ""))})
    picture.remove(picture.find(f"{_SVG}metadata"))  # weighs more than the style
    rules = [f'[style*="{kind}: {color}"]{{{kind}:{in_the_dark(color)}!important}}' for kind, color in found]
    style = ElementTree.SubElement(picture.find(f"{_SVG}defs"), f"{_SVG}style")
    style.text = f"@media (prefers-color-scheme:dark){{svg{{fill:{in_the_dark('#000000')}}}{''.join(rules)}}}"
    # without the lines between parts, which weigh more still; those in texts are words
    return re.sub(r">\s*\n\s*<(?!/?t)", "><", ElementTree.tostring(picture, "unicode"))


def add_dark_colors(folder: Path) -> None:
    """Do so with every SVG of a folder of the built book."""
    for path in folder.glob("*.svg"):
        path.write_text(with_dark_colors(path.read_text(encoding="utf-8")), encoding="utf-8")
