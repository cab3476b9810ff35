// Sign-in: the token travels in the fragment, which browsers do not send, and leaves the address bar at once.
"use strict";
(async () => {
  const send = async (token) => {
    const res = await fetch("/v1/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (res.ok) {
      location.replace("/");
      return;
    }
    document.getElementById("refused").hidden = false;
  };
  const token = new URLSearchParams(location.hash.slice(1)).get("t");
  history.replaceState(null, "", "/");
  if (token) await send(token);
  document.getElementById("sign-in").addEventListener("submit", (e) => {
    e.preventDefault();
    const field = document.getElementById("token");
    const value = field.value.trim();
    field.value = "";
    send(value);
  });
})();
