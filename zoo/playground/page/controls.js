// Controls: what a person can do. Each has an element, and returns its values by name.

import { create, drawScatter, legend } from "./elements.js";

const CANVAS = 280;
const STROKE = 22;
const STEP = 10; // of the pen, by an arrow key

export function createControl(control, onChange) {
  return CONTROLS[control.kind](control, onChange);
}

function text(control, onChange) {
  const area = create("textarea", { rows: 6, maxLength: control.max, value: control.value });
  area.addEventListener("input", onChange);
  return {
    element: create("label", { className: "stacked" }, control.label, area),
    values: () => ({ [control.name]: area.value }),
  };
}

function slider(control, onChange) {
  const { min, max, step, value } = control;
  const input = create("input", { type: "range", min, max, step, value });
  const output = create("output", {}, format(value));
  const changed = () => {
    output.textContent = format(input.value);
    onChange();
  };
  input.addEventListener("input", changed);
  const parts = [create("label", { className: "stacked" }, control.label, input), output];
  if (control.play) parts.push(playButton(input, changed));
  return {
    element: create("div", { className: "slider" }, ...parts),
    values: () => ({ [control.name]: Number(input.value) }),
    set: (number) => {
      input.value = number;
      output.textContent = format(input.value);
    },
  };
}

function playButton(input, changed) {
  const button = create("button", { type: "button" }, "Play");
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  };
  const advance = () => {
    if (!button.isConnected || Number(input.value) >= Number(input.max)) return stop();
    input.stepUp();
    changed();
  };
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (Number(input.value) >= Number(input.max)) input.value = input.min;
    button.textContent = "Pause";
    timer = setInterval(advance, 120);
  });
  return button;
}

function choice(control, onChange) {
  const options = control.options.map((option) => new Option(option, option));
  const select = create("select", {}, ...options);
  select.value = control.value;
  select.addEventListener("change", onChange);
  return {
    element: create("label", {}, `${control.label} `, select),
    values: () => ({ [control.name]: select.value }),
  };
}

/** A place in a plane: dragged to, or set by a slider for each dimension. */
function plane(control, onChange) {
  const { dimensions, axes, limit, scatter } = control;
  const code = [...control.value];
  const canvas = create("canvas", { width: CANVAS, height: CANVAS, className: "pad" });
  canvas.setAttribute("aria-hidden", "true"); // the sliders say and do the same
  const draw = () => drawScatter(canvas, scatter, axes.map((axis) => code[axis]), limit);
  const sliders = dimensions.map((dimension) =>
    slider(
      {
        name: dimension, label: `dimension ${dimension}`, min: -limit, max: limit, step: 0.05,
        value: code[dimension],
      },
      () => {
        code[dimension] = sliders[dimensions.indexOf(dimension)].values()[dimension];
        draw();
        onChange();
      },
    ),
  );
  const moveTo = (event) => {
    const place = positionIn(canvas, event).map((each) => (2 * each) / CANVAS - 1);
    [place[0], -place[1]].forEach((value, index) => {
      const axis = axes[index];
      const slider = sliders[dimensions.indexOf(axis)];
      slider.set(Math.max(-limit, Math.min(limit, value * limit)));
      code[axis] = slider.values()[axis];
    });
    draw();
    onChange();
  };
  onDrag(canvas, moveTo, moveTo);
  draw();
  return {
    element: create("div", {}, canvas, legend(scatter.names), ...sliders.map((each) => each.element)),
    values: () => ({ [control.name]: code }),
  };
}

/** An image: drawn on a canvas, from a file, pasted, or an example. */
function image(control, onChange) {
  let value = null;
  const preview = create("img", { className: "preview", alt: "the chosen image" });
  const take = (content, drawn = false) => {
    value = { content: content.slice(content.indexOf(",") + 1), drawn };
    if (!drawn) preview.src = content;
    onChange();
  };
  const canvas = control.drawing ? drawingCanvas((content) => take(content, true)) : null;
  const showExample = (source) => {
    canvas?.show(source);
    take(source);
  };
  const examples = control.examples.map((source, index) => {
    const picture = create("img", { src: source, alt: `test image ${index + 1}` });
    const button = create("button", { type: "button", className: "example" }, picture);
    button.addEventListener("click", () => showExample(source));
    return button;
  });
  const parts = [canvas ? canvas.element : preview];
  parts.push(fileInput(showExample));
  parts.push(create("div", { className: "examples" }, ...examples));
  const [first] = control.examples;
  preview.src = first;
  canvas?.show(first);
  value = { content: first.slice(first.indexOf(",") + 1), drawn: false };
  return {
    element: create("div", {}, ...parts),
    values: () => ({ [control.name]: value }),
  };
}

