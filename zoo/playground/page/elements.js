// What controls and panels share: creating elements, colors, and points in a plane.

export const COLORS = [
  "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f",
  "#bcbd22", "#17becf",
];

export function create(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Red above 0, blue below, transparent at 0. */
export function diverging(value, limit) {
  const strength = limit ? Math.min(1, Math.abs(value) / limit) : 0;
  return `rgb(${value > 0 ? "214 60 50" : "40 100 190"} / ${(0.75 * strength).toFixed(3)})`;
}

/** The names of classes or lines, with their colors. */
export function legend(names) {
  const items = names.map((name, index) => {
    const dot = create("span", { className: "dot" });
    dot.style.background = COLORS[index % COLORS.length];
    return create("li", {}, dot, name);
  });
  return create("ul", { className: "legend" }, ...items);
}

/** Draw points of several classes and a mark, in a square from -limit to limit. */
export function drawScatter(canvas, scatter, mark, limit) {
  const context = canvas.getContext("2d");
  const size = canvas.width;
  const place = ([x, y]) => [((x / limit + 1) * size) / 2, ((1 - y / limit) * size) / 2];
  context.fillStyle = "#fff";
  context.fillRect(0, 0, size, size);
  for (const [index, point] of scatter.points.entries()) {
    context.fillStyle = COLORS[scatter.labels[index] % COLORS.length];
    context.globalAlpha = 0.5;
    context.fillRect(...place(point).map((each) => each - 1.5), 3, 3);
  }
  context.globalAlpha = 1;
  context.beginPath();
  context.arc(...place(mark), 7, 0, 2 * Math.PI);
  Object.assign(context, { lineWidth: 3, strokeStyle: "#000", fillStyle: "#fff" });
  context.fill();
  context.stroke();
}
