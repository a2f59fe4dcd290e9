// What of our batches runs or waits in ComfyUI's queue, and how the waiting part of one is taken out of it.
import { api } from "../../../scripts/api.js";

// → Map of batch id → {pending: Map of place → prompt id, running: place or null, sheets: [prompt ids]}
export async function byId() {
  const queue = await (await api.fetchApi("/queue")).json();
  const found = new Map();
  for (const entry of queue.queue_running ?? []) note(found, entry, (held, place) => (held.running = place));
  for (const entry of queue.queue_pending ?? []) note(found, entry, (held, place) => held.pending.set(place, entry[1]));
  return found;
}

// Take what waits of a batch out of the queue, its contact sheet included; what runs goes on. → how many pictures
export async function cancelWaiting(id) {
  const held = (await byId()).get(id);
  if (!held) return 0;
  const prompts = [...held.pending.values(), ...(held.running === null ? held.sheets : [])];
  await api.fetchApi("/queue", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ delete: prompts }),
  });
  return held.pending.size;
}

function note(found, entry, found_at) {
  for (const { class_type: kind, inputs = {} } of Object.values(entry[2] ?? {})) {
    const mark = String(inputs.batch ?? "");
    const saved = kind === "IIG_SaveImage" && /^(.+):(\d+)$/.exec(mark);
    if (saved) found_at(heldIn(found, saved[1]), Number(saved[2]));
    if (kind === "IIG_ContactSheet" && mark) heldIn(found, mark).sheets.push(entry[1]);
  }
}

function heldIn(found, id) {
  if (!found.has(id)) found.set(id, { pending: new Map(), running: null, sheets: [] });
  return found.get(id);
}
