/* Live plane at a temperature: slide T, see alpha or the loss of one N; choose a point to see its losses against T. */
(() => {
  "use strict";
  const live = window.pruningPhases, { h, cooling } = live;
  const P_TRAIN = "training dropout <i>p</i><sub>train</sub>", P_EVAL = "evaluation dropout <i>p</i><sub>eval</sub>";
  const LOSS_RANGE = [0.03, 10]; // nats, of the colours

  const draw = (root, packed) => {
    const data = cooling.unpacked(packed);
    const { p_train, p_eval, sizes, colors, ln_t } = data, top = ln_t.first + (ln_t.n - 1) * ln_t.step;
    const points = p_train.flatMap((_, i) => p_eval.map((_, j) => [i, j])), [left, bottom] = [data.edges.p_train, data.edges.p_eval];
    const raw = cooling.plane(data, 0);
    const state = { lnT: 0, fitted: false, shown: "alpha", point: [0, startingPoint(p_eval, raw.border[0])] };
    const temperature = () => (state.fitted ? null : state.lnT);

    const readout = live.readout("temperature"), output = h("output", {}), legend = h("div", { class: "pp-legend-slot" }), keys = h("div", {});
    const map = h("div", { class: "pp-plot pp-tall", tabindex: 0, role: "application", "data-plot": "map", "aria-label": "Plane at this temperature. Arrow keys choose a point." });
    const curve = h("div", { class: "pp-plot pp-tall", role: "img", "data-plot": "curve" });
    const slider = live.slider(ln_t.first, top + 1e-6, ln_t.step / 32, 0, (value) => set({ lnT: value }));
    const which = live.select([["one", "one for all"], ["fitted", "fitted at each point and N"]], (value) => set({ fitted: value === "fitted" }));
    const colour = live.select([["alpha", "exponent α"], ...sizes.map(({ n }, k) => [k, `loss at N = ${live.size(n)}`])], (value) => set({ shown: value }));
    root.append(
      h("div", { class: "pp-controls pp-sliders" }, live.field("Temperature", which), live.field("<i>T</i>", slider, output), live.field("Colour", colour)),
      legend, ...readout.nodes, h("div", { class: "pp-grid" }, map, curve), keys,
      live.hint("Left: exponent of the loss in N, or the loss of one N, with all logits divided by T; black: α = 0 at this T, dotted: with the logits as they are. Click or tap a point (keyboard: tab to the plane, arrow keys) to see its losses against T on the right; symbols: fitted on validation images."));

    const set = (change) => {
      Object.assign(state, change);
      update();
    };
    const name = () => (state.fitted ? "fitted <i>T</i>" : `<i>T</i> = ${live.short(Math.exp(state.lnT), 3)}`);

    const update = live.soon(() => {
      const lnT = temperature(), now = cooling.plane(data, lnT), [i, j] = state.point;
      slider.disabled = state.fitted;
      output.textContent = state.fitted ? "" : live.short(Math.exp(state.lnT), 3);
      slider.setAttribute("aria-valuetext", `T = ${live.short(Math.exp(state.lnT), 3)}`);
      const rising = now.alpha.flat().filter((a) => a > 0).length;
      readout.set(`<b>${name()}</b>: the loss rises with <i>N</i> at ${rising} of ${points.length} points (at ${raw.alpha.flat().filter((a) => a > 0).length} with the logits as they are). At <i>p</i><sub>train</sub> = ${p_train[i]}, <i>p</i><sub>eval</sub> = ${p_eval[j]}: α = ${live.fixed(now.alpha[i][j], 3)} (${live.fixed(raw.alpha[i][j], 3)}).`);
      drawMap(now);
      drawCurve();
    });

    const drawMap = ({ alpha, border }) => {
      const lnT = temperature(), of = state.shown === "alpha" ? null : Number(state.shown), [low, high] = LOSS_RANGE.map(Math.log);
      const value = ([i, j]) => (of === null ? alpha[i][j] : cooling.losses(data, i, j, lnT)[of]);
      const color = points.map((point) => of === null
        ? live.ramp(colors.alpha, 0.5 + (0.5 * value(point)) / data.alpha_limit)
        : live.ramp(colors.sequential, (value(point) - low) / (high - low)));
      const line = (y, dash) => ({ type: "scatter", mode: "lines+markers", x: p_train, y, hoverinfo: "skip", line: { color: "black", width: 2, dash }, marker: { size: dash ? 1 : 5, color: "black" } });
      const [i, j] = state.point;
      live.plot(map, [
        {
          type: "bar", offset: 0, customdata: points, hoverinfo: "text", textposition: "none", marker: { color, line: { width: 1, color } },
          x: points.map(([a]) => left[a]), width: points.map(([a]) => left[a + 1] - left[a]),
          base: points.map(([, b]) => bottom[b]), y: points.map(([, b]) => bottom[b + 1] - bottom[b]),
          hovertext: points.map((point) => (of === null ? `α = ${live.fixed(value(point), 3)}` : `loss ${live.short(Math.exp(value(point)), 3)}`)),
        },
        line(raw.border, "dot"), line(border),
        { type: "scatter", mode: "markers", x: [p_train[i]], y: [p_eval[j]], hoverinfo: "skip", marker: { symbol: "circle", size: 12, color: "#c0392b", line: { color: "white", width: 2.5 } } },
      ], live.layout({
        barmode: "overlay", bargap: 0, margin: { l: 56, r: 12, t: 30, b: 46 }, title: live.title(name()),
        xaxis: live.axis(P_TRAIN, { range: [left[0], left.at(-1)], dtick: 0.2, showgrid: false }),
        yaxis: live.axis(P_EVAL, { range: [bottom[0], bottom.at(-1)], dtick: 0.2, showgrid: false }),
      }));
      const limit = live.fixed(data.alpha_limit, 1);
      legend.replaceChildren(of === null ? live.scaleBar(colors.alpha, `−${limit}`, limit, "α") : live.scaleBar(colors.sequential, ...LOSS_RANGE.map(String), "loss (nats)"));
    };

    /* Losses of every N against T at the chosen point. */
    const drawCurve = () => {
      const theme = live.theme(), [i, j] = state.point, x = Array.from({ length: 91 }, (_, k) => ln_t.first + ((top - ln_t.first) * k) / 90);
      const lines = sizes.map((size, k) => ({
        type: "scatter", mode: "lines", x: x.map(Math.exp), y: x.map((t) => Math.exp(cooling.between(data.loss[i][j][k], data.slope[i][j][k], ln_t, t))),
        line: { color: theme.of(size), width: 1.6 }, text: x.map(() => live.size(size.n)), hovertemplate: "N = %{text}<br>loss %{y:.3g} at T = %{x:.2f}<extra></extra>",
      }));
      const circles = sizes.map((size, k) => ({
        type: "scatter", mode: "markers", x: [Math.exp(data.ln_t_fitted[i][j][k])], y: [Math.exp(data.fitted[i][j][k])], hoverinfo: "skip",
        marker: { symbol: size.symbol, size: 9, color: theme.of(size), line: { color: theme.paper, width: 1 } },
      }));
      const all = lines.flatMap((line) => line.y), t = Math.exp(state.lnT);
      const shapes = state.fitted ? [] : [{ type: "line", x0: t, x1: t, yref: "paper", y0: 0, y1: 1, line: { color: "#c0392b", width: 1.5, dash: "dash" } }];
      live.plot(curve, [...lines, ...circles], live.layout({
        shapes, title: live.title(`<i>p</i><sub>train</sub> = ${p_train[i]}, <i>p</i><sub>eval</sub> = ${p_eval[j]}`),
        xaxis: live.logAxis("temperature <i>T</i>", Math.exp(ln_t.first), Math.exp(top)),
        yaxis: live.logAxis("test loss (nats)", Math.min(...all) / 1.15, Math.max(...all) * 1.15),
      }));
      curve.setAttribute("aria-label", `Loss against temperature for every N at p_train ${p_train[i]}, p_eval ${p_eval[j]}`);
    };

    const redraw = () => {
      keys.replaceChildren(live.sizeLegend(sizes));
      update();
    };
    redraw();
    live.onTheme(redraw);
    requestAnimationFrame(() => map.on?.("plotly_click", (event) => event.points[0].customdata && set({ point: event.points[0].customdata })));
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }, ends = [p_train.length - 1, p_eval.length - 1];
    map.addEventListener("keydown", (event) => {
      if (!(event.key in steps)) return;
      set({ point: state.point.map((v, k) => Math.min(ends[k], Math.max(0, v + steps[event.key][k]))) });
      event.preventDefault();
    });
    live.states.temperature = {
      read: () => ({ p_train: p_train[state.point[0]], p_eval: p_eval[state.point[1]], colour: state.shown, t: state.fitted ? "fitted" : live.short(Math.exp(state.lnT), 6) }),
      write: (asked) => {
        const fitted = asked.t === "fitted", lnT = Math.log(live.number(asked.t, Math.exp(ln_t.first), Math.exp(top)) ?? Math.exp(state.lnT));
        const point = [live.nearest(p_train, asked.p_train) ?? state.point[0], live.nearest(p_eval, asked.p_eval) ?? state.point[1]];
        if ([...colour.options].some(({ value }) => value === asked.colour)) colour.value = asked.colour;
        [slider.value, which.value] = [lnT, fitted ? "fitted" : "one"];
        set({ lnT, fitted, point, shown: colour.value });
      },
    };
    live.temperature = { data, state, set };
  };

  /* A little above the border, where more data hurt. */
  const startingPoint = (p_eval, border) => Math.min(p_eval.length - 1, p_eval.findIndex((p) => p > (border ?? 0.5)) + 2);

  live.start("temperature", draw);
})();
