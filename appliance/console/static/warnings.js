// What the duty officer looks at: warnings and what becomes of them, where and of what is told,
// and what the next hours will bring.
"use strict";

const LOOK_EVERY_MS = 10_000;
const OPEN = ["new", "acknowledged", "watching"];
const HOURS = 6;
const detail = at("detail");
let chosen = null;  // the warning shown
let listed = "";  // as last drawn: what is the same is not drawn again

const round = (count) => count > 0 && count < 0.1 ? "<0.1" : String(count >= 10 ? Math.round(count) : Math.round(10 * count) / 10);

function told(warning) {
  const burst = warning.kind === "burst";
  const place = warning.place_name || words.anywhere;
  const category = warning.category_name || words.anything;
  return {
    kind: `${burst ? "!" : "✕"} ${words[warning.kind]}`,
    title: warning.title,
    state: words[warning.state],
    where: burst ? `${place} · ${category}` : [warning.place_name, warning.category_name].filter(Boolean).join(" · "),
    voices: say("voices", { n: warning.voices }),
    contacts: say("contacts", { n: warning.contacts }),
    expected: burst ? say("expected", { n: round(warning.expected) }) : "",
    since: say("since", { at: moment(warning.begun_at) }),
    last: say("last", { at: moment(warning.last_at) }),
    told: say("told", { at: moment(warning.told_at) }),
    call: warning.call ? say("call", { id: warning.call }) : "",
  };
}

function graded(made, warning) {
  const grade = !OPEN.includes(warning.state) ? "dim" : warning.kind === "burst" ? "look" : "bad";
  made.querySelector(".mark").classList.add(grade);
  made.querySelector(".badge").classList.add(warning.state);
  return made;
}

// --- the list

function listItem(warning) {
  const made = graded(make("warning", told(warning)), warning);
  const button = made.querySelector("button");
  button.value = warning.id;
  button.setAttribute("aria-pressed", String(chosen !== null && chosen.id === warning.id));
  button.addEventListener("click", () => attempt(detail, () => choose(warning.id, true)));
  return made;
}

async function list() {
  const state = at("state").value;
  const wanted = { state: state === "open" ? "" : state, limit: 100 };
  let { warnings } = await ask(`warnings?${query(wanted)}`);
  if (state === "open") warnings = warnings.filter((each) => OPEN.includes(each.state));
  const seen = JSON.stringify([warnings, dayOf(Date.now() / 1000)]);
  if (seen === listed) return;
  listed = seen;
  const focused = document.activeElement.closest("#list") ? document.activeElement.value : "";
  at("list").replaceChildren(...warnings.map(listItem));
  if (focused) for (const button of at("list").querySelectorAll("button")) if (button.value === focused) button.focus();
  at("list-state").textContent = warnings.length ? say("listed", { n: warnings.length }) : state === "open" ? words.no_open : words.none;
  const now = chosen && warnings.find((each) => each.id === chosen.id);
  if (now && (now.state !== chosen.state || now.last_at !== chosen.last_at)) await choose(now.id);
}

// --- one

async function choose(id, moves = false) {
  const warning = await ask(`warnings/${encodeURIComponent(id)}`);
  if (!chosen || chosen.id !== id) at("detail-state").textContent = "";
  chosen = warning;
  at("detail-empty").hidden = true;
  at("shown").replaceChildren(detailOf(warning));
  for (const button of at("list").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.value === id));
  steps(warning);
  history.replaceState(null, "", `#${encodeURIComponent(id)}`);
  if (!moves) return;
  at("detail-title").focus({ preventScroll: true });
  if (detail.getBoundingClientRect().top > innerHeight / 2) detail.scrollIntoView({ block: "start" });
}

function steps(warning) {
  const form = at("act");
  if (!form) return;
  const over = !OPEN.includes(warning.state);
  form.hidden = over;
  at("mute").hidden = warning.kind !== "burst";
  form.querySelector("[data-act=acknowledge]").hidden = warning.state !== "new";
  form.querySelector("[data-act=watch]").hidden = warning.state === "watching";
  if (over && !at("detail-state").textContent) at("detail-state").textContent = words.over;
}

