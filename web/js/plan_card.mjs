// The compact card of a plan on its Auto Pipeline: where it stands, what it says in a line, and what can be done next.
import { acceptAndRun, accept, backToAuto, judgeAgain, onChange, recordOf, refresh, run, stateOf, suggest, takeBack, useLora } from "./reviewing.mjs";
import { acceptDrops } from "./dragging.mjs";
import { cost, figure, standing } from "./plan_words.mjs";
import { show } from "./showing.mjs";
import { element, language, speaker } from "./speaking.mjs";
import { styled } from "./style.mjs";

const TYPE = "IIG_PLAN_CARD"; // a type of our own: newer frontends replace the element of types they know
const LEAST = 96; // pixels, before the card was drawn once
const MARGIN = 10; // what the frontends leave around a widget's element
const LOADING_MS = 4000; // a node that was just loaded has its card's room in its saved size
const FEW = 3; // LoRAs named on the card
const MOST_SAID = 3; // sentences

const say = speaker({
  en: {
    card: "Plan", suggest: "Suggest", anew: "Suggest anew", review: "Review", accept_run: "Accept and run", run: "Run", more: "More", less: "Back",
    always: "Accept always for this prompt", accept: "Accept without running", take_back: "Take back acceptance", auto: "Back to AUTO",
    download: "Download missing", busy: "Planning…", others: "+{n}",
    hint: "Suggest shows what would be made, before it is made. The first run does the same.",
  },
  es: {
    card: "Plan", suggest: "Sugerir", anew: "Sugerir de nuevo", review: "Revisar", accept_run: "Aceptar y ejecutar", run: "Ejecutar", more: "Más", less: "Volver",
    always: "Aceptar siempre para este prompt", accept: "Aceptar sin ejecutar", take_back: "Retirar la aceptación", auto: "Volver a AUTO",
    download: "Descargar lo que falta", busy: "Planificando…", others: "+{n}",
    hint: "Sugerir muestra lo que se haría antes de hacerlo. La primera ejecución hace lo mismo.",
  },
});

const STYLE = "border:1px solid var(--border-color);border-radius:0.5rem;background:var(--comfy-menu-bg);padding:0.5rem;"
  + "display:flex;flex-direction:column;gap:0.4rem;font-size:12px;width:100%";
const CLAMP = "display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:2;overflow:hidden";

// Show the card on a node, or bring the one it has up to date.
export function attend(node) {
  if (!node.iigCard) node.iigCard = cardOn(node);
  refresh(node);
  if (node.iigCard.spoken !== language()) node.iigCard.draw();
}

export function leave(node) {
  const { widget, forget } = node.iigCard;
  forget();
  node.iigCard = null;
  node.removeWidget(widget);
  node.iigWasBare = true;
  grow(node, -(widget.iigHeight + MARGIN * 2));
}

function cardOn(node) {
  styled();
  const inner = element("div", { class: "iig", role: "group", "aria-label": say("card"), style: STYLE });
  const outer = element("div", { style: "width:100%;min-width:0" }, inner);
  const height = () => widget.iigHeight + MARGIN * 2;
  const options = { serialize: false, hideOnZoom: false, margin: MARGIN, getMinHeight: height, getMaxHeight: height, getValue: () => "", setValue: () => {} };
  const widget = node.addDOMWidget("plan_card", TYPE, outer, options);
  Object.assign(widget, { serialize: false, iigHeight: LEAST });
  const card = { widget, inner, isMore: false, spoken: "", drawn: "", hasRoomFrom: node.iigWasBare ? 0 : performance.now() + LOADING_MS, draw: () => draw(node, card) };
  grow(node, node.iigWasBare ? LEAST + MARGIN * 2 : 0);
  const stop = onChange(node, card.draw);
  // The card's height is what it says; the node grows and shrinks with it.
  const sized = new ResizeObserver(() => fit(node, card));
  sized.observe(inner);
  card.forget = () => (stop(), sized.disconnect());
  card.draw();
  acceptDrops(inner, "loras", (name) => recordOf(node).review && useLora(node, name));
  for (const event of ["pointerdown", "keydown"]) inner.addEventListener(event, (each) => each.stopPropagation()); // not the canvas's
  return card;
}

function fit(node, { widget, inner, hasRoomFrom }) {
  const height = Math.ceil(inner.offsetHeight);
  if (!height || Math.abs(height - widget.iigHeight) < 2) return;
  const by = height - widget.iigHeight;
  widget.iigHeight = height;
  grow(node, performance.now() > hasRoomFrom ? by : 0);
}

function grow(node, by) {
  const [width, least] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), Math.max(least, node.size[1] + by)]);
  node.graph?.setDirtyCanvas(true, true);
}

// ---------------------------------------------------------------------------- what it says

