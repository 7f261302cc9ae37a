// Puts each Vega-Lite chart into its box; window.o2oCharts resolves when all are drawn.
"use strict";

(() => {
  const theme = JSON.parse(document.getElementById("theme").textContent);
  const draw = (box) => {
    const spec = JSON.parse(document.getElementById(`data-${box.dataset.chart}`).textContent);
    return vegaEmbed(box, spec, { actions: false, renderer: "svg", config: theme, tooltip: { theme: "custom" } });
  };
  window.o2oCharts = Promise.all([...document.querySelectorAll("[data-chart]")].map(draw));
})();
