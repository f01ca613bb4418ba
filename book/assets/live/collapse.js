/* Collapse explorer: move p_c, nu and l0, leave out small N, and watch the curves, chi-squared, and its landscape with the contour. */
(() => {
  "use strict";
  const live = window.pruningPhases, { h } = live, quality = live.chi2;
  const NAMES = { bkt: "BKT", algebraic: "algebraic" };
  const X = { bkt: "[ln(<i>N</i>/<i>l</i><sub>0</sub>)]<sup>1/ν</sup>", algebraic: "<i>N</i><sup>1/ν</sup>" };
  const OURS = { line: "<i>p</i><sub>train</sub>", p: "<i>p</i><sub>eval</sub>", y: "test loss (nats)", log: true }; // names of the book's lines
  const DECADES = 2; // the landscape's colours go from the minimum to 100 times the minimum

  const draw = (root, data) => {
    const { lines, names = OURS } = data;
    const state = { line: Math.floor(lines.length / 2), ansatz: "bkt", l0: data.l0.value, p_c: 0, nu: 1, first: 0, window: 0, atBest: false };
    let line; // the points chosen of the line: smallest size and window
    const choosePoints = () => {
      const whole = lines[state.line];
      line = quality.choose(whole, state.first, data.half_widths[state.window]);
      line.crossing = whole.crossing[state.first];
      line.points = quality.prepare(line, data.sizes);
    };
    const rate = (p) => (names === OURS ? live.fixed(p, 3) : live.short(p, 4));
    const fixed = () => ({ ansatz: state.ansatz, l0: state.l0 });
    const bounds = () => data.ansatz[state.ansatz].nu;

    const show = () => h("output", {});
    const shown = { p_c: show(), nu: show(), l0: show(), first: show(), window: show() };
    const set = (name) => (value) => {
      state[name] = name === "p_c" ? value : Math.exp(value);
      if (name === "l0") renewSoon();
      else state.atBest = false;
      update();
    };
    const setPoints = (name) => (value) => {
      state[name] = value;
      renewSoon();
    };
    const sliders = {
      p_c: live.slider(0, 1, 0.001, 0.5, set("p_c")),
      nu: live.slider(0, 1, "any", 0, set("nu")),
      l0: live.slider(Math.log(data.l0.low), Math.log(data.l0.high), "any", Math.log(data.l0.value), set("l0")),
      first: live.slider(0, 1, 1, 0, setPoints("first")),
      window: live.slider(0, data.half_widths.length - 1, 1, 0, setPoints("window")),
    };
    const choice = live.select(lines.map((one, k) => [k, String(one.p_train)]), (value) => {
      state.line = Number(value);
      restart();
    });
    choice.value = state.line;
    const kind = live.select(Object.entries(NAMES), (value) => {
      state.ansatz = value;
      restart();
    });
    const l0Field = live.field("<i>l</i><sub>0</sub>", sliders.l0, shown.l0);
    const readout = live.readout("collapse");
    const curves = h("div", { class: "pp-plot pp-tall", role: "img", "data-plot": "curves", "aria-label": "Points of every size against the scaling variable" });
    const map = h("div", { class: "pp-plot pp-tall pp-aim", role: "img", "data-plot": "landscape", "aria-label": "Reduced chi-squared over p_c and nu; use the sliders to move" });
    const keys = h("div", {});
    root.append(
      h("div", { class: "pp-controls" },
        live.field(names.line, choice), live.field("correlation length", kind),
        live.button("best fit", () => jump()), live.button("start over", () => apart()), live.button("watch it collapse", () => watch())),
      h("div", { class: "pp-controls pp-sliders" },
        live.field("<i>p</i><sub>c</sub>", sliders.p_c, shown.p_c), live.field("ν", sliders.nu, shown.nu), l0Field,
        live.field("smallest <i>N</i>", sliders.first, shown.first), live.field("window", sliders.window, shown.window)),
      ...readout.nodes,
      h("div", { class: "pp-grid" }, curves, map), keys,
      ownTable(root, data),
      live.hint(`Left: the points in the scaling variable. Right: χ²<sub>ν</sub> over <i>p</i><sub>c</sub> and ν; click, or drag with a mouse, to go there. White circle: here; red cross: minimum; black line: ${data.level} × minimum.`));

    let best, field, extent;
    /* The minimum and the landscape belong to points, an ansatz and l0. */
    const renew = () => {
      choosePoints();
      const { low, high } = line.points;
      Object.assign(sliders.p_c, { min: low, max: high, step: names === OURS ? 0.001 : "any" });
      state.p_c = Math.min(high, Math.max(low, state.p_c));
      best = quality.bestFit(line.points, fixed(), bounds());
      extent = quality.region(best.grid, data.level * best.chi2);
      field = picture(best, data.colors.sequential);
      if (state.atBest) Object.assign(state, { p_c: best.p_c, nu: best.nu });
      drawKeys();
      drawMap();
      update();
    };
    const renewSoon = live.soon(renew);

    /* Another line or ansatz: begin with the sizes and the window of its scaling regime. */
    const restart = () => {
      const [low, high] = bounds();
      const { start, first } = lines[state.line];
      Object.assign(state, { first: start.first, window: start.window });
      sliders.first.max = first.length - 1;
      Object.assign(sliders.nu, { min: Math.log(low), max: Math.log(high) });
      l0Field.hidden = state.ansatz !== "bkt";
      renew();
      apart();
    };
    const drawKeys = () => {
      keys.replaceChildren(live.sizeLegend(data.sizes.filter((_, k) => line.size.includes(k))),
        live.scaleBar([...data.colors.sequential].reverse(), "min", "100 × min", ""));
      keys.querySelector(".pp-scale-title").innerHTML = "χ²<sub>ν</sub>";
    };
    const jump = () => {
      Object.assign(state, { p_c: best.p_c, nu: best.nu, atBest: true });
      update();
    };
    /* From curves that N does not stretch (1/nu = 0) to the best fit, in two seconds. */
    const watch = () => {
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) return jump();
      let begun, last;
      const step = (now) => {
        begun ??= now;
        const part = Math.min(1, (now - begun) / 2000);
        if (!map.isConnected || (last !== undefined && state.nu !== last)) return; // the reader has moved on
        if (part === 1) return jump();
        Object.assign(state, { p_c: best.p_c, nu: Math.min(bounds()[1], best.nu / Math.max(part, 1e-3)), atBest: false });
        last = state.nu;
        update();
        requestAnimationFrame(step);
      };
      requestAnimationFrame(step);
    };
    /* A place to start from where the curves do not collapse: the crossing, and the standard exponent. */
    const apart = () => {
      const { points, crossing } = line;
      const [low, high] = bounds();
      state.atBest = false;
      state.p_c = crossing ?? (points.low + points.high) / 2;
      state.nu = state.ansatz === "bkt" ? 0.5 : Math.min(high, Math.max(low, 4));
      update();
    };

    const value = () => quality.chi2(line.points, { ...fixed(), p_c: state.p_c, nu: state.nu });
    const report = () => {
      readout.set(`χ²<sub>ν</sub> = <b data-value="chi2">${live.short(value(), 4)}</b> here (${line.p.length} points); ` +
        `least ${live.short(best.chi2, 4)} at <i>p</i><sub>c</sub> = ${rate(best.p_c)}, ν = ${live.short(best.nu, 3)}` +
        `${edge(best, bounds(), line.points) || around(extent)}` +
        (names.relative ? "; without errors χ²<sub>ν</sub> is only relative" : ""));
    };
    const update = () => {
      sliders.p_c.value = state.p_c;
      sliders.nu.value = Math.log(state.nu);
      sliders.l0.value = Math.log(state.l0);
      shown.p_c.textContent = rate(state.p_c);
      shown.nu.textContent = live.short(state.nu, 3);
      shown.l0.textContent = live.short(state.l0, 2);
      sliders.first.value = state.first;
      sliders.window.value = state.window;
      shown.first.textContent = live.size(data.sizes[lines[state.line].first[state.first]].n);
      shown.window.textContent = `±${data.half_widths[state.window]}`;
      for (const [name, node] of Object.entries(sliders)) node.setAttribute("aria-valuetext", shown[name].textContent);
      report();
      paint();
    };

    const drawCurves = () => {
      const theme = live.theme(), { points } = line;
      const x = quality.variable(points, { ...fixed(), p_c: state.p_c, nu: state.nu });
      const traces = data.sizes.map((size, k) => {
        const mine = Array.from(points.size.keys()).filter((i) => points.size[i] === k);
        return {
          type: "scatter", mode: "lines+markers", x: mine.map((i) => x[i]), y: mine.map((i) => points.y[i]),
          error_y: { type: "data", array: mine.map((i) => line.sigma[i]), thickness: 1, width: 0, color: theme.of(size) },
          line: { color: theme.of(size), width: 0.6 }, marker: { symbol: size.symbol, size: 6, color: theme.of(size) },
          text: mine.map((i) => `N = ${live.size(size.n)}, ${names.p} = ${points.p[i]}`), hovertemplate: "%{text}<br>%{y:.4g}<extra></extra>",
        };
      });
      const y = line.y.filter((v) => v > 0 || !names.log);
      live.plot(curves, traces, live.layout({
        margin: { l: 62, r: 12, t: 12, b: 52 },
        xaxis: live.axis(`(${names.p} − <i>p</i><sub>c</sub>) ${X[state.ansatz]}`, { nticks: 6 }),
        yaxis: names.log ? live.logAxis(names.y, Math.min(...y) / 1.15, Math.max(...y) * 1.15) : live.axis(names.y),
        shapes: [{ type: "line", x0: 0, x1: 0, yref: "paper", y0: 0, y1: 1, line: { color: theme.muted, dash: "dot", width: 1.5 } }],
      }));
    };
    const margin = { l: 56, r: 14, t: 12, b: 52 };
    const drawMap = () => {
      const { p_c, lnNu, values } = best.grid;
      const cut = quality.contour(p_c, lnNu, values, data.level * best.chi2);
      const outline = { x: [], y: [] };
      for (const [x0, y0, x1, y1] of cut) {
        outline.x.push(x0, x1, null);
        outline.y.push(y0, y1, null);
      }
      const [dx, dy] = [p_c[1] - p_c[0], lnNu[1] - lnNu[0]]; // every pixel is centred on its sample
      const [low, high] = bounds();
      const marks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200].filter((v) => v >= low * 0.99 && v <= high * 1.01);
      const dot = (x, y, marker) => ({ type: "scatter", mode: "markers", x: [x], y: [Math.log(y)], marker, hoverinfo: "skip", cliponaxis: false });
      live.plot(map, [
        { type: "scatter", mode: "lines", ...outline, line: { color: "black", width: 1.5 }, hoverinfo: "skip" },
        dot(best.p_c, best.nu, { symbol: "cross-thin", size: 13, line: { color: "#c0392b", width: 3 } }),
        dot(state.p_c, state.nu, { symbol: "circle-open", size: 15, color: "black", line: { color: "black", width: 6 } }),
        dot(state.p_c, state.nu, { symbol: "circle-open", size: 15, color: "white", line: { color: "white", width: 3 } }),
      ], live.layout({
        margin, hovermode: false,
        images: [{ source: field, xref: "x", yref: "y", x: p_c[0] - dx / 2, y: lnNu.at(-1) + dy / 2, sizex: dx * p_c.length, sizey: dy * lnNu.length, sizing: "stretch", layer: "below" }],
        xaxis: live.axis("<i>p</i><sub>c</sub>", { range: [p_c[0], p_c.at(-1)], showgrid: false, nticks: 6 }),
        yaxis: live.axis("ν", { range: [lnNu[0], lnNu.at(-1)], showgrid: false, tickvals: marks.map(Math.log), ticktext: marks.map(String) }),
      }));
    };
    const paint = live.soon(() => {
      drawCurves();
      const y = Math.log(state.nu);
      Plotly.restyle(map, { x: [[state.p_c], [state.p_c]], y: [[y], [y]] }, [2, 3]);
    });

    /* The landscape as a control: margins are ours, so the place in the axes follows from the place in the element. */
    const aim = (event) => {
      const box = map.getBoundingClientRect();
      const inside = (t) => Math.min(1, Math.max(0, t));
      const right = inside((event.clientX - box.left - margin.l) / (box.width - margin.l - margin.r));
      const up = inside(1 - (event.clientY - box.top - margin.t) / (box.height - margin.t - margin.b));
      const { p_c, lnNu } = best.grid;
      state.atBest = false;
      state.p_c = p_c[0] + right * (p_c.at(-1) - p_c[0]);
      state.nu = Math.exp(lnNu[0] + up * (lnNu.at(-1) - lnNu[0]));
      update();
    };
    map.addEventListener("click", aim, true);
    map.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse" && event.buttons & 1) aim(event);
    }, true);

    restart();
    live.onTheme(() => {
      if (!map.isConnected) return; // another table has taken its place
      drawMap();
      drawKeys();
      paint();
    });
    const smallest = () => lines[state.line].first.map((k) => data.sizes[k].n);
    live.states.collapse = {
      read: () => ({
        p_train: lines[state.line].p_train, ansatz: state.ansatz, n_min: smallest()[state.first], half_width: data.half_widths[state.window],
        l0: live.short(state.l0, 6), ...(state.atBest ? { best: 1 } : { p_c: live.short(state.p_c, 6), nu: live.short(state.nu, 6) }),
      }),
      write: (asked) => {
        choice.value = state.line = live.nearest(lines.map((one) => one.p_train), asked.p_train) ?? state.line;
        if (asked.ansatz in NAMES) kind.value = state.ansatz = asked.ansatz;
        restart();
        state.first = live.nearest(smallest(), asked.n_min) ?? state.first;
        state.window = live.nearest(data.half_widths, asked.half_width) ?? state.window;
        state.l0 = live.number(asked.l0, data.l0.low, data.l0.high) ?? state.l0;
        renew();
        if (asked.best) return jump();
        state.p_c = live.number(asked.p_c, line.points.low, line.points.high) ?? state.p_c;
        state.nu = live.number(asked.nu, ...bounds()) ?? state.nu;
        update();
      },
    };
    live.collapse = { data, state, update, jump, restart, best: () => best, points: () => line, chi2: value };
  };

  /* A file, chosen or dropped on the figure, in the place of the book's lines; it is read here and sent nowhere. */
  let ours; // data of the book
  const ownTable = (root, data) => {
    ours ??= data;
    const said = h("p", { class: "pp-hint", role: "alert", "data-readout": "own" });
    const again = (next) => {
      root.replaceChildren();
      draw(root, next);
    };
    const open = async (file) => {
      if (!file) return;
      try {
        again(live.own.payload(ours, await file.text(), file.name));
      } catch (error) {
        said.textContent = `${file.name}: ${error.message}`;
      }
    };
    const input = h("input", { type: "file", accept: ".csv,.txt,.tsv,.dat", onchange: () => open(input.files[0]) });
    root.ondragover = (event) => event.preventDefault();
    root.ondrop = (event) => {
      event.preventDefault();
      open(event.dataTransfer.files[0]);
    };
    const back = live.button("the book's lines again", () => again(ours));
    back.hidden = data === ours;
    const row = h("div", { class: "pp-controls pp-own" }, live.field("a table of your own (CSV: size, parameter, value, error)", input), back);
    return h("div", {}, row, said);
  };

  /* The landscape as an image: colour by log10(chi2 / minimum), smoothed between samples. */
  const picture = ({ grid, chi2 }, stops) => {
    const n = grid.p_c.length;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = n;
    const pen = canvas.getContext("2d");
    grid.values.forEach((row, r) => row.forEach((value, c) => {
      pen.fillStyle = live.ramp(stops, 1 - Math.log10(value / chi2) / DECADES);
      pen.fillRect(c, n - 1 - r, 1, 1);
    }));
    return canvas.toDataURL();
  };

  /* Says where the minimum lies on the edge of what is searched. */
  const edge = ({ p_c, nu }, [low, high], points) => {
    const near = (v, end, span) => Math.abs(v - end) < 1e-3 * span;
    const span = Math.log(high / low), names = [];
    if (near(p_c, points.low, points.high - points.low) || near(p_c, points.high, points.high - points.low)) names.push("<i>p</i><sub>c</sub>");
    if (near(Math.log(nu), Math.log(low), span) || near(Math.log(nu), Math.log(high), span)) names.push("ν");
    return names.length ? ` (on the edge of the search in ${names.join(" and ")}: not a fit)` : "";
  };

  /* Says whether the contour encloses the minimum. */
  const around = ({ closed, nu }) => (closed
    ? `; <b data-value="contour">contour closed</b>: ν from ${live.short(nu[0], 2)} to ${live.short(nu[1], 2)}`
    : '; <b data-value="contour">contour open</b>: it reaches the edge of the search');

  live.start("collapse", draw);
})();
