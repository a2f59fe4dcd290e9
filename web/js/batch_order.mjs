// The form for a new batch: of which plan, what varies, how many.
import { app } from "../../../scripts/app.js";
import { acceptedOn } from "./accepted.mjs";
import { AUTO, valuesOf } from "./node_values.mjs";
import { ask, element, speaker, toast } from "./speaking.mjs";

const STRATEGIES = ["seed", "parameter", "lora", "mixed", "prompt"];
const MOST = 100, USUAL = 4;
const LATEST = "latest";

const say = speaker({
  en: {
    from: "Of", latest: "the latest picture", node: "{title} (#{id})", strategy: "What varies", count: "Pictures", axes: "Settings that vary",
    axes_hint: "cfg, guidance, steps, sampler, size, separated by commas; two make a grid, empty is all", go: "Queue the batch", made: "Queued: {count} pictures",
    refused: "The batch was not made", seed: "the seed", parameter: "settings", lora: "LoRAs", mixed: "settings and LoRAs", prompt: "the wording",
    nothing: "There is no picture yet whose plan could be varied. Make one first, or drop an Auto Pipeline on the canvas.",
  },
  es: {
    from: "De", latest: "la última imagen", node: "{title} (#{id})", strategy: "Qué varía", count: "Imágenes", axes: "Ajustes que varían",
    axes_hint: "cfg, guidance, steps, sampler, size, separados por comas; dos hacen una cuadrícula, vacío son todos", go: "Poner el lote en la cola", made: "En la cola: {count} imágenes",
    refused: "El lote no se hizo", seed: "la semilla", parameter: "los ajustes", lora: "las LoRA", mixed: "ajustes y LoRA", prompt: "la redacción",
    nothing: "Todavía no hay ninguna imagen cuyo plan se pueda variar. Haz una primero, o suelta un nodo «Generación automática» en el lienzo.",
  },
});

// `made` is called with the batch that was queued. → {element, close()}
export function orderForm(made) {
  const from = element("select", {}), strategy = element("select", {}, ...STRATEGIES.map((each) => element("option", { value: each }, say(each))));
  const count = element("input", { type: "number", min: "1", max: String(MOST), value: String(USUAL), style: "width:6rem" });
  const axes = element("input", { type: "text", placeholder: "cfg, steps", title: say("axes_hint") });
  const axesRow = labelled("axes", axes, say("axes_hint"));
  const go = element("button", { type: "submit", class: "main" }, say("go"));
  const form = element("form", { style: "display:flex;flex-direction:column;gap:0.5rem;margin-top:0.5rem" });
  form.append(labelled("from", from), labelled("strategy", strategy), labelled("count", count), axesRow, element("div", { class: "buttons" }, go));
  const seen = () => (axesRow.hidden = strategy.value !== "parameter");
  strategy.addEventListener("change", seen);
  from.addEventListener("focus", () => sources(from)); // nodes come and go while the view is open
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    try {
      const wanted = { strategy: strategy.value, count: Number(count.value), axes: strategy.value === "parameter" ? words(axes.value) : [] };
      const batch = await ask("/batches", { ...(await planOf(from.value)), ...wanted, queue: true });
      const queued = batch.items.filter(({ state }) => state === "waiting").length;
      toast(queued ? "success" : "warn", say("made", { count: queued }));
      made(batch);
    } catch (fault) {
      toast("error", say("refused"), fault.message);
    } finally {
      go.disabled = false;
    }
  });
  form.addEventListener("keydown", (event) => event.stopPropagation()); // typing is no shortcut of the canvas
  sources(from);
  seen();
  return { element: form, close: () => {} };
}

function labelled(key, control, hint = "") {
  const row = element("label", { class: "row" }, element("span", {}, say(key)), control);
  if (hint) row.append(element("span", { class: "quiet", style: "flex-basis:100%" }, hint));
  return row;
}

function words(text) {
  return text.split(",").map((each) => each.trim()).filter(Boolean);
}

// The Auto Pipelines of the canvas, the selected one first, and what was made last.
function sources(select) {
  const chosen = select.value, selected = Object.values(app.canvas?.selected_nodes ?? {});
  const nodes = autos().sort((one, other) => selected.includes(other) - selected.includes(one));
  const options = nodes.map((node) => element("option", { value: String(node.id) }, say("node", { title: node.title, id: node.id })));
  select.replaceChildren(...options, element("option", { value: LATEST }, say("latest")));
  if ([...select.options].some(({ value }) => value === chosen)) select.value = chosen;
}

function autos() {
  return (app.canvas?.graph ?? app.graph)._nodes.filter((node) => node.comfyClass === AUTO);
}

// {plan, seed} of a node as it is set now, or of the latest picture.
async function planOf(source) {
  const node = autos().find((each) => String(each.id) === source);
  if (!node) return latest();
  const { values, linked } = valuesOf(node), seed = Number.isSafeInteger(values.seed) ? values.seed : 0;
  const { plan } = (await acceptedOn(node)) ?? (await ask("/assisted/suggest", { widgets: values, linked }));
  return { plan, seed };
}

async function latest() {
  const { generations: [newest] } = await ask("/feedback/recent?limit=1");
  if (!newest) throw new Error(say("nothing"));
  const { made } = await ask(`/feedback/generation?id=${encodeURIComponent(newest.id)}`);
  const seed = made.generation.seed;
  return { plan: made.generation.plan, seed: Number.isSafeInteger(seed) ? seed : 0 };
}
