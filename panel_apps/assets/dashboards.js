// The choices at the top of a dashboard, the address and the server's state are kept in step.
const dashboard = document.querySelector(".dashboard");
const form = document.getElementById("choices");
let address = null;
let usual = "";

const model = (name) => window.Bokeh?.documents[0]?.get_model_by_name(name);
const busy = (is) => dashboard.setAttribute("aria-busy", String(is));

function chosen() {
  const words = new URLSearchParams();
  for (const field of form.querySelectorAll("select")) words.set(field.name, field.value);
  if (form.compare) words.set("compare", form.compare.checked ? "previous" : "none");
  if (form.range && !form.range.value) words.set("range", `${form.first.value}..${form.last.value}`);
  return `?${words}`;
}

function send() {
  const search = chosen();
  if (!address || address.search === search) return;
  busy(true);
  address.search = search;
}

// The server says what it shows: what it corrected, and the days of a range by name.
function show(state) {
  busy(false);
  if (!form || !state || state.failed) return;
  for (const field of form.querySelectorAll("select")) {
    const known = [...field.options].some((option) => option.value === state[field.name]);
    if (field.name in state && field.value !== state[field.name]) field.value = known ? state[field.name] : "";
  }
  if (form.first) {
    form.first.value = state.first;
    form.last.value = state.last;
    form.compare.checked = state.compare === "previous";
  }
}

// Panel's component writes every change into the history; going back must not write.
function follow() {
  const written = window.history.pushState;
  window.history.pushState = () => {};
  const search = window.location.search.length > 1 ? window.location.search : usual;
  if (address.search !== search) {
    busy(true);
    address.search = search;
  }
  window.history.pushState = written;
}

function choose(event) {
  if (event.target.type === "date") {
    if (!form.first.value || !form.last.value) return;
    form.range.value = "";
  } else if (event.target.name === "range" && !event.target.value) {
    form.first.focus();
    return;
  }
  send();
}

function connect() {
  const status = model("status");
  address = model("location");
  if (!status || !address) return false;
  const page = window.Bokeh.documents[0];
  show(status.tags[0]);
  status.properties.tags.change.connect(() => show(status.tags[0]));
  usual = chosen();
  form.addEventListener("change", choose);
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("popstate", follow);
  const lost = document.getElementById("connection");
  page.on_event("connection_lost", () => (lost.hidden = false));
  page.on_event("client_reconnected", () => (lost.hidden = true));
  return true;
}

// Charts are drawn with colours of the style sheet: when these change, they are drawn again.
function repaint() {
  for (const view of window.Bokeh?.index?.query((drawn) => "request_repaint" in drawn) ?? []) view.request_repaint();
}

window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-theme"] });

if (form) {
  const waiting = setInterval(() => connect() && clearInterval(waiting), 30);
} else {
  busy(false);
}
