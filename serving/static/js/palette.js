// Ctrl-K / ⌘K: a dialog over the search page; arrows choose among the answers, Enter opens.
const dialog = document.getElementById("palette");
if (dialog && dialog.showModal) {
  const input = dialog.querySelector("input[name=q]");
  const results = document.getElementById("palette-results");

  const options = () => [...results.querySelectorAll('[role="option"]')];
  const chosen = () => options().findIndex((option) => option.getAttribute("aria-selected") === "true");

  const choose = (index) => {
    const all = options();
    all.forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
    if (all[index]) {
      input.setAttribute("aria-activedescendant", all[index].id);
      all[index].scrollIntoView({ block: "nearest" });
    } else {
      input.removeAttribute("aria-activedescendant");
    }
  };

  const open = () => {
    if (dialog.open) return;
    dialog.showModal();
    input.select();
    dialog.dispatchEvent(new Event("palette-open"));
  };

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  document.querySelectorAll("[data-palette-open]").forEach((opener) =>
    opener.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      open();
    }),
  );
  dialog.querySelector("[data-palette-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  results.addEventListener("htmx:afterSwap", () => choose(0));

  input.addEventListener("keydown", (event) => {
    const count = options().length;
    if (event.key === "ArrowDown" && count) choose((chosen() + 1) % count);
    else if (event.key === "ArrowUp" && count) choose((chosen() - 1 + count) % count);
    else if (event.key === "Enter" && options()[chosen()]) options()[chosen()].click();
    else return;
    event.preventDefault();
  });
}
