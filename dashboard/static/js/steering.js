// Buttons for a living scenario, for whoever opened the page with its key (#key=...).

import { byId } from "./elements.js";

const key = new URLSearchParams(location.hash.slice(1)).get("key");

async function steer(wish) {
  const said = byId("steered");
  try {
    const answer = await fetch("world", {
      method: "POST", body: JSON.stringify(wish), headers: { "X-Seawall-Key": key },
    });
    const { done, lines } = await answer.json();
    said.textContent = done ? "done" : lines.join("; ");
    said.className = done ? "good" : "bad";
  } catch {
    said.textContent = "no answer";
    said.className = "bad";
  }
}

export function startSteering(symbol) {
  if (!key) return;
  const form = byId("steering");
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    steer({ what: "index", symbol: symbol(), price: byId("index-price").value });
  });
  for (const what of ["pause", "resume"]) byId(what).addEventListener("click", () => steer({ what }));
  byId("crash").addEventListener("click", () => steer({ what: "crash", seconds: 60 }));
}
