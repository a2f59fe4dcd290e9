// The view of the hubs: what a run lacks, a search over all of them, and the downloads.
import { ask, element, speaker } from "./speaking.mjs";
import { offerDownload } from "./downloading.mjs";
import { strip } from "./downloads_strip.mjs";
import { onDownload } from "./following.mjs";
import { HUBS, hubCard, hubName } from "./hub_card.mjs";
import { KINDS, kindName } from "./kinds.mjs";
import { fileSize } from "./sizes.mjs";

const say = speaker({
  en: {
    search: "Search", words: "What to look for", hub: "Hub", all_hubs: "All hubs", kind: "Kind", all_kinds: "All kinds", family: "For models of", all_families: "Any base model", sort: "Sort by",
    relevance: "Relevance", downloads: "Downloads", likes: "Likes", newest: "Newest", period: "Period", day: "Day", week: "Week", month: "Month", year: "Year", all: "All time",
    nsfw: "Show NSFW", more: "More", none: "Nothing found. Other words or fewer filters may help.", found: "{count} results", one: "1 result", asking: "Asking the hubs…", settings: "Open settings",
    missing: "What the last run lacked", get: "Download", look: "Search for it", results: "Results", stop: "Cancel", hint: "Type words and press Search; without words it lists what is popular.",
  },
  es: {
    search: "Buscar", words: "Qué buscar", hub: "Hub", all_hubs: "Todos los hubs", kind: "Tipo", all_kinds: "Todos los tipos", family: "Para modelos de", all_families: "Cualquier modelo base", sort: "Ordenar por",
    relevance: "Relevancia", downloads: "Descargas", likes: "Me gusta", newest: "Más nuevos", period: "Periodo", day: "Día", week: "Semana", month: "Mes", year: "Año", all: "Siempre",
    nsfw: "Mostrar NSFW", more: "Más", none: "No se encontró nada. Pueden ayudar otras palabras o menos filtros.", found: "{count} resultados", one: "1 resultado", asking: "Preguntando a los hubs…", settings: "Abrir ajustes",
    missing: "Lo que faltó en la última ejecución", get: "Descargar", look: "Buscarlo", results: "Resultados", stop: "Cancelar", hint: "Escribir palabras y pulsar Buscar; sin palabras muestra lo más popular.",
  },
});

const SORTS = ["relevance", "downloads", "likes", "newest"], PERIODS = ["all", "year", "month", "week", "day"];
const SETTLED_BY_SETTINGS = /offline|token|gated|forbidden|address|settings/; // codes of refusals
const kept = { wish: { text: "", hub: "", kind: "", family: "", sort: "relevance", period: "all", nsfw: false, base_model: [] }, results: [], cursors: {}, wanted: [] };

// `argument.wanted` is what a run lacks; `argument.search` begins with that search.
export function open(place, argument = {}) {
  if (argument?.wanted) kept.wanted = argument.wanted;
  const view = new View();
  place.replaceChildren(view.element);
  if (argument?.search) view.look(argument.search);
  return () => view.close();
}

class View {
  #asking = null;
  #inputs = {};

