// Saved views: the menu of those there are, and saving, renaming, sharing and deleting them, each with an undo.
const { call, toast, attempt, say } = window.leitstand;
const menu = document.getElementById("views");
const app = document.getElementById("choices")?.dataset.app;
const manages = menu?.dataset.manages === "true";
let views = [];
let state = {};

// What the script itself is told, such as the days of a range, is no choice.
const choices = () => {
  const form = document.getElementById("choices");
  const names = [...form.querySelectorAll("select, input[type=hidden]")].map((field) => field.name);
  return Object.fromEntries(names.filter((name) => name in state).map((name) => [name, String(state[name])]));
};

async function load() {
  views = (await attempt(() => call("GET", `/views?app=${encodeURIComponent(app)}`))) ?? [];
  document.getElementById("no-views").hidden = views.length > 0;
  document.getElementById("view-rows").replaceChildren(...views.map(row));
}

function button(words, name, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button quiet";
  made.textContent = words;
  const of = document.createElement("span");
  of.className = "visually-hidden";
  of.textContent = ` ${name}`;
  made.append(of);
  made.addEventListener("click", () => attempt(act));
  return made;
}

function row(view) {
  const line = document.createElement("li");
  const what = document.createElement("span");
  what.className = "what";
  const open = document.createElement("a");
  open.href = `?${new URLSearchParams(view.choices)}`;
  open.textContent = view.name;
  open.addEventListener("click", (event) => {
    event.preventDefault();
    menu.open = false;
    document.dispatchEvent(new CustomEvent("leitstand:choose", { detail: view.choices }));
  });
  const about = document.createElement("span");
  about.className = "muted";
  about.textContent = [
    say(view.mine ? (view.shared ? "yours-shared" : "yours") : "shared-with-you"),
    view.first_for_me && say("your-first"), view.first_for_all && say("workspace-first"),
  ].filter(Boolean).join(" · ");
  what.append(open, about);
  line.append(what, ...actions(view));
  return line;
}

function actions(view) {
  const name = view.name;
  const found = [];
  if (view.mine) {
    found.push(button(say("rename"), name, () => rename(view)));
    found.push(button(say(view.shared ? "keep-private" : "share"), name, () => change(view, { shared: !view.shared }, say(view.shared ? "no-longer-shared" : "shared"))));
    found.push(button(say(view.first_for_me ? "not-my-first" : "my-first"), name, () => change(view, { first_for_me: !view.first_for_me }, say("saved"))));
    found.push(button(say("delete"), name, () => remove(view)));
  }
  if (manages && view.shared) {
    found.push(button(say(view.first_for_all ? "not-everybody-first" : "everybody-first"), name, () => change(view, { first_for_all: !view.first_for_all }, say("saved-for-all"))));
  }
  return found;
}

// The members that changed, as they were: sent back, they undo it.
async function change(view, changes, words) {
  await call("PATCH", `/views/${view.id}`, changes);
  await load();
  const before = Object.fromEntries(Object.keys(changes).map((name) => [name, view[name]]));
  toast(words, async () => {
    await call("PATCH", `/views/${view.id}`, before);
    await load();
  });
}

function rename(view) {
  const line = [...document.getElementById("view-rows").children][views.indexOf(view)];
  const field = document.createElement("input");
  field.value = view.name;
  field.maxLength = 200;
  field.setAttribute("aria-label", say("new-name", { name: view.name }));
  let done = false;
  const finish = (save) => {
    if (done) return;
    done = true;
    if (save && field.value.trim() && field.value !== view.name) attempt(() => change(view, { name: field.value }, say("renamed")));
    else load();
  };
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") finish(true);
    if (event.key === "Escape") finish(false);
    if (["Enter", "Escape"].includes(event.key)) event.preventDefault();
  });
  field.addEventListener("blur", () => finish(true));
  line.querySelector("a").replaceWith(field);
  field.focus();
  field.select();
}

async function remove(view) {
  await call("DELETE", `/views/${view.id}`);
  await load();
  toast(say("view-deleted"), async () => {
    await call("POST", `/views/${view.id}/restore`);
    await load();
  });
}

async function save(event) {
  event.preventDefault();
  const form = event.target;
  const made = await attempt(() => call("POST", "/views", { app, name: form.name.value, choices: choices() }));
  if (!made) return;
  form.reset();
  await load();
  toast(say("view-saved"), async () => {
    await call("DELETE", `/views/${made.id}`);
    await load();
  });
}

if (menu && app) {
  menu.hidden = false;
  document.addEventListener("leitstand:shown", ({ detail }) => (state = detail));
  menu.addEventListener("toggle", () => menu.open && load());
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("click", (event) => {
    if (menu.open && !event.composedPath().includes(menu) && !event.target.closest?.(".toast")) menu.open = false;
  });
  document.getElementById("view-new")?.addEventListener("submit", save);
}
