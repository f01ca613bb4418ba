/* What the live figures share: starting them, elements, the theme's colours, formats, plotly's defaults.
   Plain scripts without a build step; each figure registers itself in pruningPhases.figures. */
(() => {
  "use strict";
  const live = (window.pruningPhases ??= {});
  live.figures = {};

  /* Starting: a figure's script calls live.start(kind, draw) when it has loaded. The static picture goes only when drawing succeeded. */
  live.start = (kind, draw) => {
    live.figures[kind] = draw;
    const run = () => {
      for (const root of document.querySelectorAll(`.pp-live[data-live="${kind}"]:not([data-ready])`)) {
        const payload = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
        const body = live.h("div", { class: "pp-body" });
        root.append(body);
        try {
          draw(body, payload);
        } catch (error) {
          body.remove();
          throw error;
        }
        root.querySelector(".pp-static")?.remove();
        root.querySelector(".pp-tools")?.remove();
        root.append(tools(root, body, kind));
        root.dataset.ready = "";
      }
    };
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", run);
    else run();
  };

  /* State: a figure puts { read, write } here by its kind, functions that give and take plain values by name. The address of a page names
     one figure (live=KIND), these values and, where nothing but the figure is to be seen, only=1. */
  live.states = {};
  const asked = new URLSearchParams(location.search);
  const number = (text) => (text !== null && text.trim() !== "" && isFinite(text) ? Number(text) : null);
  /* The place of the value that is nearest to the one asked for; null where none was. */
  live.nearest = (values, text) => {
    const wanted = number(text ?? null);
    return wanted === null ? null : values.reduce((best, v, k) => (Math.abs(v - wanted) < Math.abs(values[best] - wanted) ? k : best), 0);
  };
  live.number = (text, low, high) => (number(text ?? null) === null ? null : Math.min(high, Math.max(low, Number(text))));

  /* The row under every figure: full size, its picture, a link to its state. */
  const tools = (root, body, kind) => {
    const said = live.h("span", { class: "pp-small", role: "status" });
    const grow = (on) => {
      root.classList.toggle("pp-full", on);
      full.textContent = on ? "back to the page" : "full size";
      dispatchEvent(new Event("resize")); // plotly fits its plots
    };
    const full = live.button("full size", () => grow(!root.classList.contains("pp-full")));
    root.onkeydown = (event) => {
      if (event.key === "Escape" && root.classList.contains("pp-full")) grow(false); // a handler that returns false would cancel the key
    };
    const save = live.button("save picture", async () => {
      const name = `${kind}.png`;
      live.h("a", { href: (await picture(body)).toDataURL(), download: name }).click();
      said.textContent = name;
    });
    const row = live.h("div", { class: "pp-controls pp-tools" }, full, save);
    if (live.states[kind]) {
      row.append(live.button("link to this state", () => {
        const address = `${location.href.replace(/[?#].*/, "")}?${new URLSearchParams({ live: kind, ...live.states[kind].read() })}#${root.id}`;
        if (!asked.has("only")) history.replaceState(null, "", address);
        navigator.clipboard?.writeText(address).catch(() => {});
        said.textContent = "copied, and in the address bar";
      }));
    }
    row.append(said);
    if (asked.get("live") === kind) {
      live.states[kind]?.write(Object.fromEntries(asked));
      if (asked.has("only")) {
        full.hidden = true;
        grow(true);
        const tell = () => parent.postMessage({ live: kind, height: body.offsetHeight + row.offsetHeight + 40 }, "*");
        new ResizeObserver(tell).observe(body);
      }
    }
    return row;
  };

  /* What a figure shows, on a canvas: its plots, its words and keys where they stand. */
  const picture = async (body) => {
    const zoom = 2, frame = body.getBoundingClientRect(), theme = live.theme();
    const canvas = live.h("canvas", { width: zoom * frame.width, height: zoom * frame.height }), pen = canvas.getContext("2d");
    const place = ({ left, top, width, height }) => [left - frame.left, top - frame.top, width, height];
    const seen = (node) => node.offsetParent !== null && !node.closest(".pp-heard, .pp-hint, select, button, .pp-own");
    pen.scale(zoom, zoom);
    pen.fillStyle = theme.paper;
    pen.fillRect(0, 0, frame.width, frame.height);
    pen.strokeStyle = theme.text;
    for (const node of [...body.querySelectorAll(".js-plotly-plot, canvas, .pp-swatch, .pp-gradient")].filter(seen)) {
      const [x, y, width, height] = place(node.getBoundingClientRect());
      if (node.matches("canvas")) pen.drawImage(node, x, y, width, height);
      else if (node.matches(".js-plotly-plot")) {
        const image = new Image();
        image.src = await Plotly.toImage(node, { format: "png", width, height, scale: zoom });
        await image.decode();
        pen.drawImage(image, x, y, width, height);
      } else {
        const stops = node.dataset.stops?.split(" ");
        pen.fillStyle = stops ? pen.createLinearGradient(x, 0, x + width, 0) : getComputedStyle(node).backgroundColor;
        stops?.forEach((stop, k) => pen.fillStyle.addColorStop(k / (stops.length - 1), stop));
        pen.fillRect(x, y, width, height);
        pen.strokeRect(x, y, width, height); // a line of the key is a box without height
      }
    }
    for (const node of [...body.querySelectorAll("select")].filter((one) => one.offsetParent !== null)) {
      const [x, y, , height] = place(node.getBoundingClientRect()), style = getComputedStyle(node);
      Object.assign(pen, { fillStyle: theme.text, font: `${style.fontSize} ${style.fontFamily}`, textBaseline: "middle" });
      pen.fillText(node.selectedOptions[0]?.text ?? "", x + 10, y + height / 2);
    }
    const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode());) {
      const parent = node.parentElement;
      if (parent.closest("svg, canvas, .js-plotly-plot") || !(parent instanceof HTMLElement) || !seen(parent)) continue;
      const style = getComputedStyle(parent), range = document.createRange();
      Object.assign(pen, { fillStyle: style.color, font: `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`, textBaseline: "middle" });
      for (const word of node.data.matchAll(/\S+/g)) {
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        const [x, y, , height] = place(range.getBoundingClientRect());
        pen.fillText(word[0], x, y + height / 2);
      }
    }
    return canvas;
  };
  live.picture = picture;

  /* Element with attributes (on…: listeners) and children. */
  live.h = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value != null) node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  };

  let count = 0;
  /* A labelled control; label may hold markup of ours (subscripts). */
  live.field = (label, control, output) => {
    control.id ||= `pp-${++count}`;
    const text = live.h("label", { for: control.id });
    text.innerHTML = label;
    return live.h("div", { class: "pp-field" }, text, control, ...(output ? [output] : []));
  };

  live.select = (options, onchange) => {
    const node = live.h("select", { onchange: () => onchange(node.value) });
    for (const [value, text] of options) node.append(live.h("option", { value }, text));
    return node;
  };

  live.slider = (low, high, step, value, oninput) => {
    const node = live.h("input", { type: "range", min: low, max: high, step, value });
    node.addEventListener("input", () => oninput(Number(node.value)));
    return node;
  };

  /* Small print; the markup is ours. */
  live.hint = (html) => {
    const node = live.h("p", { class: "pp-hint" });
    node.innerHTML = html;
    return node;
  };

  live.button = (text, onclick) => live.h("button", { type: "button", class: "pp-button", onclick }, text);

  /* Text that screen readers announce when it has stopped changing; what is seen changes at once. */
  live.readout = (name) => {
    const seen = live.h("p", { class: "pp-readout", "data-readout": name, "aria-hidden": "true" });
    const heard = live.h("p", { class: "pp-heard", "aria-live": "polite" });
    let timer;
    return {
      nodes: [seen, heard],
      set(html) {
        seen.innerHTML = html;
        clearTimeout(timer);
        timer = setTimeout(() => (heard.textContent = seen.textContent), 400);
      },
    };
  };

  /* Theme: the book's switch sets <html data-theme>. */
  live.theme = () => {
    const style = getComputedStyle(document.documentElement);
    const dark = document.documentElement.dataset.theme === "dark";
    const get = (name, light, night) => style.getPropertyValue(name).trim() || (dark ? night : light);
    return {
      dark,
      text: get("--pst-color-text-base", "#222832", "#ced6dd"),
      muted: get("--pst-color-text-muted", "#48566b", "#9ca4af"),
      paper: get("--pst-color-background", "#ffffff", "#14181e"),
      grid: dark ? "rgba(255,255,255,0.13)" : "rgba(0,0,0,0.1)",
      of: (size) => (dark ? size.dark : size.light),
    };
  };
  live.onTheme = (redraw) =>
    new MutationObserver(redraw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });

  /* Numbers as the book prints them. */
  live.size = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  live.fixed = (value, decimals) => (value === null || !isFinite(value) ? "–" : value.toFixed(decimals).replace("-", "−"));
  live.short = (value, digits = 3) => {
    if (value === null || !isFinite(value)) return "–";
    return (Math.abs(value) >= 1e5 ? value.toExponential(digits - 1) : String(Number(value.toPrecision(digits)))).replace("-", "−");
  };
  /* Value ± error with as many decimals as the error has in two digits. */
  live.withError = (value, error) => {
    if (value === null) return "–";
    if (error === null || !(error > 0)) return live.fixed(value, 3);
    const decimals = Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(error))));
    return `${live.fixed(value, decimals)} ± ${live.fixed(error, decimals)}`;
  };

  /* Colour at fraction t of equally spaced stops "#rrggbb". */
  live.ramp = (stops, t) => {
    const at = Math.min(1, Math.max(0, t)) * (stops.length - 1);
    const i = Math.min(stops.length - 2, Math.floor(at));
    const channel = (k) => {
      const [a, b] = [stops[i], stops[i + 1]].map((stop) => parseInt(stop.slice(1 + 2 * k, 3 + 2 * k), 16));
      return Math.round(a + (b - a) * (at - i));
    };
    return `rgb(${channel(0)},${channel(1)},${channel(2)})`;
  };

  /* Legend of a colour scale, or of named colours. */
  live.scaleBar = (stops, low, high, title) =>
    live.h("div", { class: "pp-scale" }, live.h("span", {}, low),
      live.h("span", { class: "pp-gradient", "data-stops": stops.join(" "), style: `background:linear-gradient(90deg,${stops.join(",")})` }), live.h("span", {}, high),
      live.h("span", { class: "pp-scale-title" }, title));
  live.sizeLegend = (sizes) => {
    const theme = live.theme();
    const items = sizes.map((size) => {
      const sign = live.h("span", { style: `color:${theme.of(size)}`, "aria-hidden": "true" }, size.sign);
      return live.h("span", { class: "pp-key" }, sign, live.size(size.n));
    });
    return live.h("div", { class: "pp-legend" }, live.h("span", { class: "pp-key" }, "N ="), ...items);
  };

  /* Plotly. */
  live.config = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false, showTips: false };
  live.axis = (title, extra = {}) => {
    const theme = live.theme();
    return {
      title: { text: title, standoff: 6, font: { size: 13 } }, color: theme.text, gridcolor: theme.grid, linecolor: theme.muted,
      showline: true, zeroline: false, ticks: "outside", ticklen: 4, tickcolor: theme.muted, fixedrange: true, automargin: false, ...extra,
    };
  };
  /* Plain decimal ticks on a logarithmic axis from low to high: 1, 2, 5 of each decade, or fewer. */
  live.logAxis = (title, low, high, extra = {}) => {
    const span = high / low;
    const factors = span < 5 ? [1, 1.5, 2, 3, 4, 5, 7] : span < 20 ? [1, 2, 5] : span < 300 ? [1, 3] : [1];
    const ticks = [];
    for (let k = Math.floor(Math.log10(low)) - 1; k <= Math.ceil(Math.log10(high)); k++) {
      for (const factor of factors) ticks.push(Number(`${factor}e${k}`));
    }
    const inside = ticks.filter((v) => v >= low && v <= high);
    const range = [Math.log10(low), Math.log10(high)];
    const ticktext = inside.map((v) => (v >= 1000 ? live.size(v) : String(v)));
    return live.axis(title, { type: "log", range, tickvals: inside, ticktext, ...extra });
  };
  live.layout = (extra = {}) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest", dragmode: false,
    margin: { l: 62, r: 12, t: 30, b: 46 },
    font: { family: '"DejaVu Sans", Verdana, sans-serif', size: 12, color: live.theme().text },
    hoverlabel: { font: { family: '"DejaVu Sans", Verdana, sans-serif', size: 12 } },
    ...extra,
  });
  live.title = (text) => ({ text, x: 0, xref: "paper", xanchor: "left", y: 1, yanchor: "top", pad: { t: 14 }, font: { size: 12.5 } });
  live.plot = (node, traces, layout) => Plotly.react(node, traces, layout, live.config);

  /* Runs `work` once in the next frame however often it was asked for. */
  live.soon = (work) => {
    let asked = false;
    return () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        work();
      });
    };
  };
})();
