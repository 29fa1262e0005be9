// Hands over what a microphone hears, 16-bit, a tenth of a second at a time.
"use strict";

const STEP = 1600;  // samples

class Microphone extends AudioWorkletProcessor {
  held = new Int16Array(STEP);
  count = 0;

  process([[samples]]) {
    for (const sample of samples || []) {
      this.held[this.count++] = Math.max(-1, Math.min(1, sample)) * 32767;
      if (this.count < STEP) continue;
      this.port.postMessage(this.held.buffer, [this.held.buffer]);
      this.held = new Int16Array(STEP);
      this.count = 0;
    }
    return true;
  }
}

registerProcessor("microphone", Microphone);
