// What the views of knowledge, quality and warnings share. Whatever a door tells becomes text,
// never HTML.
"use strict";

const view = document.getElementById("view");
const words = JSON.parse(view.dataset.words);
const facts = JSON.parse(view.dataset.facts);
const DAY_S = 86400;
const SVG = "http://www.w3.org/2000/svg";
const at = (id) => document.getElementById(id);

function say(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

// A template's copy. Each `data-at` takes the value of its name: text, a node or several; what has
// none is not there.
function make(name, values) {
  const made = at(`t-${name}`).content.firstElementChild.cloneNode(true);
  for (const place of made.querySelectorAll("[data-at]")) {
    const value = values[place.dataset.at];
    if (value === undefined || value === null || value === "" || value === false) place.remove();
    else if (value !== true) place.replaceChildren(...[value].flat());
  }
  return made;
}

function element(name, values = {}, ...inside) {
  const made = Object.assign(document.createElement(name), values);
  made.append(...inside);
  return made;
}

class Refusal extends Error {
  constructor(status, detail) {
    const why = status === 403 ? words.forbidden : status === 404 ? words.missing : status === 409 ? words.conflict : words.refused;
    super(detail ? `${why}（${detail}）` : why);
    this.status = status;
  }
}

// A door's answer; throws Refusal, or that the connection was lost.
async function ask(path, { method = "GET", body, headers = {} } = {}) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const kind = body === undefined ? {} : { "content-type": "application/json" };
  let answer;
  try {
    answer = await fetch(`/api/v1/${path}`, { method, headers: { ...kind, ...headers }, ...sent });
  } catch {
    throw new Error(words.lost);
  }
  if (answer.status === 401) location.reload();  // the session is over: sign in again
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new Refusal(answer.status, told.detail);
  }
  return answer.status === 204 ? null : answer.json();
}

const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value !== "")).toString();

// Where it is said that something went wrong: as near to `where` as there is a place for it.
// What the address names behind its #; nothing where that is none of ours.
function fragment() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

function alertOf(where) {
  for (let place = where; place !== view; place = place.parentElement) {
    const found = place.querySelector(":scope > .wrong");
    if (found) return found;
  }
  return view.querySelector(".wrong");
}

// Does `work`; what goes wrong is said beside `where`.
async function attempt(where, work) {
  const wrong = alertOf(where);
  wrong.textContent = "";
  const button = where.closest("button");
  if (button) button.disabled = true;
  try {
    return await work();
  } catch (failure) {
    wrong.textContent = failure.message;
    return undefined;
  } finally {
    if (button) button.disabled = false;
  }
}

function onSubmit(form, work) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(form, () => work(event));
  });
}

// --- times: by the box's wall clock, wherever the browser is

const wall = (seconds) => new Date((seconds + facts.utc_offset_s) * 1000).toISOString();
const dayOf = (seconds) => wall(seconds).slice(0, 10);
const clockOf = (seconds) => wall(seconds).slice(11, 16);

function moment(seconds) {
  const day = dayOf(seconds);
  const today = day === dayOf(Date.now() / 1000);
  return `${today ? words.today : day.slice(5)} ${clockOf(seconds)}`;
}

function length(ms) {  // 83 000 -> 1:23
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

// --- small bars; the number stands beside them, so that they may be left unread

function svg(name, values, ...inside) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

const rect = (kind, x, width, y = 0, height = 10) => svg("rect", { class: kind, x, width: Math.max(0, width), y, height });

function rail(...inside) {
  return svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", class: "bar", "aria-hidden": "true" }, rect("rail", 0, 100), ...inside);
}

const bar = (value, most) => rail(rect("fill", 0, 100 * Math.min(1, value / (most || 1))));

// A value and its interval, all 0..1.
function interval(value, low, high) {
  const x = Math.max(0, Math.min(98.5, 100 * value - 0.75));
  return rail(rect("span", 100 * low, 100 * (high - low), 2, 6), rect("fill", x, 1.5));
}

// --- codes

function placeName(code) {
  if (!code) return "";
  const known = facts.counties[code];
  if (known) return known;
  const county = Object.keys(facts.counties).find((each) => each.slice(0, 6) === code.slice(0, 6));
  return county ? `${facts.counties[county]} ${code}` : code;
}

const out = at("sign-out");
if (out) out.addEventListener("click", async () => {
  await fetch("/console/session", { method: "DELETE" });
  location.assign("/");
});
