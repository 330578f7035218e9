// Annotations: a dialog to add and edit them, buttons in the list to edit and delete them.
const { call, toast, attempt, say } = window.leitstand;
const dialog = document.getElementById("note");
const changed = () => document.dispatchEvent(new CustomEvent("leitstand:changed"));
let editing = null;
let zone = "UTC";
let latest = "";

// The instant of a local time in a zone: the offset is found by asking what that zone's clocks show.
function instant(day, time, zone) {
  const asked = Date.parse(`${day}T${time}:00Z`);
  const shown = (at) => {
    const form = new Intl.DateTimeFormat("en-CA", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
    const part = Object.fromEntries(form.formatToParts(at).map(({ type, value }) => [type, value]));
    return Date.parse(`${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}:${part.second}Z`);
  };
  let at = asked;
  for (let pass = 0; pass < 2; pass += 1) at += asked - shown(at);
  return new Date(at).toISOString();
}

function open(note) {
  const form = dialog.querySelector("form");
  editing = note?.note ?? null;
  form.kind.value = note?.kind ?? "note";
  form.text.value = note?.text ?? "";
  form.day.value = note?.day ?? latest;
  form.time.value = note?.time ?? "";
  document.getElementById("note-title").textContent = say(editing ? "note-edit" : "note-add");
  document.getElementById("note-zone").textContent = say("note-zone", { zone: zone.replaceAll("_", " ") });
  document.getElementById("note-error").hidden = true;
  dialog.showModal();
}

function bodyOf({ kind, text, day, time }) {
  return time ? { kind, text, at: instant(day, time, zone) } : { kind, text, day };
}

async function save(event) {
  event.preventDefault();
  const form = event.target;
  const body = bodyOf({ kind: form.kind.value, text: form.text.value, day: form.day.value, time: form.time.value });
  const error = document.getElementById("note-error");
  try {
    const made = editing ? await call("PUT", `/annotations/${editing}`, body) : await call("POST", "/annotations", body);
    dialog.close();
    changed();
    if (editing) toast(say("note-changed"));
    else toast(say("note-added"), async () => {
      await call("DELETE", `/annotations/${made.id}`);
      changed();
    });
  } catch (problem) {
    error.textContent = problem.message;
    error.hidden = false;
  }
}

async function remove(note) {
  await call("DELETE", `/annotations/${note.note}`);
  changed();
  toast(say("note-deleted"), async () => {
    await call("POST", `/annotations/${note.note}/restore`);
    changed();
  });
}

if (dialog) {
  const add = document.getElementById("note-new");
  add.hidden = false;
  add.addEventListener("click", () => open(null));
  document.getElementById("note-cancel").addEventListener("click", () => dialog.close());
  dialog.querySelector("form").addEventListener("submit", save);
  document.addEventListener("leitstand:shown", ({ detail }) => {
    zone = detail.zone ?? "UTC";
    latest = detail.last ?? (detail.at ?? new Date().toISOString()).slice(0, 10);
  });
  document.addEventListener("click", (event) => {
    const button = event.composedPath().find((one) => one.dataset?.act !== undefined && one.dataset.note);
    if (!button) return;
    if (button.dataset.act === "edit") open({ ...button.dataset });
    else attempt(() => remove({ ...button.dataset }));
  });
}
