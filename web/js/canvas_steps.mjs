// Changes of the canvas that a person undoes as one, and where new things go on it.
import { app } from "../../../scripts/app.js";

// Do `change` so that one Ctrl+Z takes all of it back; both frontends watch the canvas for these.
export function asOneStep(change) {
  const { canvas } = app;
  canvas.emitBeforeChange?.();
  canvas.graph?.beforeChange?.();
  try {
    return change();
  } finally {
    canvas.graph?.afterChange?.();
    canvas.emitAfterChange?.();
    canvas.setDirty(true, true);
  }
}

// The middle of what is seen, in the canvas's own pixels.
export function centre() {
  const { ds, canvas } = app.canvas;
  const box = canvas.getBoundingClientRect();
  return [box.width / 2 / ds.scale - ds.offset[0] - 200, box.height / 3 / ds.scale - ds.offset[1] - 100];
}