function detailOf(warning) {
  const most = (rows) => Math.max(1, ...rows.map((each) => each.count));
  const moods = Object.entries(warning.moods).map(([name, count]) => ({ name: facts.moods[name] || name, count }));
  const units = warning.units.map((unit) => ({ name: unit.name, count: unit.open }));
  const rows = (some) => some.map((each) => make("bar", { name: each.name, bar: bar(each.count, most(some)), count: String(each.count) }));
  return graded(make("detail", {
    ...told(warning),
    course: warning.timeline.length > 0,
    timeline: warning.timeline.length ? course(warning.timeline) : "",
    places: warning.communities.length > 0,
    communities: rows(warning.communities),
    feelings: moods.length > 0,
    moods: rows(moods),
    work: units.length > 0,
    units: units.map((unit) => make("bar", { name: unit.name, bar: bar(unit.count, most(units)), count: say("open_orders", { n: unit.count }) })),
    past: warning.events.length > 0,
    events: warning.events.map(eventItem),
    papers: warning.orders.length > 0,
    orders: warning.orders.map(orderRow),
  }), warning);
}

function eventItem(event) {
  const who = event.who === "box" ? words.by_box : event.who;
  const did = words[event.action === "false" ? "mark_false" : event.action] || event.action;
  const head = `${moment(event.at)} ${who} ${did}${event.reason ? "：" : ""}`;
  return element("li", {}, element("small", { textContent: head }), event.reason);
}

function orderRow(order) {
  return make("order", { number: order.number, state: facts.orders[order.state] || order.state, title: order.title || "–", at: moment(order.at) });
}

function course(bars) {
  const most = Math.max(1, ...bars.map((each) => each.count));
  const every = bars.length > 1 ? bars[1].at - bars[0].at : 300;
  const columns = bars.map((each, i) => {
    const height = 58 * each.count / most;
    const column = rect("fill", 10 * i + 1, 8, 60 - height, height);
    column.append(svg("title", {}, `${moment(each.at)}：${each.count}`));
    return column;
  });
  const end = bars[bars.length - 1].at + every;
  const long = every < 5400 ? say("minutes", { n: Math.round(every / 60) }) : say("hours", { n: round(every / 3600) });
  const label = `${moment(bars[0].at)} – ${moment(end)}，${say("bars", { every: long, most })}`;
  const wide = 10 * Math.max(bars.length, 12);
  const drawing = svg("svg", { viewBox: `0 0 ${wide} 60`, preserveAspectRatio: "none", class: "course", role: "img", "aria-label": label },
    rect("base", 0, wide, 59.5, 0.5), ...columns);
  return [drawing, element("p", { className: "about", textContent: label })];
}

async function act(action) {
  const reason = at("reason").value.trim();
  const reasoned = action === "close" || action === "false";
  if (reasoned && !reason) {
    at("reason").focus();
    throw new Error(words.reason_needed);
  }
  const days = reasoned && chosen.kind === "burst" ? Number(at("days").value) : 0;
  const id = chosen.id;
  try {
    await ask(`warnings/${encodeURIComponent(id)}`, { method: "POST", body: { action, reason, suppress_days: days } });
    at("reason").value = "";
    at("days").value = "0";
    at("detail-state").textContent = say("done", { action: words[action === "false" ? "mark_false" : action] });
  } finally {  // after a conflict it is as somebody else has left it
    await choose(id);
    await list();
    if (days) await muted();
  }
}

// --- where and of what

function heatOf(count, expected) {
  const beyond = (count - expected) / Math.sqrt(Math.max(1, expected));
  if (count < 3 || beyond < 1) return 0;
  return beyond < 2 ? 1 : beyond < 3 ? 2 : 3;
}

