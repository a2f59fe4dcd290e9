// A picture's plan back in an Auto Pipeline: its settings, its seed and the plan as an accepted one, so that it makes the
// same picture again.
import { app } from "../../../scripts/app.js";
import { AUTO, isThere, setWidget, widget } from "./node_values.mjs";
import { pngText } from "./png_texts.mjs";
import { ask, speaker, toast } from "./speaking.mjs";
import { asOneStep, centre } from "./canvas_steps.mjs";

const KEY = "intelligent_generation";
const LAST = ["accepted_plan"]; // set after all it was accepted for
const SAID_MS = 15000;

const say = speaker({
  en: {
    folded: "The plan is in “{title}”", next: "Run it: it makes the same picture again.", refused: "The plan was not folded",
    no_plan: "“{name}” holds no plan of this pack. Drop it beside the node to open its workflow.",
    linked: "These inputs come from other nodes and may ask for something else; disconnect them to make the same picture: {names}",
    missing: "The plan's models are not all here", absent: "Auto Pipeline is not installed here: restart ComfyUI",
  },
  es: {
    folded: "El plan está en «{title}»", next: "Al ejecutarlo se obtiene la misma imagen.", refused: "No se plegó el plan",
    no_plan: "«{name}» no contiene ningún plan de este paquete. Soltada junto al nodo, abre su workflow.",
    linked: "Estas entradas vienen de otros nodos y pueden pedir otra cosa; para obtener la misma imagen hay que desconectarlas: {names}",
    missing: "No están aquí todos los modelos del plan", absent: "El nodo «Generación automática» no está instalado aquí: hay que reiniciar ComfyUI",
  },
});

// Let the person choose a picture. → the node, or `null`
export function foldFromFile(node) {
  return new Promise((resolve) => {
    const chooser = Object.assign(document.createElement("input"), { type: "file", accept: "image/png" });
    chooser.addEventListener("change", () => resolve(chooser.files[0] ? foldFile(chooser.files[0], node) : null));
    chooser.addEventListener("cancel", () => resolve(null));
    chooser.click();
  });
}

export async function foldFile(file, node = null) {
  const generation = await pngText(file, KEY).catch(() => null);
  if (generation) return foldGeneration(generation, node);
  toast("warn", say("refused"), say("no_plan", { name: file.name }), SAID_MS);
  return null;
}

// A Generation, as text or values, into `node`, or into a new Auto Pipeline. → the node, or `null` where it is refused
export async function foldGeneration(generation, node = null) {
  try {
    const told = await ask("/fold", { generation });
    const filled = asOneStep(() => fill(node && isThere(node) ? node : added(), told));
    tell(filled, told);
    return filled;
  } catch (fault) {
    toast("error", say("refused"), fault.message, SAID_MS);
    return null;
  }
}

function added() {
  const made = window.LiteGraph.createNode(AUTO);
  if (!made) throw new Error(say("absent"));
  made.pos = centre();
  (app.canvas.graph ?? app.graph).add(made);
  return made;
}

function fill(node, { widgets, accepted }) {
  const values = { ...widgets, accepted_plan: accepted, control_after_generate: "fixed" };
  const names = Object.keys(values).filter((name) => !LAST.includes(name));
  for (const name of [...names, ...LAST]) setWidget(node, name, values[name]);
  node.iigGeneration = node.iigAsked = undefined; // of another picture
  app.canvas.selectNode?.(node);
  return node;
}

function tell(node, { widgets, said, missing }) {
  const names = (node.inputs ?? []).filter(({ link, name }) => link != null && name in widgets && widget(node, name)).map(({ name }) => name);
  const lines = [...said, ...(names.length ? [say("linked", { names: names.join(", ") })] : [])];
  const isWhole = !missing.length;
  toast(isWhole ? "success" : "warn", isWhole ? say("folded", { title: node.title }) : say("missing"), [...lines, ...(isWhole ? [say("next")] : [])].join("\n"), SAID_MS);
  if (!isWhole) offer(missing);
}

export async function offer(missing) {
  (await import("./downloading.mjs")).offerMissing(missing);
}
