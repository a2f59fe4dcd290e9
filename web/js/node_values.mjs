// What an Auto Pipeline on the canvas is set to, as its schema names it; and which one a picture's node hangs on.
import { app } from "../../../scripts/app.js";

export const AUTO = "IIG_AutoPipeline";
const PLANNERS = new Set([AUTO]);
const PICTURES = new Set(["IMAGE", "LATENT", "*"]); // links that a picture comes by; a plan or a batch is none
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

// All a node is set to but the widgets in `aside`, as text to compare.
export function askedOf(node, aside) {
  const { values, linked } = valuesOf(node);
  for (const name of aside) delete values[name];
  return JSON.stringify([values, linked]);
}

// The planning node whose picture `node` shows: itself, or the nearest one upstream by way of pictures, in and out of
// subgraphs; `null` where there is none.
export function plannerOf(node) {
  const queue = [node], seen = new Set();
  while (queue.length && seen.size < FAR) {
    const each = queue.shift();
    if (!each || seen.has(each)) continue;
    seen.add(each);
    if (PLANNERS.has(each.comfyClass)) return each;
    for (const { link, type } of each.inputs ?? []) if (link != null && PICTURES.has(type)) queue.push(sourceOf(each.graph, link));
  }
  return null;
}

// The node at the other end of a link, through the borders of subgraphs; one behind a subgraph's own input only when it is
// on the canvas once.
function sourceOf(graph, id) {
  const link = graph?.getLink?.(id) ?? graph?.links?.get?.(id) ?? graph?.links?.[id];
  if (!link) return null;
  const origin = graph.getNodeById(link.origin_id);
  if (origin?.subgraph) return sourceOf(origin.subgraph, origin.subgraph.outputs?.[link.origin_slot]?.linkIds?.[0]);
  if (origin) return origin;
  const outside = holders(app.graph.rootGraph ?? app.graph).find((each) => each.subgraph === graph);
  return outside ? sourceOf(outside.graph, outside.inputs?.[link.origin_slot]?.link) : null;
}

function holders(graph) {
  return (graph.nodes ?? graph._nodes ?? []).flatMap((node) => (node.subgraph ? [node, ...holders(node.subgraph)] : []));
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

// Whether a node is still on the canvas. A cleared graph leaves its nodes as they were, and an undo makes new ones.
export function isThere(node) {
  return holds(app.graph.rootGraph ?? app.graph, node);
}

function holds(graph, node) {
  return (graph.nodes ?? graph._nodes ?? []).some((each) => each === node || (each.subgraph && holds(each.subgraph, node)));
}