function fileInput(take) {
  const input = create("input", { type: "file", accept: "image/*" });
  const element = create("label", { className: "stacked" }, "Choose or paste an image", input);
  const read = (file) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => take(reader.result));
    reader.readAsDataURL(file);
  };
  input.addEventListener("change", () => input.files.length && read(input.files[0]));
  const paste = (event) => {
    if (!element.isConnected) return document.removeEventListener("paste", paste);
    const [file] = event.clipboardData.files;
    if (file?.type.startsWith("image/")) read(file);
  };
  document.addEventListener("paste", paste);
  return element;
}

/** A canvas to draw on with a pointer, or with a pen that the keyboard moves. */
function drawingCanvas(onDraw) {
  const canvas = create("canvas", { width: CANVAS, height: CANVAS, className: "pad", tabIndex: 0 });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Drawing area");
  canvas.setAttribute("aria-describedby", "drawing-help");
  const context = canvas.getContext("2d");
  const pen = { place: [CANVAS / 2, CANVAS / 2], isDown: false };
  const mark = create("span", { className: "pen" });
  const clear = () => {
    context.fillStyle = "black";
    context.fillRect(0, 0, CANVAS, CANVAS);
  };
  const finish = () => onDraw(canvas.toDataURL("image/png"));
  const lineTo = (place) => {
    Object.assign(context, { strokeStyle: "white", lineWidth: STROKE, lineCap: "round" });
    context.beginPath();
    context.moveTo(...pen.place);
    context.lineTo(...place);
    context.stroke();
    pen.place = place;
  };
  onDrag(
    canvas,
    (event) => {
      pen.place = positionIn(canvas, event);
      lineTo(pen.place);
    },
    (event) => lineTo(positionIn(canvas, event)),
    () => {
      showPen();
      finish();
    },
  );
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const showPen = () => {
    mark.style.left = `${(100 * pen.place[0]) / CANVAS}%`;
    mark.style.top = `${(100 * pen.place[1]) / CANVAS}%`;
    mark.classList.toggle("down", pen.isDown);
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.key in moves) {
      const limit = (value) => Math.max(0, Math.min(CANVAS, value));
      const place = pen.place.map((value, axis) => limit(value + STEP * moves[event.key][axis]));
      if (pen.isDown) lineTo(place);
      pen.place = place;
      if (pen.isDown) finish();
    } else if (event.key === " ") {
      pen.isDown = !pen.isDown;
    } else if (event.key === "Delete" || event.key === "Backspace") {
      clear();
      finish();
    } else return;
    event.preventDefault();
    showPen();
  });
  const button = create("button", { type: "button" }, "Clear");
  button.addEventListener("click", () => {
    clear();
    finish();
  });
  clear();
  showPen();
  const help = create(
    "p",
    { id: "drawing-help", className: "help" },
    "Draw here; or by keyboard: arrows move the pen, Space lowers and lifts it, Delete clears.",
  );
  const frame = create("div", { className: "frame" }, canvas, mark);
  const show = (source) => {
    const picture = create("img", { src: source });
    picture.decode().then(() => {
      clear();
      context.imageSmoothingEnabled = false;
      context.drawImage(picture, 0, 0, CANVAS, CANVAS);
    });
  };
  return { element: create("div", {}, frame, help, button), show };
}

function onDrag(canvas, begin, move, end = () => {}) {
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    begin(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) move(event);
  });
  canvas.addEventListener("pointerup", end);
}

function positionIn(canvas, event) {
  const box = canvas.getBoundingClientRect();
  return [
    ((event.clientX - box.left) * canvas.width) / box.width,
    ((event.clientY - box.top) * canvas.height) / box.height,
  ];
}

function format(value) {
  return String(Number(Number(value).toFixed(3)));
}

const CONTROLS = { text, slider, choice, plane, image };
