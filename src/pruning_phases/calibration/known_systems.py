"""Two systems with known critical behaviour, simulated here: yardsticks for the collapse.

- Bond percolation on the square lattice: p_c = 1/2 exactly (Kesten, Commun. Math. Phys. 74, 41 (1980)) and nu = 4/3 by
  universality; an ordinary continuous transition, for the algebraic ansatz.
- The two-dimensional XY model: the Berezinskii-Kosterlitz-Thouless transition at T = 0.8929 (Hasenbusch, J. Phys. A 38,
  5869 (2005); Komura and Okabe, J. Phys. Soc. Jpn. 81, 113001 (2012)) with nu = 1/2, for the BKT ansatz.

Both return one curve per realization, like the networks: a realization is an independent block of samples (percolation)
or an independent Markov chain (XY).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numba import njit
from scipy.special import betainc

from pruning_phases.collapse import CollapseData

PERCOLATION_P_C, PERCOLATION_NU = 0.5, 4.0 / 3.0
XY_T_C, XY_NU = 0.8929, 0.5


@njit(cache=True)
def _find(parent: np.ndarray, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True)
def _bonds(size: int) -> np.ndarray:
    """Bonds of the self-dual rectangle: size rows, size + 1 columns, each outer column contracted to one site."""
    bonds = np.empty((size * size + (size - 1) * (size - 1), 2), dtype=np.int64)
    left, right = size * (size - 1), size * (size - 1) + 1
    k = 0
    for row in range(size):
        for column in range(size):  # horizontal bonds between columns `column` and `column + 1`
            bonds[k, 0] = left if column == 0 else row * (size - 1) + column - 1
            bonds[k, 1] = right if column == size - 1 else row * (size - 1) + column
            k += 1
    for row in range(size - 1):
        for column in range(size - 1):
            bonds[k, 0] = row * (size - 1) + column
            bonds[k, 1] = (row + 1) * (size - 1) + column
            k += 1
    return bonds


@njit(cache=True)
def percolation_thresholds(size: int, n_samples: int, seed: int) -> np.ndarray:
    """Number of bonds at which left and right become connected, when bonds are added in random order.

    Union-find with path halving (Newman and Ziff, Phys. Rev. Lett. 85, 4104 (2000)).

    Returns (n_samples,) integers between size and the number of bonds size^2 + (size - 1)^2.
    """
    np.random.seed(seed)  # noqa: NPY002  numba's own generator
    bonds = _bonds(size)
    n_sites = size * (size - 1) + 2
    left, right = n_sites - 2, n_sites - 1
    out = np.empty(n_samples, dtype=np.int64)
    for sample in range(n_samples):
        parent = np.arange(n_sites)
        weight = np.ones(n_sites, dtype=np.int64)
        order = np.random.permutation(bonds.shape[0])  # noqa: NPY002
        for k in range(order.size):
            a, b = _find(parent, bonds[order[k], 0]), _find(parent, bonds[order[k], 1])
            if a != b:
                if weight[a] < weight[b]:
                    a, b = b, a
                parent[b] = a
                weight[a] += weight[b]
                if _find(parent, left) == _find(parent, right):
                    out[sample] = k + 1
                    break
    return out


def percolation(
    sizes: Sequence[int] = (8, 16, 32, 64, 128),
    p: Sequence[float] | None = None,
    *,
    n_realizations: int = 20,
    n_samples: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Crossing probability of bond percolation on self-dual rectangles.

    One random order of the bonds gives the state at every p (Newman and Ziff): the probability that at least n_c of B
    bonds are present is the regularised incomplete beta function I_p(n_c, B - n_c + 1).

    Args:
        sizes: linear sizes L; the rectangle has L rows and L + 1 columns.
        p: bond probabilities; default 31 values from 0.35 to 0.65.
        n_realizations: independent blocks.
        n_samples: samples averaged in one block.
        seed: of the random numbers.

    Returns one row per point: system, quantity ("crossing_probability"), size, p, realization, value.
    """
    grid = np.linspace(0.35, 0.65, 31) if p is None else np.asarray(p, dtype=float)
    seeds = np.random.SeedSequence(seed).generate_state(len(sizes) * n_realizations).reshape(len(sizes), -1)
    tables = []
    for i, size in enumerate(sizes):
        n_bonds = size**2 + (size - 1) ** 2
        for r in range(n_realizations):
            threshold = percolation_thresholds(size, n_samples, int(seeds[i, r]))[:, None]
            curve = betainc(threshold, n_bonds - threshold + 1, grid).mean(axis=0)
            tables.append(_rows("percolation", "crossing_probability", size, grid, r, curve))
    return pd.concat(tables, ignore_index=True)


