// Writes through the JSON API, and toasts with an undo.
const csrf = () => JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRF-Token"] ?? "";
const SECONDS = 12;

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
    throw new Error("The server does not answer. Try again in a moment.");
  }
  const told = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new Error([told?.detail ?? "This did not work.", told?.hint].filter(Boolean).join(" "));
  return told;
}

// A word about what was done; `undo` does the opposite.
function toast(words, undo) {
  const box = document.createElement("div");
  box.className = "toast";
  const text = document.createElement("p");
  text.textContent = words;
  box.append(text);
  if (undo) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button quiet";
    button.textContent = "Undo";
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

window.leitstand = { call, toast, attempt };
