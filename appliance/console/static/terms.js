// The list as it stands, saved as a whole.
"use strict";

const page = document.getElementById("terms");
const [list, save, file, state, wrong] =
  ["list", "save", "file", "state", "wrong"].map((id) => document.getElementById(id));

function tell(text, error) {
  state.textContent = text;
  wrong.textContent = error || "";
}

async function put() {
  tell(page.dataset.saving);
  try {
    const headers = { "content-type": "text/csv; charset=utf-8" };
    const answer = await fetch("/api/v1/terms", { method: "PUT", headers, body: list.value });
    const told = await answer.json();
    if (!answer.ok) return tell("", told.detail);
    const unused = told.terms.filter((term) => term.fault).map((term) => term.text);
    const note = unused.length ? page.dataset.unused + unused.join("、") : "";
    tell(page.dataset.saved + told.terms.length, note);
  } catch {
    tell("", page.dataset.lost);
  }
}

if (save) save.addEventListener("click", put);
file.addEventListener("change", async () => {
  if (file.files.length) list.value = await file.files[0].text();
  file.value = "";
});
