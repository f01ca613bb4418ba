/* Quality of a collapse, as pruning_phases.collapse computes it: Eqs. (14)-(17), the search for its minimum, its contour.
   No drawing here: the tests run this file by itself and compare it with Python. */
(() => {
  "use strict";
  const TIE = 1e-12, SHIFT = 1e-10; // as in collapse/quality.py
  const root = typeof window === "undefined" ? globalThis : window;
  const live = (root.pruningPhases ??= {});

  /* dx/dp for size N. */
  const scale = (N, { ansatz, nu, l0 }) => (ansatz === "bkt" ? Math.log(N / l0) ** (1 / nu) : N ** (1 / nu));

  /* Points of a line from its k-th smallest size on and within `halfWidth` of their crossing; all p of these sizes where they do not
     cross or the window leaves fewer than four points of a size. As `selected` in live/collapse.py. */
  const choose = (line, k, halfWidth) => {
    const all = line.p.map((_, i) => i).filter((i) => line.size[i] >= line.first[k]);
    const centre = line.crossing[k];
    const near = all.filter((i) => centre !== null && Math.abs(line.p[i] - centre) <= halfWidth + 1e-9);
    const count = (size) => near.filter((i) => line.size[i] === size).length;
    const kept = all.every((i) => count(line.size[i]) >= 4) ? near : all;
    return Object.fromEntries(["p", "y", "sigma", "size"].map((name) => [name, kept.map((i) => line[name][i])]));
  };

  /* Points of one line for fast use; `line` as in the payload, sorted by (N, p). */
  const prepare = (line, sizes) => ({
    p: Float64Array.from(line.p), y: Float64Array.from(line.y), variance: Float64Array.from(line.sigma, (s) => s * s),
    size: Uint16Array.from(line.size), n: sizes.map((size) => size.n),
    low: Math.min(...line.p), high: Math.max(...line.p),
  });

  /* Collapse variable of every point. */
  const variable = (points, parameters) => {
    const scales = points.n.map((N) => scale(N, parameters));
    return points.p.map((p, i) => (p - parameters.p_c) * scales[points.size[i]]);
  };

  /* x sorted, with the stable order; exact ties are taken in the limit of p_c from below, as in Python. */
  const sorted = (points, parameters) => {
    const arrange = (x) => {
      const order = Array.from(x.keys()).sort((a, b) => x[a] - x[b]);
      return { order, x: order.map((i) => x[i]) };
    };
    const plain = arrange(variable(points, parameters));
    const least = TIE * (plain.x.at(-1) - plain.x[0]);
    if (!plain.x.some((v, i) => i > 0 && v - plain.x[i - 1] <= least)) return plain;
    return arrange(variable(points, { ...parameters, p_c: parameters.p_c - SHIFT * (points.high - points.low) }));
  };

  /* Reduced chi-squared: every y against the line through its two neighbours in x (at the ends: the two nearest points). */
  const chi2 = (points, parameters) => {
    const { order, x } = sorted(points, parameters), n = x.length;
    let sum = 0;
    for (let i = 0; i < n; i++) {
      const l = i === 0 ? 1 : i === n - 1 ? n - 3 : i - 1;
      const r = i === 0 ? 2 : i === n - 1 ? n - 2 : i + 1;
      let a = x[r] - x[i], b = x[i] - x[l], g = x[r] - x[l];
      if (a === 0 && b === 0) [a, b, g] = [1, 1, 2]; // repeated measurements of one point: plain average
      const [me, left, right] = [order[i], order[l], order[r]];
      const residual = g * points.y[me] - a * points.y[left] - b * points.y[right];
      const v = points.variance;
      sum += (residual * residual) / (g * g * v[me] + a * a * v[left] + b * b * v[right]);
    }
    return sum / (n - 2);
  };

  /* Values over a grid of p_c (columns) and ln nu (rows): values[row][column]. */
  const landscape = (points, fixed, p_c, lnNu) =>
    lnNu.map((t) => p_c.map((p) => chi2(points, { ...fixed, p_c: p, nu: Math.exp(t) })));

  const linspace = (low, high, n) => Array.from({ length: n }, (_, i) => low + ((high - low) * i) / (n - 1));

  /* Lowest minimum in a box: local minima of a grid, polished by Nelder-Mead in (p_c, ln nu). */
  const lowest = (points, fixed, low, high, n) => {
    const p_c = linspace(low[0], high[0], n), lnNu = linspace(low[1], high[1], n);
    const values = landscape(points, fixed, p_c, lnNu);
    const starts = [];
    for (let r = 0; r < n; r++) {
      for (let c = 0; c < n; c++) {
        const around = [-1, 0, 1].flatMap((dr) => [-1, 0, 1].map((dc) => values[r + dr]?.[c + dc] ?? Infinity));
        if (values[r][c] <= Math.min(...around)) starts.push({ at: [p_c[c], lnNu[r]], value: values[r][c] });
      }
    }
    starts.sort((a, b) => a.value - b.value);
    const inside = (at) => at.map((v, k) => Math.min(high[k], Math.max(low[k], v)));
    const f = (at) => chi2(points, { ...fixed, p_c: at[0], nu: Math.exp(at[1]) });
    const step = low.map((v, k) => (high[k] - v) / (n - 1));
    const found = starts.slice(0, 8).map((start) => nelderMead(f, start.at, step, inside));
    return { ...found.reduce((a, b) => (b.value < a.value ? b : a)), grid: { p_c, lnNu, values }, step };
  };

  /* Best fit in the whole search, with its landscape. The landscape has small jumps, so the neighbourhood of the minimum is searched
     once more on a finer grid. */
  const bestFit = (points, fixed, nuBounds, n = 61) => {
    const low = [points.low, Math.log(nuBounds[0])], high = [points.high, Math.log(nuBounds[1])];
    const wide = lowest(points, fixed, low, high, n);
    const near = (sign) => wide.at.map((v, k) => Math.min(high[k], Math.max(low[k], v + sign * 3 * wide.step[k])));
    const fine = lowest(points, fixed, near(-1), near(1), 41);
    const best = fine.value < wide.value ? fine : wide;
    return { p_c: best.at[0], nu: Math.exp(best.at[1]), chi2: best.value, grid: wide.grid };
  };

  const nelderMead = (f, start, step, inside) => {
    const vertex = (at) => {
      const clipped = inside(at);
      return { at: clipped, value: f(clipped) };
    };
    let simplex = [start, [start[0] + step[0] / 2, start[1]], [start[0], start[1] + step[1] / 2]].map(vertex);
    for (let k = 0; k < 200; k++) {
      simplex.sort((a, b) => a.value - b.value);
      const [best, middle, worst] = simplex;
      const size = Math.max(...[0, 1].map((d) => Math.abs(worst.at[d] - best.at[d]) / step[d]));
      if (size < 1e-6) break;
      const centre = [0, 1].map((d) => (best.at[d] + middle.at[d]) / 2);
      const along = (t) => vertex(centre.map((v, d) => v + t * (worst.at[d] - v)));
      const reflected = along(-1);
      if (reflected.value < best.value) {
        const expanded = along(-2);
        simplex[2] = expanded.value < reflected.value ? expanded : reflected;
      } else if (reflected.value < middle.value) simplex[2] = reflected;
      else {
        const contracted = along(reflected.value < worst.value ? -0.5 : 0.5);
        if (contracted.value < Math.min(worst.value, reflected.value)) simplex[2] = contracted;
        else simplex = [best, ...[middle, worst].map((v) => vertex(v.at.map((u, d) => (u + best.at[d]) / 2)))];
      }
    }
    return simplex.reduce((a, b) => (b.value < a.value ? b : a));
  };

  /* Line segments [x0, y0, x1, y1] of the level in a grid (marching squares, linear between samples). */
  const contour = (x, y, values, level) => {
    const segments = [];
    for (let r = 0; r + 1 < y.length; r++) {
      for (let c = 0; c + 1 < x.length; c++) {
        const corners = [[c, r], [c + 1, r], [c + 1, r + 1], [c, r + 1]];
        const cuts = [];
        for (let k = 0; k < 4; k++) {
          const [[ca, ra], [cb, rb]] = [corners[k], corners[(k + 1) % 4]];
          const [va, vb] = [values[ra][ca] - level, values[rb][cb] - level];
          if (va < 0 === vb < 0) continue;
          const t = va / (va - vb);
          cuts.push([x[ca] + t * (x[cb] - x[ca]), y[ra] + t * (y[rb] - y[ra])]);
        }
        for (let k = 0; k + 1 < cuts.length; k += 2) segments.push([...cuts[k], ...cuts[k + 1]]);
      }
    }
    return segments;
  };

  /* The region below the level that holds the minimum of a grid (cells that touch, also at corners): its extent, and whether it stays
     inside the grid. */
  const region = ({ p_c, lnNu, values }, level) => {
    let [row, column] = [0, 0];
    values.forEach((line, r) => line.forEach((v, c) => {
      if (v < values[row][column]) [row, column] = [r, c];
    }));
    const seen = new Set([row * p_c.length + column]), stack = [[row, column]];
    const low = [column, row], high = [column, row];
    while (stack.length) {
      const [r, c] = stack.pop();
      [low[0], low[1]] = [Math.min(low[0], c), Math.min(low[1], r)];
      [high[0], high[1]] = [Math.max(high[0], c), Math.max(high[1], r)];
      for (let dr = -1; dr <= 1; dr++) {
        for (let dc = -1; dc <= 1; dc++) {
          const key = (r + dr) * p_c.length + c + dc;
          if (!(values[r + dr]?.[c + dc] <= level) || seen.has(key)) continue;
          seen.add(key);
          stack.push([r + dr, c + dc]);
        }
      }
    }
    return {
      closed: low[0] > 0 && low[1] > 0 && high[0] < p_c.length - 1 && high[1] < lnNu.length - 1,
      p_c: [p_c[low[0]], p_c[high[0]]], nu: [Math.exp(lnNu[low[1]]), Math.exp(lnNu[high[1]])],
    };
  };

  live.chi2 = { choose, prepare, variable, chi2, landscape, linspace, bestFit, contour, region };
})();
