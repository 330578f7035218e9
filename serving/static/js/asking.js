// An answer is shown as it is written, and can be cancelled. Without a script the form gets the page with the whole answer.
document.querySelectorAll("form[data-ask]").forEach((form) => {
  const written = document.getElementById(form.dataset.written);
  const cancel = form.querySelector("[data-cancel]");
  const send = form.querySelector("button[type=submit]");
  const state = form.parentElement.querySelector("[data-state]");
  let asking = null;

  const show = {
    text: ({ answer }) => {
      const so_far = written.querySelector("p.answer") ?? written.appendChild(Object.assign(document.createElement("p"), { className: "answer" }));
      so_far.textContent = answer;
    },
    answer: ({ html }) => (written.innerHTML = html),
    error: ({ detail, hint }) => (written.textContent = [detail, hint].filter(Boolean).join(" ")),
  };

  // Each event ends with an empty line.
  async function read(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let left = "", ended = false;
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      const blocks = (left + piece.value).split("\n\n");
      left = blocks.pop();
      for (const block of blocks) {
        const [, event, data] = block.match(/^event: (\w+)\ndata: (.*)$/) ?? [];
        if (!show[event]) continue;
        show[event](JSON.parse(data));
        ended ||= event !== "text";
      }
    }
    if (!ended) throw new Error("broken off");
  }

  async function ask() {
    asking = new AbortController();
    written.setAttribute("aria-busy", "true");
    written.replaceChildren();
    state.textContent = state.dataset.writing;
    cancel.hidden = false;
    try {
      const headers = { Accept: "text/event-stream" };
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers, signal: asking.signal });
      if (answer.headers.get("Content-Type")?.startsWith("text/event-stream")) await read(answer.body);
      else throw new Error(String(answer.status));
      state.textContent = "";
    } catch {
      state.textContent = asking.signal.aborted ? state.dataset.cancelled : state.dataset.failed;
    }
    written.removeAttribute("aria-busy");
    cancel.hidden = true;
    send.disabled = false;
    asking = null;
  }

  cancel.addEventListener("click", () => {
    asking?.abort();
    send.focus();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!asking) ask();
  });
});
