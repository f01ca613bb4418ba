/* The deep linear network of one mode under an L2 penalty, as pruning_phases.calibration.penalty has it. No drawing: the tests run this file. */
(() => {
  "use strict";
  const root = typeof window === "undefined" ? globalThis : window;
  const live = (root.pruningPhases ??= {});

  /* E = (mu - eta)^2/2 + (lambda/k) mu^k with k = 2/L. */
  const energy = (mu, penalty, eta, layers) => (mu - eta) ** 2 / 2 + (penalty * layers) / 2 * mu ** (2 / layers);

  /* Where the learned state ends. */
  const stability = (eta, layers) => {
    const k = 2 / layers, mu = (eta * (1 - k)) / (2 - k);
    return { penalty: (eta - mu) * mu ** (1 - k), mu };
  };

  /* Where both states have the same energy. */
  const equal = (eta, layers) => {
    const k = 2 / layers, mu = (2 * eta * (1 - k)) / (2 - k);
    return { penalty: ((eta * k) / (2 - k)) * mu ** (1 - k), mu };
  };

  /* Root of lambda = (eta - mu) mu^(1-k) between a and b, where one side is above and the other below. */
  const solve = (penalty, eta, layers, a, b) => {
    const over = (mu) => (eta - mu) * mu ** (1 - 2 / layers) > penalty;
    const side = over(a);
    for (let i = 0; i < 60; i++) {
      const middle = (a + b) / 2;
      if (over(middle) === side) a = middle;
      else b = middle;
    }
    return (a + b) / 2;
  };

  /* The learned minimum and the top of the barrier before it; null where there is none. */
  const learned = (penalty, eta, layers) => {
    const end = stability(eta, layers);
    return penalty < end.penalty ? solve(penalty, eta, layers, end.mu, eta) : null;
  };
  const barrier = (penalty, eta, layers) => {
    const end = stability(eta, layers);
    return layers > 2 && penalty > 0 && penalty < end.penalty ? solve(penalty, eta, layers, 0, end.mu) : null;
  };

  /* The minimum that a state at mu comes to: it goes downhill only, so 0 is left only where it is no minimum. */
  const settle = (mu, penalty, eta, layers) => {
    const there = learned(penalty, eta, layers), top = barrier(penalty, eta, layers);
    if (there === null) return 0;
    return top === null || mu > top ? there : 0;
  };

  live.landscape = { energy, stability, equal, learned, barrier, settle };
})();
