// An Auto Pipeline replaced by the native nodes of its plan: wired, named, in groups, with the plan's values; one undo step.
import { app } from "../../../scripts/app.js";
import { acceptedOn } from "./accepted.mjs";
import { questionOf } from "./auto_menu.js";
import { asOneStep } from "./canvas_steps.mjs";
import { offer } from "./folding.mjs";
import { isThere, valuesOf, widget } from "./node_values.mjs";
import { ask, speaker, toast } from "./speaking.mjs";
import { place } from "./unfolded_layout.mjs";
import { connect, linksOf } from "./wiring.mjs";

const OUTSIDE = "outside"; // how the server names what the image to start from comes from
const SEEDS = ["seed", "noise_seed"];
// Outputs of Auto Pipeline by their place (names follow the language): the plan's links, and its texts.
const NATIVE = { 0: "image", 1: "latent" }, TEXTS = { 2: "prompt", 3: "negative" };
const TEXT_NODE = "PrimitiveStringMultiline";
const SAVE = { from: "IIG_SaveImage", to: "SaveImage", keeps: ["filename_prefix"], socket: "images" };
const SAID_MS = 15000;

const say = speaker({
  en: {
    done: "Unfolded into {count} nodes", undo: "Ctrl+Z brings the Auto Pipeline back.", refused: "The plan was not unfolded",
    save: "“Save Image with Plan” needs an Auto Pipeline, so “Save Image” takes its place.",
    lost: "Native nodes have no such outputs, so these links end: {names}", fixed: "These inputs came from other nodes and have the plan's values now: {names}",
    lacks: "This ComfyUI has no node “{name}”: update ComfyUI, then unfold again", prompt: "Prompt", negative: "Negative prompt",
  },
  es: {
    done: "Desplegado en {count} nodos", undo: "Ctrl+Z devuelve el nodo «Generación automática».", refused: "No se desplegó el plan",
    save: "«Guardar imagen con plan» necesita un nodo «Generación automática», así que «Guardar imagen» ocupa su lugar.",
    lost: "Los nodos nativos no tienen estas salidas, así que estos enlaces terminan: {names}", fixed: "Estas entradas venían de otros nodos y ahora tienen los valores del plan: {names}",
    lacks: "Este ComfyUI no tiene el nodo «{name}»: hay que actualizar ComfyUI y desplegar de nuevo", prompt: "Prompt", negative: "Prompt negativo",
  },
});

// Replace `node`. → the new nodes by the plan's ids, or `null` where it is refused
export async function unfold(node) {
  try {
    const { linked } = valuesOf(node);
    const laid = await ask("/unfold", { ...(await planOf(node)), linked });
    if (!isThere(node)) return null; // unfolded, undone or deleted meanwhile
    const { made, said } = asOneStep(() => replaced(node, laid));
    toast("success", say("done", { count: laid.nodes.length }), [...laid.said, ...said, say("undo")].join("\n"), SAID_MS);
    if (laid.missing.length) offer(laid.missing);
    return made;
  } catch (fault) {
    toast("error", say("refused"), fault.message, SAID_MS);
    return null;
  }
}

// The plan the node would run: the accepted one, that of its last run while nothing else is asked, else a fresh one.
async function planOf(node) {
  const accepted = await acceptedOn(node, ["valid", "missing"]), seed = Number(widget(node, "seed")?.value ?? 0);
  if (accepted) return { plan: accepted.plan, seed };
  if (node.iigGeneration && node.iigAsked === questionOf(node)) return { generation: node.iigGeneration };
  const { values, linked } = valuesOf(node);
  const { plan } = await ask("/assisted/suggest", { widgets: values, linked });
  return { plan, seed };
}

function replaced(node, laid) {
  const { graph } = node;
  const { incoming, outgoing } = linksOf(node);
  const made = new Map(laid.nodes.map((told) => [told.id, created(told)]));
  for (const each of made.values()) graph.add(each);
  for (const told of laid.nodes) wire(graph, made, told, incoming);
  const said = [...onward(graph, made, laid, outgoing, node), ...unlinked(incoming, laid)];
  place(node, laid, made);
  graph.remove(node);
  app.canvas.selectItems?.([...made.values()]);
  return { made, said };
}

function created({ class_type, title, inputs }) {
  const made = window.LiteGraph.createNode(class_type);
  if (!made) throw new Error(say("lacks", { name: class_type }));
  made.title = title;
  for (const [name, value] of Object.entries(inputs)) {
    const found = Array.isArray(value) ? null : widget(made, name);
    if (found) found.value = value;
  }
  const control = widget(made, "control_after_generate");
  if (control) control.value = "fixed";
  return made;
}

function wire(graph, made, { id, inputs }, incoming) {
  for (const [name, value] of Object.entries(inputs)) {
    const image = Array.isArray(value) && value[0] === OUTSIDE ? incoming.image : null;
    if (image) connect(graph, image, made.get(id), name);
    else if (Array.isArray(value) && made.has(value[0])) connect(graph, { node: made.get(value[0]), slot: value[1] }, made.get(id), name);
    else if (SEEDS.includes(name) && incoming.seed) connect(graph, incoming.seed, made.get(id), name);
  }
}

// What hung on the Auto Pipeline's outputs hangs on the native ones. → what is to be said of it
function onward(graph, made, laid, outgoing, node) {
  const lost = [], said = [];
  for (const { slot, target } of outgoing) {
    const text = window.LiteGraph.registered_node_types[TEXT_NODE] && TEXTS[slot];
    if (NATIVE[slot]) connect(graph, sourceOf(made, laid.outputs[NATIVE[slot]]), target.node, target.name);
    else if (text) connect(graph, textOf(graph, made, laid, text), target.node, target.name);
    else if (target.node.comfyClass === SAVE.from) said.push(...saved(graph, target.node));
    else {
      target.node.border?.disconnect?.(); // else a subgraph's own output keeps a link to what is gone
      lost.push(node.outputs[slot].localized_name ?? node.outputs[slot].name);
    }
  }
  return lost.length ? [...said, say("lost", { names: [...new Set(lost)].join(", ") })] : said;
}

function sourceOf(made, [id, slot]) {
  return { node: made.get(id), slot };
}

// A node that holds a text for those who take it, and for the encoder.
function textOf(graph, made, laid, which) {
  const id = `text:${which}`;
  if (!made.has(id)) {
    const text = window.LiteGraph.createNode(TEXT_NODE);
    text.title = say(which);
    widget(text, "value").value = laid[which];
    graph.add(text);
    made.set(id, text);
    laid.nodes.push({ id, column: -1, row: which === "prompt" ? 0 : 1 });
  }
  return { node: made.get(id), slot: 0 };
}

// Saving a plan needs one: ComfyUI's own node saves the same picture under the same name.
function saved(graph, old) {
  const made = window.LiteGraph.createNode(SAVE.to);
  const [source] = Object.values(linksOf(old).incoming).filter(({ name }) => name === SAVE.socket);
  graph.add(made);
  made.pos = [...old.pos];
  for (const name of SAVE.keeps) widget(made, name).value = widget(old, name)?.value ?? "";
  if (source) connect(graph, source, made, SAVE.socket);
  graph.remove(old);
  return [say("save")];
}

// Links that the plan's own values took the place of.
function unlinked(incoming, laid) {
  const isUsed = (name) => (name === "image" ? laid.nodes.some(({ inputs = {} }) => Object.values(inputs).some((value) => value?.[0] === OUTSIDE)) : name === "seed");
  const names = Object.keys(incoming).filter((name) => !isUsed(name));
  return names.length ? [say("fixed", { names: names.join(", ") })] : [];
}
