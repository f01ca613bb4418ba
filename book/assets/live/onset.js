/* Live energy landscape: drag the penalty and see what the network does, up over the edge and back. */
(() => {
  "use strict";
  const live = window.pruningPhases, { h, landscape } = live;
  const N = 200, FRAMES = 24;
  const grid = (low, high) => Array.from({ length: N + 1 }, (_, i) => low + ((high - low) * i) / N);

  const draw = (root, data) => {
    const eta = data.strength, [up, down] = data.colors;
    const state = { layers: 3, penalty: 0, mu: eta, shown: eta, path: [] };
    const readout = live.readout("onset"), shown = h("output", {});
    const valley = h("div", { class: "pp-plot pp-tall", role: "img", "data-plot": "valley" });
    const branch = h("div", { class: "pp-plot pp-tall", role: "img", "data-plot": "branch" });
    const slider = live.slider(0, 1, 0.005, 0, (share) => move(share));
    const reset = () => {
      Object.assign(state, { penalty: 0, mu: eta, shown: eta, path: [[0, eta, true]] });
      slider.value = 0;
      update();
    };
    const layers = live.select(data.layers.map((n) => [n, `${n} layers`]), (value) => {
      state.layers = Number(value);
      reset();
    });
    layers.value = state.layers;
    root.append(
      h("div", { class: "pp-controls pp-sliders" }, live.field("Network", layers), live.field("penalty <i>λ</i>", slider, shown),
        live.button("begin again", reset)),
      ...readout.nodes,
      h("div", { class: "pp-grid" }, valley, branch),
      live.hint("Left: energy of the network at this penalty, and where it is. Right: exact branches (thin; broken: the top of the barrier), and the way it has gone: filled going up, open coming down. Dotted: both states have the same energy."));

    /* The penalty is dragged past values that the slider skips; the state sees every one of them. */
    const move = (share) => {
      const target = share * reach(), before = state.penalty, rising = target > before;
      const n = Math.max(1, Math.ceil(Math.abs(target - before) / (reach() / 200)));
      for (let i = 1; i <= n; i++) {
        state.penalty = i === n ? target : before + ((target - before) * i) / n;
        state.mu = landscape.settle(state.mu, state.penalty, eta, state.layers);
        state.path.push([state.penalty, state.mu, rising]);
      }
      state.path = state.path.slice(-600);
      update();
    };
    const reach = () => 1.15 * landscape.stability(eta, state.layers).penalty;

    const update = live.soon(() => {
      const { layers: n, penalty, mu } = state, there = landscape.learned(penalty, eta, n);
      shown.textContent = live.fixed(penalty, 3);
      slider.setAttribute("aria-valuetext", live.fixed(penalty, 3));
      const has = mu > 1e-6, deeper = there === null ? null : landscape.energy(there, penalty, eta, n) - landscape.energy(0, penalty, eta, n);
      const other = n === 2 || there === null || there === 0 ? "It is the only minimum." :
        penalty === 0 ? "" : (has ? deeper < 0 : deeper > 0) ? "It is the deeper of two minima." : "There is a deeper minimum, behind a barrier.";
      readout.set(`<b>${has ? "learned" : "not learned"}</b>: <i>μ</i> = ${live.fixed(mu, 3)} of ${eta} at <i>λ</i> = ${live.fixed(penalty, 3)}. ${other}`);
      drawBranch();
      roll();
    });

    /* The network rolls to its new place. */
    let from = eta, frame = FRAMES, rolling = false;
    const still = window.matchMedia?.("(prefers-reduced-motion: reduce)").matches;
    const roll = () => {
      from = state.shown;
      frame = still || Math.abs(state.mu - from) < 0.05 * eta ? FRAMES : 0;
      if (!rolling) turn();
    };
    const turn = () => {
      rolling = frame < FRAMES;
      frame = Math.min(FRAMES, frame + 1);
      state.shown = from + (state.mu - from) * (frame / FRAMES) ** 2;
      drawValley();
      if (rolling) requestAnimationFrame(turn);
    };

    const drawValley = () => {
      const theme = live.theme(), { layers: n, penalty, shown: mu } = state;
      const x = grid(0, 1.15 * eta), y = x.map((v) => landscape.energy(v, penalty, eta, n));
      const top = Math.max(0.55 * eta ** 2, y[0], Math.max(...y) * 1.02);
      live.plot(valley, [
        { type: "scatter", mode: "lines", x, y, line: { color: theme.muted, width: 2 }, hoverinfo: "skip" },
        { type: "scatter", mode: "markers", x: [mu], y: [landscape.energy(mu, penalty, eta, n)], hoverinfo: "skip", cliponaxis: false,
          marker: { size: 16, color: up, line: { color: theme.paper, width: 1.5 } } },
      ], live.layout({
        title: live.title("energy"), xaxis: live.axis("<i>μ</i>", { range: [-0.03 * eta, 1.15 * eta] }), yaxis: live.axis("<i>E</i>", { range: [0, top * 1.05] }),
      }));
      valley.setAttribute("aria-label", `Energy against mu at penalty ${live.fixed(penalty, 3)}; the network is at mu = ${live.fixed(state.mu, 3)}`);
    };

    const drawBranch = () => {
      const theme = live.theme(), n = state.layers, end = landscape.stability(eta, n), equal = landscape.equal(eta, n);
      const above = grid(end.mu, eta), below = grid(0, end.mu), on = (v) => (eta - v) * v ** (1 - 2 / n);
      const line = (x, y, extra) => ({ type: "scatter", mode: "lines", x, y, hoverinfo: "skip", line: { color: theme.muted, width: 1.2, ...extra } });
      const marks = (rising, marker) => {
        const some = state.path.filter((one) => one[2] === rising);
        return { type: "scatter", mode: "markers", x: some.map((one) => one[0]), y: some.map((one) => one[1]), hoverinfo: "skip", cliponaxis: false, marker };
      };
      live.plot(branch, [
        line(above.map(on), above), line([n > 2 ? 0 : eta, reach()], [0, 0]),
        ...(n > 2 ? [line(below.map(on), below, { dash: "dash" }), line([equal.penalty, equal.penalty], [0, 1.05 * eta], { dash: "dot" })] : []),
        marks(true, { size: 6, color: up }), marks(false, { size: 8, symbol: "circle-open", color: down, line: { width: 1.6, color: down } }),
        { type: "scatter", mode: "markers", x: [state.penalty], y: [state.mu], hoverinfo: "skip", cliponaxis: false,
          marker: { size: 13, color: up, line: { color: theme.paper, width: 1.5 } } },
      ], live.layout({
        title: live.title("what has been learned"), xaxis: live.axis("<i>λ</i>", { range: [-0.02 * reach(), reach()] }), yaxis: live.axis("<i>μ</i>", { range: [-0.03 * eta, 1.08 * eta] }),
      }));
      branch.setAttribute("aria-label", `Mu against the penalty: ${state.path.length} steps so far, now mu = ${live.fixed(state.mu, 3)}`);
    };

    reset();
    live.onTheme(update);
    live.onset = { data, state, move };
  };

  live.start("onset", draw);
})();
