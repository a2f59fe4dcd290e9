// The guide: what was found on this machine, what is missing, and one button for each; then the first picture.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { openSettings } from "./opening_settings.mjs";
import { kindName } from "./kinds.mjs";
import { show } from "./showing.mjs";
import { number } from "./sizes.mjs";
import { ask, element, gib, language, speaker, toast } from "./speaking.mjs";
import { styled } from "./style.mjs";

const TEMPLATE = "auto_pipeline";
const PACK = decodeURIComponent(new URL("..", import.meta.url).pathname.split("/").at(-2)); // the folder it is installed as
const MARKS = { good: ["✓", "good"], todo: ["!", "warn"], note: ["i", ""] };
const PLAN_OUTPUT = 4; // of the Auto Pipeline, as its schema orders them

const say = speaker({
  en: {
    title: "Start here", intro: "Write what you want to see; model, LoRAs and settings are chosen for you, and every choice is explained.", waiting: "Looking at your models…",
    found: "What was found", fault: "The guide could not be made", good: "All right", todo: "To do", note: "Good to know", again: "Look again", library: "Show them",
    search: "Search LoRAs", settings: "Open the settings", download: "Download {name}", download_sized: "Download {name} ({size})", other: "Other first models",
    first: "Your first picture", template: "Open the Auto Pipeline template", node: "Drop an Auto Pipeline on the canvas", how: "Type a prompt into it, then press Run. Rate what comes: the next plans follow.",
    refused: "That did not work",
  },
  es: {
    title: "Empieza aquí", intro: "Escribe lo que quieres ver; el modelo, las LoRA y los ajustes se eligen por ti, y cada elección se explica.", waiting: "Mirando tus modelos…",
    found: "Qué se encontró", fault: "No se pudo hacer la guía", good: "En orden", todo: "Por hacer", note: "Para saber", again: "Mirar de nuevo", library: "Mostrar",
    search: "Buscar LoRA", settings: "Abrir los ajustes", download: "Descargar {name}", download_sized: "Descargar {name} ({size})", other: "Otros primeros modelos",
    first: "Tu primera imagen", template: "Abrir la plantilla auto_pipeline", node: "Soltar un nodo «Generación automática» en el lienzo", how: "Escribe un prompt en él y pulsa Ejecutar. Valora lo que salga: los planes siguientes lo tendrán en cuenta.",
    refused: "No funcionó",
  },
});

export function open(place) {
  styled();
  const list = element("ul", { "aria-label": say("found"), "aria-busy": "true" }, element("li", { class: "quiet" }, say("waiting")));
  const counts = element("div", { class: "chips" }), missing = element("div", {}), recognition = element("div", {});
  const again = element("button", { type: "button" }, say("again"));
  const view = element("div", { class: "iig view" }, element("h2", {}, say("title")), element("p", {}, say("intro")), first());
  view.append(element("div", { class: "row" }, element("h3", {}, say("found")), again), counts, missing, list, recognition);
  place.replaceChildren(view);
  const state = { asked: null, recognised: null };
  const refresh = async () => {
    state.asked?.abort();
    state.asked = new AbortController();
    try {
      const told = await ask("/guide", undefined, { signal: state.asked.signal });
      const buttons = await recogniser(told, recognition, state, refresh);
      fill({ list, counts, missing }, told, { again: refresh, recognise: buttons });
    } catch (fault) {
      if (fault.name !== "AbortError") list.replaceChildren(element("li", { class: "fault" }, `${say("fault")}: ${fault.message}`));
    }
  };
  again.addEventListener("click", refresh);
  refresh();
  return () => {
    state.asked?.abort();
    state.recognised?.close();
  };
}

// The button that recognises files, with its progress; made once, where a line asks for it.
async function recogniser(told, place, state, refresh) {
  if (!state.recognised && told.steps.some(({ do: act }) => act === "recognise")) {
    const { recognising } = await import("./recognising.mjs");
    if (!state.asked.signal.aborted) state.recognised = recognising(refresh);
  }
  if (state.recognised) place.replaceChildren(state.recognised.element);
  return state.recognised?.buttons.slice(0, 1) ?? [];
}

// --------------------------------------------------------------------------- what was found

