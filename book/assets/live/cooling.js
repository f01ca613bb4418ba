/* Losses between the temperatures at which they were measured, and their exponents in N. No drawing: the tests run this file. */
(() => {
  "use strict";
  const root = typeof window === "undefined" ? globalThis : window;
  const live = (root.pruningPhases ??= {});

  const decode = (text, type) => new type(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

  /* The data with loss and slope as numbers, by [p_train][p_eval][N][T]. */
  const unpacked = (data) => {
    const n = data.ln_t.n, cells = data.p_train.map(() => data.p_eval.map(() => data.sizes.map(() => null)));
    const table = (whole, unit) => {
      let at = 0;
      return cells.map((line) => line.map((sizes) => sizes.map(() => Array.from(whole.subarray(at, (at += n)), (v) => v * unit))));
    };
    return { ...data, loss: table(decode(data.loss, Int16Array), data.units.loss), slope: table(decode(data.slope, Int8Array), data.units.slope) };
  };

  /* ln L at ln T: the cubic that has the measured values and slopes at both neighbours; beyond the ends, the ends. */
  const between = (loss, slope, { first, step, n }, lnT) => {
    const at = Math.min(n - 1, Math.max(0, (lnT - first) / step)), k = Math.min(n - 2, Math.floor(at)), u = at - k, v = 1 - u;
    return v * v * (1 + 2 * u) * loss[k] + u * u * (1 + 2 * v) * loss[k + 1] + u * v * step * (v * slope[k] - u * slope[k + 1]);
  };

  /* ln L of every N at one point of the plane; T = null: calibrated, each N with the temperature fitted to it. */
  const losses = (data, i, j, lnT) =>
    lnT === null ? data.fitted[i][j] : data.loss[i][j].map((loss, k) => between(loss, data.slope[i][j][k], data.ln_t, lnT));

  /* Slope of ln L against ln N over N >= n_min. */
  const exponent = (data, lnL) => {
    const some = data.sizes.map(({ n }, k) => [Math.log(n), lnL[k]]).filter((_, k) => data.sizes[k].n >= data.n_min);
    const middle = some.reduce((sum, [x]) => sum + x, 0) / some.length;
    const square = some.reduce((sum, [x]) => sum + (x - middle) ** 2, 0);
    return some.reduce((sum, [x, y]) => sum + (x - middle) * y, 0) / square;
  };

  /* p_eval where a line of exponents last turns from − to +, by linear interpolation; null where it does not. */
  const border = (p, alpha) => {
    const k = alpha.slice(0, -1).findLastIndex((a, j) => a < 0 && alpha[j + 1] >= 0);
    return k < 0 ? null : p[k] - (alpha[k] * (p[k + 1] - p[k])) / (alpha[k + 1] - alpha[k]);
  };

  /* Exponents [p_train][p_eval] and the border by p_train at ln T (null: calibrated). */
  const plane = (data, lnT) => {
    const alpha = data.p_train.map((_, i) => data.p_eval.map((_, j) => exponent(data, losses(data, i, j, lnT))));
    return { alpha, border: alpha.map((line) => border(data.p_eval, line)) };
  };

  live.cooling = { unpacked, between, losses, exponent, border, plane };
})();
