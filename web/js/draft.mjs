// Keeps a plan under review in this tab's own store, so that a reload loses no edit and no other tab sees it. The node
// carries only the draft's key, in its properties, which the frontend saves with the workflow.
import { app } from "../../../scripts/app.js";

const PREFIX = "IIG.Review.";
const PROPERTY = "iig_review";
const MOST = 12; // drafts; the oldest go
const MOST_CHARACTERS = 400_000;

// A copied node has its original's properties, hence the node's id in the key.
function keyOf({ node }) {
  const own = node.properties?.[PROPERTY];
  return own ? `${PREFIX}${own}.${node.id}` : null;
}

export function keep(record) {
  const { node, base, review, edits, accepted } = record;
  const text = JSON.stringify({ base, review, edits, accepted, at: Date.now() });
  if (!review || text.length > MOST_CHARACTERS) return;
  if (!keyOf(record)) {
    node.properties[PROPERTY] = newKey();
    captureState(); // so that the draft is found after a reload
  }
  makeRoom();
  try {
    sessionStorage.setItem(keyOf(record), text);
  } catch {
    // A full store: the plan stays under review until the page is left.
  }
}

export function kept(record) {
  const key = keyOf(record);
  const text = key && sessionStorage.getItem(key);
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null; // not ours
  }
}

export function forget(record) {
  const key = keyOf(record);
  if (key) sessionStorage.removeItem(key);
}

// The frontend notices what its own controls change; what ours change it is told, so that a reload and an undo know of it.
export function captureState() {
  const tracker = app.extensionManager.workflow?.activeWorkflow?.changeTracker;
  if (tracker?.captureCanvasState) tracker.captureCanvasState();
  else tracker?.checkState?.(); // the older name
}

// crypto.randomUUID is missing where ComfyUI is reached by plain HTTP from another computer.
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint32Array(3)), (part) => part.toString(36)).join("");
}

function makeRoom() {
  const drafts = Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX));
  const age = (key) => JSON.parse(sessionStorage.getItem(key)).at ?? 0;
  for (const key of drafts.sort((a, b) => age(a) - age(b)).slice(0, Math.max(0, drafts.length - MOST + 1))) sessionStorage.removeItem(key);
}
