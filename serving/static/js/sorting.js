// Entries of a list are dragged into another order; buttons and keys do the same without a script.
let dragged = null;
document.addEventListener("dragstart", (event) => {
  const entry = event.target.closest?.("[data-sortable] > [data-move]");
  if (!entry) return;
  dragged = { entry, from: [...entry.parentElement.children].indexOf(entry) };
  event.dataTransfer.effectAllowed = "move";
});
document.addEventListener("dragover", (event) => {
  const over = event.target.closest?.("[data-sortable] > [data-move]");
  if (!dragged || !over || over.parentElement !== dragged.entry.parentElement) return;
  event.preventDefault();
  const middle = over.getBoundingClientRect().top + over.offsetHeight / 2;
  if (over !== dragged.entry) over[event.clientY < middle ? "before" : "after"](dragged.entry);
});
document.addEventListener("drop", (event) => {
  if (dragged) event.preventDefault();
});
document.addEventListener("dragend", () => {
  if (!dragged) return;
  const { entry, from } = dragged;
  const by = [...entry.parentElement.children].indexOf(entry) - from;
  dragged = null;
  if (by) htmx.ajax("POST", entry.dataset.move, { values: { by }, source: entry, target: "#favorites" });
});
const sortable = () =>
  document.querySelectorAll("[data-sortable] > [data-move]").forEach((entry) => (entry.draggable = true));
sortable();
document.addEventListener("htmx:afterSwap", sortable);
