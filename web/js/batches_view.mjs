// The view of batches: the latest of them with how far they are, one opened as a grid of its pictures, and a form for a new
// one. It follows ComfyUI's queue by the events that come anyway.
import { api } from "../../../scripts/api.js";
import { batchCard } from "./batch_card.mjs";
import { orderForm } from "./batch_order.mjs";
import { byId } from "./batch_queue.mjs";
import { ask, element, language, speaker, toast } from "./speaking.mjs";
import { styled } from "./style.mjs";

const EVENTS = ["status", "execution_success", "execution_error", "execution_interrupted"];
const SETTLE_MS = 400; // several events come at once when a picture is over
const SHOWN = 40;

const say = speaker({
  en: {
    title: "Batches", back: "All batches", none: "No batches yet. Make one from an Auto Pipeline or from your latest picture: one prompt, several pictures to choose from.",
    waiting: "Reading…", progress: "{done} of {count} done", failed: "{count} failed", queued: "{count} in the queue", winner: "winner: {place}",
    seed: "other seeds", parameter: "other settings", lora: "other LoRAs", mixed: "settings and LoRAs", prompt: "other wordings",
    open: "Open the batch: {prompt}", fault: "The batches could not be read", new_batch: "New batch",
  },
  es: {
    title: "Lotes", back: "Todos los lotes", none: "Todavía no hay lotes. Haz uno a partir de un nodo «Generación automática» o de tu última imagen: un prompt, varias imágenes entre las que elegir.",
    waiting: "Leyendo…", progress: "{done} de {count} hechas", failed: "{count} fallidas", queued: "{count} en la cola", winner: "ganadora: {place}",
    seed: "otras semillas", parameter: "otros ajustes", lora: "otras LoRA", mixed: "ajustes y LoRA", prompt: "otras redacciones",
    open: "Abrir el lote: {prompt}", fault: "No se pudieron leer los lotes", new_batch: "Lote nuevo",
  },
});

// `argument` may name a batch to open: {id}.
export function open(place, argument) {
  styled();
  const view = element("div", { class: "iig view" });
  place.replaceChildren(view);
  const state = { shown: null, closed: false, timer: null };
  const go = (id) => {
    state.shown?.close();
    state.shown = id ? detail(view, id, () => go(null)) : overview(view, go);
    refresh();
  };
  const refresh = () => {
    clearTimeout(state.timer);
    state.timer = setTimeout(() => state.closed || state.shown.refresh(), SETTLE_MS);
  };
  for (const event of EVENTS) api.addEventListener(event, refresh);
  go(argument?.id);
  state.shown.refresh();
  return () => {
    state.closed = true;
    clearTimeout(state.timer);
    state.shown.close();
    for (const event of EVENTS) api.removeEventListener(event, refresh);
  };
}

// --------------------------------------------------------------------------- all of them

function overview(view, go) {
  const list = element("ul", { "aria-label": say("title") }, element("li", { class: "quiet" }, say("waiting")));
  const form = orderForm((batch) => go(batch.id));
  const fresh = element("details", { class: "card" }, element("summary", {}, say("new_batch")), form.element);
  view.replaceChildren(element("h2", { tabindex: "-1" }, say("title")), fresh, list);
  let drawn = "";
  const refresh = async () => {
    try {
      const [{ batches }, queued] = await Promise.all([ask(`/batches?limit=${SHOWN}`), byId()]);
      const now = JSON.stringify([batches, [...queued].map(([id, { pending, running }]) => [id, pending.size, running])]);
      if (now === drawn) return; // what is focused stays so
      drawn = now;
      fill(list, batches, queued, go, fresh);
    } catch (fault) {
      list.replaceChildren(element("li", { class: "fault" }, `${say("fault")}: ${fault.message}`));
    }
  };
  return { refresh, close: form.close };
}

function fill(list, batches, queued, go, fresh) {
  const focused = document.activeElement?.dataset?.batch;
  const rows = batches.map((batch) => row(batch, queued.get(batch.id), go));
  list.replaceChildren(...(rows.length ? rows : [element("li", { class: "quiet" }, say("none"))]));
  if (!rows.length) fresh.open = true;
  if (focused) list.querySelector(`[data-batch="${CSS.escape(focused)}"]`)?.focus();
}

function row(batch, queued, go) {
  const waiting = queued ? queued.pending.size + (queued.running === null ? 0 : 1) : 0;
  const told = [say("progress", batch), batch.failed && say("failed", { count: batch.failed }), waiting && say("queued", { count: waiting })];
  if (batch.winner !== null) told.push(say("winner", { place: batch.winner + 1 }));
  const when = new Date(batch.at * 1000).toLocaleString(language(), { dateStyle: "medium", timeStyle: "short" });
  const button = element("button", {
    type: "button", class: "card", "data-batch": batch.id, "aria-label": say("open", { prompt: batch.prompt.slice(0, 80) }),
    style: "width:100%;text-align:start;background:var(--comfy-menu-bg)",
  });
  const share = batch.count ? Math.round((100 * batch.done) / batch.count) : 0;
  button.append(
    element("span", { style: "overflow:hidden;display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical" }, batch.prompt || batch.id),
    element("span", { class: "row quiet" }, element("span", {}, say(batch.strategy)), element("span", {}, when)),
    element("span", { class: "bar", style: "display:block", "aria-hidden": "true" }, element("div", { style: `width:${share}%` })),
    element("span", { class: "quiet" }, told.filter(Boolean).join(" · ")),
  );
  button.addEventListener("click", () => go(batch.id));
  return element("li", {}, button);
}

// --------------------------------------------------------------------------- one of them

function detail(view, id, back) {
  const button = element("button", { type: "button" }, `‹ ${say("back")}`);
  button.addEventListener("click", back);
  const card = batchCard(id);
  const status = element("p", { class: "fault", role: "alert" });
  view.replaceChildren(element("div", { class: "buttons" }, button), status, card.element);
  button.focus();
  const refresh = async () => {
    try {
      const [batch, queued] = await Promise.all([ask(`/batches?id=${encodeURIComponent(id)}`), byId()]);
      status.textContent = "";
      card.show(batch, queued.get(id));
    } catch (fault) {
      status.textContent = fault.message;
      if (fault.status === 404) toast("error", say("fault"), fault.message);
    }
  };
  card.onChange(refresh);
  ask(`/batches?limit=${SHOWN}`).then(({ batches }) => card.tell(batches.find((each) => each.id === id)?.said ?? []), () => {}); // a remark, no more
  return { refresh, close: card.close };
}
