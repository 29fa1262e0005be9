// What htmx does not do: the charts, and the sign that tells whether the page is live.
"use strict";

const line = document.getElementById("line");

function tell(up) {
  line.textContent = up ? line.dataset.up : line.dataset.down;
  line.classList.toggle("down", !up);
}

document.body.addEventListener("htmx:sseOpen", () => {
  tell(true);
  refill();  // what came while there was no connection
});
document.body.addEventListener("htmx:sseError", async () => {
  tell(false);
  const answer = await fetch("/", { headers: { accept: "text/html" } }).catch(() => null);
  if (answer && answer.status === 401) location.reload();  // the session is over: sign in again
});

const out = document.getElementById("sign-out");
if (out) out.addEventListener("click", async () => {
  await fetch("/console/session", { method: "DELETE" });
  location.reload();
});

// --- charts

const section = document.querySelector("[data-series]");
const series = section && JSON.parse(section.dataset.series);
const columns = series && [[], ...series.names.map(() => [])];  // times first, as uPlot has it
const COLORS = ["#2b8bd0", "#e07b00", "#2a9d5c"];
const LEAST = { use: 1, recordings: 4, refused: 4 };  // top of the axis
const DASHES = [[], [8, 4], [2, 3]];  // as in console.css: lines differ by more than colour
const plots = [];
let hours = 0.25;

function add(sample) {  // [time, value, ...]
  const last = columns[0][columns[0].length - 1] || 0;
  if (sample[0] <= last) return;
  // A gap in the samples is a gap in the lines.
  if (last && sample[0] - last > 3 * series.every_s) columns.forEach((c, i) => c.push(i ? null : last + series.every_s));
  columns.forEach((column, i) => column.push(sample[i] === undefined ? null : sample[i]));
  const most = series.kept_s / series.every_s;
  if (columns[0].length > most) columns.forEach((column) => column.shift());
}

function draw() {
  const end = columns[0][columns[0].length - 1] || 0;  // the box's time, not the browser's
  for (const { plot, indexes, values, unit } of plots) {
    indexes.forEach((i, n) => { values[n].textContent = told(columns[i][columns[i].length - 1], unit); });
    plot.setData([columns[0], ...indexes.map((i) => columns[i])], false);
    const first = columns[0].find((at) => at) || end;  // a young box fills its charts, too
    plot.setScale("x", { min: Math.max(end - hours * 3600, Math.min(first, end - 60)), max: end });
  }
}

function told(value, unit) {  // for the legend, which those who do not see the lines can read
  if (value === null || value === undefined) return "–";
  if (unit === "use") return `${Math.round(100 * value)} %`;
  return value >= 100 ? value.toFixed(0) : String(Number(value.toFixed(2)));
}

let refilling = 0;  // fetches under way: what comes live meanwhile has to wait, or a gap would stay
const waiting = [];

async function refill() {
  if (!section) return;
  refilling += 1;
  try { await fetchMissing(); } finally { refilling -= 1; }
  if (refilling) return;
  waiting.splice(0).forEach(add);
  draw();
}

async function fetchMissing() {
  const last = columns[0][columns[0].length - 1] || 0;
  const answer = await fetch(`/console/history?since=${last}`);
  if (!answer.ok) return;
  const told = await answer.json();
  offset = told.utc_offset_s;
  told.samples.forEach(add);
}

let offset = 0;  // of the box's clock to UTC, s: its wall time is shown, wherever the browser is

function clock(u, splits, axis, space, step) {
  return splits.map((at) => new Date((at + offset) * 1000).toISOString().slice(11, step < 60 ? 19 : 16));
}

function chart(figure) {
  const lines = JSON.parse(figure.dataset.lines);
  const box = figure.querySelector(".plot");
  const ink = getComputedStyle(document.body).color;
  const axis = { stroke: ink, grid: { stroke: "#8883", width: 1 }, ticks: { stroke: "#8886" } };
  const options = {
    width: box.clientWidth, height: box.clientHeight, legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false }, y: { range: (u, low, high) => [0, Math.max(high * 1.1, LEAST[figure.dataset.chart] || 0.1)] } },
    axes: [{ ...axis, values: clock, incrs: [15, 30, 60, 300, 600, 900, 1800, 3600, 7200] }, { ...axis, size: 46 }],
    series: [{}, ...lines.map(([name, label], i) => ({ label, stroke: COLORS[i], width: 2, dash: DASHES[i], spanGaps: false }))],
  };
  const plot = new uPlot(options, [[], ...lines.map(() => [])], box);
  const values = figure.querySelectorAll(".legend b");
  plots.push({ plot, box, values, unit: figure.dataset.chart, indexes: lines.map(([name]) => 1 + series.names.indexOf(name)) });
}

if (section) {
  document.querySelectorAll("[data-chart]").forEach(chart);
  section.addEventListener("htmx:sseBeforeMessage", (event) => {
    event.preventDefault();  // it is no HTML
    const sample = JSON.parse(event.detail.data);
    if (refilling) return waiting.push(sample);
    add(sample);
    draw();
  });
  section.querySelectorAll("[data-hours]").forEach((button) => button.addEventListener("click", () => {
    hours = Number(button.dataset.hours);
    section.querySelectorAll("[data-hours]").forEach((b) => b.setAttribute("aria-pressed", b === button));
    draw();
  }));
  addEventListener("resize", () => plots.forEach(({ plot, box }) =>
    plot.setSize({ width: box.clientWidth, height: box.clientHeight })));
}
