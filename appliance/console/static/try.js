// A recording by POST, the microphone by WebSocket; the words as they come.
"use strict";

const page = document.getElementById("try");
const [file, drop, speak, state, wrong, words] =
  ["file", "drop", "speak", "state", "wrong", "words"].map((id) => document.getElementById(id));
const SPEAK = speak.textContent;
const RATE_HZ = 16000;
const STEP = 0x2000;  // bytes turned into characters at once
let busy = false;

function begin(text) {
  busy = true;
  words.replaceChildren();
  wrong.textContent = "";
  state.textContent = text;
}

function end(error) {
  busy = false;
  wrong.textContent = error || "";
  state.textContent = error ? "" : words.textContent ? page.dataset.done : page.dataset.nothing;
}

// One paragraph an utterance; a partial is written over until its final comes.
function show(item, text, final) {
  const id = `item-${item}`;
  const line = document.getElementById(id) || words.appendChild(Object.assign(document.createElement("p"), { id }));
  line.textContent = text;
  line.classList.toggle("partial", !final);
}

async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (held + value).split("\n\n");
    held = parts.pop();
    for (const part of parts) if (part.startsWith("data: ")) yield JSON.parse(part.slice(6));
  }
}

async function transcribe(recording) {
  if (busy || !recording) return;
  begin(page.dataset.sending);
  const form = new FormData();
  form.append("file", recording);
  form.append("model", "whisper-1");
  form.append("stream", "true");
  try {
    const answer = await fetch("/v1/audio/transcriptions", { method: "POST", body: form });
    if (!answer.ok) return end((await answer.json()).error.message);
    let text = "";
    for await (const event of events(answer)) {
      if (event.error) return end(event.error.message);
      if (event.type === "transcript.text.delta") show("file", text += event.delta, false);
      if (event.type === "transcript.text.done") show("file", event.text, true);
    }
    end();
  } catch {
    end(page.dataset.lost);
  } finally {
    file.value = "";
  }
}

function base64(buffer) {
  const bytes = new Uint8Array(buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += STEP) text += String.fromCharCode(...bytes.subarray(at, at + STEP));
  return btoa(text);
}

// What is said until `stop` is called.
async function listen() {
  if (busy) return;
  if (!navigator.mediaDevices) return end(page.dataset.insecure);
  begin(page.dataset.listening);
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } }).catch(() => null);
  if (!stream) return end(page.dataset.denied);
  const hush = () => stream.getTracks().forEach((track) => track.stop());
  const context = new AudioContext({ sampleRate: RATE_HZ });
  let microphone;
  try {
    await context.audioWorklet.addModule("/console/static/microphone.js");
    microphone = new AudioWorkletNode(context, "microphone");
    context.createMediaStreamSource(stream).connect(microphone);
  } catch (failure) {
    hush();
    context.close();
    return end(failure.message);
  }
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/v1/realtime?intent=transcription`, "realtime");
  const say = (message) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message));
  let error = page.dataset.lost;
  const stop = () => {
    hush();
    context.close();
    if (socket.readyState === WebSocket.CONNECTING) {
      error = "";
      socket.close();
    }
    say({ type: "input_audio_buffer.done" });
    speak.textContent = SPEAK;
    speak.setAttribute("aria-pressed", "false");
    speak.onclick = listen;
  };
  socket.onopen = () => {
    const session = { input_audio_format: "pcm16", input_audio_params: { sample_rate_hz: RATE_HZ, num_channels: 1 } };
    say({ type: "transcription_session.update", session });
    microphone.port.onmessage = ({ data }) => say({ type: "input_audio_buffer.append", audio: base64(data) });
  };
  socket.onmessage = ({ data }) => {
    const told = JSON.parse(data);
    if (told.type === "error") error = told.error.message;
    else if (told.is_last_result) error = "";
    else if (told.type.endsWith("transcription.delta")) show(told.item_id, told.delta, false);
    else if (told.type.endsWith("transcription.completed")) show(told.item_id, told.transcript, true);
  };
  socket.onclose = () => {
    if (speak.onclick === stop) stop();
    end(error);
  };
  speak.textContent = speak.dataset.stop;
  speak.setAttribute("aria-pressed", "true");
  speak.onclick = stop;
}

file.onchange = () => transcribe(file.files[0]);
speak.onclick = listen;
for (const kind of ["dragover", "dragleave", "drop"]) {
  page.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
  });
}
page.addEventListener("drop", (event) => transcribe(event.dataTransfer.files[0]));
