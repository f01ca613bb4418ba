/* A trained network that is pruned at random, as pruning_phases.evaluation does it. No drawing here: the tests run this file by itself. */
(() => {
  "use strict";
  const root = typeof window === "undefined" ? globalThis : window;
  const live = (root.pruningPhases ??= {});

  const decode = (text, type) => new type(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

  /* Weights w = scale * q of the three layers. */
  const network = ({ weights, scales, biases }) => weights.map((text, k) => {
    const q = decode(text, Int8Array), scale = decode(scales[k], Float32Array), bias = decode(biases[k], Float32Array);
    const columns = q.length / bias.length;
    return { rows: bias.length, columns, bias, w: Float64Array.from(q, (v, i) => v * scale[Math.floor(i / columns)]) };
  });

  const affine = (layer, input) => {
    const out = Float64Array.from(layer.bias);
    for (let r = 0; r < layer.rows; r++) {
      const start = r * layer.columns;
      for (let c = 0; c < layer.columns; c++) out[r] += layer.w[start + c] * input[c];
    }
    return out;
  };
  const relu = (v) => v.map((x) => (x > 0 ? x : 0));

  /* First hidden layer before dropout: the input is never dropped, so it serves all masks. */
  const first = (layers, pixels) => relu(affine(layers[0], pixels));

  /* Logits under a mask: keep is one array of 0 and 1 for each hidden layer, p the rate (inverted dropout: kept neurons times 1/(1-p)). */
  const logits = (layers, hidden, keep, p) => {
    const dropped = (h, mask) => h.map((v, i) => (mask[i] ? v / (1 - p) : 0));
    const second = relu(affine(layers[1], dropped(hidden, keep[0])));
    return affine(layers[2], dropped(second, keep[1]));
  };

  /* Repeatable uniform numbers in [0, 1) (mulberry32). */
  const random = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  /* Mask k of a series: uniform numbers of both layers; a neuron stays where u < 1 - p, so masks are nested in p. */
  const mask = (layers, seed, k, p) => {
    const next = random(Math.imul(seed, 0x9e3779b1) ^ (k + 1) * 7919);
    return [layers[0].rows, layers[1].rows].map((n) => Uint8Array.from({ length: n }, () => (next() < 1 - p ? 1 : 0)));
  };

  const lossOf = (z, label) => {
    const top = Math.max(...z);
    return top + Math.log(z.reduce((sum, v) => sum + Math.exp(v - top), 0)) - z[label];
  };
  const answerOf = (z) => z.indexOf(Math.max(...z));

  /* Answers over many masks: counts of the ten classes and, with a label, the mean loss. */
  const answers = (layers, pixels, p, { masks, seed = 1, label = null }) => {
    const hidden = first(layers, pixels), counts = new Array(layers[2].rows).fill(0);
    let loss = 0;
    for (let k = 0; k < masks; k++) {
      const z = logits(layers, hidden, mask(layers, seed, k, p), p);
      counts[answerOf(z)]++;
      if (label !== null) loss += lossOf(z, label);
    }
    return { counts, loss: label === null ? null : loss / masks };
  };

  live.pruned = { network, first, logits, mask, answers, answerOf, lossOf, decode };
})();
