// Writes through the JSON API, toasts with an undo, and the page's words.
const words = JSON.parse(document.querySelector(".dashboard").dataset.words ?? "{}");
const csrf = () => JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRF-Token"] ?? "";
const SECONDS = 12;

// A text of the page by name, with its values.
const say = (name, values = {}) => (words[name] ?? name).replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");

async function call(method, path, body) {
  const options = { method, headers: { "X-CSRF-Token": csrf(), Accept: "application/json" } };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(`/api/v1/insights${path}`, options);
  } catch {
    throw new Error(say("no-answer"));
  }
  const told = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new Error([told?.detail ?? say("failed"), told?.hint].filter(Boolean).join(" "));
  return told;
}

// A word about what was done; `undo` does the opposite.
function toast(told, undo) {
  const box = document.createElement("div");
  box.className = "toast";
  const text = document.createElement("p");
  text.textContent = told;
  box.append(text);
  if (undo) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button quiet";
    button.textContent = say("undo");
    button.addEventListener("click", async () => {
      box.remove();
      await attempt(undo);
    });
    box.append(button);
  }
  document.getElementById("toasts").append(box);
  let left = SECONDS;
  const clock = setInterval(() => {
    if (box.matches(":hover, :focus-within")) return;
    left -= 1;
    if (left > 0 && box.isConnected) return;
    clearInterval(clock);
    box.remove();
  }, 1000);
}

async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(error.message);
    return null;
  }
}

window.leitstand = { call, toast, attempt, say };
