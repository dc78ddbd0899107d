// The panels that are no charts: one function for each section of a frame.

import { bar, byId, cell, element, empty, fill, heads, row } from "./elements.js";

const PRICES = [
  ["mark", "mark", "main"], ["index", "index", ""], ["last", "last", ""],
  ["funding", "funding", ""], ["open interest", "open_interest", ""], ["UTC", "time", ""],
];

export function showPrices(prices) {
  fill("prices", ...PRICES.filter(([, key]) => prices[key]).map(([name, key, style]) =>
    element("div", "", element("dt", "", name), element("dd", style, prices[key]))));
}

const LOSS_TONES = { missing: "missing", borne: "borne" };

function ladder(levels, style, isBid) {
  const rows = levels.map(([price, size, total, share]) => {
    const back = element("i");
    back.style.width = `${share}%`;
    const tone = isBid ? "good" : "bad";
    const parts = [element("span", "", size), element("span", tone, price)];
    const line = element("div", "", back, ...(isBid ? parts : parts.reverse()));
    line.title = `${total} up to here`;
    return line;
  });
  return element("div", `ladder ${style}`, ...rows);
}

export function showBook(book) {
  if (book.sums) {
    byId("spread").textContent = `best ${book.best[0]} / ${book.best[1]}`;
    const rows = book.sums.map(([name, bid, ask]) => row(cell(name), cell(bid, "good"), cell(ask, "bad")));
    fill("book", element("table", "names", heads(["distance from the mid", "bids", "asks"]), element("tbody", "", ...rows)));
    return;
  }
  byId("spread").textContent = book.spread ? `spread ${book.spread}` : "";
  if (!book.bids) {
    fill("book", empty("no depth yet"));
    return;
  }
  fill("book", ladder(book.bids, "bids", true), ladder(book.asks, "asks", false));
}

export function showTrades(trades) {
  fill("trades", ...trades.map(([time, price, size, side, forced]) =>
    row(cell(time), cell(price, side), cell(size), cell(forced ? "liq." : "", "warn"))));
}

export function showAccounts({ heads: names, rows, all }, chosen, choose) {
  byId("at-risk").textContent = `${rows.length} of ${all}`;
  const lines = rows.map(([id, cells]) => {
    const [[name], ...rest] = cells;
    const button = element("button", "", name);
    button.type = "button";
    const line = row(element("td", "", button), ...rest.map(([text, style]) => cell(text, style)));
    if (id === chosen) line.className = "chosen";
    line.addEventListener("click", () => choose(id));
    return line;
  });
  fill("accounts", heads(names), element("tbody", "", ...lines));
}

const POT_HEADS = ["margin account", "level", "wallet", "equity", "initial", "maintenance", "free"];
const POSITION_HEADS = ["position", "size", "leverage", "unrealised", "liq. price", "bankruptcy", "ADL rank"];

function listed(names, rows) {
  const lines = rows.map((cells) => row(...cells.map((text) => cell(text))));
  return element("table", "names", heads(names), element("tbody", "", ...lines));
}

export function showAccount({ id, pots, positions, orders }) {
  byId("chosen").hidden = !id;
  if (!id) return;
  const title = element("p", "bold", `Account ${id}, open orders: ${orders}`);
  const tables = [listed(POT_HEADS, pots)];
  if (positions.length) tables.push(listed(POSITION_HEADS, positions));
  fill("chosen", title, ...tables);
}

export function showTape(tape) {
  fill("tape", ...tape.map((spans) =>
    element("li", "", ...spans.map(([text, style]) => element("span", style, text)))));
}

export function showCalls(calls) {
  fill("calls", ...calls.map(([account, amount, left, style]) =>
    row(cell(account), cell(amount), cell(left, style))));
}

export function showCounts(counts) {
  fill("counts", ...counts.flatMap(([name, count]) =>
    [element("dt", "", name), element("dd", "", count.toLocaleString("en"))]));
}

export function showStages(stages) {
  if (!stages.length) {
    fill("stages", empty("no liquidation yet"));
    return;
  }
  const most = Math.max(...stages.map(([, , entered]) => entered), 1);
  fill("stages", ...stages.map(([name, now, entered]) =>
    bar(name, entered / most, now ? `${now} now, ${entered}` : String(entered), "")));
}

export function showLosses(losses) {
  const found = losses.filter(({ bars }) => bars.length);
  if (!found.length) {
    fill("losses", empty("none yet"));
    return;
  }
  const most = Math.max(...found.flatMap(({ bars }) => bars.map(([, value]) => Math.abs(value))));
  fill("losses", ...found.flatMap(({ bars }) => bars.map(([name, value, text, kind]) =>
    bar(name, Math.abs(value) / most, text, LOSS_TONES[kind] ?? (value < 0 ? "given" : "")))));
}

export function showServices(services, isRun) {
  byId("health-title").textContent = isRun ? "Warnings of the run" : "Services";
  byId("health").hidden = isRun && !services.length;
  fill("services", ...services.map(([name, text, style]) =>
    element("li", "", element("span", "dim", `${name} `), element("span", style, text))));
}

export function showScenario(lines) {
  byId("living").hidden = !lines.length;
  fill("scenario", ...lines.map((line) => element("li", "", line)));
}
