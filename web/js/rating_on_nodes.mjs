// The bar below a picture on the canvas: on every node that shows a picture of a plan, from its run on. It is never saved with
// the workflow.
import { app } from "../../../scripts/app.js";
import { isThere, plannerOf } from "./node_values.mjs";
import { pictureUrl } from "./pictures.mjs";
import { pngText } from "./png_texts.mjs";
import { ratingBar } from "./rating_bar.mjs";
import { element } from "./speaking.mjs";
import { tell } from "./standings.mjs";
import { remember, watchCopies } from "./taking_out.mjs";

const KIND = "IIG_RATING"; // a type of our own: newer frontends replace the element of types they know
const PNG_KEY = "intelligent_generation";
const OWN = "IIG_SaveImage"; // tells the server by itself what it saved
const MARGIN = 6; // pixels around the bar
const LEAST_HEIGHT = 26 + 2 * MARGIN; // pixels, before the bar is laid out

let latest = null; // id of the picture that came last

export function latestId() {
  return latest;
}

// A node shows pictures anew: `output.images`, and from the pack's own Save node `output.generation`. `announced` tells which
// node planned which generation.
export async function shown(node, output, announced) {
  node.iigShows = output;
  const text = output.generation?.[0] ?? (await textOf(node, output.images[0], announced));
  if (node.iigShows !== output || !isThere(node)) return; // the next picture came meanwhile, or the node went
  if (!text) return detach(node);
  const { id } = JSON.parse(text);
  latest = id;
  for (const image of output.images) remember(image, id);
  if (node.comfyClass !== OWN) noteSaved(id, output.images);
  attach(node, id, text);
}

// The picture says itself whose it is, whatever was cached; unless another planning node ran last in the same prompt, or
// ComfyUI writes no texts: then it is what the node that this one hangs on made last.
async function textOf(node, image, announced) {
  const planner = plannerOf(node);
  if (!planner) return null;
  const own = await fetch(pictureUrl(image)).then((answer) => answer.blob()).then((file) => pngText(file, PNG_KEY)).catch(() => null);
  const by = own ? announced.get(JSON.parse(own).id) : null;
  const isOther = by?.graph && by !== planner; // a node that was taken away, or went into a subgraph, is none
  return own && !isOther ? own : planner.iigGeneration ?? own;
}

// Pictures that another node saved are known to the server by no other way; where it cannot take that in, the picture is
// only missing from the list of recent ones.
function noteSaved(id, images) {
  const saved = images.filter(({ type }) => type === "output").map(({ filename, subfolder }) => [subfolder, filename].filter(Boolean).join("/"));
  if (saved.length) tell("/feedback/pictures", id, { pictures: saved.slice(0, 100) }).then(() => window.dispatchEvent(new Event("iig-pictures")), () => {});
}

function attach(node, id, generation) {
  const held = node.iigRating ?? (node.iigRating = place(node));
  if (held.id === id) return;
  held.id = id;
  held.holder.replaceChildren(ratingBar({ id, generation }));
  held.observer.disconnect();
  held.observer.observe(held.holder.firstChild);
  for (const later_ms of [0, 400]) setTimeout(() => toEnd(node, held.widget), later_ms); // the picture's own widget may come later
}

function toEnd(node, widget) {
  const at = node.widgets?.indexOf(widget) ?? -1;
  if (at < 0) return;
  node.widgets.splice(at, 1);
  node.widgets.push(widget);
  grow(node, 0);
}

function place(node) {
  const held = { id: null, height: LEAST_HEIGHT, holder: element("div", { style: "width:100%;overflow:hidden" }) };
  held.observer = new ResizeObserver(([{ target }]) => target.offsetHeight && fit(node, held, target.offsetHeight + 2 * MARGIN));
  held.widget = node.addDOMWidget("rating", KIND, held.holder, {
    serialize: false, hideOnZoom: false, margin: MARGIN, getMinHeight: () => held.height, getMaxHeight: () => held.height, getValue: () => "", setValue: () => {},
  });
  held.widget.serialize = false;
  grow(node, held.height);
  watchCopies(node, () => node.iigRating?.id);
  return held;
}

function detach(node) {
  const held = node.iigRating;
  if (!held) return;
  held.observer.disconnect();
  node.removeWidget?.(held.widget);
  node.iigRating = null;
}

function fit(node, held, height) {
  if (height === held.height) return;
  const by = height - held.height;
  held.height = height;
  grow(node, by);
}

function grow(node, by) {
  node.setSize([node.size[0], Math.max(node.size[1] + by, node.computeSize()[1])]);
  node.graph?.setDirtyCanvas?.(true, true);
  app.canvas?.setDirty?.(true, true);
}
