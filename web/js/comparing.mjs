// Two pictures side by side, or one over the other, zoomed and moved in step; under them their ratings and what their plans
// differ in.
import { ask, element, speaker, toast } from "./speaking.mjs";
import { picture, pictureUrl } from "./pictures.mjs";
import { ratingBar } from "./rating_bar.mjs";
import * as dialog from "./dialog.mjs";

const say = speaker({
  en: {
    title: "Compare two pictures", beside: "Side by side", over: "One over the other", swap: "Swap", edge: "How much of the left picture is seen", zoom: "Zoom",
    a: "Left", b: "Right", what: "Difference", none: "Their plans do not differ.", absent: "Not saved as a file here", failed: "The pictures cannot be compared", differences: "What their plans differ in",
    removed: "only left", added: "only right",
  },
  es: {
    title: "Comparar dos imágenes", beside: "Una junto a otra", over: "Una sobre otra", swap: "Intercambiar", edge: "Cuánto se ve de la imagen izquierda", zoom: "Ampliación",
    a: "Izquierda", b: "Derecha", what: "Diferencia", none: "Sus planes no difieren.", absent: "No está guardada aquí como archivo", failed: "No se pueden comparar las imágenes", differences: "En qué difieren sus planes",
    removed: "solo a la izquierda", added: "solo a la derecha",
  },
});

const MOST_ZOOM = 8;
const STYLE = `
.iig-compare { display: flex; flex-direction: column; gap: 0.6rem; width: min(56rem, 90vw); }
.iig-compare .stage { display: grid; grid-template-columns: 1fr 1fr; gap: 0.4rem; }
.iig-compare .stage.over { grid-template-columns: 1fr; }
.iig-compare .stage.over .pane { grid-area: 1 / 1; }
.iig-compare .stage.over .pane.first { clip-path: inset(0 calc(100% - var(--edge)) 0 0); z-index: 1; pointer-events: none; }
.iig-compare .pane { overflow: hidden; height: 46vh; background: var(--border-color); border-radius: 0.4rem; touch-action: none; cursor: grab; display: grid; place-items: center; }
.iig-compare .pane img { width: 100%; height: 46vh; object-fit: contain; transform: translate(var(--x), var(--y)) scale(var(--zoom)); transform-origin: center; user-select: none; -webkit-user-drag: none; }
.iig-compare .bars { display: grid; grid-template-columns: 1fr 1fr; gap: 0.6rem; }
.iig-compare table { border-collapse: collapse; width: 100%; }
.iig-compare :is(th, td) { text-align: left; vertical-align: top; padding: 0.3rem 0.5rem; border-bottom: 1px solid var(--border-color); overflow-wrap: anywhere; }
.iig-compare del { color: var(--error-text, #f87171); } .iig-compare ins { color: #22c55e; text-decoration: underline; }
.iig-compare .tools { display: flex; flex-wrap: wrap; align-items: center; gap: 0.4rem; }
.iig-compare .tools label { display: inline-flex; align-items: center; gap: 0.3rem; flex: 1; min-width: 10rem; }`;

// Two generations by their ids.
export async function compare(a, b) {
  try {
    const told = await ask(`/feedback/compare?${new URLSearchParams({ a, b })}`);
    const content = element("div", { class: "iig iig-compare" });
    show(content, told);
    dialog.open(say("title"), content);
  } catch (fault) {
    toast("error", say("failed"), fault.message);
  }
}

function show(content, told) {
  const stage = stageOf(told);
  const bars = element("div", { class: "bars" }, sideOf("a", told.a), sideOf("b", told.b));
  const swap = element("button", { type: "button" }, say("swap"));
  swap.addEventListener("click", () => (show(content, swapped(told)), content.querySelector("[data-swap]").focus()));
  swap.dataset.swap = "true";
  content.replaceChildren(element("style", {}, STYLE), tools(stage, swap), stage, bars, tableOf(told.rows));
}

function swapped({ a, b, rows }) {
  const turned = { same: "same", removed: "added", added: "removed" };
  const back = (pieces) => pieces.map(({ kind, text }) => ({ kind: turned[kind], text }));
  return { a: b, b: a, rows: rows.map((row) => ({ ...row, a: row.b, b: row.a, pieces: back(row.pieces) })) };
}