  constructor() {
    const downloads = strip();
    this.missing = element("section", { "aria-label": say("missing") });
    this.status = element("div", { role: "status", "aria-live": "polite" });
    this.results = element("ul", { "aria-label": say("results") });
    this.more = button(say("more"), () => this.search(kept.cursors));
    this.element = element("div", { class: "iig view" }, downloads.element, this.missing, this.#form(), this.status, this.results, this.more);
    const stopHearing = onDownload((each) => each?.state === "done" && this.#arrived(each));
    this.close = () => (this.#asking?.abort(), downloads.close(), stopHearing());
    this.#families();
    this.#lacking();
    this.#show(kept.results);
    if (!kept.results.length) this.status.append(element("p", { class: "quiet" }, say("hint")));
  }

  // Search for what a wanted file names.
  look({ search, kind = "", base_models = [] }) {
    kept.wish = { ...kept.wish, text: search, kind, family: "", base_model: base_models };
    for (const [name, input] of Object.entries(this.#inputs)) input.value = kept.wish[name];
    this.search();
  }

  async search(cursors = null) {
    this.#asking?.abort();
    const asking = (this.#asking = new AbortController());
    this.status.replaceChildren(element("div", { class: "row quiet" }, say("asking"), button(say("stop"), () => (asking.abort(), this.status.replaceChildren()))));
    try {
      const told = await ask(`/hub/search?${query(kept.wish, cursors)}`, null, { signal: asking.signal });
      kept.results = cursors ? [...kept.results, ...told.results] : told.results;
      kept.cursors = told.cursors;
      this.#show(told.results, Boolean(cursors));
      this.status.replaceChildren(...(kept.results.length || !told.trouble.length ? [element("p", { class: "quiet" }, counted(kept.results.length))] : []), ...troubles(told.trouble));
    } catch (fault) {
      if (fault.name !== "AbortError") this.status.replaceChildren(...troubles([{ error: fault.code, message: fault.message }]));
    }
  }

  #show(results, after = false) {
    const cards = results.map((offer) => hubCard(offer, openOffer));
    after ? this.results.append(...cards) : this.results.replaceChildren(...cards);
    if (after) cards[0]?.querySelector("button")?.focus();
    this.more.hidden = !Object.keys(kept.cursors).length;
  }

  // What is here now is said on its card, and lacked no more.
  #arrived({ ref, name }) {
    for (const offer of kept.results) {
      if (offer.file?.ref !== ref) continue;
      offer.file.fit = { ...offer.file.fit, verdict: "have_it", have: name, reasons: [] };
      this.results.querySelector(`[data-ref="${CSS.escape(offer.ref)}"]`)?.replaceWith(hubCard(offer, openOffer));
    }
    kept.wanted = kept.wanted.filter((each) => each.ref !== ref && each.name !== name);
    this.#lacking();
  }

  #lacking() {
    this.missing.hidden = !kept.wanted.length;
    const rows = kept.wanted.map((each) => {
      const act = each.ref ? button(say("get"), () => offerDownload(each)) : button(say("look"), () => this.look(each));
      act.className = "main";
      const told = [kindName(each.kind), each.size_bytes ? fileSize(each.size_bytes) : ""].filter(Boolean).join(" · ");
      return element("li", { class: "card", "data-wanted": each.name }, element("div", { class: "row" }, element("strong", {}, each.name), act), element("span", { class: "quiet" }, told), element("p", {}, each.why));
    });
    this.missing.replaceChildren(element("h3", {}, say("missing")), element("ul", {}, ...rows));
  }

  #form() {
    const { wish } = kept;
    const text = element("input", { type: "search", "aria-label": say("words"), placeholder: say("words"), style: "flex:1;min-width:9rem" });
    const pairs = (names, named) => names.map((each) => [each, named(each)]);
    const own = { text, hub: select("hub", [["", say("all_hubs")], ...pairs(HUBS, hubName)]), kind: select("kind", [["", say("all_kinds")], ...pairs(KINDS, kindName)]), family: select("family", [["", say("all_families")]]), sort: select("sort", pairs(SORTS, say)), period: select("period", pairs(PERIODS, say)) };
    this.#inputs = own;
    for (const [name, input] of Object.entries(own)) {
      input.value = wish[name];
      input.addEventListener("change", () => (kept.wish = { ...kept.wish, [name]: input.value, ...(name === "family" && { base_model: [] }) }));
    }
    const nsfw = element("input", { type: "checkbox" });
    nsfw.checked = wish.nsfw;
    nsfw.addEventListener("change", () => (kept.wish = { ...kept.wish, nsfw: nsfw.checked }));
    const go = element("button", { type: "submit", class: "main" }, say("search"));
    const { hub, kind, family, sort, period } = own;
    const form = element("form", { role: "search", style: "display:flex;flex-direction:column;gap:0.4rem" }, element("div", { class: "buttons" }, text, go), element("div", { class: "buttons" }, hub, kind, family, sort, period, element("label", {}, nsfw, ` ${say("nsfw")}`)));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      kept.wish = { ...kept.wish, text: text.value };
      this.search();
    });
    return form;
  }

  async #families() {
    const { families } = await ask("/hub/library?limit=1&look=false").catch(() => ({ families: [] }));
    const known = families.filter(({ label }) => label).map(({ id, label }) => element("option", { value: id }, label));
    this.#inputs.family.append(...known);
    this.#inputs.family.value = kept.wish.family;
  }
}

function counted(count) {
  return count === 1 ? say("one") : count ? say("found", { count }) : say("none");
}

async function openOffer(offer) {
  (await import("./hub_details.mjs")).openOffer(offer);
}

function query(wish, cursors) {
  const made = new URLSearchParams({ nsfw: wish.nsfw });
  for (const name of ["text", "hub", "kind", "family", "sort", "period"]) if (wish[name]) made.set(name, wish[name]);
  for (const base of wish.base_model) made.append("base_model", base);
  if (cursors) made.set("cursor", JSON.stringify(cursors));
  return made;
}

// What kept hubs from answering, {error, message} each, with the way to the settings where these would help.
function troubles(faults) {
  const told = faults.map(({ message }) => element("p", { class: "fault", role: "alert" }, message));
  const mends = faults.some(({ error }) => SETTLED_BY_SETTINGS.test(error));
  return [...told, ...(mends ? [button(say("settings"), async () => (await import("./opening_settings.mjs")).openSettings())] : [])];
}

function button(text, act) {
  const made = element("button", { type: "button" }, text);
  made.addEventListener("click", act);
  return made;
}

function select(key, entries) {
  return element("select", { "aria-label": say(key), style: "flex:1;min-width:7rem" }, ...entries.map(([id, text]) => element("option", { value: id }, text)));
}
