"""Chains that go up in a control parameter λ and back: branches, where learning ends, jumps, the area of the loop.

What has been learned is G = ln C − (mean training loss), in nats: 0 for a network that guesses one of C = 10 classes. The branch "up" ends
at the largest λ of the path, where "down" begins. All results are one row for each realization.
"""

import numpy as np
import pandas as pd

from pruning_phases.observables.scaling import LOSS_OF_GUESSING

FLOOR = 0.02
"""Nats: what has been learned counts above this."""
STEEP, LEAST, REACH = 3.0, 0.02, 5
"""Of a transition: its loss rises `STEEP` times as fast as the median of `REACH` steps on either side, and by `LEAST` nats."""
KEYS = ["chain", "realization"]


def branches(rows: pd.DataFrame, control: str = "l2") -> pd.DataFrame:
    """Rows of chains with the columns `value` (of the control parameter), `direction` (up, down) and `learned` (G); sorted by step.

    rows: chain, realization, step, `control`, train_loss. The step at the largest value belongs to both branches and is there twice.
    """
    parts = []
    for _, chain in rows.sort_values([*KEYS, "step"]).groupby(KEYS, sort=False):
        chain = chain.assign(value=chain[control], learned=LOSS_OF_GUESSING - chain["train_loss"])
        turn = int(chain["value"].to_numpy().argmax())
        parts += [chain.iloc[: turn + 1].assign(direction="up"), chain.iloc[turn:].assign(direction="down")]
    parts = [part for part in parts if len(part) > 1]
    if not parts:
        raise ValueError("there is no chain of at least two steps")
    return pd.concat(parts, ignore_index=True)


def _branch(table: pd.DataFrame, direction: str) -> list[tuple[tuple, pd.DataFrame]]:
    """(key, rows ascending in value) of the branches of one direction."""
    chosen = table[table["direction"] == direction].sort_values([*KEYS, "value"])
    return list(chosen.groupby(KEYS, sort=False))


def ends(table: pd.DataFrame) -> pd.DataFrame:
    """Where learning ends going up and begins again coming down.

    table: of `branches`. Returns chain, realization, direction, end (middle between the last value with G > `FLOOR` and the next; NaN where
    there is none or no next), step (distance of these two), remaining: G at that last value over G at 0.8 of it (up only; linear
    interpolation): near 0 for a continuous transition in small steps, of order one for a jump.
    """
    found = []
    for direction in ("up", "down"):
        for key, rows in _branch(table, direction):
            value, learned = rows["value"].to_numpy(), rows["learned"].to_numpy()
            above = np.flatnonzero(learned > FLOOR)
            row = dict(zip(KEYS, key, strict=True)) | {"direction": direction, "end": np.nan, "step": np.nan}
            if len(above) and above[-1] + 1 < len(value):
                last = above[-1]
                row |= {"end": (value[last] + value[last + 1]) / 2, "step": value[last + 1] - value[last]}
                row |= {"remaining": learned[last] / np.interp(0.8 * value[last], value, learned)}
            found.append(row)
    return pd.DataFrame(found, columns=[*KEYS, "direction", "end", "step", "remaining"])


def transitions(table: pd.DataFrame) -> pd.DataFrame:
    """Steps of the branches up in which the training loss rises at once.

    dL/dλ is at least `STEEP` times its median over `REACH` steps on either side (without itself), and L rises by `LEAST` nats; of steps
    less than three apart the steepest counts. Returns chain, realization, value (middle of the step), step, rise (nats), steepness.
    """
    found = []
    for key, rows in _branch(table, "up"):
        value, loss = rows["value"].to_numpy(), rows["train_loss"].to_numpy()
        slope = np.diff(loss) / np.diff(value)
        near = [np.r_[slope[max(0, k - REACH) : k], slope[k + 1 : k + 1 + REACH]] for k in range(len(slope))]
        usual = np.array([max(np.median(one), 1e-12) if len(one) else np.inf for one in near])
        steepness = slope / usual
        candidates = np.flatnonzero((steepness >= STEEP) & (np.diff(loss) >= LEAST))
        kept: list[int] = []
        for k in candidates[np.argsort(-slope[candidates])]:
            if all(abs(k - other) > 2 for other in kept):
                kept.append(int(k))
        for k in sorted(kept):
            row = dict(zip(KEYS, key, strict=True)) | {"value": (value[k] + value[k + 1]) / 2}
            row |= {"step": value[k + 1] - value[k], "rise": loss[k + 1] - loss[k], "steepness": steepness[k]}
            found.append(row)
    return pd.DataFrame(found, columns=[*KEYS, "value", "step", "rise", "steepness"])


def loop_area(table: pd.DataFrame) -> pd.DataFrame:
    """Area between the branches, ∫ (G_up − G_down) dλ over ∫ G_up dλ (trapezoids, linear interpolation): 0 without hysteresis.

    Returns chain, realization, area.
    """
    found = []
    downs = dict(_branch(table, "down"))
    for key, up in _branch(table, "up"):
        if key not in downs:
            continue
        down = downs[key]
        grid = np.union1d(up["value"], down["value"])
        grid = grid[grid >= down["value"].min()]
        one, other = (np.interp(grid, branch["value"], branch["learned"]) for branch in (up, down))
        area = np.trapezoid(one - other, grid) / np.trapezoid(one, grid)
        found.append(dict(zip(KEYS, key, strict=True)) | {"area": area})
    return pd.DataFrame(found, columns=[*KEYS, "area"])
