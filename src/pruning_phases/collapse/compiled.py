"""Compiled loops under `quality` and `search`: the chi-squared of rows of parameters, and its minimisation from many starts.

Shape legend: n points sorted by size, S sizes, m parameter sets (rows), B data vectors.
"""

import numpy as np
from numba import njit

TIE = 1e-12
"""Gaps below this fraction of the range of x count as ties; rounding makes gaps of about 1e-16 of it."""
SHIFT = 1e-10
"""Of the range of p: p_c is evaluated this much lower where x ties."""


@njit(cache=True, error_model="numpy")
def _sort(p, index, centre, scale, order, x):
    """Collapse variables in ascending order into ``x``, their points into ``order``; returns whether two tie.

    Insertion sort, beginning with the order that is there: that of parameters close by, so little has to move.
    """
    for k in range(p.size):
        here, j = order[k], k
        value = (p[here] - centre[index[here]]) * scale[index[here]]
        while j > 0 and (value < x[j - 1] or (value == x[j - 1] and here < order[j - 1])):
            x[j], order[j] = x[j - 1], order[j - 1]
            j -= 1
        x[j], order[j] = value, here
    smallest = np.inf
    for k in range(1, p.size):
        smallest = min(smallest, x[k] - x[k - 1])
    return smallest <= TIE * (x[-1] - x[0])


@njit(cache=True, error_model="numpy")
def _weigh(x, sigma, a, b, gap, weight):
    """Gaps a = x_right - x, b = x - x_left of every point to the two that predict it, their sum, and 1 / (gap Sigma)^2.

    At the ends both points lie on the same side (linear extrapolation), so a or b is negative there. With the gap as common
    factor (w_left = a/gap, w_right = b/gap) no quotient of vanishing gaps is ever formed, so near and exact ties give the same limit.
    """
    n = x.size
    for k in range(n):
        left = 1 if k == 0 else n - 3 if k == n - 1 else k - 1
        right = 2 if k == 0 else n - 2 if k == n - 1 else k + 1
        a[k], b[k] = x[right] - x[k], x[k] - x[left]
        if a[k] == 0 and b[k] == 0:  # repeated measurements of one (N, p): plain average
            a[k] = b[k] = 1.0
        gap[k] = a[k] + b[k]
        weight[k] = 1 / ((gap[k] * sigma[k]) ** 2 + (a[k] * sigma[left]) ** 2 + (b[k] * sigma[right]) ** 2)


@njit(cache=True, fastmath={"reassoc"})
def _sum(v, a, b, gap, weight, drop_ends):
    """Sum of (y - ybar)^2 / Sigma^2 of the sorted data ``v``."""
    n, total = v.size, 0.0
    for k in range(1, n - 1):
        total += (gap[k] * v[k] - a[k] * v[k - 1] - b[k] * v[k + 1]) ** 2 * weight[k]
    if not drop_ends:
        total += (gap[0] * v[0] - a[0] * v[1] - b[0] * v[2]) ** 2 * weight[0]
        total += (gap[n - 1] * v[n - 1] - a[n - 1] * v[n - 3] - b[n - 1] * v[n - 2]) ** 2 * weight[n - 1]
    return total


@njit(cache=True, error_model="numpy")
def chi_squared(p, index, sigma, centre, scale, offset, factor, y, shared, drop_ends, resolved, out, ties):
    """`quality.chi_squared_rows` into ``out``; rows with ties are only marked, unless they are ``resolved``.

    Centre, scale, offset and factor are (m, S).
    """
    n = p.size
    order, work = np.arange(n), np.empty((9, n))
    x, s, v, a, b, gap, weight, minus, times = work
    for i in range(centre.shape[0]):
        ties[i] = _sort(p, index, centre[i], scale[i], order, x) and not resolved
        if ties[i]:
            continue
        for k in range(n):
            minus[k], times[k] = offset[i, index[order[k]]], factor[i, index[order[k]]]
            s[k] = sigma[order[k]] * times[k]
        _weigh(x, s, a, b, gap, weight)
        first, last = (0, y.shape[0]) if shared else (i, i + 1)
        for j in range(first, last):
            for k in range(n):
                v[k] = (y[j, order[k]] - minus[k]) * times[k]
            out[j if shared else 0, i] = _sum(v, a, b, gap, weight, drop_ends)


@njit(cache=True)
def columns_of(x, decay, j, k):
    """x^a decay^b for a <= j and b <= k, (P, n) with a slowest, for x and decay (n,)."""
    out = np.ones(((j + 1) * (k + 1), x.size))
    for c in range(1, out.shape[0]):
        for i in range(x.size):
            out[c, i] = out[c - 1, i] * decay[i] if c % (k + 1) else out[c - k - 1, i] * x[i]
    return out