function cell(count, expected) {
  const known = expected !== undefined;
  const heat = known ? heatOf(count, expected) : 0;
  const made = element("td", { className: `num heat-${heat}` });
  if (!count) return made;
  made.append(element("b", { textContent: `${["", "", "↑ ", "↑↑ "][heat]}${count}` }));
  if (known) made.append(" ", element("small", { textContent: say("usual", { n: round(expected) }) }));
  return made;
}

async function heat() {
  const told = await ask(`warnings/heat?days=${at("heat-days").value}`);
  const columns = told.categories.map((_, i) => i).filter((i) => told.counts.some((row) => row[i]));
  const rows = told.places.map((_, i) => i).filter((i) => told.counts[i].some(Boolean));
  at("heat-state").textContent = !rows.length ? words.no_contacts : told.expected ? words.quiet : words.unknown;
  const head = (name, scope) => element("th", { scope, textContent: name });
  const top = element("tr", {}, element("td"), ...columns.map((i) => head(told.categories[i].name, "col")));
  const lines = rows.map((row) => element("tr", {}, head(told.places[row].name, "row"),
    ...columns.map((i) => cell(told.counts[row][i], told.expected?.[row][i]))));
  const table = element("table", { className: "heat" }, element("thead", {}, top), element("tbody", {}, ...lines));
  at("heat").replaceChildren(...(rows.length ? [table] : []));
}

async function matters() {
  const found = (await ask("warnings/matters?days=7")).matters.filter((each) => each.voices > 1);
  const most = Math.max(1, ...found.map((each) => each.voices));
  const items = found.map((each) => make("matter", {
    title: each.title,
    bar: bar(each.voices, most),
    told: say("matter", { n: each.voices, from: moment(each.begun_at), to: moment(each.last_at) }),
  }));
  at("matters").replaceChildren(...(items.length ? items : [element("li", { className: "empty", textContent: words.no_matters })]));
}

async function forecast() {
  const { hours } = await ask(`warnings/forecast?hours=${HOURS}`);
  const most = Math.max(1, ...hours.map((each) => each.expected));
  const rows = hours.some((each) => each.expected > 0) ? hours.map((each) => {
    const some = each.categories.filter((one) => one.expected >= 0.5).slice(0, 3);
    const names = some.map((one) => `${one.name} ${round(one.expected)}`).join("、");
    return make("bar", { name: clockOf(each.at), bar: bar(each.expected, most), count: round(each.expected), note: names && say("top", { names }) });
  }) : [element("tr", {}, element("td", { className: "empty", textContent: words.no_forecast }))];
  at("forecast").replaceChildren(...rows);
}

async function muted() {
  const { suppressions } = await ask("warnings/suppressions");
  at("muted-state").textContent = suppressions.length ? "" : words.no_muted;
  at("muted").replaceChildren(...suppressions.map((each) => {
    const cellName = [each.place_name || words.anywhere, each.category_name || words.anything].join(" · ");
    const what = `${cellName} · ${say("muted_until", { at: moment(each.until) })} · ${each.who}：${each.reason}`;
    const made = make("mute", { what });
    const button = made.querySelector("button");
    button.hidden = !detail.dataset.may;
    button.addEventListener("click", () => attempt(button, async () => {
      await ask(`warnings/suppressions/${each.id}`, { method: "DELETE" });
      await muted();
      at("muted-state").textContent = words.unmuted;
    }));
    return made;
  }));
}

for (const form of view.querySelectorAll("form")) form.addEventListener("submit", (event) => event.preventDefault());
at("state").addEventListener("change", () => attempt(at("list"), list));
at("heat-days").addEventListener("change", () => attempt(at("heat"), heat));
if (at("act")) for (const button of at("act").querySelectorAll("[data-act]")) {
  button.addEventListener("click", () => attempt(button, () => act(button.dataset.act)));
}
const asked = fragment();
attempt(at("list"), list);
if (asked) attempt(detail, () => choose(asked));
for (const [id, work] of [["heat", heat], ["matters", matters], ["forecast", forecast], ["muted", muted]]) attempt(at(id), work);
setInterval(() => document.hidden || attempt(at("list"), list), LOOK_EVERY_MS);
