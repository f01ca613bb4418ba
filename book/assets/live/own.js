/* A table of the reader's own for the collapse explorer: what `pruning_phases.collapse.read_points` reads and refuses, and its payload.
   No drawing here: the tests run this file by itself and compare it with Python. */
(() => {
  "use strict";
  const root = typeof window === "undefined" ? globalThis : window;
  const live = (root.pruningPhases ??= {});
  const NEEDED = ["size", "parameter", "value"], FEWEST = 4, SIZES_LEFT = 3;
  const SHARES = [0.1, 0.2, 0.3, 0.4, 1]; // windows about the crossing, of the range of the parameter
  const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star", "x"], SIGNS = "●■◆▲▼✚★✖";

  /* Columns of numbers, an array for each name; throws an Error that names the line. */
  const columns = (text) => {
    const lines = text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/).map((line, k) => [k + 1, line])
      .filter(([, line]) => line.trim() && !line.startsWith("#"));
    if (lines.length < 2) throw new Error(`no table: give a line of column names (${NEEDED.join(", ")}) and lines of numbers`);
    const separator = ["\t", ";", ","].find((one) => lines[0][1].includes(one)) ?? /\s+/;
    const cells = (line) => (separator instanceof RegExp ? line.trim() : line).split(separator).map((cell) => cell.trim().replace(/^"|"$/g, ""));
    const names = cells(lines[0][1]).map((name) => name.toLowerCase());
    for (const name of [...NEEDED, "error", "realization"]) {
      const n = names.filter((one) => one === name).length;
      if (n > 1 || (n === 0 && NEEDED.includes(name))) {
        throw new Error(`the column ${name} is ${n ? "there twice" : "missing"}: name the columns ${NEEDED.join(", ")} (found ${names.join(", ")})`);
      }
    }
    if (names.includes("error") && names.includes("realization")) throw new Error("there are both error and realization: give one of them");
    const kept = names.filter((name) => [...NEEDED, "error", "realization"].includes(name));
    const table = Object.fromEntries(kept.map((name) => [name, []]));
    for (const [k, line] of lines.slice(1)) {
      const row = cells(line);
      if (row.length !== names.length) throw new Error(`line ${k} has ${row.length} columns, but the first line names ${names.length}`);
      for (const name of kept) {
        const shown = row[names.indexOf(name)], value = shown === "" ? NaN : Number(shown);
        if (!Number.isFinite(value)) throw new Error(`line ${k}: ${name} ${shown ? `= "${shown}" is no finite number` : "is empty"}`);
        if (name === "size" && value <= 0) throw new Error(`line ${k}: size = ${shown} is not positive`);
        if (name === "error" && value <= 0) throw new Error(`line ${k}: error = ${shown} is not positive`);
        table[name].push(value);
      }
    }
    return table;
  };

  /* Mean and standard error of the values [value, error] of one point. */
  const joined = (values, hasErrors, relative) => {
    if (hasErrors) {
      const weights = values.map(([, error]) => 1 / error ** 2), total = weights.reduce((a, b) => a + b);
      return [values.reduce((sum, [y], i) => sum + weights[i] * y, 0) / total, 1 / Math.sqrt(total)];
    }
    const n = values.length, mean = values.reduce((sum, [y]) => sum + y, 0) / n;
    if (relative) return [mean, 1];
    return [mean, Math.sqrt(values.reduce((sum, [y]) => sum + (y - mean) ** 2, 0) / (n - 1) / n)];
  };

  /* Points sorted by (N, p), each once: { n: sizes, size: index of each, p, y, sigma, relative }. */
  const read = (text) => {
    const table = columns(text), points = new Map();
    table.size.forEach((N, i) => {
      const key = `${N} ${table.parameter[i]}`;
      if (!points.has(key)) points.set(key, { N, p: table.parameter[i], values: [] });
      points.get(key).values.push([table.value[i], table.error?.[i]]);
    });
    const sorted = [...points.values()].sort((a, b) => a.N - b.N || a.p - b.p);
    const hasErrors = "error" in table, most = Math.max(...sorted.map(({ values }) => values.length));
    const relative = !hasErrors && most === 1 && !("realization" in table);
    for (const { N, p, values } of sorted) {
      if (!hasErrors && !relative && values.length < 2) throw new Error(`size ${N}, parameter ${p} is there once, others more often: repeat all, or give a column error`);
    }
    const n = [...new Set(sorted.map(({ N }) => N))];
    if (n.length < 2) throw new Error(`a collapse needs at least two sizes, got ${n.join(", ")}`);
    const found = { n, relative, size: [], p: [], y: [], sigma: [] };
    for (const { N, p, values } of sorted) {
      const [y, sigma] = joined(values, hasErrors, relative);
      if (!(sigma > 0)) throw new Error(`size ${N}, parameter ${p}: the values do not scatter, so there is no error; leave the point out`);
      found.size.push(n.indexOf(N));
      found.p.push(p);
      found.y.push(y);
      found.sigma.push(sigma);
    }
    n.forEach((N, k) => {
      if (found.size.filter((one) => one === k).length < FEWEST) throw new Error(`fewer than ${FEWEST} points of size ${N}; add points or leave the size out`);
    });
    return found;
  };

  /* Where the lines through the points of two sizes cross: the change of sign of their difference, on the parameters of both. */
  const crossing = ({ size, p, y }, a, b) => {
    const curve = (k) => p.flatMap((x, i) => (size[i] === k ? [[x, y[i]]] : []));
    const at = (points, x) => {
      const i = points.findIndex(([u]) => u >= x), [u1, v1] = points[Math.max(i, 0)], [u0, v0] = points[Math.max(i - 1, 0)];
      return u1 === u0 ? v1 : v0 + ((v1 - v0) * (x - u0)) / (u1 - u0);
    };
    const [left, right] = [curve(a), curve(b)];
    const low = Math.max(left[0][0], right[0][0]), high = Math.min(left.at(-1)[0], right.at(-1)[0]);
    const grid = [...new Set([...left, ...right].map(([x]) => x))].filter((x) => x >= low && x <= high).sort((u, v) => u - v);
    const gaps = grid.map((x) => at(right, x) - at(left, x));
    const found = grid.slice(1).flatMap((x, i) => (gaps[i] < 0 === gaps[i + 1] < 0 ? [] : [grid[i] + ((x - grid[i]) * gaps[i]) / (gaps[i] - gaps[i + 1])]));
    return median(found);
  };
  const median = (values) => {
    const v = values.filter((one) => one !== null).sort((a, b) => a - b), m = v.length >> 1;
    return v.length ? (v.length % 2 ? v[m] : (v[m - 1] + v[m]) / 2) : null;
  };

  /* The explorer's data with the table in the place of the book's lines; begins with all points. */
  const payload = (data, text, name) => {
    const points = read(text), { n, p } = points, span = Math.max(...p) - Math.min(...p);
    const first = n.slice(0, Math.max(1, n.length - SIZES_LEFT + 1)).map((_, k) => k);
    const pairs = n.slice(1).map((_, k) => crossing(points, k, k + 1));
    const shade = (t, k) => ({ n: n[k], light: live.ramp(data.colors.sequential, 0.75 * (1 - t)), dark: live.ramp(data.colors.sequential, 0.97 - 0.67 * t), symbol: SYMBOLS[k % 8], sign: SIGNS[k % 8] });
    const l0 = { low: Math.min(0.1, n[0] / 20), high: Math.min(100, n[0] / 2), value: Math.min(1, n[0] / 2) };
    const low = Math.min(...points.y);
    return {
      ...data, l0, sizes: n.map((_, k) => shade(n.length > 1 ? k / (n.length - 1) : 0, k)),
      half_widths: SHARES.map((share) => Number((share * span).toPrecision(3))),
      lines: [{ ...points, p_train: name, first, crossing: first.map((k) => median(pairs.slice(k))), start: { first: 0, window: SHARES.length - 1 } }],
      names: { line: "table", p: "<i>p</i>", y: "value", log: low > 0 && Math.max(...points.y) > 20 * low, relative: points.relative },
    };
  };

  live.own = { read, payload };
})();
