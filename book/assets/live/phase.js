/* Live phase diagram: point at the plane to read it, choose a point to see its power law and the cuts through it. */
(() => {
  "use strict";
  const live = window.pruningPhases, { h } = live;
  const P_TRAIN = "training dropout <i>p</i><sub>train</sub>", P_EVAL = "evaluation dropout <i>p</i><sub>eval</sub>";
  const LOSS = "test loss (nats)";

  const draw = (root, data) => {
    const { p_train, p_eval, sizes, colors } = data;
    const last = [p_train.length - 1, p_eval.length - 1];
    const state = { map: "phase", focus: startingPoint(data) };
    state.chosen = state.focus;

    const readout = live.readout("phase");
    const legend = h("div", { class: "pp-legend-slot" });
    const sizeLegend = h("div", {});
    const map = h("div", {
      class: "pp-plot pp-tall", tabindex: 0, role: "application", "data-plot": "map",
      "aria-label": "Phase diagram. Arrow keys move over the points, Enter chooses one.",
    });
    const scaling = h("div", { class: "pp-plot pp-tall", role: "img", "data-plot": "scaling" });
    const cutEval = h("div", { class: "pp-plot", role: "img", "data-plot": "cut-eval" });
    const cutTrain = h("div", { class: "pp-plot", role: "img", "data-plot": "cut-train" });
    const modes = [["phase", "phase"], ["alpha", "exponent α"], ["accuracy", `accuracy at N = ${live.size(data.accuracy_n)}`]];
    const choice = live.select(modes, (value) => {
      state.map = value;
      drawMap();
    });
    root.append(
      h("div", { class: "pp-controls" }, live.field("Colour", choice), legend),
      ...readout.nodes,
      h("div", { class: "pp-grid" }, map, scaling, cutEval, cutTrain),
      sizeLegend,
      live.hint("Point at the plane to read a point, click or tap to choose it. Keyboard: tab to the plane, arrow keys, Enter. Square: read above; red dot and dashed lines: chosen."));

    const parts = ([i, j]) => [
      `<b>${data.phases[data.phase[i][j]] ?? "not computed"}</b>`,
      `<i>p</i><sub>train</sub> = ${p_train[i]}, <i>p</i><sub>eval</sub> = ${p_eval[j]}`,
      `α = ${live.withError(data.alpha[i][j], data.alpha_error[i][j])}`,
      `accuracy ${live.fixed(data.accuracy[i][j], 3)} at <i>N</i> = ${live.size(data.accuracy_n)}`,
    ];
    const describe = (point) => {
      const [phase, where, alpha, accuracy] = parts(point);
      return `${phase} at ${where}: ${alpha}, ${accuracy}`;
    };

    const fill = (i, j, theme) => {
      if (state.map === "alpha") {
        const alpha = data.alpha[i][j];
        return alpha === null ? theme.paper : live.ramp(colors.alpha, 0.5 + (0.5 * alpha) / data.alpha_limit);
      }
      if (state.map === "accuracy") return data.accuracy[i][j] === null ? theme.paper : live.ramp(colors.sequential, data.accuracy[i][j]);
      const phase = data.phases[data.phase[i][j]];
      return colors.phase[phase] ?? theme.paper;
    };

    /* One bar for each point, as large as its cell, so that every point can be pointed at; undecided ones are hatched. */
    const cells = (theme) => {
      const hatched = ([i, j]) => state.map === "phase" && data.phases[data.phase[i][j]] === "undecided";
      const points = p_train.flatMap((_, i) => p_eval.map((_, j) => [i, j]));
      const { p_train: left, p_eval: bottom } = data.edges;
      const bars = (some, marker) => ({
        type: "bar", offset: 0, customdata: some, hoverinfo: "text", textposition: "none", marker,
        x: some.map(([i]) => left[i]), width: some.map(([i]) => left[i + 1] - left[i]),
        base: some.map(([, j]) => bottom[j]), y: some.map(([, j]) => bottom[j + 1] - bottom[j]),
        hovertext: some.map((point) => parts(point).join("<br>")),
      });
      const plain = points.filter((point) => !hatched(point)), colors = plain.map(([i, j]) => fill(i, j, theme));
      const undecided = theme.dark ? "#c9ced4" : data.colors.phase.undecided; // light, so that the black border is seen on it
      return [
        bars(plain, { color: colors, line: { width: 1, color: colors } }),
        bars(points.filter(hatched), { color: undecided, line: { width: 0 }, pattern: { shape: "/", fillmode: "overlay", fgcolor: "#777777", size: 6, solidity: 0.2 } }),
      ];
    };

    const ring = ([i, j], extra) => ({
      type: "scatter", mode: "markers", x: [p_train[i]], y: [p_eval[j]], hoverinfo: "skip", ...extra,
    });
    const border = () => {
      const { p_train: x, p_c: y, p_c_error: e } = data.boundary;
      const edge = y.map((v, k) => v + (e[k] ?? 0)).concat(y.map((v, k) => v - (e[k] ?? 0)).reverse());
      return [
        { type: "scatter", mode: "lines", x: x.concat([...x].reverse()), y: edge, fill: "toself", fillcolor: "rgba(0,0,0,0.3)", line: { width: 0 }, hoverinfo: "skip" },
        { type: "scatter", mode: "lines", x, y, line: { color: "black", width: 2 }, hoverinfo: "skip" },
      ];
    };

    const drawMap = () => {
      const theme = live.theme();
      const [left, bottom] = [data.edges.p_train, data.edges.p_eval];
      live.plot(map, [
        ...cells(theme),
        ...(state.map === "accuracy" ? [] : border()),
        ring(state.chosen, { marker: { symbol: "circle", size: 12, color: "#c0392b", line: { color: "white", width: 2.5 } } }),
        ring(state.focus, { marker: { symbol: "square-open", size: 15, color: "white", line: { color: "white", width: 5 } } }),
        ring(state.focus, { marker: { symbol: "square-open", size: 15, color: "black", line: { color: "black", width: 2 } } }),
      ], live.layout({
        barmode: "overlay", bargap: 0, margin: { l: 56, r: 12, t: 12, b: 46 },
        xaxis: live.axis(P_TRAIN, { range: [left[0], left.at(-1)], dtick: 0.2, showgrid: false }),
        yaxis: live.axis(P_EVAL, { range: [bottom[0], bottom.at(-1)], dtick: 0.2, showgrid: false }),
      }));
      legend.replaceChildren(mapLegend(data, state.map));
    };

    const moveFocus = (point) => {
      state.focus = point;
      const [x, y] = [[p_train[point[0]]], [p_eval[point[1]]]];
      const first = map.data.length - 2;
      Plotly.restyle(map, { x: [x, x], y: [y, y] }, [first, first + 1]);
      readout.set(describe(point));
    };

    const choose = (point) => {
      state.chosen = state.focus = point;
      readout.set(describe(point));
      drawMap();
      drawScaling();
      drawCuts();
    };

    /* Loss against N at the chosen point, with its power law. */
    const drawScaling = () => {
      const theme = live.theme(), [i, j] = state.chosen;
      const present = sizes.map((_, k) => k).filter((k) => data.loss[i][j][k] !== null);
      const n = present.map((k) => sizes[k].n), loss = present.map((k) => data.loss[i][j][k]);
      const fitted = data.n_fit, alpha = data.alpha[i][j];
      const law = fitted.map((N) => (alpha === null ? null : data.amplitude[i][j] * N ** alpha));
      const all = [...loss, ...law.filter((v) => v !== null), data.guessing];
      const ends = [sizes[0].n / 1.3, sizes.at(-1).n * 1.3];
      const phase = data.phases[data.phase[i][j]] ?? "not computed";
      const traces = [
        { type: "scatter", mode: "lines", x: ends, y: [data.guessing, data.guessing], line: { color: theme.muted, dash: "dot", width: 1.5 }, hoverinfo: "skip" },
        { type: "scatter", mode: "lines", x: fitted, y: law, line: { color: theme.text, width: 1.6 }, hoverinfo: "skip" },
        {
          type: "scatter", mode: "markers", x: n, y: loss, error_y: errors(present.map((k) => data.sem[i][j][k]), theme.text),
          marker: { symbol: present.map((k) => sizes[k].symbol), color: present.map((k) => theme.of(sizes[k])), size: 9 },
          text: n.map(live.size), hovertemplate: "N = %{text}<br>loss %{y:.4g}<extra></extra>",
        },
      ];
      const title = `<b>${phase}</b>, <i>p</i><sub>train</sub> = ${p_train[i]}, <i>p</i><sub>eval</sub> = ${p_eval[j]}<br>α = ${live.withError(alpha, data.alpha_error[i][j])}, χ²/d.o.f. = ${live.short(data.chi2[i][j], 2)}`;
      live.plot(scaling, traces, live.layout({
        title: live.title(title), margin: { l: 62, r: 12, t: 46, b: 46 },
        xaxis: live.logAxis("training-set size <i>N</i>", ...ends), yaxis: live.logAxis(LOSS, ...padded(all)),
      }));
      scaling.setAttribute("aria-label", `Loss against N at p_train ${p_train[i]}, p_eval ${p_eval[j]}: ${phase}, alpha ${live.withError(alpha, data.alpha_error[i][j])}`);
    };

    /* Loss of every N along the two lines through the chosen point. */
    const drawCuts = () => {
      const theme = live.theme(), [i, j] = state.chosen;
      const cut = (node, x, at, value, label, title) => {
        const traces = sizes.map((size, k) => ({
          type: "scatter", mode: "lines+markers", x, y: x.map((_, q) => value(q, k)), connectgaps: true,
          line: { color: theme.of(size), width: 1.4 }, marker: { symbol: size.symbol, size: 5, color: theme.of(size) },
          text: x.map(() => live.size(size.n)), hovertemplate: "N = %{text}<br>loss %{y:.4g} at %{x}<extra></extra>",
        }));
        const all = traces.flatMap((trace) => trace.y).filter((v) => v !== null);
        const line = { type: "line", x0: at, x1: at, yref: "paper", y0: 0, y1: 1, line: { color: "#c0392b", width: 1.5, dash: "dash" } };
        live.plot(node, traces, live.layout({
          title: live.title(title), shapes: [line],
          xaxis: live.axis(label, { range: [-0.02, 1.0], dtick: 0.2 }), yaxis: live.logAxis(LOSS, ...padded([...all, data.guessing])),
        }));
        node.setAttribute("aria-label", `${title.replace(/<[^>]*>/g, "")}: loss of every N`);
      };
      cut(cutEval, p_eval, p_eval[j], (q, k) => data.loss[i][q][k], P_EVAL, `cut at <i>p</i><sub>train</sub> = ${p_train[i]}`);
      cut(cutTrain, p_train, p_train[i], (q, k) => data.loss[q][j][k], P_TRAIN, `cut at <i>p</i><sub>eval</sub> = ${p_eval[j]}`);
    };

    const redraw = () => {
      drawMap();
      drawScaling();
      drawCuts();
      sizeLegend.replaceChildren(live.sizeLegend(sizes));
    };
    redraw();
    readout.set(describe(state.focus));
    live.onTheme(redraw);

    map.on("plotly_hover", (event) => event.points[0].customdata && moveFocus(event.points[0].customdata));
    map.on("plotly_click", (event) => event.points[0].customdata && choose(event.points[0].customdata));
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    map.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") choose(state.focus);
      else if (event.key in steps) moveFocus(state.focus.map((v, k) => Math.min(last[k], Math.max(0, v + steps[event.key][k]))));
      else return;
      event.preventDefault();
    });
    live.states.phase = {
      read: () => ({ p_train: p_train[state.chosen[0]], p_eval: p_eval[state.chosen[1]], colour: state.map }),
      write: (asked) => {
        if (modes.some(([value]) => value === asked.colour)) choice.value = state.map = asked.colour;
        choose([live.nearest(p_train, asked.p_train) ?? state.chosen[0], live.nearest(p_eval, asked.p_eval) ?? state.chosen[1]]);
      },
    };
    live.phase = { data, state, choose, moveFocus, describe };
  };

  const errors = (array, color) => ({ type: "data", array, visible: true, thickness: 1, width: 0, color });
  const padded = (values) => {
    const positive = values.filter((v) => v > 0);
    return [Math.min(...positive) / 1.25, Math.max(...positive) * 1.25];
  };

  /* The most certain dementia point of the smallest p_train, where pruning and data act against each other; else the first point. */
  const startingPoint = (data) => {
    const j = data.phase[0].findLastIndex((code) => data.phases[code] === "dementia");
    return [0, Math.max(0, j - 4)];
  };

  const mapLegend = (data, kind) => {
    const { colors } = data;
    if (kind === "alpha") {
      const limit = live.fixed(data.alpha_limit, 2);
      return live.scaleBar(colors.alpha, `−${limit}`, limit, "α");
    }
    if (kind === "accuracy") return live.scaleBar(colors.sequential, "0", "1", "accuracy");
    const keys = data.phases.filter((_, code) => data.phase.some((row) => row.includes(code))).map((name) => {
      const style = name === "undecided" ? "" : `background:${colors.phase[name]}`;
      return h("span", { class: "pp-key" }, h("span", { class: `pp-swatch pp-${name}`, style }), name);
    });
    const border = h("span", { class: "pp-key" }, h("span", { class: "pp-swatch pp-border" }), "α = 0");
    return h("div", { class: "pp-legend" }, ...keys, ...(data.boundary.p_train.length ? [border] : []));
  };

  live.start("phase", draw);
})();
