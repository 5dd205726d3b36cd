// SPDX-License-Identifier: Apache-2.0
// The charts of one mount's last hour.
import { get } from "./api.js";
import { every, h, show } from "./dom.js";
import { clock, latency, mountName, percent, rate } from "./format.js";

const period = 10_000;

const charts = [
  { name: "rate", title: "Operations", text: rate, series: [{ field: "rate", label: "operations", color: "--accent" }] },
  { name: "hit_rate", title: "Hit rate", text: percent, max: 1,
    series: [{ field: "hit_rate", label: "hit rate", color: "--ok" }] },
  { name: "latency", title: "Latency", text: latency,
    series: [{ field: "p50", label: "p50", color: "--accent" }, { field: "p99", label: "p99", color: "--warn" }] },
  { name: "errors", title: "Errors", text: rate, series: [{ field: "errors", label: "errors", color: "--bad" }] },
  { name: "evictions", title: "Evictions", text: rate, series: [{ field: "evictions", label: "evictions", color: "--warn" }] },
];

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Chart.js is no module; it comes when the first chart is drawn. */
async function chartClass() {
  await import("./chart.min.js");
  return globalThis.Chart;
}

function options(chart) {
  const grid = color("--border");
  const ticks = { color: color("--muted"), font: { size: 11 }, maxRotation: 0 };
  return {
    animation: false, maintainAspectRatio: false, responsive: true, spanGaps: false,
    interaction: { mode: "index", intersect: false },
    elements: { point: { radius: 0, hoverRadius: 3 }, line: { borderWidth: 1.5, tension: 0 } },
    plugins: {
      legend: { display: chart.series.length > 1, align: "end",
        labels: { color: color("--muted"), boxWidth: 10, boxHeight: 2, font: { size: 11 } } },
      tooltip: { callbacks: {
        title: (items) => clock(items[0].parsed.x),
        label: (item) => `${item.dataset.label}: ${chart.text(item.parsed.y)}`,
      } },
    },
    scales: {
      x: { type: "linear", grid: { display: false }, border: { color: grid },
        ticks: { ...ticks, maxTicksLimit: 6, callback: (value) => clock(value).slice(0, 5) } },
      y: { beginAtZero: true, suggestedMax: chart.max ?? undefined, max: chart.max, grid: { color: grid, drawBorder: false },
        ticks: { ...ticks, maxTicksLimit: 4, callback: (value) => chart.text(value) } },
    },
  };
}

/** The samples of a series as points. A pause of the host leaves a gap. */
function points(mount, field, interval) {
  const made = [];
  mount.time.forEach((time, i) => {
    if (i > 0 && time - mount.time[i - 1] > interval * 3_000) made.push({ x: time - 1, y: null });
    made.push({ x: time, y: mount[field][i] });
  });
  return made;
}

export function openHistory(card) {
  let mount = null;
  let drawn = [];
  let turn = 0;

  const clear = () => {
    for (const { chart } of drawn) chart.destroy();
    drawn = [];
  };

  function place(Chart) {
    clear();
    const grid = h("div", { class: "charts" });
    for (const chart of charts) {
      const canvas = h("canvas", { role: "img" });
      const now = h("span");
      grid.append(h("figure", { class: "chart", "data-chart": chart.name },
        h("h3", {}, chart.title, now), h("div", { class: "canvas" }, canvas)));
      const made = new Chart(canvas, {
        type: "line",
        data: { datasets: chart.series.map((each) => ({ label: each.label, data: [], clip: 6, borderColor: color(each.color),
          backgroundColor: color(each.color) })) },
        options: options(chart),
      });
      drawn.push({ chart: made, description: chart, canvas, now });
    }
    show(card, h("div", { class: "title" }, h("h2", {}, `${mountName(mount)}: the last hour`), h("span", { class: "spring" }),
      h("span", { class: "muted small" }, "One sample every ten seconds")), grid);
  }

  function fill(found, interval) {
    const end = found.time.at(-1);
    for (const { chart, description, canvas, now } of drawn) {
      description.series.forEach((each, i) => (chart.data.datasets[i].data = points(found, each.field, interval)));
      const start = Math.min(found.time[0], end - 10 * 60_000);
      Object.assign(chart.options.scales.x, { min: start, max: end });
      chart.options.scales.x.ticks.stepSize = end - start > 20 * 60_000 ? 15 * 60_000 : 5 * 60_000;
      chart.options.elements.point.radius = found.time.length < 3 ? 2 : 0; // a line needs two points to be seen
      chart.update("none");
      const latest = description.series.map((each) => description.text(found[each.field].at(-1))).join(" / ");
      now.textContent = latest;
      canvas.setAttribute("aria-label", `${description.title} of ${mountName(mount)}, ${found.time.length} samples, `
        + `the latest is ${latest}`);
    }
  }

  function note(text) {
    clear();
    show(card, h("div", { class: "title" }, h("h2", {}, `${mountName(mount)}: the last hour`)),
      h("div", { class: "empty" }, h("p", {}, text)));
  }

  async function load() {
    if (mount === null) return;
    const now = ++turn;
    try {
      const { mounts, interval } = await get(`history?mount=${encodeURIComponent(mount)}`);
      const Chart = await chartClass();
      if (now !== turn) return;
      const found = mounts[0];
      if (!found?.time.length) return note("The first sample comes ten seconds after the mount opened.");
      if (drawn.length === 0) place(Chart);
      fill(found, interval);
    } catch (error) {
      if (now === turn) note(error.message);
    }
  }

  const repaint = () => {
    clear();
    load();
  };
  addEventListener("omnistore-theme", repaint);
  const stop = every(period, load);
  return {
    choose(point) {
      if (point === mount) return;
      mount = point;
      note("Loading …");
      load();
    },
    close() {
      stop();
      ++turn;
      clear();
      removeEventListener("omnistore-theme", repaint);
    },
  };
}
