// The choices at the top of a dashboard, the address and the server's state are kept in step.
const dashboard = document.querySelector(".dashboard");
const form = document.getElementById("choices");
let address = null;
let usual = "";
let state = {};

const model = (name) => window.Bokeh?.documents[0]?.get_model_by_name(name);
const busy = (is) => dashboard.setAttribute("aria-busy", String(is));

function chosen() {
  const words = new URLSearchParams();
  for (const field of form.querySelectorAll("select, input[type=hidden]")) words.set(field.name, field.value);
  if (form.range && !form.range.value) words.set("range", `${form.first.value}..${form.last.value}`);
  return `?${words}`;
}

function go(search) {
  if (!address || address.search === search) return;
  busy(true);
  address.search = search;
}

// The server says what it shows: what it corrected, and the days of a range by name.
function show(told) {
  busy(false);
  if (!form || !told || told.failed) return;
  state = told;
  for (const field of form.querySelectorAll("select, input[type=hidden]")) {
    if (!(field.name in state) || field.value === state[field.name]) continue;
    const known = !field.options || [...field.options].some((option) => option.value === state[field.name]);
    field.value = known ? state[field.name] : "";
  }
  if (form.first) {
    form.first.value = state.first;
    form.last.value = state.last;
  }
  const page = document.getElementById("as-page");
  if (page) page.href = `${page.pathname}${chosen()}`;
  document.dispatchEvent(new CustomEvent("leitstand:shown", { detail: state }));
}

// Panel's component writes every change into the history; going back must not write.
function follow() {
  const written = window.history.pushState;
  window.history.pushState = () => {};
  go(window.location.search.length > 1 ? window.location.search : usual);
  window.history.pushState = written;
}

function choose(event) {
  // What stands on a later page, or in another companion's flow, is chosen anew.
  for (const field of form.querySelectorAll("input[type=hidden]")) field.value = field.dataset.usual ?? "";
  if (event.target.type === "date") {
    if (!form.first.value || !form.last.value) return;
    form.range.value = "";
  } else if (event.target.name === "range" && !event.target.value) {
    form.first.focus();
    return;
  }
  go(chosen());
}

// Parts of the page choose too: {name: value}.
document.addEventListener("leitstand:choose", ({ detail }) => {
  const words = new URLSearchParams(chosen());
  for (const [name, value] of Object.entries(detail)) words.set(name, value);
  go(`?${words}`);
});

// The server loads again what is shown, because something that belongs to it has changed.
document.addEventListener("leitstand:changed", () => {
  const signal = model("signal");
  if (signal) signal.value = String(Date.now());
});

// Links and buttons inside of components, which have a shadow root: data-choose holds choices as an address has them.
document.addEventListener("click", (event) => {
  const chooser = event.composedPath().find((one) => one.dataset?.choose !== undefined);
  if (!chooser || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const detail = Object.fromEntries(new URLSearchParams(chooser.dataset.choose));
  document.dispatchEvent(new CustomEvent("leitstand:choose", { detail }));
});

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
  document.dispatchEvent(new CustomEvent("leitstand:connected"));
  return true;
}

if (form) {
  const waiting = setInterval(() => connect() && clearInterval(waiting), 30);
} else {
  busy(false);
}
