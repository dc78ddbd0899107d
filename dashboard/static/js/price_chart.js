// Candles with the index, lines of mark, liquidation and bankruptcy, and markers of forced trades.

import {
  CandlestickSeries, HistogramSeries, LineSeries, LineStyle, createChart, createSeriesMarkers,
} from "../vendor/lightweight-charts-5.2.1/lightweight-charts.standalone.production.mjs";
import { byId } from "./elements.js";
import { colour, onTheme } from "./theme.js";

const MARKERS_KEPT = 400;
const MARKS = {
  "forced buy": { position: "belowBar", shape: "arrowUp", colour: "warn" },
  "forced sell": { position: "aboveBar", shape: "arrowDown", colour: "warn" },
  takeover: { position: "aboveBar", shape: "square", colour: "accent" },
  ADL: { position: "belowBar", shape: "circle", colour: "alarm" },
};

export class PriceChart {
  constructor() {
    this.chart = createChart(byId("candles"), {
      autoSize: true,
      layout: { attributionLogo: false },
      timeScale: { timeVisible: true, secondsVisible: true, rightOffset: 4, maxBarSpacing: 16 },
      rightPriceScale: { scaleMargins: { top: 0.08, bottom: 0.18 } },
    });
    this.candles = this.chart.addSeries(CandlestickSeries, { priceLineVisible: false });
    this.index = this.chart.addSeries(LineSeries, {
      lineWidth: 1, priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false,
    });
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "volume", priceLineVisible: false, lastValueVisible: false,
    });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.86, bottom: 0 } });
    this.markers = createSeriesMarkers(this.candles, []);
    this.lines = new Map();
    this.clear();
    onTheme(() => this.paint());
    this.paint();
  }

  clear() {
    this.marks = new Map();
    this.seconds = 1;
    this.last = 0;
    for (const series of [this.candles, this.index, this.volume]) series.setData([]);
    this.markers.setMarkers([]);
    for (const line of this.lines.values()) this.candles.removePriceLine(line.drawn);
    this.lines.clear();
    this.fresh = true;
  }

  paint() {
    const [text, edge, panel] = ["dim", "edge", "panel"].map(colour);
    this.chart.applyOptions({
      layout: { background: { color: panel }, textColor: text },
      grid: { vertLines: { color: edge }, horzLines: { color: edge } },
      timeScale: { borderColor: edge },
      rightPriceScale: { borderColor: edge },
    });
    const [up, down] = [colour("good"), colour("bad")];
    this.candles.applyOptions({
      upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false,
    });
    this.index.applyOptions({ color: colour("accent") });
    this.volume.applyOptions({ color: colour("edge") });
    for (const [name, line] of this.lines) line.drawn.applyOptions({ color: colour(line.colour), title: name });
    this.drawMarkers();
  }

  format(text) {
    const decimals = (text.split(".")[1] ?? "").length;
    const priceFormat = { type: "price", precision: decimals, minMove: 10 ** -decimals };
    if (decimals !== this.decimals) {
      this.decimals = decimals;
      for (const series of [this.candles, this.index]) series.applyOptions({ priceFormat });
    }
  }

  add({ candles = [], samples = [], markers = [] }, seconds) {
    const bars = candles.map(([time, open, high, low, close, lots]) => ({ time, open, high, low, close, lots }));
    const index = new Map();
    for (const [time, , price] of samples) {
      if (price !== null) index.set(Math.floor(time / seconds) * seconds, price);
    }
    const path = [...index].map(([time, value]) => ({ time, value }));
    if (this.fresh) {
      this.candles.setData(bars);
      this.volume.setData(bars.map(({ time, lots }) => ({ time, value: lots })));
      this.index.setData(path);
      this.chart.timeScale().fitContent();
      this.fresh = bars.length === 0 && path.length === 0;
    } else {
      for (const bar of bars) {
        this.candles.update(bar);
        this.volume.update({ time: bar.time, value: bar.lots });
      }
      for (const point of path) this.index.update(point);
    }
    for (const [time, kind, count, size] of markers) this.marks.set(`${time} ${kind}`, { time, kind, count, size });
    if (markers.length) this.drawMarkers();
  }

  drawMarkers() {
    const kept = [...this.marks.values()].slice(-MARKERS_KEPT);
    kept.sort((a, b) => a.time - b.time);
    this.markers.setMarkers(kept.map(({ time, kind, count }) => {
      const look = MARKS[kind];
      return {
        time, position: look.position, shape: look.shape, color: colour(look.colour),
        size: Math.min(1.2, 0.5 + Math.log10(count) / 3),
      };
    }));
  }

  // Lines by name: a price, and the name of a colour; what is not named any more goes.
  setLines(wanted) {
    for (const [name, line] of this.lines) {
      if (!wanted.has(name)) {
        this.candles.removePriceLine(line.drawn);
        this.lines.delete(name);
      }
    }
    for (const [name, { price, tone }] of wanted) {
      const known = this.lines.get(name);
      if (known) {
        known.drawn.applyOptions({ price });
        continue;
      }
      const style = name === "mark" ? LineStyle.Dotted : LineStyle.Dashed;
      const drawn = this.candles.createPriceLine({
        price, title: name, color: colour(tone), lineWidth: 1, lineStyle: style, axisLabelVisible: true,
      });
      this.lines.set(name, { drawn, colour: tone });
    }
  }
}
