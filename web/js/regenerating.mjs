// A picture's plan once more with another seed: by the node on the canvas that made it, so that the picture shows there, else
// in a small graph of its own.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { ask, speaker, toast } from "./speaking.mjs";
import { AUTO, nodeById, valuesOf, widget } from "./node_values.mjs";
import { act } from "./standings.mjs";

const say = speaker({
  en: { queued: "Queued once more with seed {seed}", refused: "Not queued", unmade: "ComfyUI does not know the Auto Pipeline node. Reload the page." },
  es: { queued: "En cola otra vez con la semilla {seed}", refused: "No se puso en cola", unmade: "ComfyUI no conoce el nodo «Generación automática». Hay que recargar la página." },
});
const SEEDS = 2 ** 50; // as many as ComfyUI's own random seeds
const MAKE = "iig_again", SAVE = "iig_again_save"; // names that no node of a canvas has

// → whether it was queued
export async function regenerate(id) {
  const seed = Math.floor(Math.random() * SEEDS);
  try {
    const found = await ask(`/feedback/generation?id=${encodeURIComponent(id)}`);
    const wanted = { accepted_plan: JSON.stringify(found.made.generation.plan), mode: "auto", seed };
    await api.queuePrompt(0, (await onCanvas(id, wanted)) ?? apart(wanted));
    toast("info", say("queued", { seed }), "", 4000);
  } catch (fault) {
    toast("error", say("refused"), faultOf(fault), 12000);
    return false;
  }
  act(id, "regenerated");
  return true;
}

// ComfyUI refuses with a whole answer, whose sentence is inside.
function faultOf(fault) {
  const told = Object.values(fault.response?.node_errors ?? {}).flatMap(({ errors }) => errors.map(({ details, message }) => details || message));
  return told[0] ?? fault.response?.error?.message ?? fault.message;
}

// The canvas as it is, cut down to what hangs on the node that made this picture; `null` where none did.
async function onCanvas(id, wanted) {
  const maker = makers(app.graph).find((node) => idIn(node.iigGeneration) === id);
  if (!maker) return null;
  const seed = widget(maker, "seed"), before = seed?.value;
  if (seed) seed.value = wanted.seed; // in the workflow that the picture carries, too
  try {
    const { output, workflow } = await app.graphToPrompt();
    const key = Object.keys(output).find((name) => nodeById(name) === maker);
    if (!key) return null; // muted or bypassed since
    Object.assign(output[key].inputs, wanted);
    return { output: around(output, key), workflow };
  } finally {
    if (seed) seed.value = before;
  }
}

function makers(graph) {
  const nodes = graph?.nodes ?? graph?._nodes ?? [];
  return nodes.flatMap((node) => (node.subgraph ? makers(node.subgraph) : node.comfyClass === AUTO ? [node] : []));
}

function idIn(text) {
  return text ? JSON.parse(text).id : undefined;
}

// The nodes behind `key` with all they need; nothing else of the workflow runs.
function around(output, key) {
  const sources = (name) => Object.values(output[name]?.inputs ?? {}).filter(Array.isArray).map(([source]) => String(source));
  const wanted = grown(new Set([key]), () => Object.keys(output), (name, held) => sources(name).some((each) => held.has(each)));
  const needed = grown(wanted, (held) => [...held].flatMap(sources), () => true);
  return Object.fromEntries(Object.entries(output).filter(([name]) => needed.has(name)));
}

function grown(start, offered, fits) {
  const held = new Set(start);
  for (let before = -1; before !== held.size; ) {
    before = held.size;
    for (const name of offered(held)) if (fits(name, held)) held.add(name);
  }
  return held;
}

function apart(wanted) {
  const node = window.LiteGraph.createNode(AUTO), save = window.LiteGraph.createNode("IIG_SaveImage");
  if (!node || !save) throw new Error(say("unmade"));
  const links = { images: [MAKE, 0], plan: [MAKE, 4] };
  const output = {
    [MAKE]: { class_type: AUTO, inputs: { ...valuesOf(node).values, ...wanted } },
    [SAVE]: { class_type: "IIG_SaveImage", inputs: { ...valuesOf(save).values, ...links } },
  };
  return { output, workflow: {} };
}
