/* The first layer as it is pruned: a slider over the steps, the connections left as images, and the curves of the network. */
(() => {
  "use strict";
  const root = typeof window === "undefined" ? globalThis : window;
  const live = (root.pruningPhases ??= {});

  /* Step that removes each connection; a connection is there at step s if it is removed later. */
  const removed = ({ removed, letters }) => {
    const of = new Uint8Array(128);
    [...letters].forEach((letter, step) => (of[letter.charCodeAt(0)] = step));
    return Uint8Array.from(removed, (letter) => of[letter.charCodeAt(0)]);
  };
  /* Connections of every pixel at a step. */
  const degrees = (steps, pixels, step) => {
    const out = new Uint16Array(pixels);
    steps.forEach((last, i) => (out[i % pixels] += last > step));
    return out;
  };
  live.mask = { removed, degrees };
  if (!live.start) return; // outside a page

  const { h } = live;
  const COLUMNS = 20, ZOOM = 7;
  const LINES = {
    accuracy: ["accuracy", null, "solid", "y"],
    connected_hidden: ["hidden neurons on a path", "#0173b2", "dot", "y"],
    connected_outputs: ["outputs on a path", "#029e73", "dash", "y"],
    prediction_entropy: ["prediction entropy", "#c23b22", "solid", "y2"],
    outcome_entropy: ["outcome entropy", "#3a923a", "solid", "y2"],
  };

  const draw = (body, data) => {
    const { curves, side, rows } = data, steps = removed(data), pixels = side * side, cell = side + 1;
    const state = { step: data.start };
    const percent = curves.density.map((value) => 100 * value);
    const shown = h("output", {});
    const slider = live.slider(0, percent.length - 1, 1, state.step, (value) => {
      state.step = value;
      update();
    });
    const all = h("canvas", { class: "pp-canvas", width: COLUMNS * cell, height: Math.ceil(rows / COLUMNS) * cell, role: "img" });
    const map = h("canvas", { class: "pp-canvas", width: side * ZOOM, height: side * ZOOM, role: "img" });
    const mapText = h("p", { class: "pp-small" });
    const plot = h("div", { class: "pp-plot pp-tall", role: "img", "data-plot": "order" });
    const readout = live.readout("mask");
    body.append(
      h("div", { class: "pp-controls pp-sliders" }, live.field("Pruning step", slider, shown)),
      ...readout.nodes,
      h("div", { class: "pp-masks" },
        h("div", { class: "pp-column" }, map, mapText),
        h("div", { class: "pp-column" }, all, h("p", { class: "pp-small" }, `the ${rows} neurons, each with the pixels it still sees`))),
      plot,
      live.hint("Neurons are sorted by how long their connections last. Lines: left axis, shares; entropies: right axis, in nats."));

    const paint = (theme) => {
      const pen = all.getContext("2d"), image = pen.createImageData(all.width, all.height);
      const ink = theme.dark ? [245, 174, 69] : [31, 78, 140], paper = theme.dark ? [42, 49, 56] : [232, 236, 242];
      for (let n = 0; n < rows; n++) {
        const left = (n % COLUMNS) * cell, top = Math.floor(n / COLUMNS) * cell;
        for (let i = 0; i < pixels; i++) {
          const at = 4 * ((top + Math.floor(i / side)) * all.width + left + (i % side));
          image.data.set(steps[n * pixels + i] > state.step ? ink : paper, at);
          image.data[at + 3] = 255;
        }
      }
      pen.putImageData(image, 0, 0);
      const counts = degrees(steps, pixels, state.step), most = Math.max(...counts, 1), ends = [paper, ink].map((c) => `#${c.map((v) => v.toString(16).padStart(2, "0")).join("")}`);
      const small = map.getContext("2d");
      counts.forEach((count, i) => {
        small.fillStyle = live.ramp(ends, Math.sqrt(count / most));
        small.fillRect((i % side) * ZOOM, Math.floor(i / side) * ZOOM, ZOOM, ZOOM);
      });
      const used = counts.reduce((sum, count) => sum + (count > 0), 0);
      mapText.textContent = `connections of each pixel, up to ${most}; ${used} of ${pixels} pixels have one`;
      map.setAttribute("aria-label", mapText.textContent);
      all.setAttribute("aria-label", `first layer: ${live.size(counts.reduce((a, b) => a + b, 0))} connections left`);
    };

    const lines = (theme) => {
      const traces = Object.entries(LINES).map(([name, [label, color, dash, yaxis]]) => ({
        x: percent, y: curves[name], name: label, mode: "lines", yaxis, line: { color: color ?? theme.text, dash, width: 2 },
        hovertemplate: `%{x:.3g} %: ${label} %{y:.3f}<extra></extra>`,
      }));
      const now = { type: "line", x0: percent[state.step], x1: percent[state.step], yref: "paper", y0: 0, y1: 1, line: { color: theme.muted, width: 1.5 } };
      live.plot(plot, traces, live.layout({
        margin: { l: 52, r: 52, t: 12, b: 100 }, shapes: [now], showlegend: true, legend: { orientation: "h", y: -0.24, yanchor: "top", font: { size: 11 } },
        xaxis: live.axis("connections left (%)", { type: "log", tickvals: [100, 10, 1, 0.1, 0.01], ticktext: ["100", "10", "1", "0.1", "0.01"] }),
        yaxis: live.axis("share", { range: [0, 1.03] }),
        yaxis2: live.axis("nats", { range: [0, 1.03 * data.guessing], tickvals: [0, 1, 2], overlaying: "y", side: "right", showgrid: false }),
      }));
      plot.setAttribute("aria-label", readout.nodes[0].textContent);
    };

    const update = live.soon(() => {
      const k = state.step, value = (name, digits = 3) => live.fixed(curves[name][k], digits), theme = live.theme();
      slider.value = k;
      shown.textContent = `${k}: ${live.short(percent[k], 3)} %`;
      slider.setAttribute("aria-valuetext", `step ${k}, ${live.short(percent[k], 3)} per cent of the connections left`);
      readout.set(`<b data-value="edges">${live.size(curves.edges[k])}</b> connections (${live.short(percent[k], 3)} %) are left: accuracy ` +
        `<b data-value="accuracy">${value("accuracy")}</b>, prediction entropy ${value("prediction_entropy", 2)}, outcome entropy ${value("outcome_entropy", 2)} nats. ` +
        `A path joins ${live.fixed(100 * curves.connected_inputs[k], 0)} % of the inputs and ${live.fixed(100 * curves.connected_hidden[k], 0)} % of the hidden neurons ` +
        `to an output, and ${live.fixed(10 * curves.connected_outputs[k], 0)} of 10 outputs to an input.`);
      paint(theme);
      lines(theme);
    });
    update();
    live.onTheme(update);
    live.maskFigure = { data, state, update };
  };
  live.start("mask", draw);
})();