function fill({ list, counts, missing }, told, acts) {
  const focused = document.activeElement?.dataset?.step;
  counts.replaceChildren(...Object.entries(told.counts).map(([kind, count]) => element("span", { class: "chip" }, `${kindName(kind)}: ${number(count)}`)));
  list.replaceChildren(...told.steps.map((step) => line(step, acts)));
  list.setAttribute("aria-busy", "false");
  missing.replaceChildren(...firstModels(told.wanted, acts.again));
  if (focused) list.querySelector(`[data-step="${focused}"]`)?.focus();
}

function line(step, acts) {
  const [mark, look] = MARKS[step.state];
  const badge = element("span", { class: `badge ${look}`, role: "img", "aria-label": say(step.state), style: "flex:none;min-width:1.4rem;text-align:center" }, mark);
  const text = element("div", { style: "flex:1;display:flex;flex-direction:column;gap:0.35rem" }, element("span", {}, step.said));
  const buttons = step.do === "recognise" ? acts.recognise : [button(step, acts)].filter(Boolean);
  if (buttons.length) text.append(element("div", { class: "buttons" }, ...buttons));
  return element("li", { style: "display:flex;gap:0.5rem;align-items:flex-start" }, badge, text);
}

function button({ key, do: act, about }, acts) {
  const only = about.only ? { only: [about.only] } : {}, base = about.base_model ? [about.base_model] : [];
  const does = {
    again: acts.again, settings: openSettings, library: () => show("library", { ...about, ...only }),
    search: () => show("hub", { search: { search: "", kind: about.kind, base_models: base } }),
  }[act];
  if (!does) return null;
  const made = element("button", { type: "button", "data-step": key }, say(act));
  made.addEventListener("click", does);
  return made;
}

// First models for a machine that has none: the best one at once, the others below.
function firstModels(wanted, again) {
  if (!wanted.length) return [];
  const [best, ...others] = wanted.map((each) => offer(each, again));
  best.querySelector("button").classList.add("main");
  return [best, ...(others.length ? [element("details", {}, element("summary", {}, say("other")), ...others)] : [])];
}

function offer(wanted, again) {
  const size = wanted.size_bytes ? gib(wanted.size_bytes) : "";
  const get = element("button", { type: "button", style: "overflow-wrap:anywhere" }, say(size ? "download_sized" : "download", { name: wanted.name, size }));
  get.addEventListener("click", async () => {
    const { offerDownload } = await import("./downloading.mjs");
    if (await offerDownload(wanted)) again();
  });
  return element("div", { class: "card", style: "margin-bottom:0.4rem" }, element("p", {}, wanted.why), element("div", { class: "buttons" }, get));
}

// --------------------------------------------------------------------------- the first picture

function first() {
  const template = element("button", { type: "button", class: "main" }, say("template")), node = element("button", { type: "button" }, say("node"));
  template.addEventListener("click", () => openTemplate().catch((fault) => toast("error", say("refused"), fault.message)));
  node.addEventListener("click", drop);
  const buttons = element("div", { class: "buttons" }, template, node);
  return element("section", { class: "card", "aria-label": say("first"), lang: language() }, element("h3", {}, say("first")), buttons, element("p", { class: "quiet" }, say("how")));
}

// As the Templates browser opens it: in a tab of its own.
async function openTemplate() {
  const answer = await api.fetchApi(`/workflow_templates/${encodeURIComponent(PACK)}/${TEMPLATE}.json`);
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  await app.loadGraphData(await answer.json(), true, true, TEMPLATE);
}

// The node with what saves its picture, wired, in the middle of what is seen.
function drop() {
  const graph = app.canvas.graph ?? app.graph, { LiteGraph } = window;
  const auto = LiteGraph.createNode("IIG_AutoPipeline"), save = LiteGraph.createNode("IIG_SaveImage");
  const [x, y, width, height] = app.canvas.visible_area ?? app.canvas.ds.visible_area;
  auto.pos = [x + width * 0.4 - auto.size[0] / 2, y + height * 0.3];
  graph.add(auto);
  save.pos = [auto.pos[0] + auto.size[0] + 60, auto.pos[1]];
  graph.add(save);
  auto.connect(0, save, save.findInputSlot("images"));
  auto.connect(PLAN_OUTPUT, save, save.findInputSlot("plan"));
  app.canvas.selectNode?.(auto);
  graph.setDirtyCanvas(true, true);
}