@njit(cache=True, fastmath={"reassoc"})
def _dot(a, b):
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@njit(cache=True)
def left_over(x, decay, j, k, whitener, y, shared):
    """Squared norm of what whitened columns of x and decay (m, n) leave of the whitened data y (B, n), or (m, n): (J + 1, B or 1, m), for
    every J up to j.

    Modified Gram-Schmidt of design and data together, as good as Householder's for least squares (Bjorck, BIT 7, 1 (1967)).
    """
    p, each = (j + 1) * (k + 1), y.shape[0] if shared else 1
    out = np.empty((j + 1, each, x.shape[0]))
    for row in range(x.shape[0]):
        first = 0 if shared else row % y.shape[0]
        raw = np.vstack((columns_of(x[row], decay[row], j, k), y[first : first + each]))
        a = raw * whitener[:, 0] if whitener.shape[1] == 1 else raw @ whitener.T
        for c in range(p):
            norm = _dot(a[c], a[c])
            for other in range(c + 1, p + each if norm > 0 else 0):
                along = _dot(a[c], a[other]) / norm
                for i in range(a.shape[1]):
                    a[other, i] -= along * a[c, i]
            if c % (k + 1) == k:
                for b in range(each):
                    out[c // (k + 1), b, row] = _dot(a[p + b], a[p + b])
    return out


@njit(cache=True, error_model="numpy")
def _at(theta, p, index, sigma, growth, y, drop_ends, expansion, order, work):
    """Chi-squared of one data vector at theta = (p_c, ln nu, ...), x = (p - p_c) exp(growth(N) / nu): of neighbours in x or, with
    ``expansion`` = (ln N / n_ref, J, K, whitener), of polynomials, where omega is last in theta.
    """
    centre, scale = np.full(growth.size, theta[0]), np.exp(growth / np.exp(theta[1]))
    if expansion is not None:
        ln_size, j, k, whitener = expansion
        x, decay = (p - centre[index]) * scale[index], np.exp(-theta[-1] * ln_size)[index]
        return left_over((x / np.abs(x).max())[None], decay[None], j, k, whitener, y[None], True)[j, 0, 0]
    x, s, v, a, b, gap, weight = work[:, : p.size]
    if _sort(p, index, centre, scale, order, x):
        _sort(p, index, centre - SHIFT * (p.max() - p.min()), scale, order, x)
    for k in range(p.size):
        s[k], v[k] = sigma[order[k]], y[order[k]]
    _weigh(x, s, a, b, gap, weight)
    return _sum(v, a, b, gap, weight, drop_ends)


@njit(cache=True, error_model="numpy")
def polish(start, free, step, low, high, tolerance, max_iterations, p, index, sigma, growth, y, drop_ends, expansion):
    """`search.minimise` of the chi-squared of `_at` over the coordinates ``free`` from ``start`` (B, k), for data y (B, n).

    Returns theta (B, k) and chi-squared (B,), not divided by the degrees of freedom.
    """
    m = free.size
    found, values = start.copy(), np.empty(start.shape[0])
    order, work = np.arange(p.size), np.empty((7, p.size))
    simplex, f = np.empty((m + 1, start.shape[1])), np.empty(m + 1)
    for i in range(start.shape[0]):
        for vertex in range(m + 1):
            simplex[vertex] = start[i]
            if vertex:
                j = free[vertex - 1]
                # Edges point to the inside of the box, so that no vertex of the first simplex coincides with the start.
                simplex[vertex, j] += step[j] if start[i, j] + step[j] <= high[j] else -step[j]
            simplex[vertex] = np.minimum(np.maximum(simplex[vertex], low), high)
            f[vertex] = _at(simplex[vertex], p, index, sigma, growth, y[i], drop_ends, expansion, order, work)
        for _ in range(max_iterations):
            by_value = np.argsort(f, kind="mergesort")
            simplex, f = simplex[by_value], f[by_value]
            wide = False
            for j in free:
                wide |= simplex[:, j].max() - simplex[:, j].min() > tolerance * step[j]
            if not wide:
                break
            centroid = simplex[0].copy()
            for vertex in range(1, m):
                centroid += simplex[vertex]
            centroid /= m
            towards = centroid - simplex[m]
            new = np.minimum(np.maximum(centroid + towards, low), high)
            f_new = _at(new, p, index, sigma, growth, y[i], drop_ends, expansion, order, work)
            shrink = False
            if f_new < f[0] or f_new >= f[m - 1]:  # second trial: expansion, or contraction outside or inside
                factor = 2.0 if f_new < f[0] else 0.5 if f_new < f[m] else -0.5
                second = np.minimum(np.maximum(centroid + factor * towards, low), high)
                f_second = _at(second, p, index, sigma, growth, y[i], drop_ends, expansion, order, work)
                better = f_second < (f_new if factor == 2.0 else min(f_new, f[m]))
                shrink = not better and factor != 2.0
                if better:
                    new, f_new = second, f_second
            if not shrink:
                simplex[m], f[m] = new, f_new
                continue
            for vertex in range(1, m + 1):
                simplex[vertex] = 0.5 * (simplex[vertex] + simplex[0])
                f[vertex] = _at(simplex[vertex], p, index, sigma, growth, y[i], drop_ends, expansion, order, work)
        best = f.argmin()
        found[i], values[i] = simplex[best], f[best]
    return found, values
