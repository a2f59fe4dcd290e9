// The review panel: the whole plan of one Auto Pipeline, every choice with its reasons and its controls, and what to do
// with it. Edits are answered in place; nothing that is being used is rebuilt.
import { app } from "../../../scripts/app.js";
import { AUTO, isThere } from "./node_values.mjs";
import { fetchMissing } from "./plan_card.mjs";
import { standing } from "./plan_words.mjs";
import { accept, acceptAndRun, backToAuto, discard, onChange, recordOf, refresh, reviewing, run, stateOf, suggest, takeBack } from "./reviewing.mjs";
import { costs, intent, model, sentences } from "./review_facts.mjs";
import { loras } from "./review_loras.mjs";
import { prompts } from "./review_prompts.mjs";
import { settings } from "./review_settings.mjs";
import { STYLE } from "./review_style.mjs";
import { setLines, setText } from "./keyed_list.mjs";
import { element, language, speaker } from "./speaking.mjs";
import { styled } from "./style.mjs";

const LOOK_MS = 1000;
const TROUBLED = ["stale", "missing", "unreadable"];

const say = speaker({
  en: {
    title: "Plan", which: "Whose plan", nobody: "No Auto Pipeline on this canvas. Add one: right-click, Add Node, Intelligent Generation.",
    none: "No plan yet. Suggest makes one from what the node is set to; nothing is generated.", suggest: "Suggest a plan", anew: "Suggest anew",
    accept: "Accept", accept_run: "Accept and run", always: "Accept always for this prompt", discard: "Discard edits", auto: "Back to AUTO", run: "Run",
    take_back: "Take back acceptance", download: "Download missing models", planning: "Planning…", revising: "Working out what that changes…", actions: "What to do with the plan",
    stale: "Out of date", missing: "Models are missing", unreadable: "Plan cannot be read", changes: "Changes of yours: {count}",
  },
  es: {
    title: "Plan", which: "Plan de qué nodo", nobody: "No hay ningún nodo «Generación automática» en este lienzo. Se añade con clic derecho, Añadir nodo, Intelligent Generation.",
    none: "Aún no hay plan. Sugerir hace uno con los ajustes del nodo; no se genera nada.", suggest: "Sugerir un plan", anew: "Sugerir de nuevo",
    accept: "Aceptar", accept_run: "Aceptar y ejecutar", always: "Aceptar siempre para este prompt", discard: "Descartar cambios", auto: "Volver a AUTO", run: "Ejecutar",
    take_back: "Retirar la aceptación", download: "Descargar los modelos que faltan", planning: "Planificando…", revising: "Calculando qué cambia con eso…", actions: "Qué hacer con el plan",
    stale: "Desactualizado", missing: "Faltan modelos", unreadable: "El plan no se puede leer", changes: "Cambios propios: {count}",
  },
});

// Fill `place` with the plan of `argument.node`, else of the node reviewed last, else of one that is selected.
export function open(place, argument) {
  styled();
  const view = { place, node: null, close: () => {} };
  const nodes = autoNodes();
  const wanted = argument?.node ?? nodes.find((node) => node.is_selected || app.canvas.selected_nodes?.[node.id]) ?? nodes.find((node) => recordOf(node).review) ?? nodes[0];
  turnTo(view, wanted);
  const looking = setInterval(() => view.look?.(), LOOK_MS);
  return () => {
    clearInterval(looking);
    view.close();
  };
}

// Every Auto Pipeline, those inside subgraphs too.
function autoNodes(graph = app.graph, found = []) {
  for (const node of graph?.nodes ?? []) {
    if (node.comfyClass === AUTO) found.push(node);
    if (node.subgraph) autoNodes(node.subgraph, found);
  }
  return found;
}

function turnTo(view, node) {
  view.close();
  view.node = node;
  reviewing(node ?? null);
  if (!node) {
    view.place.replaceChildren(element("div", { class: "iig view" }, element("h2", {}, say("title")), element("p", { class: "quiet" }, say("nobody"))));
    view.look = () => autoNodes().length && turnTo(view, autoNodes()[0]);
    view.close = () => {};
    return;
  }
  refresh(node);
  const frame = framed(view, node);
  view.place.replaceChildren(element("style", {}, STYLE), frame.element);
  view.close = onChange(node, frame.update);
  view.look = () => (isThere(node) ? (refresh(node), frame.look()) : turnTo(view, again(node)));
  frame.update(recordOf(node));
}

// An undo or a reload makes new nodes of the old ids.
function again(gone) {
  const nodes = autoNodes();
  return nodes.find(({ id }) => id === gone.id) ?? nodes[0];
}

// ---------------------------------------------------------------------------- the frame

