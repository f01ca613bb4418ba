/* The plane as it develops: a slider for the epoch (or play), the exponent over p_eval, the loss at one p_eval, the border in time. */
(() => {
  "use strict";
  const root = typeof window === "undefined" ? globalThis : window;
  const live = (root.pruningPhases ??= {});

  /* What is known at an epoch and a p_eval (their numbers in the lists), by p_train. */
  const at = (data, e, q) => data.p_train.map((look, t) => ({
    p_train: look.value, alpha: data.alpha[e][t][q], alpha_error: data.alpha_error[e][t][q], loss: data.loss[e][t][q],
    border: data.border[e][t], border_error: data.border_error[e][t], train_loss: data.train_loss[e][t],
  }));
  live.epoch = { at };
  if (!live.start) return; // outside a page

  const { h } = live;
  const P_EVAL = "evaluation dropout <i>p</i><sub>eval</sub>", PAUSE = 900;

  const draw = (body, data) => {
    const { epochs, p_eval, n_train } = data, last = epochs.length - 1;
    const state = { epoch: last, point: data.start, timer: null };
    const shown = h("output", {}), shownPoint = h("output", {});
    const slider = live.slider(0, last, 1, state.epoch, (value) => {
      stop();
      go(value);
    });
    const point = live.slider(0, p_eval.length - 1, 1, state.point, (value) => {
      state.point = value;
      update();
    });
    const play = live.button("play", () => {
      if (state.timer) return stop();
      if (state.epoch === last) go(0);
      play.textContent = "pause";
      state.timer = setInterval(() => (state.epoch === last ? stop() : go(state.epoch + 1)), PAUSE);
    });
    const stop = () => {
      clearInterval(state.timer);
      state.timer = null;
      play.textContent = "play";
    };
    const go = (epoch) => {
      state.epoch = epoch;
      update();
    };
    const readout = live.readout("epoch");
    const panel = (name) => h("div", { class: "pp-plot pp-tall", role: "img", "data-plot": name });
    const exponent = panel("exponent"), loss = panel("loss"), border = panel("border"), legend = h("div", {});
    body.append(
      h("div", { class: "pp-controls pp-sliders" }, live.field("Epoch", slider, shown), play, live.field("<i>p</i><sub>eval</sub> of (b)", point, shownPoint)),
      ...readout.nodes,
      h("div", { class: "pp-grid" }, exponent, loss, border),
      legend,
      live.hint("Above zero in (a) is dementia: more data raise the loss. Hollow in (c): epochs still to come."));

    const series = (t, extra) => {
      const look = data.p_train[t], color = live.theme().of(look);
      return { type: "scatter", mode: "lines+markers", line: { color, width: 1.6 }, marker: { symbol: look.symbol, size: 6, color }, ...extra };
    };
    const bars = (array, t) => ({ type: "data", array, visible: true, thickness: 1, width: 0, color: live.theme().of(data.p_train[t]) });
    const rates = data.p_train.map((_, t) => t);
    const ends = (values) => [Math.min(...values), Math.max(...values)];
    const known = (values) => values.flat(Infinity).filter((v) => v !== null);

    const drawExponent = () => {
      const theme = live.theme(), [low, high] = ends(known(data.alpha)), edge = 0.05 * (high - low);
      const now = at(data, state.epoch, state.point);
      const upright = (x, extra) => ({ type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { width: 1.2, dash: "dot", color: theme.muted, ...extra } });
      live.plot(exponent, [
        { type: "scatter", mode: "lines", x: [-0.02, 1], y: [0, 0], line: { color: theme.muted, width: 1.2 }, hoverinfo: "skip" },
        ...rates.map((t) => series(t, { x: p_eval, y: data.alpha[state.epoch][t], error_y: bars(data.alpha_error[state.epoch][t], t), hovertemplate: "α = %{y:.3f} at %{x}<extra></extra>" })),
        ...rates.filter((t) => now[t].border !== null).map((t) => series(t, {
          mode: "markers", x: [now[t].border], y: [0], hovertemplate: "border %{x:.3f}<extra></extra>",
          marker: { symbol: data.p_train[t].symbol, size: 14, color: theme.of(data.p_train[t]), line: { color: theme.text, width: 2 } },
        })),
      ], live.layout({
        title: live.title(`(a) epoch ${epochs[state.epoch]}`), shapes: [upright(p_eval[state.point])],
        xaxis: live.axis(P_EVAL, { range: [-0.02, 1], dtick: 0.2 }), yaxis: live.axis("exponent α", { range: [low - edge, high + edge] }),
      }));
      exponent.setAttribute("aria-label", `Exponent against evaluation dropout at epoch ${epochs[state.epoch]}`);
    };

    const drawLoss = () => {
      const now = at(data, state.epoch, state.point), q = state.point;
      const [low, high] = ends(known(epochs.map((_, e) => rates.map((t) => data.loss[e][t][q]))));
      live.plot(loss, now.map((one, t) => series(t, { x: n_train, y: one.loss, hovertemplate: "loss %{y:.4g} at N = %{x}<extra></extra>" })), live.layout({
        title: live.title(`(b) <i>p</i><sub>eval</sub> = ${p_eval[q]}`),
        xaxis: live.logAxis("training-set size <i>N</i>", n_train[0] / 1.3, n_train.at(-1) * 1.3), yaxis: live.logAxis("test loss (nats)", low / 1.2, high * 1.2),
      }));
      loss.setAttribute("aria-label", `Loss against N at evaluation dropout ${p_eval[q]} and epoch ${epochs[state.epoch]}: ` +
        now.map((one) => `alpha ${live.withError(one.alpha, one.alpha_error)} at training dropout ${one.p_train}`).join("; "));
    };

    const drawBorder = () => {
      const theme = live.theme(), seen = epochs.map((_, e) => e <= state.epoch), has = known(data.border);
      const [low, high] = has.length ? ends(has) : [0, 1];
      const now = { type: "line", x0: epochs[state.epoch], x1: epochs[state.epoch], yref: "paper", y0: 0, y1: 1, line: { color: theme.muted, width: 1.5 } };
      live.plot(border, rates.map((t) => {
        const color = theme.of(data.p_train[t]), y = data.border.map((row) => row[t]);
        return series(t, {
          x: epochs, y, error_y: bars(data.border_error.map((row) => row[t]), t), hovertemplate: "border %{y:.3f} at epoch %{x}<extra></extra>",
          marker: { symbol: data.p_train[t].symbol, size: 8, color: seen.map((is) => (is ? color : theme.paper)), line: { color, width: 1.4 } },
        });
      }), live.layout({
        title: live.title("(c) border"), shapes: [now],
        xaxis: live.logAxis("epoch", epochs[0] / 1.3, epochs[last] * 1.3), yaxis: live.axis("border <i>p</i><sub>c</sub>", { range: [low - 0.06, high + 0.06] }),
      }));
      border.setAttribute("aria-label", `Border between eumentia and dementia up to epoch ${epochs[state.epoch]}`);
    };

    const describe = () => at(data, state.epoch, state.point).map((one) => {
      const where = one.border === null ? "no border" : `border at ${live.withError(one.border, one.border_error)}`;
      return `<i>p</i><sub>train</sub> = ${one.p_train}: ${where}, training loss ${live.short(one.train_loss, 2)}`;
    }).join("; ");
    const update = live.soon(() => {
      slider.value = state.epoch;
      point.value = state.point;
      shown.textContent = epochs[state.epoch];
      shownPoint.textContent = p_eval[state.point];
      slider.setAttribute("aria-valuetext", `epoch ${epochs[state.epoch]}`);
      point.setAttribute("aria-valuetext", String(p_eval[state.point]));
      readout.set(`<b>Epoch ${epochs[state.epoch]}</b>. ${describe()}.`);
      drawExponent();
      drawLoss();
      drawBorder();
      const theme = live.theme(), label = h("span", {});
      label.innerHTML = "<i>p</i><sub>train</sub> =";
      legend.replaceChildren(h("div", { class: "pp-legend" }, h("span", { class: "pp-key" }, label), ...data.p_train.map((look) =>
        h("span", { class: "pp-key" }, h("span", { style: `color:${theme.of(look)}`, "aria-hidden": "true" }, look.sign), String(look.value)))));
    });
    update();
    live.onTheme(update);
    live.states.epoch = {
      read: () => ({ epoch: epochs[state.epoch], p_eval: p_eval[state.point] }),
      write: (asked) => {
        state.point = live.nearest(p_eval, asked.p_eval) ?? state.point;
        go(live.nearest(epochs, asked.epoch) ?? state.epoch);
      },
    };
    live.epochFigure = { data, state, go, describe };
  };
  live.start("epoch", draw);
})();
