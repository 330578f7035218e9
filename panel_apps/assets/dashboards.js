// The choices at the top of a dashboard, the address and the server's state are kept in step.
const dashboard = document.querySelector(".dashboard");
const form = document.getElementById("choices");
let address = null;

const model = (name) => window.Bokeh?.documents[0]?.get_model_by_name(name);
const busy = (is) => dashboard.setAttribute("aria-busy", String(is));

function chosen() {
  const range = form.range.value || `${form.first.value}..${form.last.value}`;
  const compare = form.compare.checked ? "previous" : "none";
  return new URLSearchParams({ range, zone: form.zone.value, companion: form.companion.value, compare });
}

function send() {
  const search = `?${chosen()}`;
  if (!address || address.search === search) return;
  busy(true);
  address.search = search;
}

function show(state) {
  busy(false);
  if (!form || !state || state.failed) return;
  form.range.value = [...form.range.options].some((option) => option.value === state.range) ? state.range : "";
  form.first.value = state.first;
  form.last.value = state.last;
  for (const name of ["zone", "companion"]) {
    if (form[name].value !== state[name]) form[name].value = state[name];
  }
  form.compare.checked = state.compare === "previous";
}

// Panel's component writes every change into the history; going back must not write.
function follow() {
  const written = window.history.pushState;
  window.history.pushState = () => {};
  busy(true);
  const search = window.location.search;
  address.search = search.includes("range=") ? search : dashboard.dataset.first;
  window.history.pushState = written;
}

function connect() {
  const status = model("status");
  address = model("location");
  if (!status || !address) return false;
  const bokeh = window.Bokeh.documents[0];
  show(status.tags[0]);
  status.properties.tags.change.connect(() => show(status.tags[0]));
  if (form) {
    dashboard.dataset.first = `?${chosen()}`;
    form.addEventListener("change", choose);
    form.addEventListener("submit", (event) => event.preventDefault());
    window.addEventListener("popstate", follow);
  }
  const lost = document.getElementById("connection");
  bokeh.on_event("connection_lost", () => (lost.hidden = false));
  bokeh.on_event("client_reconnected", () => (lost.hidden = true));
  return true;
}

function choose(event) {
  if (event.target.type === "date") {
    if (!form.first.value || !form.last.value) return;
    form.range.value = "";
  } else if (event.target === form.range && !form.range.value) {
    form.first.focus();
    return;
  }
  send();
}

// Figures are drawn with colours of the style sheet: when these change, they are drawn again.
function repaint() {
  for (const view of window.Bokeh?.index ?? []) paint(view);
}

function paint(view) {
  view.invalidate_layout?.();
}

window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-theme"] });

const waiting = setInterval(() => connect() && clearInterval(waiting), 30);