function sideOf(side, row) {
  return element("div", {}, element("h3", {}, say(side)), ratingBar({ id: row.id, standing: row }));
}

// --------------------------------------------------------------------------- pictures

function stageOf({ a, b }) {
  const stage = element("div", { class: "stage" }, pane(a, "first"), pane(b, "second"));
  const view = { zoom: 1, x: 0, y: 0 };
  stage.iigMove = (change) => {
    Object.assign(view, change);
    view.zoom = Math.min(MOST_ZOOM, Math.max(1, view.zoom));
    if (view.zoom === 1) view.x = view.y = 0;
    stage.style.setProperty("--zoom", view.zoom);
    stage.style.setProperty("--x", `${view.x}px`);
    stage.style.setProperty("--y", `${view.y}px`);
    stage.dispatchEvent(new Event("moved"));
    return view;
  };
  stage.style.setProperty("--edge", "50%");
  stage.iigMove({});
  draggable(stage);
  return stage;
}

function pane(row, which) {
  const [name] = row.pictures;
  const shown = name ? picture(pictureUrl(name), row.prompt) : element("span", { class: "quiet" }, say("absent"));
  if (name) shown.draggable = false;
  return element("div", { class: `pane ${which}` }, shown);
}

function draggable(stage) {
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    stage.iigMove({ zoom: stage.iigMove({}).zoom * (event.deltaY < 0 ? 1.15 : 1 / 1.15) });
  }, { passive: false });
  stage.addEventListener("pointerdown", (event) => {
    const { x, y } = stage.iigMove({}), from = { x: event.clientX, y: event.clientY };
    const move = (now) => stage.iigMove({ x: x + now.clientX - from.x, y: y + now.clientY - from.y });
    stage.setPointerCapture(event.pointerId);
    stage.addEventListener("pointermove", move);
    stage.addEventListener("pointerup", () => stage.removeEventListener("pointermove", move), { once: true });
  });
}

function tools(stage, swap) {
  const edge = range("edge", 0, 100, 50, (value) => stage.style.setProperty("--edge", `${value}%`));
  const zoom = range("zoom", 1, MOST_ZOOM, 1, (value) => stage.iigMove({ zoom: value }));
  stage.addEventListener("moved", () => (zoom.querySelector("input").value = stage.style.getPropertyValue("--zoom")));
  edge.hidden = true;
  edge.style.display = "none";
  const layout = (over) => {
    stage.classList.toggle("over", over);
    edge.style.display = over ? "" : "none";
    edge.hidden = !over;
  };
  return element("div", { class: "tools" }, ...layouts(layout), swap, zoom, edge);
}

function layouts(choose) {
  const made = ["beside", "over"].map((key, index) => element("button", { type: "button", "aria-pressed": String(index === 0) }, say(key)));
  made.forEach((button, index) => button.addEventListener("click", () => {
    made.forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
    choose(index === 1);
  }));
  return made;
}

function range(key, min, max, value, change) {
  const input = element("input", { type: "range", min, max, value, step: key === "zoom" ? "0.05" : "1", "aria-label": say(key) });
  input.addEventListener("input", () => change(Number(input.value)));
  return element("label", {}, say(key), input);
}

// --------------------------------------------------------------------------- differences

function tableOf(rows) {
  if (!rows.length) return element("p", { class: "quiet" }, say("none"));
  const head = element("tr", {}, ...["what", "a", "b"].map((key) => element("th", { scope: "col" }, say(key))));
  const table = element("table", { "aria-label": say("differences") }, element("thead", {}, head), element("tbody", {}, ...rows.map(rowOf)));
  return table;
}

function rowOf({ what, label, a, b, pieces }) {
  const cell = (text, kind) => element("td", {}, ...(pieces.length ? worded(pieces, kind) : [text || "–"]));
  return element("tr", { "data-what": what }, element("th", { scope: "row" }, label), cell(a, "removed"), cell(b, "added"));
}

// The words of one side, with those marked that the other has not; not by colour alone.
function worded(pieces, mine) {
  const own = pieces.filter(({ kind }) => kind === "same" || kind === mine);
  const tag = mine === "removed" ? "del" : "ins";
  return own.length ? own.map(({ kind, text }) => (kind === "same" ? text : element(tag, { title: say(mine) }, text))) : ["–"];
}
