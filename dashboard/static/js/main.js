// The page: hears frames from its own server and shows each section that is in them.

import { byId, element, fill } from "./elements.js";
import { Playback } from "./playback.js";
import { PriceChart } from "./price_chart.js";
import { SeriesChart } from "./series_chart.js";
import { startSteering } from "./steering.js";
import * as tables from "./tables.js";
import { startTheme } from "./theme.js";

const LONGEST_WAIT_MS = 10_000;

const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
const share = (value) => `${value.toFixed(2)} %`;

startTheme(byId("theme"));

const price = new PriceChart();
const interest = new SeriesChart("open-interest", ["contracts"], ["accent"], (value) => short.format(value));
const basis = new SeriesChart("basis", ["gap"], ["warn"], share);
const stress = new SeriesChart("stress", ["calls", "liquidations"], ["warn", "bad"], (value) => short.format(value));
const fund = new SeriesChart("fund", ["fund"], ["good"], (value) => short.format(value));
const charts = [price, interest, basis, stress, fund];

let socket;
let chosen = 0;
let candleSeconds = 5;
let isRun = false;
let markLine = null;
let accountLines = [];
let waitMs = 1_000;

const playback = new Playback(ask);

function ask(wish) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(wish));
}

function choose(account) {
  chosen = chosen === account ? 0 : account;
  ask({ account: chosen });
}

function drawLines() {
  const lines = new Map();
  if (markLine) lines.set("mark", { price: markLine, tone: "text" });
  for (const [name, side, at] of accountLines) {
    lines.set(`${name} (${side})`, { price: at, tone: name === "liquidation" ? "bad" : "alarm" });
  }
  price.setLines(lines);
}

const shows = {
  head(head) {
    const pick = byId("instrument");
    if (pick.options.length !== head.instruments.length) {
      pick.replaceChildren(...head.instruments.map(([id, symbol]) => {
        const option = element("option", "", symbol);
        option.value = id;
        return option;
      }));
    }
    if (head.instrument !== null) pick.value = head.instrument;
    candleSeconds = head.candle_seconds;
    byId("trouble").textContent = head.trouble;
    byId("trouble").hidden = !head.trouble;
    const losses = [["reconnects", head.reconnects], ["lost", head.lost], ["gaps", head.gaps]];
    byId("state").title = [head.address, head.rulebook, ...losses.map((pair) => pair.join(" "))].join(", ");
  },
  prices(prices) {
    tables.showPrices(prices);
    markLine = prices.mark_line ?? null;
    if (prices.mark) {
      price.format(prices.mark);
      document.title = `${prices.mark} Seawall`;
    }
    drawLines();
  },
  book: tables.showBook,
  trades: tables.showTrades,
  accounts: (accounts) => tables.showAccounts(accounts, chosen, choose),
  account(account) {
    accountLines = account.lines ?? [];
    tables.showAccount(account);
    byId("legend").textContent = account.trouble ?? (account.id ? `account ${account.id}` : "");
    drawLines();
  },
  calls: tables.showCalls,
  tape: tables.showTape,
  counts: tables.showCounts,
  stages: tables.showStages,
  losses: tables.showLosses,
  funds(funds) { byId("funds").textContent = funds.join(", "); },
  run(run) {
    isRun = run !== null;
    byId("find").hidden = isRun;
    playback.show(run);
  },
  scenario: tables.showScenario,
  services: (services) => tables.showServices(services, isRun),
  points(points) {
    price.add(points, candleSeconds);
    const samples = points.samples ?? [];
    interest.add(samples.map(([time, , , , lots]) => [time, lots]));
    basis.add(samples.map(([time, , index, last]) =>
      [time, index && last ? (last / index - 1) * 100 : null]));
    const rows = points.stress ?? [];
    stress.add(rows.map(([time, calls, liquidations]) => [time, calls, liquidations]));
    fund.add(rows.map(([time, , , money]) => [time, money ?? null]));
  },
};

function hear({ data }) {
  const { kind, ...sections } = JSON.parse(data);
  if (kind === "snapshot") for (const chart of charts) chart.clear();
  for (const [name, value] of Object.entries(sections)) shows[name]?.(value);
  document.body.dataset.frames = Number(document.body.dataset.frames ?? 0) + 1;
}

function tell(text, style) {
  byId("state").textContent = text;
  byId("state").className = style;
}

function connect() {
  socket = new WebSocket(new URL("ws", location.href.replace(/^http/, "ws")));
  socket.addEventListener("open", () => {
    waitMs = 1_000;
    tell("connected", "good");
    if (chosen) ask({ account: chosen });
  });
  socket.addEventListener("message", hear);
  socket.addEventListener("close", () => {
    tell("not connected", "bad");
    setTimeout(connect, waitMs);
    waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2);
  });
}

byId("instrument").addEventListener("change", (event) => ask({ instrument: Number(event.target.value) }));
byId("account-id").addEventListener("change", (event) => {
  const account = Number(event.target.value);
  event.target.value = "";
  if (Number.isSafeInteger(account) && account > 0) choose(account);
});
startSteering(() => byId("instrument").selectedOptions[0]?.textContent ?? "");
fill("book");
connect();
