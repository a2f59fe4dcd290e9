// The view of memory: the last two minutes as a chart, what fills the memory, what was given back, and two buttons.
import { api } from "../../../scripts/api.js";
import { giveBack } from "./giving_back.mjs";
import { ask, element, gib, language, speaker } from "./speaking.mjs";
import { chart } from "./memory_chart.mjs";
import { styled } from "./style.mjs";

const EVENT = "intelligent_generation.memory";
const LEASE_S = 15, RENEW_MS = 10_000;
const ASK_MS = 2000; // from another computer than ComfyUI's, which events are not ordered for
const SHOWN = 5; // clean-ups

const say = speaker({
  en: {
    models: "Loaded models", none: "None.", pool: "Pool", given: "Memory given back", actions: "Give memory back",
    free_models: "Free models", free_all: "Free everything", part: "{loaded} of {size}", kept: "{count} in RAM: {size} of at most {limit}",
    rate: "used again: {hits} of {asked} ({percent} %)", evicted: "had to leave: {count}",
    title: "Memory", empty: "Nothing kept yet.", never: "Nothing so far.", waiting: "Reading…",
    models_hint: "Models leave the GPU; they are loaded again when they are needed",
    all_hint: "Models and cached results leave GPU and RAM; the next run loads anew",
  },
  es: {
    models: "Modelos cargados", none: "Ninguno.", pool: "Reserva", given: "Memoria devuelta", actions: "Devolver memoria",
    free_models: "Liberar modelos", free_all: "Liberar todo", part: "{loaded} de {size}", kept: "{count} en la RAM: {size} de {limit} como máximo",
    rate: "reutilizados: {hits} de {asked} ({percent} %)", evicted: "tuvieron que salir: {count}",
    title: "Memoria", empty: "Aún no guarda nada.", never: "Nada hasta ahora.", waiting: "Leyendo…",
    models_hint: "Los modelos salen de la GPU; se cargan de nuevo cuando hagan falta",
    all_hint: "Los modelos y resultados guardados salen de la GPU y la RAM; la próxima ejecución carga de nuevo",
  },
});

// Fill `place` and keep it up to date until the function that is returned is called.
export function open(place) {
  const parts = lists();
  const drawn = chart();
  styled();
  place.replaceChildren(frame(drawn, parts));
  const show = (readout) => {
    parts.status.querySelector(".fault")?.remove(); // it tells again; what a button said stays
    drawn.add(readout);
    fill(parts.models, models(readout), say("none"));
    fill(parts.pool, pool(readout.pool), say("empty"));
    fill(parts.given, readout.clean_ups.slice(-SHOWN).reverse().map(cleanUp), say("never"));
  };
  return follow(show, (fault) => parts.status.replaceChildren(element("span", { class: "fault" }, fault.message)));
}

// Have the server tell while the page can be seen; where it tells nobody (from another computer) ask it now and then.
function follow(show, fail) {
  let asking = null, open = true;
  const once = () => ask("/memory").then((readout) => open && show(readout), (fault) => open && fail(fault));
  const renew = async () => {
    if (document.hidden || asking) return;
    try {
      await ask("/memory/listen", { client_id: api.clientId, seconds: LEASE_S });
    } catch (fault) {
      if (fault.status === 403 && open && !asking) asking = setInterval(() => document.hidden || once(), ASK_MS);
      else if (open) fail(fault);
    }
  };
  const stop = () => asking || ask("/memory/listen", { client_id: api.clientId, seconds: 0 }).catch(() => {}); // it ends by itself, too
  const heard = ({ detail }) => show(detail);
  const seen = () => (document.hidden ? stop() : renew());
  api.addEventListener(EVENT, heard);
  document.addEventListener("visibilitychange", seen);
  const renewing = setInterval(renew, RENEW_MS);
  once();
  renew();
  return () => {
    open = false;
    api.removeEventListener(EVENT, heard);
    document.removeEventListener("visibilitychange", seen);
    clearInterval(renewing);
    stop();
    clearInterval(asking);
  };
}

function lists() {
  const list = () => element("ul", {}, element("li", { class: "quiet" }, say("waiting")));
  return { models: list(), pool: list(), given: list(), status: element("div", { role: "status", "aria-live": "polite" }) };
}

function frame(drawn, parts) {
  const section = (key) => element("section", { "aria-label": say(key) }, element("h3", {}, say(key)), parts[key]);
  const buttons = element("div", { class: "buttons", role: "group", "aria-label": say("actions") });
  buttons.append(button("free_models", "models_hint", "models", parts.status), button("free_all", "all_hint", "everything", parts.status));
  const title = element("h2", {}, say("title"));
  return element("div", { class: "iig view" }, title, drawn.element, buttons, parts.status, section("models"), section("pool"), section("given"));
}

function button(key, hint, what, status) {
  const made = element("button", { type: "button", title: say(hint) }, say(key));
  made.addEventListener("click", async () => {
    made.disabled = true;
    try {
      status.textContent = await giveBack(what);
    } catch (fault) {
      status.textContent = fault.message;
    } finally {
      made.disabled = false;
      made.focus();
    }
  });
  return made;
}

function fill(list, items, otherwise) {
  list.replaceChildren(...(items.length ? items : [element("li", { class: "quiet" }, otherwise)]));
}

function models({ models: held }) {
  return held.map(({ name, device, size_bytes, loaded_bytes, dtype }) => {
    const share = size_bytes ? Math.min(1, loaded_bytes / size_bytes) : 0;
    const size = loaded_bytes < size_bytes ? say("part", { loaded: gib(loaded_bytes), size: gib(size_bytes) }) : gib(size_bytes);
    const told = element("span", { class: "quiet" }, [size, device, dtype].filter(Boolean).join(" · "));
    const bar = element("div", { class: "bar", "aria-hidden": "true" }, element("div", { style: `width:${(share * 100).toFixed(0)}%` }));
    return element("li", {}, element("div", { class: "row" }, element("span", {}, name), told), bar);
  });
}

function pool({ entries, size_bytes, limit_bytes, hits, misses, hit_rate, evictions }) {
  if (!entries.length && hit_rate === null) return [];
  const told = [say("kept", { count: entries.length, size: gib(size_bytes), limit: gib(limit_bytes) })];
  if (hit_rate !== null) told.push(say("rate", { hits, asked: hits + misses, percent: Math.round(hit_rate * 100) }));
  if (evictions) told.push(say("evicted", { count: evictions }));
  const rows = [...entries].reverse().map((entry) => {
    const size = element("span", { class: "quiet" }, [gib(entry.size_bytes), entry.dtype, entry.device].filter(Boolean).join(" · "));
    return element("li", {}, element("div", { class: "row" }, element("span", {}, entry.name), size));
  });
  return [element("li", {}, told.join(" · ")), ...rows];
}

function cleanUp({ at, freed_bytes, sentence }) {
  const time = new Date(at * 1000).toLocaleTimeString(language());
  return element("li", {}, element("span", { class: "quiet" }, `${time} · ${gib(freed_bytes)} · `), sentence);
}
