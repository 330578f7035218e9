// Says that an answer is being written, and sends the question once. Without it the page comes when the answer is there.
document.querySelectorAll("form[data-asks]").forEach((form) => {
  const state = form.querySelector("[data-writing]");
  const send = form.querySelector("button[type=submit]");
  form.addEventListener("submit", () => {
    state.textContent = state.dataset.writing;
    setTimeout(() => (send.disabled = true));
  });
  // The back button shows the page as it was left.
  addEventListener("pageshow", () => {
    state.textContent = "";
    send.disabled = false;
  });
});
