// Files are dropped or chosen, sent in pieces with their progress, and gone on with where a connection broke. Without a
// script the form sends them whole.
const WAITS = [1000, 2000, 5000, 10000, 30000, 30000];
const root = document.querySelector("[data-uploads]");
const input = root?.querySelector("input[type=file]");
const list = root?.querySelector("[data-upload-list]");
const say = (name, values = {}) =>
  Object.entries(values).reduce((text, [key, value]) => text.replace(`{${key}}`, value), root.dataset[name]);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

class Refused extends Error {}

// An answer, or an error that is worth another try; Refused is not.
async function call(method, path, body, headers = {}) {
  const answer = await fetch(root.dataset.uploads + path, {
    method, body, headers: { "X-CSRF-Token": root.dataset.csrf, ...headers },
  });
  if (answer.ok) return answer;
  if (answer.status >= 500 || answer.status === 429) throw new Error(String(answer.status));
  const told = await answer.json().catch(() => ({}));
  throw Object.assign(new Refused([told.detail, told.hint].filter(Boolean).join(" ")), { status: answer.status });
}

const keyOf = (file) => `upload ${root.dataset.uploads} ${file.name} ${file.size} ${file.lastModified}`;

// What was begun before, on this page or an earlier one, else a new upload.
async function begun(file) {
  const known = localStorage.getItem(keyOf(file));
  if (known) {
    try {
      const upload = await (await call("GET", `/${known}`)).json();
      if (upload.status === "open") return upload;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    localStorage.removeItem(keyOf(file));
  }
  const body = JSON.stringify({ title: file.name, bytes: file.size, media_type: file.type });
  const made = (await (await call("POST", "", body, { "Content-Type": "application/json" })).json()).upload;
  localStorage.setItem(keyOf(file), made.id);
  return made;
}

async function sent(file, entry) {
  const upload = await begun(file);
  let offset = upload.received;
  while (offset < file.size) {
    entry.at(offset);
    const piece = file.slice(offset, Math.min(offset + upload.chunk_bytes, file.size));
    try {
      const answer = await call("PATCH", `/${upload.id}`, piece, {
        "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream",
      });
      offset = Number(answer.headers.get("Upload-Offset"));
    } catch (error) {
      // Another tab sends it too, or the answer to a piece was lost: the server knows where it goes on.
      if (error.status !== 409) throw error;
      await pause(WAITS[0]);
      offset = (await (await call("GET", `/${upload.id}`)).json()).received;
    }
  }
  entry.at(file.size);
  return (await call("POST", `/${upload.id}/complete`)).json();
}

async function take(file) {
  const entry = shown(file);
  for (let failures = 0; ; ) {
    try {
      const reached = entry.reached;
      const made = await sent(file, entry).finally(() => entry.reached > reached && (failures = 0));
      localStorage.removeItem(keyOf(file));
      entry.end(made.duplicate ? say("known") : say("done"), true);
      return true;
    } catch (error) {
      if (error instanceof Refused || failures === WAITS.length) {
        if (error instanceof Refused) localStorage.removeItem(keyOf(file));
        entry.end(error instanceof Refused && error.message ? error.message : say("failed"), false);
        return false;
      }
      entry.wait();
      await pause(WAITS[failures++]);
    }
  }
}

function shown(file) {
  const line = root.querySelector("template").content.firstElementChild.cloneNode(true);
  const [name, state, bar] = [".upload-name", ".upload-state", "progress"].map((part) => line.querySelector(part));
  name.textContent = file.name;
  bar.max = file.size || 1;
  bar.setAttribute("aria-label", file.name);
  list.append(line);
  const entry = {
    reached: 0,
    at(offset) {
      entry.reached = bar.value = offset;
      state.textContent = offset < file.size ? say("sending", { percent: Math.floor((100 * offset) / file.size) }) : say("checking");
    },
    wait: () => (state.textContent = say("waiting")),
    end(text, good) {
      state.textContent = text;
      line.classList.add(good ? "good" : "bad");
      bar.hidden = true;
    },
  };
  state.textContent = say("queued");
  return entry;
}

let running = Promise.resolve(true);
function takeAll(files) {
  if (!files.length) return;
  const before = running;
  running = (async () => {
    let good = await before;
    for (const file of files) good = (await take(file)) && good;
    return good;
  })();
  // The list of documents is the page's: shown anew where nothing is left to read here.
  const mine = running;
  mine.then((good) => good && mine === running && location.reload());
}

if (root) {
  root.querySelector("[data-upload-plain]").hidden = true;
  input.required = false;
  const area = root.querySelector("[data-drop]");
  input.addEventListener("change", () => {
    takeAll([...input.files]);
    input.value = "";
  });
  for (const name of ["dragenter", "dragover"])
    area.addEventListener(name, (event) => {
      event.preventDefault();
      area.classList.add("over");
    });
  for (const name of ["dragleave", "drop"]) area.addEventListener(name, () => area.classList.remove("over"));
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    takeAll([...event.dataTransfer.files]);
  });
}
