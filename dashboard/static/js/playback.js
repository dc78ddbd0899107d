// The bar at the bottom with which a finished run is played.

import { byId } from "./elements.js";

const SEEK_MS = 100;

const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");

export class Playback {
  constructor(ask) {
    this.ask = ask;
    this.dragging = false;
    this.sent = 0;
    this.speed = 0;
    const slider = byId("slider");
    byId("playback").addEventListener("submit", (event) => event.preventDefault());
    byId("play").addEventListener("click", () => ask({ speed: this.speed ? 0 : this.chosen() }));
    byId("speed").addEventListener("change", () => {
      if (this.speed) ask({ speed: this.chosen() });
    });
    slider.addEventListener("pointerdown", () => { this.dragging = true; });
    slider.addEventListener("input", () => {
      byId("clock").textContent = clock(Number(slider.value));
      if (Date.now() - this.sent > SEEK_MS) this.seek();
    });
    slider.addEventListener("change", () => {
      this.dragging = false;
      this.seek();
    });
  }

  chosen() {
    return Number(byId("speed").value);
  }

  seek() {
    this.sent = Date.now();
    this.ask({ seek: Number(byId("slider").value) });
  }

  show(run) {
    byId("playback").hidden = !run;
    if (!run) return;
    this.speed = run.speed;
    byId("brand").textContent = run.title;
    byId("play").textContent = run.speed ? "Pause" : "Play";
    const slider = byId("slider");
    slider.min = run.begin;
    slider.max = run.end;
    if (!this.dragging) {
      slider.value = run.now;
      byId("clock").textContent = clock(run.now);
    }
  }
}