@njit(cache=True)
def xy_chain(size: int, temperatures: np.ndarray, n_warm: int, n_measure: int, seed: int) -> np.ndarray:
    """One Markov chain of the square-lattice XY model (J = 1, periodic), taken through the temperatures in order.

    Wolff's cluster update (Phys. Rev. Lett. 62, 361 (1989)): reflect a cluster of spins at a random axis, bonds with
    probability 1 - exp(-2 (s_i.r)(s_j.r) / T). One sweep is a fixed number of clusters, on average about a lattice.

    Returns (n_temperatures, 4): energy per site, helicity modulus, susceptibility L^2 <m^2>, second-moment correlation length divided by
    L.
    """
    np.random.seed(seed)  # noqa: NPY002
    n = size * size
    sx, sy = np.ones(n), np.zeros(n)
    stack = np.empty(n, dtype=np.int64)
    # A site enters a cluster at most once; stamping with the cluster's number saves clearing the marks.
    stamp = np.zeros(n, dtype=np.int64)
    cluster = 0
    out = np.empty((temperatures.size, 4))
    wave_cos, wave_sin = np.empty(size), np.empty(size)
    for i in range(size):
        wave_cos[i], wave_sin[i] = np.cos(2 * np.pi * i / size), np.sin(2 * np.pi * i / size)
    for t in range(temperatures.size):
        beta = 1.0 / temperatures[t]
        energy = cosines = sines = magnetic = wave = 0.0
        n_clusters, counted = 0, 0
        for step in range(n_warm + n_measure):
            # Warming up, a sweep is as many clusters as turn the whole lattice over; their mean number over the second
            # half is then kept fixed, because a number that depends on the state would bias the measurement.
            warming = step < n_warm
            if step == n_warm:
                n_clusters = max(1, counted // max(1, n_warm - n_warm // 2))
            done, turned = 0, 0
            while (warming and turned < n) or (not warming and done < n_clusters):
                done += 1
                angle = 2 * np.pi * np.random.random()  # noqa: NPY002
                rx, ry = np.cos(angle), np.sin(angle)
                cluster += 1
                first = np.random.randint(n)  # noqa: NPY002
                stack[0], top = first, 1
                stamp[first] = cluster
                while top > 0:
                    top -= 1
                    i = stack[top]
                    projection = sx[i] * rx + sy[i] * ry
                    sx[i] -= 2 * projection * rx
                    sy[i] -= 2 * projection * ry
                    turned += 1
                    row, column = i // size, i % size
                    for d in range(4):
                        if d == 0:
                            j = row * size + (column + 1) % size
                        elif d == 1:
                            j = row * size + (column - 1) % size
                        elif d == 2:
                            j = ((row + 1) % size) * size + column
                        else:
                            j = ((row - 1) % size) * size + column
                        if stamp[j] != cluster:
                            coupling = 2 * beta * projection * (sx[j] * rx + sy[j] * ry)
                            if coupling > 0 and np.random.random() < 1 - np.exp(-coupling):  # noqa: NPY002
                                stamp[j] = cluster
                                stack[top] = j
                                top += 1
            if warming:
                if step >= n_warm // 2:
                    counted += done
                continue
            cos_x = cos_y = sin_x = sin_y = mx = my = 0.0
            kx = np.zeros(4)
            ky = np.zeros(4)
            for row in range(size):
                for column in range(size):
                    i = row * size + column
                    right, down = row * size + (column + 1) % size, ((row + 1) % size) * size + column
                    a, b = sx[i], sy[i]
                    cos_x += a * sx[right] + b * sy[right]
                    sin_x += a * sy[right] - b * sx[right]
                    cos_y += a * sx[down] + b * sy[down]
                    sin_y += a * sy[down] - b * sx[down]
                    mx += a
                    my += b
                    kx[0] += a * wave_cos[column]
                    kx[1] += a * wave_sin[column]
                    kx[2] += b * wave_cos[column]
                    kx[3] += b * wave_sin[column]
                    ky[0] += a * wave_cos[row]
                    ky[1] += a * wave_sin[row]
                    ky[2] += b * wave_cos[row]
                    ky[3] += b * wave_sin[row]
            energy -= cos_x + cos_y
            cosines += 0.5 * (cos_x + cos_y)
            sines += 0.5 * (sin_x * sin_x + sin_y * sin_y)
            magnetic += mx * mx + my * my
            wave += 0.5 * ((kx * kx).sum() + (ky * ky).sum())
        out[t, 0] = energy / n_measure / n
        out[t, 1] = (cosines - beta * sines) / n_measure / n
        out[t, 2] = magnetic / n_measure / n
        out[t, 3] = np.sqrt(max(magnetic / wave - 1.0, 0.0)) / (2 * np.sin(np.pi / size)) / size
    return out


def xy_model(
    sizes: Sequence[int] = (8, 12, 16, 24, 32, 48, 64),
    temperatures: Sequence[float] | None = None,
    *,
    n_realizations: int = 16,
    n_warm: int = 200,
    n_measure: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Helicity modulus over temperature and correlation length over size of the XY model.

    Args:
        sizes: linear sizes L.
        temperatures: in units of J, visited from the highest to the lowest; default 25 from 0.76 to 1.24.
        n_realizations: independent chains.
        n_warm: sweeps before measuring at each temperature.
        n_measure: sweeps measured, one measurement each.
        seed: of the random numbers.

    Returns one row per point: system ("xy"), quantity ("xi_over_size", "helicity_over_t" or "energy"), size, p (the temperature),
    realization, value. helicity_over_t jumps from 2/pi to 0 at the transition of the infinite system.
    """
    grid = np.linspace(0.76, 1.24, 25) if temperatures is None else np.sort(np.asarray(temperatures, dtype=float))
    cooling = grid[::-1].copy()
    seeds = np.random.SeedSequence(seed).generate_state(len(sizes) * n_realizations).reshape(len(sizes), -1)
    tables = []
    for i, size in enumerate(sizes):
        for r in range(n_realizations):
            measured = xy_chain(size, cooling, n_warm, n_measure, int(seeds[i, r]))[::-1]
            tables.append(_rows("xy", "xi_over_size", size, grid, r, measured[:, 3]))
            tables.append(_rows("xy", "helicity_over_t", size, grid, r, measured[:, 1] / grid))
            tables.append(_rows("xy", "energy", size, grid, r, measured[:, 0]))
    return pd.concat(tables, ignore_index=True)


def _rows(system: str, quantity: str, size: int, p: np.ndarray, realization: int, value: np.ndarray) -> pd.DataFrame:
    columns = {"system": system, "quantity": quantity, "size": size, "p": p, "realization": realization, "value": value}
    return pd.DataFrame(columns)


def system_data(
    table: pd.DataFrame,
    quantity: str,
    p_window: tuple[float, float] | None = None,
    size_window: tuple[float, float] | None = None,
) -> CollapseData:
    """Points of a collapse from the table of `percolation` or `xy_model`; the size takes the place of n_train.

    Raises ValueError: no such quantity, or points unfit for a collapse.
    """
    chosen = table[table["quantity"] == quantity]
    if chosen.empty:
        raise ValueError(f"no quantity {quantity!r}; the table has {sorted(table['quantity'].unique())}")
    wide = chosen.pivot(index=["size", "p"], columns="realization", values="value").sort_index()
    return CollapseData.from_realizations(
        wide.index.get_level_values("p").to_numpy(float),
        wide.index.get_level_values("size").to_numpy(float),
        wide.to_numpy(float).T,
        p_window=p_window,
        n_window=size_window,
        quantity=quantity,
    )
