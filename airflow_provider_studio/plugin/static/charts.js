// SPDX-License-Identifier: Apache-2.0
// Draws the numbers of a table on the page with uPlot. Screen readers read the table.
(() => {
  "use strict";
  const charts = [];
  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const numbersOf = (table, column) => {
    const heads = [...table.tHead.rows[0].cells];
    const place = heads.findIndex((cell) => cell.dataset.column === column);
    const times = [];
    const values = [];
    for (const row of table.tBodies[0].rows) {
      const value = row.cells[place].dataset.value;
      times.push(Date.parse(row.cells[0].dataset.time) / 1000);
      values.push(value === "" ? null : Number(value));
    }
    return [times, values];
  };

  const range = (bars) => (_plot, low, high) => {
    if (low === null || high === null) return [0, 1];
    if (bars || low === 0) return [0, Math.max(1, high * 1.1)];
    const room = Math.max(1, (high - low) * 0.25);
    return [Math.max(0, low - room), high + room];
  };

  // A bar is centered on its start. Widen the range so that the first and the last bar are complete.
  const across = (times) => {
    const width = times.length > 1 ? times[1] - times[0] : 1;
    return [times[0] - width / 2, times.at(-1) + width / 2];
  };

  const tip = () => {
    const label = document.createElement("div");
    label.className = "tip";
    return {
      hooks: {
        init: (plot) => plot.over.append(label),
        setCursor: (plot) => {
          const at = plot.cursor.idx;
          const value = at === null || at === undefined ? null : plot.data[1][at];
          label.hidden = value === null || value === undefined;
          if (label.hidden) return;
          const day = new Date(plot.data[0][at] * 1000).toISOString().slice(0, plot.bars ? 16 : 10).replace("T", " ");
          label.textContent = `${whole.format(value)} · ${day}`;
          label.classList.toggle("left", plot.cursor.left > plot.over.clientWidth / 2);
        },
      },
    };
  };

  const draw = (place) => {
    const table = document.getElementById(place.dataset.table);
    const bars = place.dataset.chart === "bars";
    const data = numbersOf(table, place.dataset.column);
    const known = data[1].filter((value) => value !== null).length;
    place.replaceChildren();
    place.classList.remove("unknown");
    const empty = bars && data[1].every((value) => !value);
    if (known === 0 || empty) {
      place.textContent = empty ? "none" : "not known yet";
      place.classList.add("unknown");
      return null;
    }
    const accent = css("--accent");
    const axis = {
      stroke: css("--muted"),
      grid: { stroke: css("--line"), width: 1 },
      ticks: { show: false },
      font: "11px Inter, system-ui, sans-serif",
    };
    const plot = new uPlot(
      {
        width: Math.max(120, place.clientWidth),
        height: place.clientHeight || 96,
        padding: [8, 8, 0, 0],
        legend: { show: false },
        cursor: { sync: { key: place.dataset.table }, y: false, points: { size: 7 }, drag: { x: false, y: false } },
        scales: { x: { time: true, range: bars ? across(data[0]) : undefined }, y: { range: range(bars) } },
        axes: [
          { ...axis, size: 24, space: 70, values: (_plot, marks) => marks.map((at) => stamp(at, data[0])) },
          { ...axis, size: 44, space: 28, values: (_plot, marks) => marks.map((at) => (Number.isInteger(at) ? short.format(at) : "")) },
        ],
        series: [
          {},
          {
            stroke: accent,
            width: bars ? 0 : 2,
            fill: bars ? accent : css("--accent-faint"),
            spanGaps: false,
            paths: bars ? uPlot.paths.bars({ size: [0.8, 24] }) : undefined,
            points: { show: !bars && known < 40, size: 5, fill: accent },
          },
        ],
        plugins: [tip()],
      },
      data,
      place,
    );
    plot.bars = bars;
    return plot;
  };

  const stamp = (at, times) => {
    const text = new Date(at * 1000).toISOString();
    return times.at(-1) - times[0] > 4 * 86400 ? text.slice(5, 10) : text.slice(11, 16);
  };

  const drawAll = () => {
    for (const plot of charts.splice(0)) plot.destroy();
    for (const place of document.querySelectorAll("[data-chart]")) {
      const plot = draw(place);
      if (plot) charts.push(plot);
    }
  };

  drawAll();
  document.addEventListener("studio:theme", drawAll);
  let width = document.body.clientWidth;
  new ResizeObserver(() => {
    if (document.body.clientWidth === width) return;
    width = document.body.clientWidth;
    for (const plot of charts) {
      const place = plot.root.parentElement;
      plot.setSize({ width: place.clientWidth, height: place.clientHeight });
    }
  }).observe(document.body);
})();
