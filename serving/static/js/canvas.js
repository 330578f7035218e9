// A board's notes and cards are dragged, or moved by the arrow keys; each place is kept when it is left.
const canvas = document.querySelector("[data-canvas]");
if (canvas) {
  const STEP = 10;
  const status = document.getElementById("canvas-status");
  const limits = { x: 4000, y: 3000 };
  const place = (part) => ({ x: Number(part.getAttribute("x")), y: Number(part.getAttribute("y")) });

  const put = (part, x, y) => {
    part.setAttribute("x", Math.max(0, Math.min(limits.x, Math.round(x))));
    part.setAttribute("y", Math.max(0, Math.min(limits.y, Math.round(y))));
    const at = place(part);
    const middle = { x: at.x + part.width.baseVal.value / 2, y: at.y + part.height.baseVal.value / 2 };
    canvas.querySelectorAll(".canvas-link").forEach((link) => {
      const line = link.querySelector("line");
      for (const [end, number] of [["from", 1], ["to", 2]]) {
        if (link.dataset[end] !== part.dataset.part) continue;
        line.setAttribute(`x${number}`, middle.x);
        line.setAttribute(`y${number}`, middle.y);
      }
      const text = link.querySelector("text");
      if (!text) return;
      text.setAttribute("x", (Number(line.getAttribute("x1")) + Number(line.getAttribute("x2"))) / 2);
      text.setAttribute("y", (Number(line.getAttribute("y1")) + Number(line.getAttribute("y2"))) / 2 - 6);
    });
  };

  // One after another: two saves at once would be made on the same version.
  let queue = Promise.resolve();
  const keep = (part) => {
    const at = place(part);
    const body = new URLSearchParams({ do: "move", id: part.dataset.part, x: at.x, y: at.y });
    const headers = { "X-CSRF-Token": canvas.dataset.csrf, "HX-Request": "true" };
    queue = queue
      .then(() => fetch(canvas.dataset.canvas, { method: "POST", body, headers }))
      .then((answer) => (status.textContent = answer.ok ? canvas.dataset.moved : canvas.dataset.failed))
      .catch(() => (status.textContent = canvas.dataset.failed));
  };

  canvas.querySelectorAll("[data-part]").forEach((part) => {
    const button = part.querySelector("button");
    let held = null;
    button.addEventListener("pointerdown", (event) => {
      held = { pointer: { x: event.clientX, y: event.clientY }, at: place(part), moved: false };
      button.setPointerCapture(event.pointerId);
    });
    button.addEventListener("pointermove", (event) => {
      if (!held) return;
      held.moved = true;
      put(part, held.at.x + event.clientX - held.pointer.x, held.at.y + event.clientY - held.pointer.y);
    });
    const release = () => {
      if (held?.moved) keep(part);
      held = null;
    };
    button.addEventListener("pointerup", release);
    button.addEventListener("pointercancel", release);
    let waiting = null;
    button.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
      if (!by) return;
      event.preventDefault();
      const at = place(part);
      put(part, at.x + by[0], at.y + by[1]);
      clearTimeout(waiting);
      waiting = setTimeout(() => keep(part), 400);
    });
  });
}
