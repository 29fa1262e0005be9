// The key goes into one request's header, and a cookie that scripts cannot read comes back.
const form = document.getElementById("login");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = document.getElementById("key");
  const answer = await fetch("/console/session", {
    method: "POST", headers: { authorization: `Bearer ${key.value.trim()}` },
  });
  if (answer.ok) return location.reload();
  const told = await answer.json().catch(() => ({ detail: answer.statusText }));
  document.getElementById("wrong").textContent = form.dataset.wrong + told.detail;
  key.select();
});