function draw(node, card) {
  const record = recordOf(node), state = stateOf(record), drawn = contents(record, state, card);
  if (drawn === card.drawn) return; // a button that is being pressed is not taken away
  card.drawn = drawn;
  card.spoken = language();
  const focused = card.inner.contains(document.activeElement) ? document.activeElement.dataset.act : null;
  card.inner.replaceChildren(head(record, state), ...body(record), ...trouble(record), buttons(node, card, state));
  card.inner.setAttribute("aria-busy", String(record.busy === "suggest"));
  if (focused) (card.inner.querySelector(`[data-act="${focused}"]`) ?? card.inner.querySelector("button"))?.focus();
}

// All the card says, as one text.
function contents({ review, verdict, fault, busy }, state, { isMore }) {
  const told = review && [review.summary, review.estimate, review.loras.map(({ name, on, strength }) => [name, on, strength])];
  return JSON.stringify([state, told, verdict?.said, fault, busy === "suggest", isMore, language()]);
}

function head(record, state) {
  const { text, tone } = standing(state);
  const badge = element("span", { class: `badge ${tone}`, role: "status", "data-state": state }, record.busy === "suggest" ? say("busy") : text);
  if (!record.review) return element("div", { class: "row" }, badge);
  const told = cost(record.review.estimate);
  return element("div", { class: "row" }, badge, element("span", { class: told.tone === "bad" ? "fault" : "quiet" }, told.text));
}

function body({ review, accepted }) {
  if (!review && accepted) return []; // what is the matter with it is said below
  if (!review) return [element("p", { class: "quiet" }, say("hint"))];
  const on = review.loras.filter((each) => each.on);
  const chips = on.slice(0, FEW).map(({ title, name, strength }) => element("span", { class: "chip", title: name }, `${title || name} `, figure(strength)));
  if (on.length > FEW) chips.push(element("span", { class: "chip" }, say("others", { n: on.length - FEW })));
  const summary = element("p", { title: review.summary, style: CLAMP }, review.summary);
  return chips.length ? [summary, element("div", { class: "chips" }, ...chips)] : [summary];
}

function trouble({ verdict, fault }) {
  const lines = (verdict?.said ?? []).slice(0, MOST_SAID).map((text) => element("p", { style: CLAMP, title: text }, text));
  if (["suggest", "check"].includes(fault?.at)) lines.push(element("p", { class: "fault", role: "alert" }, fault.message));
  return lines;
}

// ---------------------------------------------------------------------------- what can be done

function buttons(node, card, state) {
  const names = card.isMore ? others(state) : [...first(state), "more"];
  const acts = ACTS(node, card);
  const main = card.isMore ? null : names[0];
  const made = names.map((name) => {
    const button = element("button", { type: "button", "data-act": name, ...(name === main ? { class: "main" } : {}) }, say(name));
    if (name === "more" || name === "less") button.setAttribute("aria-expanded", String(card.isMore));
    button.addEventListener("click", () => acts[name]());
    return button;
  });
  return element("div", { class: "buttons", style: "gap:0.35rem" }, ...made);
}

function first(state) {
  return {
    none: ["suggest"], waiting: ["accept_run", "review"], edited: ["accept_run", "review"], accepted: ["run", "review"], always: ["run", "review"],
    stale: ["anew", "review"], missing: ["download", "anew", "review"], unreadable: ["anew"],
  }[state];
}

function others(state) {
  const held = ["accepted", "always", "stale", "missing", "unreadable"].includes(state);
  const open = ["waiting", "edited"].includes(state);
  const asks = ["waiting", "edited", "accepted"].includes(state);
  return ["less", ...(open ? ["accept"] : []), ...(asks ? ["always"] : []), ...(held ? ["take_back"] : []), ...(state === "none" ? [] : ["anew"]), "auto"];
}

function ACTS(node, card) {
  const folded = (act) => () => ((card.isMore = false), card.draw(), act());
  const turn = () => ((card.isMore = !card.isMore), card.draw());
  return {
    suggest: () => suggest(node), anew: folded(() => suggest(node)), review: () => show("review", { node }), run: () => run(),
    accept_run: () => acceptAndRun(node), accept: folded(() => accept(node)), always: folded(() => acceptAndRun(node, true)),
    take_back: folded(() => takeBack(node)), auto: () => backToAuto(node), more: turn, less: turn,
    download: () => fetchMissing(node),
  };
}

// One verified download after the other, each confirmed; those that no hub is known to have are searched for.
export async function fetchMissing(node) {
  const missing = recordOf(node).verdict?.missing ?? [], known = missing.filter(({ ref }) => ref);
  const { offerDownload, offerMissing } = await import("./downloading.mjs");
  if (!known.length) offerMissing(missing);
  for (const wanted of known) await offerDownload(wanted);
  judgeAgain(node);
}
