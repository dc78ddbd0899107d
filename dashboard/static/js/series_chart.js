// A small chart of one or two series over time, on uPlot.

import { byId } from "./elements.js";
import { colour, onTheme } from "./theme.js";

const KEPT = 3600;
const MINUTE = 60;

// Time of day in UTC, with seconds where the axis has them.
const clock = (seconds, step) => new Date(seconds * 1000).toISOString().slice(11, step < MINUTE ? 19 : 16);

export class SeriesChart {
  constructor(id, names, tones, format) {
    this.place = byId(id);
    this.names = names;
    this.tones = tones;
    this.format = format;
    this.clear();
    onTheme(() => this.build());
    new ResizeObserver(() => this.resize()).observe(this.place);
    this.build();
  }

  clear() {
    this.data = [[], ...this.names.map(() => [])];
    if (this.plot) this.plot.setData(this.data);
  }

  size() {
    return { width: Math.max(120, this.place.clientWidth), height: 120 };
  }

  resize() {
    const { width } = this.size();
    if (this.plot && width !== this.plot.width) this.plot.setSize(this.size());
  }

  build() {
    if (this.plot) this.plot.destroy();
    const [dim, edge] = [colour("dim"), colour("edge")];
    const axis = { stroke: dim, grid: { stroke: edge, width: 1 }, ticks: { stroke: edge }, font: "10px system-ui" };
    this.plot = new uPlot({
      ...this.size(),
      legend: { show: this.names.length > 1 },
      cursor: { y: false, drag: { x: false, y: false } },
      axes: [
        { ...axis, size: 24, values: (_, times, __, ___, step) => times.map((time) => clock(time, step)) },
        { ...axis, size: 58, values: (_, values) => values.map((value) => (value === null ? "" : this.format(value))) },
      ],
      series: [
        {},
        ...this.names.map((label, place) => ({
          label, stroke: colour(this.tones[place]), width: 1.2, points: { show: false },
          value: (_, value) => (value === null ? "" : this.format(value)),
        })),
      ],
    }, this.data, this.place);
  }

  add(rows) {
    if (!rows.length) return;
    for (const row of rows) row.forEach((value, place) => this.data[place].push(value));
    const over = this.data[0].length - KEPT;
    if (over > 0) this.data = this.data.map((column) => column.slice(over));
    this.plot.setData(this.data);
  }
}