function framed(view, node) {
  const top = heading(view, node), alarm = banner(node), bottom = footer(node);
  const nothing = element("p", { class: "quiet" }), sections = element("div", { class: "iig-sections" }, nothing);
  const whole = element("div", { class: "iig view review", "data-node": node.id }, top.element, sections, bottom.element);
  const spoken = language(); // where it is changed, or a node comes or goes, all is said anew
  let parts = null;
  const update = (record) => {
    top.update(record);
    bottom.update(record);
    alarm.update(record);
    whole.setAttribute("aria-busy", String(Boolean(record.busy)));
    nothing.hidden = Boolean(record.review);
    setText(nothing, say(record.busy === "suggest" ? "planning" : "none"));
    if (!record.review) {
      if (parts) sections.replaceChildren(alarm.element, nothing), (parts = null);
      else sections.prepend(alarm.element);
      return;
    }
    if (!parts) {
      parts = [sentences("warnings"), intent(), model(), loras(node), settings(node), prompts(node), costs(), sentences("tips")];
      sections.replaceChildren(alarm.element, nothing, ...parts.map((part) => part.element));
    }
    for (const part of parts) part.update(record);
  };
  const count = autoNodes().length;
  const look = () => (spoken !== language() || count !== autoNodes().length) && turnTo(view, node);
  return { element: whole, update, look };
}

function heading(view, node) {
  const title = element("h2", {}), badge = element("span", { class: "badge" }), summary = element("p", {});
  const select = element("select", {});
  select.addEventListener("change", () => turnTo(view, autoNodes()[select.selectedIndex]));
  const place = element("header", {}, element("div", { class: "row" }, title, badge), select, summary);
  const update = (record) => {
    const nodes = autoNodes(), { text, tone } = standing(stateOf(record));
    setText(title, nodes.length > 1 ? say("title") : `${say("title")} · ${named(node)}`);
    setText(badge, text);
    badge.className = `badge ${tone}`;
    badge.dataset.state = stateOf(record);
    select.hidden = nodes.length < 2;
    select.setAttribute("aria-label", say("which"));
    setLines(select, nodes.map(named), (name) => element("option", {}, name));
    select.selectedIndex = nodes.indexOf(node);
    setText(summary, record.review?.summary ?? "");
  };
  return { element: place, update };
}

function named(node) {
  return `${node.title} (${node.id})`;
}

// What stands against using the plan as it is, and the ways out.
function banner(node) {
  const title = element("strong", {}), list = element("div", {}), buttons = element("div", { class: "buttons" });
  const place = element("div", { class: "iig-banner", role: "alert" }, title, list, buttons);
  const download = button("download", () => fetchMissing(node)), anew = button("anew", () => suggest(node));
  buttons.append(download.element, anew.element);
  const update = (record) => {
    const state = stateOf(record), isTrouble = TROUBLED.includes(state);
    const failed = ["suggest", "check", "settings"].includes(record.fault?.at) ? [record.fault.message] : [];
    const said = [...(record.verdict?.said ?? []), ...failed];
    place.hidden = !said.length && !isTrouble;
    place.className = `iig-banner ${state === "stale" ? "warn" : isTrouble || failed.length ? "bad" : ""}`;
    title.hidden = !isTrouble;
    setText(title, isTrouble ? say(state) : "");
    setLines(list, said, (text) => element("p", {}, text));
    download.update(state === "missing" && record.verdict.missing?.length);
    anew.update(isTrouble || record.fault?.at === "suggest");
  };
  return { element: place, update };
}

function button(key, act, look = "") {
  const made = element("button", { type: "button", "data-act": key, ...(look ? { class: look } : {}) });
  made.addEventListener("click", act);
  const update = (isShown, isOff = false) => {
    made.hidden = !isShown;
    made.disabled = isOff;
    setText(made, say(key));
  };
  return { element: made, update };
}

// ---------------------------------------------------------------------------- what to do with it

const SHOWN_IN = {
  suggest: ["none"], accept_run: ["waiting", "edited"], accept: ["waiting", "edited"], run: ["accepted", "always"],
  always: ["waiting", "edited", "accepted"], discard: ["edited"], take_back: ["accepted", "always", ...TROUBLED], auto: ["waiting", "edited", "accepted", "always", ...TROUBLED],
};

function footer(node) {
  const acts = {
    suggest: () => suggest(node), accept_run: () => acceptAndRun(node), run: () => run(), accept: () => accept(node), discard: () => discard(node),
    always: () => acceptAndRun(node, true), take_back: () => takeBack(node), auto: () => backToAuto(node),
  };
  const looks = { suggest: "main", accept_run: "main", run: "main", always: "bare", take_back: "bare", auto: "bare" };
  const buttons = Object.entries(acts).map(([key, act]) => [key, button(key, act, looks[key] ?? "")]);
  const status = element("p", { class: "quiet small", role: "status", "aria-live": "polite" });
  const group = element("div", { class: "buttons", role: "group" }, ...buttons.map(([, each]) => each.element));
  const place = element("footer", {}, status, group);
  const update = (record) => {
    const state = stateOf(record), focused = group.contains(document.activeElement) ? document.activeElement : null;
    group.setAttribute("aria-label", say("actions"));
    setText(status, record.busy === "revise" ? say("revising") : record.busy === "suggest" ? say("planning") : changed(record));
    for (const [key, each] of buttons) each.update(SHOWN_IN[key].includes(state), record.busy === "suggest");
    if (focused?.hidden) (group.querySelector("button:not([hidden])") ?? group).focus();
  };
  return { element: place, update };
}

function changed({ review }) {
  return review?.changes?.length ? say("changes", { count: review.changes.length }) : "";
}
