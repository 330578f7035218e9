// A form is sent once; Enter presses the button that belongs to a field; filters send themselves; what can't be undone asks first; text can be copied.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm;
  if (question && !window.confirm(question)) {
    event.preventDefault();
    return;
  }
  if (event.target.method === "post") {
    const buttons = event.target.querySelectorAll("button[type=submit]");
    setTimeout(() => buttons.forEach((button) => (button.disabled = true)));
  }
});
window.addEventListener("pageshow", () =>
  document.querySelectorAll("form[method=post] button[type=submit]:disabled").forEach((button) => (button.disabled = false)),
);
document.addEventListener("keydown", (event) => {
  const button = event.key === "Enter" && document.getElementById(event.target.dataset?.enter);
  if (!button) return;
  event.preventDefault();
  button.click();
});
document.querySelectorAll("[data-copy]").forEach((button) => {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.querySelector("span").textContent = document.body.dataset.copied;
  });
});
