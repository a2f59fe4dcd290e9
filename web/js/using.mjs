// A model of the library put to use: into the plan under review where there is one, else as a loader on the canvas.
import { speaker, toast } from "./speaking.mjs";

const say = speaker({
  en: { planned: "{name} is in the plan under review", placed: "{name} is on the canvas", none: "No plan is under review", none_hint: "Press Suggest on an Auto Pipeline in ASSISTED mode first.", no_node: "This ComfyUI has no loader for it" },
  es: { planned: "{name} está en el plan en revisión", placed: "{name} está en el lienzo", none: "No hay ningún plan en revisión", none_hint: "Primero hay que pulsar Sugerir en un nodo «Generación automática» en modo ASSISTED.", no_node: "Este ComfyUI no tiene cargador para él" },
});

export async function intoPlan({ name }) {
  const { addLora } = await import("./reviewing.mjs");
  const isIn = await addLora(name);
  if (isIn === null) toast("info", say("none"), say("none_hint"), 5000);
  else if (isIn) toast("success", say("planned", { name }), "", 4000); // a refusal says why by itself
  return isIn;
}

export async function ontoCanvas(model) {
  const { place } = await import("./placing.mjs");
  const node = place(model);
  toast(node ? "success" : "warn", say(node ? "placed" : "no_node", { name: model.name }), "", 4000);
}

export async function use(model) {
  if (model.kind === "loras") {
    const { hasPlan } = await import("./reviewing.mjs");
    if (hasPlan()) return intoPlan(model);
  }
  return ontoCanvas(model);
}
