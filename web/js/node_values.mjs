// What an Auto Pipeline on the canvas is set to, as its schema names it; and which one a picture's node hangs on.
import { app } from "../../../scripts/app.js";

export const AUTO = "IIG_AutoPipeline";
const PLANNERS = new Set([AUTO]);
const FAR = 200; // nodes walked upstream before a graph counts as unrelated

export function widget(node, name) {
  return node.widgets?.find((each) => each.name === name);
}

export function setWidget(node, name, value) {
  const found = widget(node, name);
  if (!found || found.value === value) return;
  found.value = value;
  found.callback?.(value, app.canvas, node);
  node.graph?.setDirtyCanvas?.(true, true);
}

// {values: {name: value} of every widget that is the person's own, linked: [names that come by a link]}
export function valuesOf(node) {
  const linked = (node.inputs ?? []).filter(({ link }) => link != null).map(({ name }) => name);
  const own = (node.widgets ?? []).filter(({ name, type, serialize }) => name && type !== "button" && serialize !== false);
  const values = Object.fromEntries(own.filter(({ name }) => !linked.includes(name)).map(({ name, value }) => [name, value]));
  delete values.control_after_generate;
  return { values, linked };
}

// The planning node whose picture `node` shows: itself, or the nearest one upstream; `null` where there is none.
export function plannerOf(node) {
  const queue = [node], seen = new Set();
  while (queue.length && seen.size < FAR) {
    const each = queue.shift();
    if (!each || seen.has(each.id)) continue;
    seen.add(each.id);
    if (PLANNERS.has(each.comfyClass)) return each;
    for (const [slot] of (each.inputs ?? []).entries()) queue.push(each.getInputNode?.(slot));
  }
  return null;
}

// A node by the id an event names ("12", "5:12" inside a subgraph); `null` where it is not on this canvas.
export function nodeById(id) {
  let graph = app.graph, node = null;
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById(Number(part)) ?? null;
    graph = node?.subgraph;
  }
  return node;
}
