// Small helpers to build elements; text is always set as text.

export const byId = (id) => document.getElementById(id);

export function element(name, style = "", ...children) {
  const made = document.createElement(name);
  if (style) made.className = style;
  made.append(...children);
  return made;
}

export function cell(text, style = "") {
  return element("td", style, String(text));
}

export function row(...cells) {
  return element("tr", "", ...cells);
}

export function heads(names) {
  const cells = names.map((name) => {
    const head = element("th", "", name);
    head.scope = "col";
    return head;
  });
  return element("thead", "", row(...cells));
}

export function fill(id, ...children) {
  byId(id).replaceChildren(...children);
}

export function empty(text) {
  return element("p", "empty", text);
}

export function bar(name, share, text, style) {
  const drawn = element("i", style);
  drawn.style.width = `${Math.max(0, Math.min(100, share * 100)).toFixed(1)}%`;
  return element("div", "bar", element("span", "", name), element("span", "", drawn), element("span", "", text));
}
