// Dark or light: the system's choice until the button is pressed.

const KEY = "seawall-theme";
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: light)");
const listeners = [];

function isLight() {
  const chosen = localStorage.getItem(KEY);
  return chosen ? chosen === "light" : system.matches;
}

function apply() {
  root.classList.toggle("light", isLight());
  for (const listener of listeners) listener();
}

export function onTheme(listener) {
  listeners.push(listener);
}

export function colour(name) {
  return getComputedStyle(root).getPropertyValue(`--${name}`).trim();
}

export function startTheme(button) {
  button.addEventListener("click", () => {
    localStorage.setItem(KEY, isLight() ? "dark" : "light");
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}
