// The view of local models: searched, filtered and sorted by the server, shown by a list that holds only what is seen.
import { element, language, speaker } from "./speaking.mjs";
import { strip } from "./downloads_strip.mjs";
import { onDownload } from "./following.mjs";
import { KINDS, kindName } from "./kinds.mjs";
import { Pages } from "./library_pages.mjs";
import { modelRow, ROW_HEIGHT, STYLE } from "./library_row.mjs";
import { recognising } from "./recognising.mjs";
import { use } from "./using.mjs";
import { virtualList } from "./virtual_list.mjs";

const PAUSE_MS = 150; // between the last key and the search
const AGAIN_MS = 2000; // while the first look at the disk goes on

const say = speaker({
  en: {
    models: "Local models", kind: "Kind", search: "Search names, tags, trigger words", sort: "Sort by", name: "Name", newest: "Newest", size: "Size", used: "Most used", rated: "Best rated",
    family: "Family", all_families: "All families", unknown: "Unknown", counted: "{name} ({count})", triggers: "With trigger words", newer: "Update available", unusable: "Not usable",
    nsfw: "Show NSFW", filters: "Filters", refresh: "Refresh", refresh_hint: "Look at the model folders again", found: "{count} models", one: "1 model", none: "No model fits. Fewer filters or other words may help; the Hub view has more.",
    looking: "Looking at the model folders…",
  },
  es: {
    models: "Modelos locales", kind: "Tipo", search: "Buscar nombres, etiquetas, palabras de activación", sort: "Ordenar por", name: "Nombre", newest: "Más nuevos", size: "Tamaño", used: "Más usados", rated: "Mejor valorados",
    family: "Familia", all_families: "Todas las familias", unknown: "Desconocida", counted: "{name} ({count})", triggers: "Con palabras de activación", newer: "Con actualización", unusable: "No utilizables",
    nsfw: "Mostrar NSFW", filters: "Filtros", refresh: "Actualizar", refresh_hint: "Mirar de nuevo las carpetas de modelos", found: "{count} modelos", one: "1 modelo", none: "Ningún modelo encaja. Pueden ayudar menos filtros u otras palabras; en la vista Hub hay más.",
    looking: "Mirando las carpetas de modelos…",
  },
});

const ONLY = ["triggers", "newer", "unusable"];
const SORTS = ["name", "newest", "size", "used", "rated"];
let wish = { kind: "loras", search: "", family: "", only: [], nsfw: false, sort: "name" }; // kept while the page is open

export function open(place, argument = {}) {
  const view = new View({ ...wish, ...argument });
  place.replaceChildren(view.element);
  view.begin();
  return () => view.close();
}

class View {
  #families = [];
  #labels = {};
  #version = "";
  #pages = null;
  #newest = null; // the pages asked for last
  #complete = true;
  #closed = false;
  #closing = [];
  #acts = { details: async (row) => (await import("./library_details.mjs")).openDetails(row, this.#families, () => this.load(false)), use };

