"""Draw a small stand-in for Fashion-MNIST: ten classes of garments, 28x28, light on black.

The same seed gives the same bytes on every machine. Hence random numbers come only from
``RandomState``, whose stream NumPy has frozen, and arithmetic keeps to the operations that
IEEE 754 rounds exactly: + - * / sqrt, comparisons and floor, one array operation at a time.

A shape is a signed distance to its edge in pixels, negative inside, so ``np.maximum`` intersects
shapes. Coordinates are pixels from the centre of the image, x to the right and y down.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stages.files.idx import write_idx

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Number = float | Floats
Point = tuple[Number, Number]

SIZE = 28
TRAIN_SEED, TEST_SEED = 1, 2
TRAINING, TESTS = 3000, 600  # images


class Rack:
    """Garments of one class side by side: their pixels, their fabric, their random draws.

    Parameters
    ----------
    random
        Source of all variation.
    count
        Number of garments.

    Attributes
    ----------
    x, y
        Pixel centres in each garment's own frame: shifted, scaled and slightly turned; shape
        (count, 28, 28).
    side
        Distance from the vertical axis, which draws left and right at once; shape
        (count, 28, 28).
    cloth
        Brightness of the fabric, 0 black to 1 white and at times beyond; shape (count, 28, 28).
    """

    def __init__(self, random: np.random.RandomState, count: int) -> None:
        self.random, self.count = random, count
        pixel = np.arange(SIZE) - (SIZE - 1) / 2
        across, down = pixel + self.bell(-1.6, 1.6), pixel[:, None] + self.bell(-1.6, 1.6)
        # (1 - t^2, 2t) / (1 + t^2) lies on the unit circle: a rotation without a sine.
        t = self.bell(-0.07, 0.07)
        cosine, sine = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
        self.x: Floats = (cosine * across + sine * down) / self.bell(0.8, 1.12)
        self.y: Floats = (cosine * down - sine * across) / self.bell(0.86, 1.08)
        self.side: Floats = np.abs(self.x)
        light = 1 + self.bell(-0.02, 0.02) * self.y + self.bell(-0.02, 0.02) * self.x
        rows = self.some(0.2) * zigzag(self.y / self.vary(3, 9))
        columns = self.some(0.1) * zigzag(self.x / self.vary(3, 7))
        stripes = self.vary(0.1, 0.8) * np.maximum(rows, columns)
        grain = self.vary(0, 0.25) * (self.random.random_sample((count, SIZE, SIZE)) - 0.5)
        self.cloth: Floats = self.bell(0.1, 1.2) * (light * (1 - stripes) + grain)

    def vary(self, low: float, high: float) -> Floats:
        """Draw one uniform number per garment, shape (count, 1, 1)."""
        # Not random.uniform: its product and sum are compiled, and may be fused into one rounding.
        return low + (high - low) * self.random.random_sample((self.count, 1, 1))

    def bell(self, low: float, high: float) -> Floats:
        """Draw one number per garment, likelier in the middle of the range than at its ends."""
        return (self.vary(low, high) + self.vary(low, high) + self.vary(low, high)) / 3

    def some(self, share: float) -> Floats:
        """Draw 1.0 for about this share of the garments and 0.0 for the others."""
        return np.where(self.vary(0, 1) < share, 1.0, 0.0)


def zigzag(phase: Floats) -> Floats:
    """Rise and fall between 0 and 1 with period 1."""
    return 2 * np.abs(phase - np.floor(phase) - 0.5)


def line(along: Floats, knots: Sequence[Number], values: Sequence[Number]) -> Number:
    """Interpolate linearly between values given at rising knots."""
    value = values[0]
    for (start, end), (first, last) in zip(pairwise(knots), pairwise(values), strict=True):
        value = value + np.clip((along - start) / (end - start), 0, 1) * (last - first)
    return value


def between(along: Floats, low: Number, high: Number) -> Floats:
    """Shape of all points from low to high on one axis."""
    return np.maximum(low - along, along - high)


def panel(x: Floats, y: Floats, columns: Point, rows: Point) -> Floats:
    """Shape between two columns and two rows, any of which may be a line that bends."""
    return np.maximum(between(x, *columns), between(y, *rows))


def limb(x: Floats, y: Floats, start: Point, end: Point, radii: Point) -> Floats:
    """Shape of a straight piece, cut square at both ends, that tapers between two radii."""
    right, down = end[0] - start[0], end[1] - start[1]
    length = np.sqrt(right * right + down * down)
    along = ((x - start[0]) * right + (y - start[1]) * down) / length
    across = ((y - start[1]) * right - (x - start[0]) * down) / length
    radius = radii[0] + along / length * (radii[1] - radii[0])
    return np.maximum(between(along, 0, length), np.abs(across) - radius)


def ellipse(x: Floats, y: Floats, centre: Point, radii: Point) -> Floats:
    """Shape of an upright ellipse, distances true on its shorter axis."""
    right, down = (x - centre[0]) / radii[0], (y - centre[1]) / radii[1]
    return (np.sqrt(right * right + down * down) - 1) * np.minimum(radii[0], radii[1])


def paint(canvas: Number, shape: Floats, tone: Number) -> Floats:
    """Lay a shape of some brightness over the canvas, its edge one pixel soft."""
    return canvas + np.clip(0.5 - shape, 0, 1) * (tone - canvas)


def shade(canvas: Floats, shape: Floats, factor: Number) -> Floats:
    """Multiply the brightness within a shape; factor 0 cuts it out."""
    return paint(canvas, shape, canvas * factor)


def top(rack: Rack, sleeve: Floats, spread: Floats, hem: Floats) -> Floats:
    """Draw torso, neckline and two sleeves: what the four kinds of top have in common."""
    x, y, side = rack.x, rack.y, rack.side
    neck, shoulder = rack.bell(1.8, 4.0), rack.bell(5.5, 8.5)
    waist = shoulder - rack.bell(-0.8, 1.6)
    widths = (neck + 0.6, shoulder, shoulder - 0.6, waist, waist + rack.bell(-0.3, 1.3))
    width = line(y, (-12.8, -10.8, -4, 1, hem), widths)
    torso = panel(x, y, (-width, width), (-12.8, hem))
    armhole, drop = shoulder - 1.8, sleeve / np.sqrt(1 + spread * spread)
    cuff = (armhole + spread * drop, drop - 9.6)
    arm = limb(side, y, (armhole, -9.6), cuff, (rack.bell(2.2, 3.2), rack.bell(1.5, 2.6)))
    canvas = paint(0, arm, rack.cloth * rack.bell(0.8, 1.05))
    canvas = shade(canvas, torso - 0.6, 0.6)
    canvas = paint(canvas, torso, rack.cloth)
    return shade(canvas, ellipse(x, y, (0, -13), (neck, rack.bell(0.6, 4))), 0)


def opening(rack: Rack, canvas: Floats, width: Number, factor: Number) -> Floats:
    """Mark the line down the middle where a garment opens."""
    return shade(canvas, panel(rack.x, rack.y, (-width / 2, width / 2), (-11, 11.5)), factor)


def t_shirt(rack: Rack) -> Floats:
    """Draw short wide sleeves and often a print on the chest."""
    canvas = top(rack, rack.bell(3.5, 11), rack.bell(0.3, 1.3), rack.bell(10.5, 14.2))
    radii = (rack.vary(1.5, 4.5), rack.vary(1.5, 4))
    motif = ellipse(rack.x, rack.y, (0, rack.bell(-5, 0)), radii)
    return shade(canvas, motif, 1 + rack.some(0.4) * rack.vary(-0.8, 0.8))


def trouser(rack: Rack) -> Floats:
    """Draw two legs below one waistband."""
    y, hip, gap, crotch = rack.y, rack.bell(3.6, 6.8), rack.bell(0, 3), rack.bell(-7.5, 0)
    outer = line(y, (-13.2, crotch, 13.2), (hip - 0.9, hip, gap + rack.bell(1.6, 4.4)))
    inner = line(y, (crotch, 13.2), (-0.6, gap))
    canvas = paint(0, panel(rack.side, y, (inner, outer), (-13.2, 13.2)), rack.cloth)
    return shade(canvas, between(y, -11.4, -10.6), rack.bell(0.4, 1))


def pullover(rack: Rack) -> Floats:
    """Draw long sleeves, a closed front, ribs above the hem."""
    hem = rack.bell(10, 14.2)
    canvas = top(rack, rack.bell(14, 24), rack.bell(0.12, 0.5), hem)
    canvas = opening(rack, canvas, 1, 1 - rack.some(0.2) * rack.vary(0, 0.6))
    return shade(canvas, between(rack.y, hem - 2, hem), rack.bell(0.55, 1.1))


def dress(rack: Rack) -> Floats:
    """Draw narrow shoulders, a waist and a skirt that flares; sometimes sleeves and a belt."""
    x, y, waistline = rack.x, rack.y, rack.bell(-5, 0)
    chest, waist = rack.bell(2.8, 6), rack.bell(2.2, 5.5)
    widths = (chest - 0.8, chest, waist, waist + rack.bell(-0.5, 6.5))
    width = line(y, (-13.4, -9, waistline, 13), widths)
    gown = panel(x, y, (-width, width), (-13.4, rack.bell(10.5, 14.5)))
    sleeve = rack.vary(4, 17)
    cuff = (chest + sleeve / 4, sleeve - 10)
    arm = limb(rack.side, y, (chest - 1, -10.5), cuff, (1.9, 1.4))
    canvas = paint(0, arm, rack.cloth * rack.some(0.5) * 0.9)
    canvas = paint(canvas, gown, rack.cloth)
    belt = between(y, waistline - 0.5, waistline + 0.5)
    canvas = shade(canvas, belt, 1 - rack.some(0.4) * rack.vary(0.2, 0.9))
    return shade(canvas, ellipse(x, y, (0, -13.6), (chest - 1.6, rack.bell(1, 5.5))), 0)


def coat(rack: Rack) -> Floats:
    """Draw long sleeves and hem, an open front, lapels that spread from the neck, pockets."""
    canvas = top(rack, rack.bell(16, 24), rack.bell(0.12, 0.45), rack.bell(11.5, 14.5))
    canvas = opening(rack, canvas, rack.bell(0.4, 2), rack.bell(-0.1, 1.05))
    lapel = limb(rack.side, rack.y, (3.2, -12.5), (0.4, rack.bell(-8, -1)), (1, 0.6))
    canvas = shade(canvas, lapel, rack.bell(0.5, 1.5))
    pocket = limb(rack.side, rack.y, (2.4, 5), (5, 4.2), (0.5, 0.5))
    return shade(canvas, pocket, 1 - rack.some(0.5) * rack.vary(0.1, 0.6))


def sandal(rack: Rack) -> Floats:
    """Draw a thin sole, flat or on a heel, and straps over the toes and around the ankle."""
    x, y, ground = rack.x, rack.y, rack.bell(5, 10)
    foot, thick = ground - np.maximum(rack.vary(-2, 9), 0), rack.bell(0.8, 2.6)
    period, lean = rack.bell(2.5, 7), rack.bell(-0.9, 0.3)
    strap = (zigzag((x + lean * y) / period + rack.vary(0, 1)) - rack.vary(0.2, 1)) * period / 2
    toes = ellipse(x, y, (rack.bell(-7, -4), ground), (rack.bell(4, 7), rack.bell(4, 9)))
    canvas = paint(0, np.maximum(np.maximum(toes, strap), y - ground), rack.cloth)
    height = rack.bell(3, 12)
    ankle = np.abs(ellipse(x, y, (7.5, foot - height), (4.4, rack.bell(1, 4)))) - 0.6
    canvas = paint(canvas, ankle, rack.cloth * rack.some(0.7))
    back = limb(x, y, (11.5, foot), (11.6, foot - height), (rack.bell(0.6, 1.6), 0.6))
    canvas = paint(canvas, back, rack.cloth)
    tip = (rack.bell(9.5, 12), ground + 0.6)
    heel = limb(x, y, (10.2, foot - 1), tip, (2, rack.vary(0.6, 2.4)))
    canvas = paint(canvas, heel, rack.cloth * 0.9)
    bend = line(x, (-5, 8), (ground, foot))
    sole = panel(x, y, (-13.2, 12.8), (bend - thick, bend + 0.5))
    return paint(canvas, sole, rack.cloth * rack.bell(0.6, 1.3))


def shirt(rack: Rack) -> Floats:
    """Draw a collar and a row of buttons; sleeves long or, less often, short."""
    short = rack.some(0.3)
    sleeve = short * rack.bell(4, 11) + (1 - short) * rack.bell(13, 24)
    spread = short * rack.bell(0.3, 1.2) + (1 - short) * rack.bell(0.12, 0.5)
    canvas = top(rack, sleeve, spread, rack.bell(10.5, 14.4))
    collar = limb(rack.side, rack.y, (2.8, -12.6), (1, -9.6), (0.9, 0.9))
    canvas = shade(canvas, collar, rack.bell(0.5, 1.5))
    depth = rack.some(0.85) * rack.vary(0, 0.55)
    canvas = opening(rack, canvas, 1.8, 1 - 0.4 * depth)
    row = 1.3 - 2 * zigzag(rack.y / rack.bell(2.6, 4))
    button = np.maximum(row, np.maximum(rack.side - 0.5, np.abs(rack.y) - 9.5))
    return shade(canvas, button, 1 - 1.6 * depth)


def sneaker(rack: Rack) -> Floats:
    """Draw a low shoe: thick sole, laces up the instep, a stripe on its side."""
    x, y, ground = rack.x, rack.y, rack.bell(4.5, 9.5)
    welt, instep, collar = ground - rack.bell(0.8, 3.6), rack.bell(3.5, 8.5), rack.bell(4, 13)
    heights = (0.5, rack.bell(1.5, 3.8), instep * 0.7, instep + 1.5, collar * 0.9, collar)
    height = line(x, (-13.2, -10.5, -5, rack.bell(0.5, 3), 6, 12.2), heights)
    canvas = paint(0, panel(x, y, (-13.2, 12.4), (welt - height, ground)), rack.cloth)
    eyelets = limb(x, y, (-6, welt - instep * 0.6), (2.5, welt - instep), (1.6, 1.6))
    canvas = shade(canvas, np.maximum(eyelets, 2.5 * zigzag(x / 2.5) - 1.2), rack.vary(0.4, 1.6))
    stripe = limb(x, y, (rack.bell(-4, 3), welt), (rack.bell(2, 8), welt - 4.5), (0.9, 0.7))
    canvas = shade(canvas, stripe, rack.vary(0.3, 1.7))
    canvas = shade(canvas, ellipse(x, y, (9, welt - collar), (2.8, 1.4)), 0)
    sole = panel(x, y, (-13.2, 12.8), (welt, ground))
    return paint(canvas, sole, rack.vary(0.2, 1))


def bag(rack: Rack) -> Floats:
    """Draw a wide body with a flap and a clasp, and a handle arched above it."""
    x, y, rim, bottom = rack.x, rack.y, rack.bell(-9, 2), rack.bell(7, 14)
    base = rack.bell(7, 14.5)
    widths = (base - rack.bell(-1, 4), base, base - 1)
    width = line(y, (rim, bottom - 1.5, bottom), widths)
    body = panel(x, y, (-width, width), (rim, bottom))
    loop = ellipse(x, y, (0, rim), (base * rack.vary(0.3, 0.7), rack.vary(1, 10)))
    canvas = paint(0, np.abs(loop) - rack.bell(0.4, 1.4), rack.cloth * rack.bell(0.6, 1.1))
    canvas = paint(canvas, body, rack.cloth)
    fold = rim + (bottom - rim) * rack.bell(0.2, 0.7)
    flap = np.maximum(between(y, fold - 0.5, fold + 0.5), body)
    canvas = shade(canvas, flap, rack.vary(0.3, 1))
    return shade(canvas, ellipse(x, y, (0, fold), (rack.bell(0.8, 2.2), 1.3)), rack.vary(0.3, 1.9))


def ankle_boot(rack: Rack) -> Floats:
    """Draw a shaft above the ankle, a heel, a seam above the sole, an elastic at the side."""
    x, y, ground, shaft = rack.x, rack.y, rack.bell(8.5, 13), rack.bell(-13.5, 0)
    lift, vamp, shin = np.maximum(rack.vary(-1, 5), 0.8), rack.bell(4, 7), rack.bell(-3, 2)
    heel = limb(x, y, (9.5, ground - lift - 1), (9.8, ground + 0.5), (2.6, rack.bell(0.8, 2.8)))
    canvas = paint(0, heel, rack.cloth * rack.bell(0.5, 1))
    heights = (2.2, vamp * 0.8, vamp + 1.5, ground - shaft, ground - shaft + rack.bell(-2, 1))
    height = line(x, (-12.8, -10, shin - 3, shin + 0.6, 11.5), heights)
    sole = ground - line(x, (-4, 8), (0, lift))
    canvas = paint(canvas, panel(x, y, (-12.8, 11.5), (ground - height, sole)), rack.cloth)
    canvas = shade(canvas, between(y, sole - 2, sole - 1), rack.bell(0.3, 1))
    elastic = limb(x, y, (rack.bell(3, 8), shaft), (rack.bell(3, 7), ground - vamp), (0.6, 0.6))
    return shade(canvas, elastic, rack.bell(0.3, 1.1))


GARMENTS: dict[str, Callable[[Rack], Floats]] = {
    "T-shirt/top": t_shirt,
    "Trouser": trouser,
    "Pullover": pullover,
    "Dress": dress,
    "Coat": coat,
    "Sandal": sandal,
    "Shirt": shirt,
    "Sneaker": sneaker,
    "Bag": bag,
    "Ankle boot": ankle_boot,
}
LABELS = tuple(GARMENTS)


def draw(count: int, seed: int) -> tuple[Bytes, Bytes]:
    """Draw garments of all ten classes in shuffled order.

    Parameters
    ----------
    count
        Number of images; no class has more than one image more than another.
    seed
        Seed of the random stream, 0 to 2**32 - 1.

    Returns
    -------
    images : uint8 array of shape (count, 28, 28)
        Brightness, 0 black to 255 white.
    labels : uint8 array of shape (count,)
        Index into `LABELS`.
    """
    random = np.random.RandomState(seed)
    labels = (random.permutation(count) % len(LABELS)).astype(np.uint8)
    images = np.empty((count, SIZE, SIZE), np.uint8)
    for label, garment in enumerate(GARMENTS.values()):
        chosen = labels == label
        light = garment(Rack(random, int(np.count_nonzero(chosen))))
        images[chosen] = np.floor(np.clip(light, 0, 1) * 255 + 0.5)
    return images, labels


def write(folder: Path, training: int = TRAINING, tests: int = TESTS) -> None:
    """Write the four IDX files of the dataset into a folder, with so many images of each set."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, count, seed in (("train", training, TRAIN_SEED), ("t10k", tests, TEST_SEED)):
        images, labels = draw(count, seed)
        write_idx(folder / f"{name}-images-idx3-ubyte", images)
        write_idx(folder / f"{name}-labels-idx1-ubyte", labels)
