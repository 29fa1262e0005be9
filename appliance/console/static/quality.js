// How calls were scored, and the words that show it: a click on them plays them.
"use strict";

const inspection = at("inspection");
const audio = at("audio");
const SIGNS = { violated: ["✕", "bad"], unsure: ["?", "look"], kept: ["✓", "good"] };
let played = "";  // the call whose audio is here

const gradeOf = (total) => (total >= 90 ? "good" : total >= 75 ? "look" : "bad");

// --- one call

async function load(call) {
  try {
    return await ask(`calls/${encodeURIComponent(call)}/quality`);
  } catch (failure) {
    if (failure.status === 404) throw new Error(words.not_inspected);
    throw failure;
  }
}

async function open(call) {
  const told = await load(call);
  if (audio && played !== told.call) silence();
  draw(told);
  at("call").value = call;
  history.replaceState(null, "", `#${encodeURIComponent(call)}`);
  at("inspection-title").focus({ preventScroll: true });
  inspection.scrollIntoView({ block: "start" });
}

function draw(told, note = "") {
  inspection.hidden = false;
  const total = at("total");
  total.className = told.total === null ? "total" : `total mark ${gradeOf(told.total)}`;
  total.textContent = told.total === null ? words.no_total : say("points", { n: told.total });
  const agent = told.agent ? say("agent", { name: told.agent }) : words.no_agent;
  at("about").textContent = [agent, told.call, say("inspected", { at: moment(told.at), pack: told.pack })].join(" · ");
  at("inspection-state").textContent = note;
  const judged = told.findings.filter((each) => each.finding !== "kept" || each.appeal);
  const kept = told.findings.filter((each) => each.finding === "kept" && !each.appeal);
  const rows = judged.map((each) => findingItem(told, each));
  at("findings").replaceChildren(...(rows.length ? rows : [element("p", { className: "empty", textContent: words.no_findings })]));
  at("kept").hidden = !kept.length;
  at("kept").querySelector("summary").textContent = say("kept_rules", { n: kept.length });
  at("kept").querySelector("div").replaceChildren(...kept.map((each) => findingItem(told, each)));
}

function findingItem(told, finding) {
  const [sign, grade] = SIGNS[finding.finding] || ["", ""];
  const events = told.events.filter((event) => event.rule === finding.rule);
  const actions = possible(finding);
  const made = make("finding", {
    mark: `${sign} ${words[finding.finding] || finding.finding}`,
    name: finding.name,
    group: finding.group,
    severity: words[finding.severity] || finding.severity,
    points: finding.points ? say("off", { n: finding.points }) : "",
    eased: finding.eased ? words.eased : "",
    first: finding.first === finding.finding ? "" : say("overridden_from", { first: words[finding.first] || finding.first }),
    appeal: finding.appeal ? words[finding.appeal] || finding.appeal : "",
    proofs: finding.proofs.length ? finding.proofs.map((proof) => proofItem(told.call, proof)) : "",
    advice: finding.finding === "violated" ? finding.advice : "",
    events: events.length ? events.map(eventItem) : "",
    decide: actions.length > 0,
    decide_title: actions.map((one) => words[one.name]).join(" / "),
    buttons: actions.map((one) => element("button", { type: "button", className: "plain", textContent: words[one.name], value: one.name })),
  });
  made.querySelector(".mark").classList.add(grade);
  const form = made.querySelector("form");
  if (form) {
    form.addEventListener("submit", (event) => event.preventDefault());
    for (const button of form.querySelectorAll("button")) {
      const one = actions.find((each) => each.name === button.value);
      button.addEventListener("click", () => attempt(button, () => act(told.call, finding.rule, one, form)));
    }
  }
  return made;
}

function eventItem(event) {
  const who = `${moment(event.at)} ${event.who} ${words[event.action] || event.action}：`;
  return element("li", {}, element("small", { textContent: who }), event.reason);
}

// As the desk has it: an appeal against what was taken off, once; what was overridden is final.
function possible(finding) {
  const found = [], { appeal } = finding, is = (what) => finding.finding === what;
  if (inspection.dataset.appeals && is("violated") && ["", "confirmed", "found"].includes(appeal)) found.push({ name: "appeal", action: "appeal" });
  if (!inspection.dataset.decides || appeal === "overridden") return found;
  if (appeal === "open") found.push({ name: "uphold", action: "uphold" });
  if (!appeal && !is("unsure")) found.push({ name: "confirm", action: "confirm" });
  if (is("unsure")) {
    for (const what of ["kept", "violated"]) found.push({ name: `find_${what}`, action: "override", finding: what });
  } else found.push({ name: "override", action: "override" });
  return found;
}

async function act(call, rule, { name, action, finding }, form) {
  const reason = form.elements.reason.value.trim();
  if (!reason) {
    form.elements.reason.focus();
    throw new Error(words.reason_needed);
  }
  const path = `calls/${encodeURIComponent(call)}/quality/${encodeURIComponent(rule)}`;
  try {
    draw(await ask(path, { method: "POST", body: { action, finding, reason } }), say("done", { action: words[name] }));
  } catch (failure) {
    if (failure.status === 409) draw(await load(call), failure.message);  // somebody was before
    else throw failure;
  }
}

// --- the kept audio: fetched once a call, for that is in the audit log; played from memory

function proofItem(call, proof) {
  const when = length(proof.start_ms);
  const said = `“${proof.words}”`;
  if (!audio) return element("li", {}, element("span", { className: "when", textContent: when }), " ", said);
  const button = element("button", { className: "plain play", textContent: `▶ ${when}` });
  button.setAttribute("aria-label", say("play", { at: when }));
  button.addEventListener("click", () => attempt(button, () => play(call, proof)));
  return element("li", {}, button, " ", said);
}