  constructor(wanted) {
    wish = wanted;
    this.status = element("p", { class: "quiet", role: "status" });
    this.list = virtualList({ rowHeight: ROW_HEIGHT, row: (index, spare) => this.#row(index, spare), load: (from, to) => this.#pages?.need(from, to), label: say("models") });
    const downloads = strip(), recognition = recognising(() => this.load(true));
    this.kinds = choice("kind", KINDS.map((kind) => [kind, kindName(kind)]), wish.kind, (kind) => this.#change({ kind, family: "" }));
    this.families = choice("family", [["", say("all_families")]], "", (family) => this.#change({ family }));
    const refresh = element("button", { type: "button", title: say("refresh_hint") }, say("refresh"));
    refresh.addEventListener("click", () => this.load(true));
    this.element = element("div", { class: "iig view", style: "height:100%" }, element("style", {}, STYLE), downloads.element, this.#head(),
      element("div", { class: "buttons iig-small" }, refresh, ...recognition.buttons), recognition.element, this.status, this.list.element);
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.#closing.push(downloads.close, recognition.close, onDownload((each) => each?.state === "done" && this.load(true)));
  }

  async begin() {
    await this.load(false);
    await this.#settle();
  }

  // The disk is looked at behind the list that is there; a first look at a large library takes its time.
  async #settle() {
    await this.load(true, true);
    if (!this.#complete && !this.#closed) setTimeout(() => this.#closed || this.#settle(), AGAIN_MS);
  }

  // The list anew. `look` has the server look at the disk before; `quietly` then leaves it alone where nothing changed.
  async load(look, quietly = false) {
    const pages = new Pages(wish, (from, to) => this.list.redraw(from, to), (fault) => this.#fail(fault));
    this.#newest = pages;
    if (look && !quietly) this.status.textContent = say("looking");
    const told = await pages.begin(look);
    if (!told || this.#newest !== pages || this.#closed) return pages.close();
    if (quietly && told.version === this.#version) return this.#tell(told);
    this.#pages?.close();
    this.#pages = pages;
    this.#version = told.version;
    this.#tell(told);
    this.list.refresh(told.total);
  }


  close() {
    this.#closed = true;
    this.#pages?.close();
    this.#newest?.close();
    for (const end of this.#closing) end();
  }

  #fail(fault) {
    this.status.replaceChildren(element("span", { class: "fault" }, fault.message));
  }

  #tell(told) {
    this.#families = told.families;
    this.#complete = told.complete;
    this.#labels = Object.fromEntries(told.families.map(({ id, label }) => [id, label]));
    options(this.kinds, KINDS.map((kind) => [kind, say("counted", { name: kindName(kind), count: told.kinds[kind] })]), wish.kind);
    const held = told.families.filter(({ id, files }) => files || id === wish.family);
    options(this.families, [["", say("all_families")], ...held.map(({ id, label, files }) => [id, say("counted", { name: label || say("unknown"), count: files })])], wish.family);
    const count = told.total === 1 ? say("one") : say("found", { count: told.total.toLocaleString(language()) });
    this.status.textContent = !told.complete ? say("looking") : told.total ? count : say("none");
  }

  #row(index, spare) {
    return modelRow(this.#pages?.row(index), this.#labels, this.#acts, spare);
  }

  #change(changes) {
    wish = { ...wish, ...changes };
    this.list.top();
    this.load(false);
  }

  #head() {
    const search = element("input", { type: "search", "aria-label": say("search"), placeholder: say("search"), style: "flex:1;min-width:9rem" });
    search.value = wish.search;
    let waiting = 0;
    search.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.#change({ search: search.value }), PAUSE_MS);
    });
    const sort = choice("sort", SORTS.map((each) => [each, say(each)]), wish.sort, (each) => this.#change({ sort: each }));
    const checks = ONLY.map((each) => check(each, wish.only.includes(each), (on) => this.#change({ only: [...wish.only.filter((other) => other !== each), ...(on ? [each] : [])] })));
    checks.push(check("nsfw", wish.nsfw, (nsfw) => this.#change({ nsfw })));
    const filters = element("details", { ...(wish.only.length || wish.family ? { open: "" } : {}) }, element("summary", {}, say("filters")));
    filters.append(element("div", { class: "buttons", style: "margin-top:0.4rem" }, this.families, ...checks));
    return element("div", { style: "display:flex;flex-direction:column;gap:0.4rem" }, element("div", { class: "buttons" }, this.kinds, sort), search, filters);
  }

  // R looks at the folders again, as it does elsewhere in ComfyUI; not while somebody types.
  #key(event) {
    if (event.key !== "r" || event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) return;
    event.preventDefault();
    event.stopPropagation();
    this.load(true);
  }
}

function choice(key, entries, value, chosen) {
  const made = element("select", { "aria-label": say(key), style: "flex:1;min-width:7rem" });
  options(made, entries, value);
  made.addEventListener("change", () => chosen(made.value));
  return made;
}

function options(select, entries, value) {
  if (select.length !== entries.length) select.replaceChildren(...entries.map(([id, text]) => element("option", { value: id }, text)));
  else for (const [place, [id, text]] of entries.entries()) Object.assign(select.options[place], { value: id, text });
  select.value = value;
}

function check(key, value, changed) {
  const box = element("input", { type: "checkbox" });
  box.checked = value;
  box.addEventListener("change", () => changed(box.checked));
  return element("label", {}, box, ` ${say(key)}`);
}
