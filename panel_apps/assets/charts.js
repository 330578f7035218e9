// Charts: drawn again with another theme, saved as pictures, and days chosen in them offered as a range.
const { say } = window.leitstand;
const views = () => [...(window.Bokeh?.index?.query((drawn) => "request_repaint" in drawn) ?? [])];

function repaint() {
  for (const view of views()) view.request_repaint();
}

window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-theme"] });

const MARGIN = 16, TITLE = 26, LINE = 18;

// A picture with the chart's title and words above it, on the page's own ground.
function draw(card, plot) {
  const look = getComputedStyle(card);
  const ratio = window.devicePixelRatio || 1;
  const layer = plot.export("png", true).canvas;
  const width = layer.width / ratio, height = layer.height / ratio;
  const picture = document.createElement("canvas");
  const context = picture.getContext("2d");
  const words = inside(card, ".words");
  context.font = `13px ${look.fontFamily}`;
  const lines = wrap(context, words, width);
  picture.width = (width + 2 * MARGIN) * ratio;
  picture.height = (height + TITLE + lines.length * LINE + 3 * MARGIN) * ratio;
  context.scale(ratio, ratio);
  context.fillStyle = look.backgroundColor;
  context.fillRect(0, 0, picture.width, picture.height);
  context.fillStyle = look.color;
  context.font = `600 17px ${look.fontFamily}`;
  context.fillText(title(card), MARGIN, MARGIN + 14);
  context.font = `13px ${look.fontFamily}`;
  lines.forEach((line, at) => context.fillText(line, MARGIN, MARGIN + TITLE + 10 + at * LINE));
  context.drawImage(layer, MARGIN, 2 * MARGIN + TITLE + lines.length * LINE, width, height);
  return picture;
}

const title = (card) => card.querySelector("h2 .defined")?.firstChild.textContent.trim() ?? say("chart");

function inside(card, selector) {
  for (const place of card.querySelectorAll(".place *")) {
    const found = place.shadowRoot && deep(place.shadowRoot, selector);
    if (found) return found.textContent;
  }
  return "";
}

function deep(root, selector) {
  const here = root.querySelector(selector);
  if (here) return here;
  for (const one of root.querySelectorAll("*")) {
    const found = one.shadowRoot && deep(one.shadowRoot, selector);
    if (found) return found;
  }
  return null;
}

function wrap(context, words, width) {
  const lines = [];
  for (const word of words.split(" ").filter(Boolean)) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && context.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

function save(button) {
  const card = button.closest(".card");
  const plot = views().find((view) => card.contains(view.el) || hosts(view.el).some((host) => card.contains(host)));
  if (!plot) return;
  draw(card, plot).toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${button.dataset.image}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }, "image/png");
}

// The hosts of the shadow roots that an element stands in.
function hosts(element) {
  const found = [];
  for (let root = element.getRootNode(); root.host; root = root.host.getRootNode()) found.push(root.host);
  return found;
}

for (const button of document.querySelectorAll("button[data-image]")) {
  button.hidden = false;
  button.addEventListener("click", () => save(button));
}

// Days chosen with the pointer in one chart are shown in all of them, and offered as the range.
const offer = document.getElementById("chosen-days");
let bands = [];
let days = "";
const iso = (at) => new Date(at).toISOString().slice(0, 10);
const shown = (day) => new Date(day).toLocaleDateString(document.documentElement.lang, { dateStyle: "medium", timeZone: "UTC" });

function drop() {
  for (const band of bands) band.visible = false;
  bands = [];
  offer.hidden = true;
}

if (offer) {
  document.addEventListener("leitstand:days", ({ detail }) => {
    bands = detail.bands;
    const [first, last] = [iso(Math.min(detail.x0, detail.x1)), iso(Math.max(detail.x0, detail.x1))];
    days = `${first}..${last}`;
    offer.querySelector("span").textContent = say(first === last ? "chosen-day" : "chosen-days", { first: shown(first), last: shown(last) });
    offer.hidden = false;
  });
  document.addEventListener("leitstand:shown", drop);
  offer.addEventListener("click", ({ target }) => {
    const what = target.dataset.days;
    if (what === "clear") drop();
    if (what === "show") document.dispatchEvent(new CustomEvent("leitstand:choose", { detail: { range: days } }));
  });
  // A finger that drags scrolls the page.
  document.addEventListener("leitstand:connected", () => {
    if (!window.matchMedia("(pointer: coarse)").matches) return;
    for (const view of views()) if (view.model.toolbar) view.model.toolbar.active_drag = null;
  });
}
