// The page: models, views, and the round from the controls of a view to its panels.

import { createControl } from "./controls.js";
import { renderPanel } from "./panels.js";

const element = (id) => document.getElementById(id);
let views = []; // of the model that is shown
let current = null; // the view that is shown: its address, its controls, and whether it is stale

async function request(address, body) {
  const options = body && {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  const response = await fetch(address, options);
  const document = await response.json();
  if (!response.ok) throw new Error(document.error);
  return document;
}

/** Show what a promise is waiting for, and its error if it fails. */
async function report(text, promise) {
  element("status").textContent = text;
  document.body.setAttribute("aria-busy", "true");
  try {
    const result = await promise;
    element("error").textContent = "";
    return result;
  } catch (error) {
    element("error").textContent = error.message;
    return null;
  } finally {
    element("status").textContent = "";
    document.body.removeAttribute("aria-busy");
  }
}

/** Send the values of the controls and show the answer; changes meanwhile are sent after it. */
async function refresh() {
  const view = current;
  view.isStale = true;
  if (view.isBusy) return;
  view.isBusy = true;
  while (view.isStale && view === current) {
    view.isStale = false;
    const values = Object.assign({}, ...view.controls.map((control) => control.values()));
    const answer = await report("computing …", request(view.address, values));
    if (view === current && answer) {
      element("panels").replaceChildren(...answer.panels.map(renderPanel));
    }
  }
  view.isBusy = false;
}

function showView(model, name) {
  const view = views.find((each) => each.name === name) ?? views[0];
  for (const link of element("views").children) {
    link.setAttribute("aria-current", link.dataset.view === view.name ? "page" : "false");
  }
  element("title").textContent = view.title;
  element("notice").textContent = view.notice;
  element("origin").textContent = view.origin;
  element("panels").replaceChildren();
  const controls = view.controls.map((control) => createControl(control, refresh));
  current = { address: `playground/${model}/${view.name}`, controls };
  element("controls").replaceChildren(...controls.map((control) => control.element));
  refresh();
}

function clearView(reason) {
  current = null;
  for (const id of ["title", "origin", "summary"]) element(id).textContent = "";
  for (const id of ["views", "controls", "panels"]) element(id).replaceChildren();
  element("notice").textContent = reason;
}

async function showModel(name, view) {
  clearView("");
  const address = `playground/${name}`;
  const description = await report("opening the model …", request(address));
  if (!description || element("model").value !== name) return;
  element("summary").textContent = description.summary;
  const links = description.views.map((each) => {
    const link = document.createElement("a");
    link.href = `#${name}/${each.name}`;
    link.dataset.view = each.name;
    link.textContent = each.title;
    return link;
  });
  element("views").replaceChildren(...links);
  element("views").dataset.model = name;
  views = description.views;
  if (views.length) showView(name, view);
  else clearView("There is no view for this model.");
}

/** Go to where the address says: `#MODEL/VIEW`. */
function navigate() {
  const [name, view] = decodeURIComponent(location.hash.slice(1)).split("/");
  const select = element("model");
  const isKnown = [...select.options].some((option) => option.value === name);
  if (isKnown) select.value = name;
  if (isKnown && element("views").dataset.model === name) showView(name, view);
  else showModel(select.value, view);
}

async function start() {
  element("controls").addEventListener("submit", (event) => event.preventDefault());
  const answer = await report("looking for models …", request("playground"));
  if (!answer) return;
  if (!answer.models.length) {
    clearView("Only artifacts are served: views exist for runs and trained models.");
    return;
  }
  element("model").replaceChildren(...answer.models.map((name) => new Option(name, name)));
  element("model").addEventListener("change", () => {
    location.hash = element("model").value;
  });
  window.addEventListener("hashchange", navigate);
  navigate();
}

start();
