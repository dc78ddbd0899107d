"use strict";
// Draws the charts of the page: colours by meaning and scheme, legends as text, linked zoom.
const page = JSON.parse(document.getElementById("charts").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 600px)");
const PRINT_WIDTH = 680; // of a page of A4 or letter between usual margins, in CSS pixels
let printing = false;

function painted(value, colours) {
  if (typeof value === "string") {
    const found = /^(@[a-z]+)(?:\/(\d+))?$/.exec(value);
    if (!found || !(found[1] in colours)) return value;
    const colour = colours[found[1]];
    if (found[2] === undefined) return colour;
    const parts = [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));
    return `rgba(${parts.join(",")},${found[2] / 100})`;
  }
  if (Array.isArray(value)) return value.map((each) => painted(each, colours));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, painted(each, colours)]),
  );
}

// Times are written as steps from the one before.
function unpacked(trace) {
  if (!trace.dx_ms) return trace;
  let time = 0;
  const { dx_ms: steps, ...rest } = trace;
  return { ...rest, x: steps.map((step) => (time += step)) };
}

function coloured(figure) {
  return painted(figure, dark.matches && !printing ? page.dark : page.light);
}

function shaped(layout, plot) {
  const small = narrow.matches && !printing;
  const shown = { ...layout, showlegend: false };
  shown.width = printing ? PRINT_WIDTH : plot.clientWidth;
  if (small) {
    shown.font = { ...layout.font, size: 11 };
    shown.margin = { ...layout.margin, l: 44, r: 8 };
    for (const name of Object.keys(shown).filter((key) => /^[xy]axis\d*$/.test(key))) {
      const axis = { ...shown[name] };
      if (axis.type !== "category") axis.nticks = name[0] === "x" ? 4 : 6;
      // Texts beside bars are as wide as ever, and the bars are not.
      if (axis.range && axis.type !== "date") {
        const room = (axis.range[1] - axis.range[0]) * 0.2;
        axis.range = [axis.range[0] - (axis.range[0] < 0 ? room : 0), axis.range[1] + room];
      }
      shown[name] = axis;
    }
  }
  return shown;
}

const config = {
  displaylogo: false,
  displayModeBar: false,
  scrollZoom: false,
  // plotly.js offers to upload a chart to its makers' service; a report stays where it is.
  showSendToCloud: false,
  plotlyServerURL: "",
};

const drawn = []; // { chart, plot, data, hidden, range }
let following = false;

function draw(entry) {
  const { data, layout } = coloured({ data: entry.data, layout: entry.chart.figure.layout });
  data.forEach((trace, number) => {
    trace.visible = entry.hidden.has(number) ? "legendonly" : true;
  });
  const look = shaped(layout, entry.plot);
  if (entry.range && look.xaxis) look.xaxis = { ...look.xaxis, range: entry.range };
  return Plotly.react(entry.plot, data, look, config);
}

function redraw() {
  for (const entry of drawn) {
    draw(entry);
    legend(entry);
  }
}

// The zoom of all charts over time.

function zoom(range, but) {
  following = true;
  for (const entry of drawn.filter((each) => each.chart.time_axis)) {
    entry.range = range;
    if (entry !== but) draw(entry);
  }
  following = false;
}

function follow(entry, change) {
  if (following) return;
  if (change["xaxis.autorange"]) zoom(page.whole, null);
  else if (change["xaxis.range[0]"] !== undefined)
    zoom([change["xaxis.range[0]"], change["xaxis.range[1]"]], entry);
  else return;
  for (const button of document.querySelectorAll(".range button"))
    button.setAttribute("aria-pressed", "false");
}

for (const button of document.querySelectorAll(".range button"))
  button.addEventListener("click", () => {
    zoom(page[button.dataset.range], null);
    for (const each of document.querySelectorAll(".range button"))
      each.setAttribute("aria-pressed", String(each === button));
  });

// The legend of a chart: one button for each name, that hides and shows what is drawn under it.

function swatch(trace) {
  const marks = trace.mode === "markers";
  const of = trace.marker || {};
  const colour = marks || trace.type === "bar" ? of.color : trace.fillcolor || trace.line.color;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("width", "22");
  svg.setAttribute("height", "12");
  svg.setAttribute("aria-hidden", "true");
  const names = { x: "path", diamond: "path", circle: "circle" };
  const symbol = (of.symbol || "circle").split("-")[0];
  const kind = marks ? names[symbol] || "circle" : trace.type === "bar" || trace.fill ? "rect" : "line";
  const shapes = {
    line: { x1: 0, y1: 6, x2: 22, y2: 6, stroke: trace.line && trace.line.color,
      "stroke-width": 2.5,
      "stroke-dasharray": { dash: "6 4", dot: "2 3", dashdot: "7 3 2 3", longdash: "9 3" }[
        trace.line && trace.line.dash] || "none" },
    rect: { x: 4, y: 0, width: 14, height: 12, fill: colour,
      stroke: trace.line && trace.line.width ? trace.line.color : "none" },
    circle: { cx: 11, cy: 6, r: 5, fill: colour },
    path: symbol === "x"
      ? { d: "M6 1 L16 11 M16 1 L6 11", stroke: colour, "stroke-width": 2, fill: "none" }
      : { d: "M11 0 L17 6 L11 12 L5 6 Z", fill: colour },
  };
  const shape = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(shapes[kind])) shape.setAttribute(name, String(value));
  svg.append(shape);
  return svg;
}

function legend(entry) {
  const list = document.getElementById(`legend-${entry.chart.key}`);
  const { data } = coloured({ data: entry.data });
  const named = data.map((trace, number) => ({ trace, number })).filter(
    ({ trace }) => trace.showlegend !== false && trace.name,
  );
  list.replaceChildren();
  for (const { trace, number } of named) {
    const group = data.flatMap((each, at) =>
      at === number || (trace.legendgroup && each.legendgroup === trace.legendgroup) ? [at] : [],
    );
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", String(!entry.hidden.has(number)));
    // Names are escaped for plotly.js, which reads tags in them.
    const text = new DOMParser().parseFromString(trace.name, "text/html").body.textContent;
    button.append(swatch(trace), text);
    button.addEventListener("click", () => {
      const hide = !entry.hidden.has(number);
      for (const at of group) hide ? entry.hidden.add(at) : entry.hidden.delete(at);
      draw(entry);
      legend(entry);
      list.querySelectorAll("button")[named.findIndex((each) => each.number === number)].focus();
    });
    const item = document.createElement("li");
    item.append(button);
    list.append(item);
  }
}

for (const chart of page.charts) {
  const plot = document.getElementById(chart.key);
  const entry = {
    chart, plot, data: chart.figure.data.map(unpacked), hidden: new Set(),
    range: chart.time_axis ? page.action : null,
  };
  drawn.push(entry);
  draw(entry);
  legend(entry);
  if (chart.time_axis) plot.on("plotly_relayout", (change) => follow(entry, change));
}

let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === width || printing) return;
  width = innerWidth;
  redraw();
});
dark.addEventListener("change", redraw);
addEventListener("beforeprint", () => { printing = true; redraw(); });
addEventListener("afterprint", () => { printing = false; redraw(); });
