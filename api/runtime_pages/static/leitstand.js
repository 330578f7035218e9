/* Counts what visitors of this page do with a companion. No cookie, no third party; nothing where the visitor asked not to be
   tracked. <script src=".../c/SLUG/leitstand.js" defer></script>, then leitstand.answered("step"), leitstand.completed("step"),
   or the attributes data-leitstand-answered and data-leitstand-completed on what is clicked. */
(function (workspace) {
  "use strict";
  var MOST = 20, WAIT = 1000, KEPT = 500;
  var script = document.currentScript;
  var target = new URL("events", script.src).href;
  var silent = navigator.doNotTrack === "1" || window.doNotTrack === "1" || navigator.globalPrivacyControl === true;
  var queue = [], timer = 0, seq = 0;

  function random(bytes) {
    return crypto.getRandomValues(new Uint8Array(bytes));
  }

  function token() {
    var text = btoa(String.fromCharCode.apply(null, random(24)));
    return text.replace(/\+/g, "-").replace(/\//g, "_");
  }

  function kept(storage, name) {
    try {
      var found = window[storage].getItem(name);
      if (!/^[A-Za-z0-9_-]{32}$/.test(found || "")) {
        found = token();
        window[storage].setItem(name, found);
      }
      return found;
    } catch (refused) {
      return token();
    }
  }

  // RFC 9562: 48 bits of time, then chance; each event keeps its id, so that sending it again counts nothing twice.
  function id(now) {
    var bytes = random(16);
    for (var place = 5, rest = now; place >= 0; place--, rest = Math.floor(rest / 256)) bytes[place] = rest % 256;
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    var text = Array.from(bytes, function (byte) { return ("0" + byte.toString(16)).slice(-2); }).join("");
    return text.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }

  function send() {
    clearTimeout(timer);
    timer = 0;
    while (queue.length) {
      var part = queue.slice(0, MOST);
      var body = new Blob([JSON.stringify({ visitor: visitor, events: part })], { type: "text/plain" });
      if (!navigator.sendBeacon(target, body)) return;
      queue.splice(0, part.length);
    }
  }

  function note(kind, step) {
    if (silent || queue.length >= KEPT) return;
    var now = Date.now();
    var event = { event_id: id(now), kind: kind, run_key: run, occurred_at: new Date(now).toISOString(), seq: seq++ };
    if (step) event.step = String(step);
    queue.push(event);
    if (!timer) timer = setTimeout(send, WAIT);
  }

  var visitor = silent ? "" : kept("localStorage", "leitstand." + workspace);
  var run = silent ? "" : kept("sessionStorage", "leitstand.run." + workspace + target);

  window.leitstand = {
    answered: function (step) { note("answered", step); },
    completed: function (step) { note("completed", step); },
    again: function () {
      try { window.sessionStorage.removeItem("leitstand.run." + workspace + target); } catch (refused) { /* none is kept */ }
      run = silent ? "" : kept("sessionStorage", "leitstand.run." + workspace + target);
      note("viewed");
    }
  };
  document.addEventListener("click", function (event) {
    var element = event.target instanceof Element
      ? event.target.closest("[data-leitstand-answered], [data-leitstand-completed]") : null;
    if (!element) return;
    if (element.hasAttribute("data-leitstand-answered")) note("answered", element.getAttribute("data-leitstand-answered"));
    if (element.hasAttribute("data-leitstand-completed")) note("completed", element.getAttribute("data-leitstand-completed"));
  });
  document.addEventListener("visibilitychange", function () { if (document.visibilityState === "hidden") send(); });
  window.addEventListener("pagehide", send);
  note("viewed");
})("WORKSPACE");
