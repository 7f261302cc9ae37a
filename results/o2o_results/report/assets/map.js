// The city map on a canvas: roads, stores, and drop-offs coloured by how late the order came.
// Data come from report/map.py: 16-bit coordinates in a plane of `width` x `height` units, y to the south.
"use strict";

(() => {
  const PAPER = "#f7f5ef";
  const SCALE = [[-30, "#2a7f86"], [-10, "#6fae8d"], [0, "#e3c565"], [10, "#dd8a45"], [30, "#a8322a"]];
  const OPEN = "#8a8f94"; // not delivered

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

  function colour(late) {
    if (late === null) return OPEN;
    if (late <= SCALE[0][0]) return SCALE[0][1];
    for (let i = 1; i < SCALE.length; i++) {
      const [from, a] = SCALE[i - 1];
      const [to, b] = SCALE[i];
      if (late <= to) {
        const t = (late - from) / (to - from);
        const mixed = rgb(a).map((value, k) => Math.round(value + (rgb(b)[k] - value) * t));
        return `rgb(${mixed.join(",")})`;
      }
    }
    return SCALE[SCALE.length - 1][1];
  }

  class CityMap {
    constructor(holder) {
      this.holder = holder;
      this.data = JSON.parse(document.getElementById(`data-${holder.dataset.map}`).textContent);
      this.canvas = holder.querySelector("canvas");
      this.tip = holder.querySelector(".tip");
      this.ends = new Uint16Array(bytes(this.data.roads).buffer);
      this.ranks = bytes(this.data.ranks);
      const { late } = this.data.drops;
      // Late orders are drawn last, so that they are seen.
      this.order = late.map((_, i) => i).sort((a, b) => (late[a] ?? -1e9) - (late[b] ?? -1e9));
      this.colours = late.map(colour);
      this.zoom = 1;
      this.centre = [this.data.width / 2, this.data.height / 2];
      this.listen();
      new ResizeObserver(() => this.draw()).observe(this.canvas);
      this.draw();
    }

    shown(layer) {
      const box = this.holder.querySelector(`input[name=${layer}]`);
      return !box || box.checked;
    }

    place() {
      const pixels = window.devicePixelRatio || 1;
      const { clientWidth: wide, clientHeight: high } = this.canvas;
      this.canvas.width = Math.round(wide * pixels);
      this.canvas.height = Math.round(high * pixels);
      this.scale = Math.min((wide - 24) / this.data.width, (high - 24) / this.data.height) * this.zoom;
      this.middle = [wide / 2, high / 2];
      const pen = this.canvas.getContext("2d");
      pen.setTransform(pixels, 0, 0, pixels, 0, 0);
      pen.clearRect(0, 0, wide, high);
      pen.fillStyle = PAPER;
      pen.fillRect(0, 0, wide, high);
      return pen;
    }

    at(x, y) {
      return [
        this.middle[0] + (x - this.centre[0]) * this.scale,
        this.middle[1] + (y - this.centre[1]) * this.scale,
      ];
    }

    draw() {
      if (!this.canvas.clientWidth) return;
      const pen = this.place();
      this.drawRivers(pen);
      this.drawRoads(pen);
      if (this.shown("stores")) this.drawStores(pen);
      const points = this.shown("drops") ? this.drawDrops(pen) : 0;
      this.drawScale(pen);
      this.holder.dataset.drawn = `${this.ranks.length} roads, ${points} drop-offs`;
    }

    drawRivers(pen) {
      pen.strokeStyle = "#cfe0e6";
      pen.lineWidth = Math.max(5, (110 / this.data.metres) * 65535 * this.scale); // some 110 m wide
      pen.lineJoin = pen.lineCap = "round";
      for (const river of this.data.rivers) {
        pen.beginPath();
        for (let i = 0; i < river.length; i += 2) pen.lineTo(...this.at(river[i], river[i + 1]));
        pen.stroke();
      }
    }

    drawRoads(pen) {
      const near = Math.min(2.2, 0.8 + 0.25 * this.zoom);
      const styles = [["#e2ddd0", 0.7 * near, 4, 127], ["#cfc8b6", 1.2 * near, 2, 3], ["#b5ab93", 2.0 * near, 0, 1]];
      for (const [stroke, width, from, to] of styles) {
        pen.beginPath();
        pen.strokeStyle = stroke;
        pen.lineWidth = width;
        for (let i = 0; i < this.ranks.length; i++) {
          if (this.ranks[i] < from || this.ranks[i] > to) continue;
          pen.moveTo(...this.at(this.ends[4 * i], this.ends[4 * i + 1]));
          pen.lineTo(...this.at(this.ends[4 * i + 2], this.ends[4 * i + 3]));
        }
        pen.stroke();
      }
    }

    drawDrops(pen) {
      const { x, y, late } = this.data.drops;
      const onlyLate = this.holder.querySelector("input[name=late]").checked;
      const radius = Math.max(1.9, Math.min(3.4, 130 / Math.sqrt(x.length + 1))) * Math.min(2, Math.sqrt(this.zoom));
      let drawn = 0;
      pen.globalAlpha = 0.82;
      for (const i of this.order) {
        if (onlyLate && !(late[i] > 0)) continue;
        const [px, py] = this.at(x[i], y[i]);
        pen.beginPath();
        pen.fillStyle = this.colours[i];
        pen.arc(px, py, late[i] > 0 ? radius * 1.25 : radius, 0, 7);
        pen.fill();
        drawn++;
      }
      pen.globalAlpha = 1;
      return drawn;
    }

    drawStores(pen) {
      const { x, y, orders } = this.data.stores;
      const most = Math.max(1, ...orders);
      pen.lineWidth = 1.2;
      for (let i = 0; i < x.length; i++) {
        const [px, py] = this.at(x[i], y[i]);
        const size = 3.5 + 5.5 * Math.sqrt(orders[i] / most);
        pen.fillStyle = "#fff";
        pen.strokeStyle = "#22303a";
        pen.beginPath();
        pen.rect(px - size / 2, py - size / 2, size, size);
        pen.fill();
        pen.stroke();
      }
    }

    drawScale(pen) {
      const perPixel = this.data.metres / 65535 / this.scale;
      const step = [50, 100, 200, 500, 1000, 2000, 5000, 10000].find((m) => m / perPixel > 60) || 20000;
      const [left, low] = [14, this.canvas.clientHeight - 14];
      pen.strokeStyle = pen.fillStyle = "#5b666e";
      pen.lineWidth = 1.5;
      pen.beginPath();
      pen.moveTo(left, low - 4);
      pen.lineTo(left, low);
      pen.lineTo(left + step / perPixel, low);
      pen.lineTo(left + step / perPixel, low - 4);
      pen.stroke();
      pen.font = "11px system-ui, sans-serif";
      pen.fillText(step < 1000 ? `${step} m` : `${step / 1000} km`, left + 5, low - 5);
    }

    nearest(px, py) {
      let found = null;
      const look = (kind, points, reach) => {
        for (let i = 0; i < points.x.length; i++) {
          const [x, y] = this.at(points.x[i], points.y[i]);
          const away = (x - px) ** 2 + (y - py) ** 2;
          if (away < reach * reach && (!found || away < found.away)) found = { kind, i, x, y, away };
        }
      };
      if (this.shown("drops")) look("drop", this.data.drops, 9);
      if (this.shown("stores")) look("store", this.data.stores, 8);
      return found;
    }

    words({ kind, i }) {
      const { stores, drops } = this.data;
      if (kind === "store") return [stores.name[i], `${stores.orders[i]} orders cooked · ${stores.slots[i]} slots`];
      const late = drops.late[i];
      const when = late === null ? `state: ${drops.state[i]}` : late > 0 ? `${late} min late` : `${-late} min early`;
      const paper = drops.paper[i] ? `on paper after ${drops.paper[i]}` : "never on paper";
      return [`Order ${drops.number[i]}`, when, `meant at ${drops.at[i]}, ${paper}`, stores.name[drops.store[i]] || ""];
    }

    point(event) {
      const box = this.canvas.getBoundingClientRect();
      const found = this.nearest(event.clientX - box.left, event.clientY - box.top);
      this.tip.hidden = !found;
      if (!found) return;
      const lines = this.words(found).filter(Boolean).map((text, i) => {
        const line = document.createElement(i ? "div" : "b");
        line.textContent = text;
        return line;
      });
      this.tip.replaceChildren(...lines);
      const right = found.x > this.canvas.clientWidth - 190;
      this.tip.style.left = `${found.x + (right ? -10 : 10)}px`;
      this.tip.style.top = `${found.y + 10}px`;
      this.tip.style.transform = right ? "translateX(-100%)" : "";
    }

    magnify(factor, px = this.middle[0], py = this.middle[1]) {
      const zoom = Math.max(1, Math.min(16, this.zoom * factor));
      const change = 1 / this.scale - 1 / (this.scale * (zoom / this.zoom));
      this.centre[0] += (px - this.middle[0]) * change;
      this.centre[1] += (py - this.middle[1]) * change;
      this.zoom = zoom;
      if (zoom === 1) this.centre = [this.data.width / 2, this.data.height / 2];
      this.draw();
    }

    listen() {
      let from = null;
      this.canvas.addEventListener("pointerdown", (event) => {
        from = [event.clientX, event.clientY];
        this.canvas.setPointerCapture(event.pointerId);
      });
      this.canvas.addEventListener("pointerup", () => { from = null; });
      this.canvas.addEventListener("pointermove", (event) => {
        if (!from) return this.point(event);
        this.centre[0] -= (event.clientX - from[0]) / this.scale;
        this.centre[1] -= (event.clientY - from[1]) / this.scale;
        from = [event.clientX, event.clientY];
        this.tip.hidden = true;
        return this.draw();
      });
      this.canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
      this.canvas.addEventListener("dblclick", (event) => this.magnify(2, event.offsetX, event.offsetY));
      this.canvas.addEventListener("wheel", (event) => {
        if (!event.ctrlKey) return; // plain scrolling belongs to the page
        event.preventDefault();
        this.magnify(event.deltaY < 0 ? 1.25 : 0.8, event.offsetX, event.offsetY);
      }, { passive: false });
      for (const box of this.holder.querySelectorAll("input")) box.addEventListener("change", () => this.draw());
      const buttons = { in: 1.6, out: 1 / 1.6, whole: 1 / 16 };
      for (const button of this.holder.querySelectorAll("button")) {
        button.addEventListener("click", () => this.magnify(buttons[button.name]));
      }
    }
  }

  for (const holder of document.querySelectorAll("[data-map]")) holder.cityMap = new CityMap(holder);
})();
