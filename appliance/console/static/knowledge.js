// Search, what is missing, and what waits for a second pair of eyes.
"use strict";

const SOON_DAYS = 30;
const MOST_DRAFTS = 50;
const waiting = at("waiting");

// --- an entry's facts

const graded = (text, grade) => element("span", { className: `mark ${grade}`, textContent: text });

function validity(entry) {
  const parts = [];
  if (entry.valid_from) parts.push(say("since", { from: entry.valid_from }));
  parts.push(entry.valid_to ? say("until", { to: entry.valid_to }) : words.always);
  const now = Date.now() / 1000;
  const text = [parts.join(" ")];
  if (entry.valid_to && entry.valid_to < dayOf(now)) text.push(" ", graded(`✕ ${words.expired}`, "bad"));
  else if (entry.valid_to && entry.valid_to < dayOf(now + SOON_DAYS * DAY_S)) text.push(" ", graded(`! ${words.soon}`, "look"));
  if (entry.valid_from > dayOf(now)) text.push(" ", graded(`! ${words.not_yet}`, "look"));
  return text;
}

function about(entry) {
  const source = entry.source ? `${words.source}：${entry.source}` : words.no_source;
  const scope = entry.scope ? placeName(entry.scope) : words.whole_city;
  return { title: entry.questions[0] || entry.id, department: entry.department, source, scope, valid: validity(entry) };
}

// Text between two characters, what was asked marked; the box counts code points.
function marked(characters, begin, end, marks) {
  const pieces = [];
  let from = begin;
  for (const [first, last] of [...marks].sort((a, b) => a[0] - b[0])) {
    const [left, right] = [Math.max(first, from), Math.min(last, end)];
    if (right <= left) continue;
    pieces.push(characters.slice(from, left).join(""), element("mark", { textContent: characters.slice(left, right).join("") }));
    from = right;
  }
  pieces.push(characters.slice(from, end).join(""));
  return pieces;
}

function foundItem({ entry, confidence, begin, end, marks, also }) {
  const characters = Array.from(entry.answer);
  const whole = begin === 0 && end >= characters.length;
  const passage = marked(characters, begin, end, marks);
  if (begin > 0) passage.unshift("… ");
  if (end < characters.length) passage.push(" …");
  return make("found", {
    ...about(entry),
    bar: bar(confidence, 1),
    sure: say("sure", { n: Math.round(100 * confidence) }),
    passage,
    more: !whole,
    answer: marked(characters, 0, characters.length, marks),
    judged: entry.taken || entry.rejected ? say("judged", entry) : "",
    also: also.length ? say("also", { n: also.length }) : "",
  });
}

async function search() {
  const wanted = { q: at("question").value.trim(), place: at("place").value, day: at("day").value, most: 10 };
  if (!wanted.q) return;
  at("search-state").textContent = words.reading;
  at("results").replaceChildren();
  try {
    const { found } = await ask(`knowledge/search?${query(wanted)}`);
    at("results").replaceChildren(...found.map(foundItem));
    at("search-state").textContent = found.length ? say("found", { n: found.length }) : words.nothing;
  } catch (failure) {
    at("search-state").textContent = "";
    throw failure;
  }
}

// --- gaps

function gapItem(gap, most) {
  const samples = gap.samples.map((sample) => element("li", {}, sample.text, " ", element("small", { textContent: moment(sample.at) })));
  const made = make("gap", {
    count: say("asked", { n: gap.questions }),
    title: gap.title,
    bar: bar(gap.questions, most),
    place: placeName(gap.place),
    asked: samples.length > 0,
    samples,
    answer: gap.answer && say("answered", { text: gap.answer }),
  });
  made.querySelector("[data-act]").addEventListener("click", (event) => attempt(event.currentTarget, async () => {
    const draft = await ask(`knowledge/gaps/${encodeURIComponent(gap.id)}/draft`, { method: "POST" });
    await Promise.all([gaps(), drafts()]);
    at("gaps-state").textContent = words.drafted;
    show(draft.id);
  }));
  return made;
}

async function gaps() {
  const found = (await ask("knowledge/gaps")).gaps;
  const all = found.reduce((sum, gap) => sum + gap.questions, 0);
  at("gaps-state").textContent = found.length ? say("gaps", { n: found.length, all }) : words.no_gaps;
  const most = Math.max(1, ...found.map((gap) => gap.questions));
  at("gaps").replaceChildren(...found.map((gap) => gapItem(gap, most)));
}

// --- drafts

function show(id) {
  const made = at("drafts").querySelector(`[data-id="${CSS.escape(id)}"]`);
  if (!made) return;
  made.scrollIntoView({ block: "center" });
  made.querySelector("details").open = true;
  made.querySelector("textarea[name=answer]").focus({ preventScroll: true });
}

const FIELDS = ["questions", "answer", "kind", "department", "scope", "valid_from", "valid_to", "source", "tags"];

function fillForm(form, entry) {
  form.elements.questions.value = entry.questions.join("\n");
  for (const name of ["answer", "source", "valid_to"]) form.elements[name].value = entry[name];
  onSubmit(form, async () => {
    const body = Object.fromEntries(FIELDS.map((name) => [name, entry[name]]));
    body.questions = form.elements.questions.value.split("\n").map((line) => line.trim()).filter(Boolean);
    for (const name of ["answer", "source", "valid_to"]) body[name] = form.elements[name].value.trim();
    const headers = { "if-match": `"${entry.version}"` };
    await ask(`knowledge/${encodeURIComponent(entry.id)}`, { method: "PUT", body, headers });
    await drafts();
    at("drafts-state").textContent = words.saved;
  });
}

function draftItem(entry) {
  const own = waiting.dataset.known && entry.changed_by === waiting.dataset.who;
  const why = [
    entry.replaces ? words.of_change : entry.gap ? words.of_gap : "",
    entry.absorbs.length ? say("retires", { n: entry.absorbs.length, ids: entry.absorbs.join("、") }) : "",
  ].filter(Boolean).join("；");
  const approves = Boolean(waiting.dataset.approves);
  const made = make("draft", {
    ...about(entry),
    answer: entry.answer,
    written: say("written", { who: entry.changed_by, at: moment(entry.changed_at) }),
    why,
    edit: true,
    own: approves && own ? words.own : "",
  });
  made.dataset.id = entry.id;
  fillForm(made.querySelector("form"), entry);
  for (const button of made.querySelectorAll("[data-act]")) {
    button.hidden = !approves;
    if (button.dataset.act === "approve" && own) button.remove();
    button.addEventListener("click", () => attempt(button, () => decide(entry, button.dataset.act)));
  }
  return made;
}

async function decide(entry, act) {
  const headers = act === "approve" ? { "if-match": `"${entry.version}"` } : {};
  await ask(`knowledge/${encodeURIComponent(entry.id)}/${act}`, { method: "POST", headers });
  await Promise.all([gaps(), drafts()]);
  const told = act === "approve" ? "approved" : "retired";
  at("drafts-state").textContent = say(told, { title: entry.questions[0] || entry.id });
}

async function drafts() {
  const { entries, next_page_token: more } = await ask(`knowledge?state=draft&page_size=${MOST_DRAFTS}`);
  const told = more ? "more_drafts" : "drafts";
  at("drafts-state").textContent = entries.length ? say(told, { n: entries.length }) : words.no_drafts;
  at("drafts").replaceChildren(...entries.map(draftItem));
}

onSubmit(at("search"), search);
if (waiting) {
  attempt(at("gaps"), gaps);
  attempt(at("drafts"), drafts);
}
