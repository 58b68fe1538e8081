// Panels: what is shown. Each kind has a function from its description to an element.

import { COLORS, create, diverging, drawScatter, legend } from "./elements.js";

const SVG = "http://www.w3.org/2000/svg";
const CHART = { width: 480, height: 220, left: 50, right: 28, bottom: 24 };
const MAX_STEPS_NAMED = 12;

export function renderPanel(panel) {
  const content = PANELS[panel.kind](panel);
  return create("figure", { className: panel.kind }, create("figcaption", {}, panel.title), content);
}

const percent = (value) => `${(100 * value).toFixed(1)} %`;

function bars({ values }) {
  const rows = Object.entries(values).map(([name, value]) => {
    const bar = create("span", { className: "bar" });
    bar.style.width = `${100 * value}%`;
    const row = create(
      "tr",
      {},
      create("th", { scope: "row" }, name),
      create("td", {}, create("span", { className: "track" }, bar)),
      create("td", { className: "value" }, percent(value)),
    );
    row.dataset.name = name;
    row.dataset.value = value;
    return row;
  });
  return create("table", {}, ...rows);
}

function pictures({ pictures, small }) {
  const items = pictures.map(({ caption, source }) =>
    create("div", {}, create("img", { src: source, alt: caption }), create("span", {}, caption)),
  );
  return create("div", { className: small ? "gallery small" : "gallery" }, ...items);
}

function words({ words }) {
  const limit = Math.max(...words.map((word) => Math.abs(word.value)));
  const spans = words.flatMap(({ text, value }) => {
    const span = create("span", { title: signed(value) }, text);
    span.dataset.value = value;
    span.style.background = diverging(value, limit);
    return [span, " "];
  });
  const strongest = [...words]
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value))
    .slice(0, 5)
    .map(({ text, value }) => `${text} ${signed(value)}`);
  return create(
    "div",
    {},
    create("p", {}, ...spans),
    create("p", { className: "help" }, `Strongest: ${strongest.join(", ")}`),
  );
}

const signed = (value) => `${value < 0 ? "−" : "+"}${percent(Math.abs(value))}`;

function numbers({ values }) {
  const rows = Object.entries(values).map(([name, value]) => {
    const cell = create("td", { className: "value" }, display(value));
    const row = create("tr", {}, create("th", { scope: "row" }, name), cell);
    row.dataset.name = name;
    row.dataset.value = value;
    return row;
  });
  return create("table", {}, ...rows);
}

const display = (value) => (typeof value === "number" ? String(Number(value.toPrecision(4))) : value);

function lines({ steps, series }) {
  const { width, height, left, right, bottom } = CHART;
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const x = (index) => left + ((width - left - right) * index) / Math.max(1, steps.length - 1);
  const y = (value) => 8 + (height - bottom - 16) * (1 - value);
  for (const value of [0, 0.5, 1]) {
    chart.append(svg("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "grid" }));
    chart.append(label(percent(value).replace(".0", ""), left - 8, y(value) + 4, "end"));
  }
  const skip = Math.ceil(steps.length / MAX_STEPS_NAMED);
  steps.forEach((step, index) => {
    if (index % skip === 0) chart.append(label(step.slice(0, 9), x(index), height - 6, "middle"));
  });
  const names = Object.keys(series);
  names.forEach((name, index) => {
    const points = series[name].map((value, step) => `${x(step)},${y(value)}`).join(" ");
    const line = svg("polyline", { points, stroke: COLORS[index % COLORS.length] });
    line.dataset.name = name;
    line.dataset.values = JSON.stringify(series[name]);
    chart.append(line);
  });
  chart.setAttribute("aria-label", names.join(", "));
  return create("div", {}, chart, legend(names));
}

function label(content, x, y, anchor) {
  const text = svg("text", { x, y, "text-anchor": anchor });
  text.textContent = content;
  return text;
}

function svg(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function matrix({ rows, columns, values, signed }) {
  const limit = Math.max(...values.flat().map(Math.abs));
  const head = create("tr", {}, create("td", {}), ...columns.map((name) => heading(name, "col")));
  const body = rows.map((name, row) => {
    const cells = values[row].map((value, column) => {
      const cell = create("td", { title: `${name}, ${columns[column]}: ${value}` });
      cell.style.background = signed
        ? diverging(value, limit)
        : `rgb(40 100 190 / ${limit ? value / limit : 0})`;
      return cell;
    });
    return create("tr", {}, heading(name, "row"), ...cells);
  });
  const table = create("table", {}, create("thead", {}, head), create("tbody", {}, ...body));
  return create("div", { className: "scroll", tabIndex: 0 }, table);
}

const heading = (name, scope) => create("th", { scope }, create("span", {}, name));

function points({ scatter, mark }) {
  const canvas = create("canvas", { width: 280, height: 280, className: "pad" });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `the mark is at ${mark.map((each) => each.toFixed(2))}`);
  drawScatter(canvas, scatter, mark, scatter.limit);
  return create("div", {}, canvas, legend(scatter.names));
}

/** The output over two inputs, with the rows of the truth table in circles. */
function surface({ source, margin, targets, mark }) {
  const size = 260;
  const place = (value) => (size * (value + margin)) / (1 + 2 * margin);
  const chart = svg("svg", { viewBox: `-30 -4 ${size + 34} ${size + 34}`, role: "img" });
  chart.setAttribute("aria-label", "output over the first two inputs");
  chart.append(svg("image", { href: source, width: size, height: size }));
  for (const value of [0, 1]) {
    chart.append(label(String(value), place(value), size + 16, "middle"));
    chart.append(label(String(value), -8, size - place(value) + 4, "end"));
  }
  chart.append(label("x0", size / 2, size + 24, "middle"), label("x1", -10, size / 2, "end"));
  for (const { place: [x, y], target } of targets) {
    chart.append(svg("circle", { cx: place(x), cy: size - place(y), r: 11, class: "target" }));
    chart.append(label(String(target), place(x), size - place(y) + 4, "middle"));
  }
  if (mark) {
    const [x, y] = mark;
    chart.append(svg("circle", { cx: place(x), cy: size - place(y), r: 6, class: "mark" }));
  }
  return chart;
}

const PANELS = { bars, pictures, words, numbers, lines, matrix, points, surface };
