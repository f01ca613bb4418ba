/* The pruned digit: choose a point of the plane and an image (or draw one), see what the network answers under many random masks. */
(() => {
  "use strict";
  const live = window.pruningPhases, { h } = live, pruned = live.pruned;
  const MASKS = 500;
  const ZOOM = 8; // screen pixels of the canvas for one pixel of the image

  const draw = (root, data) => {
    const { side } = data;
    const networks = data.networks.map((one) => ({ ...one, layers: pruned.network(one) }));
    const images = pruned.decode(data.images, Uint8Array);
    const state = { network: data.anchors[0][0], p: data.anchors[0][1], digit: 3, image: 0, drawn: null, shown: 0, seed: 1 };
    const net = () => networks[state.network];
    const pixels = () => {
      if (state.drawn) return state.drawn;
      const start = (state.digit * data.per_digit + state.image) * side * side;
      return Float64Array.from(images.subarray(start, start + side * side), (v) => v / 255);
    };
    const at = () => data.p_eval.indexOf(state.p);
    const label = () => (state.drawn ? null : state.digit);

    /* Controls. */
    const phaseAt = (k, p) => networks[k].phase[data.p_eval.indexOf(p)];
    const named = (one) => `N = ${live.size(one.n_train)}, p_train = ${one.p_train}`;
    const anchors = live.select([...data.anchors.map(([k, p], i) => [i, `${phaseAt(k, p) ?? "phase unknown"}: ${named(networks[k])}, p_eval = ${p}`]), ["", "my own"]], (value) => {
      if (value === "") return;
      [state.network, state.p] = data.anchors[Number(value)];
      update();
    });
    anchors.id = "pp-digit-point";
    const which = live.select(networks.map((one, k) => [k, named(one)]), (value) => {
      state.network = Number(value);
      update();
    });
    const shownRate = h("output", {});
    const rate = live.slider(0, data.p_eval.length - 1, 1, 0, (value) => {
      state.p = data.p_eval[value];
      update();
    });
    const digit = live.select(Array.from({ length: 10 }, (_, d) => [d, String(d)]), (value) => {
      Object.assign(state, { digit: Number(value), image: 0, drawn: null });
      update();
    });
    const turn = (step) => {
      if (!state.drawn) state.image = (state.image + step + data.per_digit) % data.per_digit;
      state.drawn = null;
      update();
    };
    const another = () => {
      state.shown = (state.shown + 1) % MASKS;
      update();
    };

    const canvas = h("canvas", { class: "pp-canvas", width: side * ZOOM, height: side * ZOOM, role: "img" });
    const brain = h("canvas", { class: "pp-canvas", width: 2 * 180 + 30, height: 190, role: "img" });
    const maskText = h("p", { class: "pp-small" });
    const pad = drawingPad(side, (drawn) => {
      state.drawn = drawn;
      update();
    });
    const bars = h("div", { class: "pp-plot", role: "img", "data-plot": "answers" });
    const readout = live.readout("digit");
    const drawButton = live.button("draw your own", () => {
      pad.node.hidden = !pad.node.hidden;
      drawButton.setAttribute("aria-expanded", String(!pad.node.hidden));
    });
    drawButton.setAttribute("aria-expanded", "false");
    root.append(
      h("div", { class: "pp-controls" }, live.field("Point", anchors)),
      h("div", { class: "pp-controls pp-sliders" }, live.field("Network", which), live.field("<i>p</i><sub>eval</sub>", rate, shownRate)),
      h("div", { class: "pp-controls" }, live.field("Digit", digit), live.button("next image", () => turn(1)), drawButton, live.button("next mask", another)),
      pad.node,
      ...readout.nodes,
      h("div", { class: "pp-digit" },
        h("div", { class: "pp-column" }, canvas, h("p", { class: "pp-small" }, "the image")),
        h("div", { class: "pp-column" }, brain, maskText),
        bars),
      live.hint(`Bars: answers under ${MASKS} random masks; framed: the right one. In the middle: the two hidden layers under one mask, brighter is more active, crossed out is pruned.`));

    const drawImage = () => {
      const pen = canvas.getContext("2d"), x = pixels();
      for (let i = 0; i < side * side; i++) {
        const grey = 255 - Math.round(255 * x[i]);
        pen.fillStyle = `rgb(${grey},${grey},${grey})`;
        pen.fillRect((i % side) * ZOOM, Math.floor(i / side) * ZOOM, ZOOM, ZOOM);
      }
      canvas.setAttribute("aria-label", state.drawn ? "your drawing" : `test image of a ${state.digit}, number ${state.image + 1} of ${data.per_digit}`);
    };

    /* Both hidden layers as 10 x 10 neurons under the mask shown. */
    const drawNeurons = (hidden) => {
      const { layers } = net(), theme = live.theme(), pen = brain.getContext("2d");
      const keep = pruned.mask(layers, state.seed, state.shown, state.p);
      const z = pruned.logits(layers, hidden, keep, state.p);
      pen.clearRect(0, 0, brain.width, brain.height);
      const second = secondLayer(layers, hidden, keep, state.p);
      [hidden, second].forEach((values, layer) => {
        const columns = Math.ceil(Math.sqrt(values.length)), cell = 180 / columns, top = Math.max(...values, 1e-9);
        values.forEach((value, i) => {
          const x = layer * 210 + (i % columns) * cell, y = Math.floor(i / columns) * cell, inner = cell - 3;
          if (keep[layer][i]) {
            pen.fillStyle = live.ramp(theme.dark ? ["#2a3138", "#f5ae45"] : ["#e8ecf2", "#1f4e8c"], Math.sqrt(value / top));
            pen.fillRect(x, y, inner, inner);
          } else {
            pen.strokeStyle = theme.dark ? "#4a525b" : "#c3c8ce";
            pen.lineWidth = 1;
            pen.beginPath();
            pen.moveTo(x + 3, y + 3);
            pen.lineTo(x + inner - 3, y + inner - 3);
            pen.moveTo(x + inner - 3, y + 3);
            pen.lineTo(x + 3, y + inner - 3);
            pen.stroke();
          }
        });
      });
      const kept = keep.map((one) => one.reduce((a, b) => a + b, 0));
      maskText.textContent = `mask ${state.shown + 1}: ${kept[0]} and ${kept[1]} of ${keep[0].length} neurons left, answer ${pruned.answerOf(z)}`;
      brain.setAttribute("aria-label", maskText.textContent);
    };

    const drawBars = (counts) => {
      const theme = live.theme(), share = counts.map((c) => (100 * c) / MASKS);
      const right = label();
      live.plot(bars, [{
        type: "bar", x: share.map((_, d) => d), y: share, text: share.map((v) => (v >= 1 ? live.fixed(v, 0) : "")), textposition: "outside", cliponaxis: false,
        marker: {
          color: share.map((_, d) => (d === right ? data.colors.phase.eumentia : data.colors.phase.amentia)),
          line: { color: theme.text, width: share.map((_, d) => (d === right ? 2 : 0)) },
        },
        hovertemplate: "answer %{x}: %{y:.1f} %<extra></extra>",
      }], live.layout({
        margin: { l: 46, r: 8, t: 22, b: 42 }, bargap: 0.25,
        xaxis: live.axis("answer", { tickvals: share.map((_, d) => d), range: [-0.6, 9.6], showgrid: false }),
        yaxis: live.axis("% of the masks", { range: [0, 108], tickvals: [0, 25, 50, 75, 100] }),
      }));
      bars.setAttribute("aria-label", `Answers in percent: ${share.map((v, d) => `${d}: ${live.fixed(v, 0)}`).join(", ")}`);
    };

    const update = live.soon(() => {
      const { layers, loss, accuracy } = net(), x = pixels(), right = label();
      const { counts, loss: mine } = pruned.answers(layers, x, state.p, { masks: MASKS, seed: state.seed, label: right });
      state.counts = counts;
      which.value = state.network;
      rate.value = at();
      digit.value = state.drawn ? "" : state.digit;
      shownRate.textContent = String(state.p);
      rate.setAttribute("aria-valuetext", String(state.p));
      const index = data.anchors.findIndex(([k, p]) => k === state.network && p === state.p);
      anchors.value = index < 0 ? "" : String(index);
      drawImage();
      drawNeurons(pruned.first(layers, x));
      drawBars(counts);
      const most = counts.indexOf(Math.max(...counts));
      const said = right === null
        ? `Most frequent answer: <b>${most}</b> (${live.fixed((100 * counts[most]) / MASKS, 0)} % of the masks).`
        : `Right under <b data-value="right">${live.fixed((100 * counts[right]) / MASKS, 0)} %</b> of the masks, mean loss ${live.short(mine, 2)} nats.`;
      readout.set(`<b>${phaseAt(state.network, state.p) ?? "phase not computed here"}</b>. ${said} ` +
        `All 10${"\u202f"}000 test images: accuracy ${live.fixed(accuracy[at()], 3)}, loss ${live.short(loss[at()], 3)} nats (guessing: ${live.fixed(data.guessing, 2)}).`);
    });
    update();
    live.onTheme(update);
    live.states.digit = {
      read: () => ({ network: state.network, p_eval: state.p, ...(state.drawn ? {} : { digit: state.digit, image: state.image }) }),
      write: (asked) => {
        const places = (count) => Array.from({ length: count }, (_, k) => k);
        state.network = live.nearest(places(networks.length), asked.network) ?? state.network;
        state.p = data.p_eval[live.nearest(data.p_eval, asked.p_eval) ?? at()];
        state.digit = live.nearest(places(10), asked.digit) ?? state.digit;
        state.image = live.nearest(places(data.per_digit), asked.image) ?? state.image;
        update();
      },
    };
    live.digit = { data, state, networks, update, pixels };
  };

  const secondLayer = (layers, hidden, keep, p) => {
    const { rows, columns, w, bias } = layers[1];
    return Float64Array.from({ length: rows }, (_, r) => {
      let sum = bias[r];
      for (let c = 0; c < columns; c++) if (keep[0][c]) sum += (w[r * columns + c] * hidden[c]) / (1 - p);
      return Math.max(0, sum);
    });
  };

  /* A field to draw in, by mouse, pen or finger. The drawing is scaled and centred as MNIST's digits are. */
  const drawingPad = (side, changed) => {
    const size = 224;
    const canvas = h("canvas", { class: "pp-canvas pp-pad", width: size, height: size, role: "img", "aria-label": "field to draw a digit in" });
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    const clear = () => {
      pen.fillStyle = "white";
      pen.fillRect(0, 0, size, size);
    };
    clear();
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [((event.clientX - box.left) * size) / box.width, ((event.clientY - box.top) * size) / box.height];
    };
    let before = null;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      before = place(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!before) return;
      const now = place(event);
      Object.assign(pen, { lineWidth: 18, lineCap: "round", strokeStyle: "black" });
      pen.beginPath();
      pen.moveTo(...before);
      pen.lineTo(...now);
      pen.stroke();
      before = now;
      changed(asDigit(canvas, side));
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (before = null));
    const node = h("div", { class: "pp-controls", hidden: true }, canvas, live.button("clear", clear));
    return { node };
  };

  /* Grey values 0-1 of a side x side image: ink in a box of 20 x 20, its centre of mass in the middle. */
  const asDigit = (canvas, side) => {
    const size = canvas.width, ink = canvas.getContext("2d").getImageData(0, 0, size, size).data;
    let [left, right, top, bottom, mass, mx, my] = [size, 0, size, 0, 0, 0, 0];
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const dark = 255 - ink[4 * (y * size + x)];
        if (dark < 32) continue;
        [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
        [mass, mx, my] = [mass + dark, mx + dark * x, my + dark * y];
      }
    }
    if (!mass) return null;
    const zoom = 20 / Math.max(right - left, bottom - top, 1);
    const small = h("canvas", { width: side, height: side });
    const pen = small.getContext("2d");
    Object.assign(pen, { fillStyle: "white", imageSmoothingQuality: "high" });
    pen.fillRect(0, 0, side, side);
    pen.setTransform(zoom, 0, 0, zoom, side / 2 - (zoom * mx) / mass, side / 2 - (zoom * my) / mass);
    pen.drawImage(canvas, 0, 0);
    const grey = pen.getImageData(0, 0, side, side).data;
    return Float64Array.from({ length: side * side }, (_, i) => (255 - grey[4 * i]) / 255);
  };

  live.start("digit", draw);
})();
