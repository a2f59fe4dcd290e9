// The bar below a picture on the canvas: on every node that shows a picture of a plan, from its run on. It is never saved with
// the workflow.
import { app } from "../../../scripts/app.js";
import { nodeById, plannerOf } from "./node_values.mjs";
import { ratingBar } from "./rating_bar.mjs";
import { element } from "./speaking.mjs";
import { tell } from "./standings.mjs";
import { remember, watchCopies } from "./taking_out.mjs";

const KIND = "IIG_RATING"; // a type of our own: newer frontends replace the element of types they know
const OWN = "IIG_SaveImage"; // tells the server by itself what it saved
const LEAST_HEIGHT = 36; // pixels, before the bar is laid out

let latest = null; // id of the picture that came last

export function latestId() {
  return latest;
}

// What ComfyUI tells of a node that ran: `output.images`, and with the pack's own Save node `output.generation`.
export function shown({ node: told, display_node: shownOn, output }) {
  const node = nodeById(shownOn ?? told);
  if (!node) return;
  const text = output.generation?.[0] ?? plannerOf(node)?.iigGeneration;
  if (!text) return detach(node);
  const { id } = JSON.parse(text);
  latest = id;
  for (const image of output.images) remember(image, id);
  if (node.comfyClass !== OWN) noteSaved(id, output.images);
  attach(node, id, text);
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
}

function place(node) {
  const held = { id: null, height: LEAST_HEIGHT, holder: element("div", { style: "width:100%;overflow:hidden" }) };
  held.observer = new ResizeObserver(([{ target }]) => target.offsetHeight && fit(node, held, target.offsetHeight + 4));
  held.widget = node.addDOMWidget("rating", KIND, held.holder, {
    serialize: false, hideOnZoom: false, getMinHeight: () => held.height, getMaxHeight: () => held.height, getValue: () => "", setValue: () => {},
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
