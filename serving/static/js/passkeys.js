// Passkeys: the page's form asks the server for options, the authenticator answers them, and the answer is sent.
const able = Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON && navigator.credentials);
document.querySelectorAll("[data-without-passkeys]").forEach((text) => (text.hidden = able));
document.querySelectorAll("form[data-passkey]").forEach((form) => {
  const said = form.querySelector("[role=alert]");
  form.hidden = !able;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    said.textContent = "";
    try {
      const response = await fetch(form.dataset.options, { method: "POST", body: new FormData(form) });
      const options = await response.json();
      if (!response.ok) throw Object.assign(new Error(), { told: options.detail });
      const made =
        form.dataset.passkey === "create"
          ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
          : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
      form.elements.answer.value = JSON.stringify(made.toJSON());
      if (form.elements.password) form.elements.password.value = "";
      form.submit();
    } catch (error) {
      said.textContent = error.told || form.dataset.failed;
      form.querySelectorAll("button").forEach((button) => (button.disabled = false));
    }
  });
});
