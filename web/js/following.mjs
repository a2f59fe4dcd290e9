// What the server downloads: asked once, then kept up by its events; whoever listens hears every change.
import { api } from "../../../scripts/api.js";
import { ask } from "./speaking.mjs";

const EVENT = "intelligent_generation.download";
const OVER = new Set(["paused", "done", "have_it", "failed", "cancelled"]);
const known = new Map(); // id → download, the oldest first
const listeners = new Set();
let refused = null; // the server's sentence, where downloads are shown on its own computer only
let asked = null;

export function isOver({ state }) {
  return OVER.has(state);
}

export function downloads() {
  return [...known.values()];
}

export function refusal() {
  return refused;
}

// `hear(download or null)` at every change; → a function that ends it.
export function onDownload(hear) {
  listeners.add(hear);
  asked ??= begin();
  return () => listeners.delete(hear);
}

export function take(download) {
  known.set(download.id, download);
  for (const hear of [...listeners]) hear(download);
}

// pause, resume, cancel or forget; a refusal is thrown as `ask` throws it.
export async function act(download, what) {
  const before = known.get(download.id);
  const { download: changed } = await ask(`/hub/downloads/${download.id}/${what}`, {});
  if (changed) return known.get(download.id) === before ? take(changed) : refresh(); // an event that was quicker may be newer
  known.delete(download.id);
  for (const hear of [...listeners]) hear(null);
}

// The download when its file is here, else `null` when it was cancelled or failed.
export function arrival(id) {
  return new Promise((resolve) => {
    const look = (each) => {
      if (each?.id !== id && known.has(id)) return;
      const state = known.get(id)?.state ?? "cancelled";
      if (!["done", "have_it", "failed", "cancelled"].includes(state)) return;
      stop();
      resolve(state === "done" || state === "have_it" ? known.get(id) : null);
    };
    const stop = onDownload(look);
    look(known.get(id));
  });
}

export async function refresh() {
  const before = new Map(known);
  const newest = (each) => (known.get(each.id) === before.get(each.id) ? each : known.get(each.id)); // an event was quicker
  try {
    const told = (await ask("/hub/downloads")).downloads.map(newest);
    known.clear();
    for (const each of told) known.set(each.id, each);
    refused = null;
  } catch (fault) {
    refused = fault.message;
  }
  for (const hear of [...listeners]) hear(null);
}

function begin() {
  api.addEventListener(EVENT, ({ detail }) => take(detail));
  api.addEventListener("reconnected", refresh); // what happened meanwhile was told to nobody
  return refresh();
}