function silence() {
  audio.pause();
  if (audio.src) URL.revokeObjectURL(audio.src);
  audio.removeAttribute("src");
  audio.load();
  at("player").hidden = true;
  played = "";
}

async function fetched(call) {
  const answer = await fetch(`/api/v1/calls/${encodeURIComponent(call)}/audio`).catch(() => null);
  if (!answer) throw new Error(words.lost);
  if (answer.status === 404) throw new Error(words.no_audio);
  if (!answer.ok) throw new Refusal(answer.status, (await answer.json().catch(() => ({}))).detail);
  const data = await answer.arrayBuffer();
  if (!data.byteLength) throw new Error(words.no_audio);
  return URL.createObjectURL(new Blob([data], { type: answer.headers.get("content-type") }));
}

const ready = () => new Promise((resolve, reject) => {
  audio.onloadedmetadata = () => resolve();
  audio.onerror = () => reject(new Error(words.bad_audio));
});

async function play(call, proof) {
  const now = at("now");
  at("player").hidden = false;
  if (played !== call) {
    now.textContent = words.loading_audio;
    try {
      const source = await fetched(call);
      const loaded = ready();
      audio.src = source;
      await loaded;
    } catch (failure) {
      silence();
      now.textContent = "";
      throw failure;
    }
    played = call;
  }
  audio.currentTime = proof.start_ms / 1000;
  now.textContent = say("playing", { at: length(proof.start_ms), words: proof.words });
  await audio.play();
}

// --- which calls

function callRow(each) {
  const row = make("call", {
    call: each.call,
    agent: each.agent || words.no_agent,
    at: moment(each.at),
    bar: each.total === null ? "" : bar(each.total, 100),
    total: each.total === null ? "–" : String(each.total),
    violated: String(each.violated),
    appeals: String(each.open_appeals),
  });
  row.querySelector("button").addEventListener("click", (event) => attempt(event.currentTarget, () => open(each.call)));
  return row;
}

async function sample() {
  const state = at("pick-state");
  const wanted = { by: at("by").value, n: 20, agent: at("agent").value.trim() };
  const { calls } = await ask(`quality/sample?${query(wanted)}`);
  at("calls-table").hidden = !calls.length;
  at("calls-rows").replaceChildren(...calls.map(callRow));
  state.textContent = calls.length ? say("listed", { n: calls.length }) : words.no_calls;
}

// --- statistics

// On a narrow page a table has no head: each number says what it counts.
function figureRow(values, ...labels) {
  const row = make("figure", values);
  row.querySelectorAll(".num").forEach((cell, i) => { cell.dataset.label = labels[i]; });
  return row;
}

function agentRow(each) {
  const row = figureRow({
    name: each.agent || words.no_agent,
    calls: String(each.calls),
    count: String(each.violated),
    bar: interval(each.mean / 100, each.low / 100, each.high / 100),
    value: each.mean.toFixed(1),
    between: `${each.low.toFixed(0)}–${each.high.toFixed(0)}`,
  }, words.label_calls, words.label_violated);
  if (!each.agent) return row;
  const name = element("button", { className: "link", textContent: each.agent });
  name.addEventListener("click", () => {
    at("agent").value = each.agent;
    attempt(at("sample"), sample);
    at("sample").scrollIntoView({ block: "center" });
  });
  row.querySelector("th").replaceChildren(name);
  return row;
}

function ruleRow(each) {
  const percent = (share) => (100 * share).toFixed(0);
  return figureRow({
    name: facts.rules[each.rule] || each.rule,
    calls: String(each.calls),
    count: String(each.overridden),
    bar: each.calls ? interval(each.share, each.low, each.high) : "",
    value: each.calls ? `${percent(each.share)} %` : "–",
    between: each.calls ? `${percent(each.low)}–${percent(each.high)}` : "",
    note: each.often_overruled ? `! ${words.often}` : "",
  }, words.label_judged, words.label_overridden);
}

async function figures() {
  const since = new Date(Date.now() - Number(at("days").value) * DAY_S * 1000).toISOString();
  const told = await ask(`quality/statistics?${query({ since })}`);
  const parts = told.calls ? [say("of_calls", { n: told.calls, mean: told.mean })] : [words.no_statistics];
  if (told.kappa !== null) parts.push(say("kappa", { n: told.kappa }));
  at("figures-state").textContent = parts.join(" · ");
  at("figures-tables").hidden = !told.rules.length;
  at("agents").replaceChildren(...told.agents.map(agentRow));
  const never = told.rules.filter((each) => !each.violated);
  at("rules").replaceChildren(...told.rules.filter((each) => each.violated).map(ruleRow));
  at("rules-more").replaceChildren(...never.map(ruleRow));
  at("more").hidden = !never.length;
  at("more").textContent = say("more_rules", { n: never.length });
}

onSubmit(at("open"), () => open(at("call").value.trim()));
if (at("sample")) {
  onSubmit(at("sample"), sample);
  attempt(at("sample"), sample);
}
if (at("figures")) {
  at("more").addEventListener("click", () => {
    at("rules-more").hidden = !at("rules-more").hidden;
    at("more").setAttribute("aria-expanded", String(!at("rules-more").hidden));
  });
  at("figures").addEventListener("submit", (event) => event.preventDefault());
  at("days").addEventListener("change", () => attempt(at("figures"), figures));
  attempt(at("figures"), figures);
}
const asked = fragment();
if (asked) attempt(at("open"), () => open(asked));
