// The view of pictures made so far: newest first, filtered and searched by the server, page by page; new ones appear by
// themselves.
import { api } from "../../../scripts/api.js";
import { ask, element, speaker } from "./speaking.mjs";
import { pictureCard } from "./recent_card.mjs";
import { chooser } from "./recent_choice.mjs";

const PAGE = 24;
const SETTLE_MS = 400; // after the last word of the queue or key of a search
const SHOWN = ["all", "rated", "favourites", "session"];

const say = speaker({
  en: {
    title: "Pictures", show: "Show", all: "All", rated: "Rated", favourites: "Favourites", session: "This session", search: "Search prompt, model, LoRA, tag",
    more: "Show more", none: "No picture yet. Run an Auto Pipeline: what it makes appears here, to be rated.", none_found: "No picture fits. Change the filter or the search.",
    loading: "Reading…", listed: "{count} pictures", one: "1 picture", again: "Try again",
  },
  es: {
    title: "Imágenes", show: "Mostrar", all: "Todas", rated: "Valoradas", favourites: "Favoritas", session: "Esta sesión", search: "Buscar prompt, modelo, LoRA, etiqueta",
    more: "Mostrar más", none: "Aún no hay imágenes. Al ejecutar un nodo «Generación automática», lo que haga aparece aquí para valorarlo.", none_found: "Ninguna imagen encaja con este filtro y esta búsqueda.",
    loading: "Leyendo…", listed: "{count} imágenes", one: "1 imagen", again: "Reintentar",
  },
});

const STYLE = `
.iig-recent .grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(13.5rem, 100%), 1fr)); gap: 0.6rem; }
.iig-recent .head { position: sticky; top: 0; z-index: 1; background: var(--comfy-menu-bg); padding: 0.5rem 0; display: flex; flex-direction: column; gap: 0.4rem; }
.iig-recent .filter { display: flex; flex-wrap: wrap; gap: 0.3rem; }
.iig-recent .shot { position: relative; padding: 0; border: 0; background: var(--border-color); border-radius: 0.4rem; overflow: hidden; aspect-ratio: 4 / 3; display: block; width: 100%; }
.iig-recent .shot img { width: 100%; height: 100%; object-fit: contain; display: block; }
.iig-recent .shot .absent { position: absolute; inset: 0; display: grid; place-items: center; padding: 0.5rem; z-index: -1; }
.iig-recent .prompt { display: -webkit-box; -webkit-line-clamp: 3; -webkit-box-orient: vertical; overflow: hidden; overflow-wrap: anywhere; }
.iig-recent .card { min-width: 0; }
.iig-recent .card[data-chosen=true] { outline: 2px solid var(--p-primary-color, #60a5fa); }
.iig-recent .acts { display: flex; flex-wrap: wrap; gap: 0.3rem; }
.iig-recent .acts button { font-size: 0.78rem; padding: 0.2rem 0.45rem; }`;

// → what closes the view
export function open(place) {
  const list = new Recent();
  place.replaceChildren(element("style", {}, STYLE), list.element);
  list.start();
  return () => list.close();
}

class Recent {
  #cards = new Map(); // id → card
  #show = "all";
  #search = "";
  #next = "";
  #asked = 0;
  #waiting = {}; // what is put off, by what it is: a word of the queue is no reason to forget a search
  #grid = element("div", { class: "grid", role: "list", "aria-label": say("title") });
  #status = element("p", { class: "quiet", role: "status" }, say("loading"));
  #more = element("button", { type: "button" }, say("more"));
  #choice = chooser();

  constructor() {
    this.#more.hidden = true;
    this.#more.addEventListener("click", () => this.#load(this.#next));
    const head = element("div", { class: "head" }, this.#filter(), this.#searchField(), this.#status, this.#choice.element);
    this.element = element("div", { class: "iig view iig-recent" }, head, this.#grid, this.#more);
  }

  start() {
    this.heard = () => this.#later("refresh", () => this.#refresh());
    api.addEventListener("status", this.heard); // comes whenever the queue changes, for runs of other tabs and batches, too
    window.addEventListener("iig-pictures", this.heard);
    this.#load("");
  }

  close() {
    api.removeEventListener("status", this.heard);
    window.removeEventListener("iig-pictures", this.heard);
    Object.values(this.#waiting).forEach(clearTimeout);
    this.#asked += 1;
  }

  #later(what, act) {
    clearTimeout(this.#waiting[what]);
    this.#waiting[what] = setTimeout(act, SETTLE_MS);
  }

  #filter() {
    const group = element("div", { class: "filter", role: "group", "aria-label": say("show") });
    for (const name of SHOWN) {
      const button = element("button", { type: "button", "aria-pressed": String(name === this.#show) }, say(name));
      button.addEventListener("click", () => {
        for (const each of group.children) each.setAttribute("aria-pressed", String(each === button));
        this.#show = name;
        this.#load("");
      });
      group.append(button);
    }
    return group;
  }

  #searchField() {
    const field = element("input", { type: "search", "aria-label": say("search"), placeholder: say("search") });
    field.addEventListener("input", () => this.#later("search", () => {
      this.#search = field.value;
      this.#load("");
    }));
    return field;
  }

  async #ask(before) {
    const query = new URLSearchParams({ limit: PAGE, show: this.#show, search: this.#search, before });
    return ask(`/feedback/recent?${query}`);
  }

  // From the beginning where `before` is empty, else the next page.
  async #load(before) {
    const asked = (this.#asked += 1);
    this.#more.disabled = true;
    try {
      const told = await this.#ask(before);
      if (asked !== this.#asked) return;
      if (!before) this.#empty();
      for (const row of told.generations) this.#grid.append(this.#card(row).element);
      this.#next = told.next;
      this.#tell(told.notes);
    } catch (fault) {
      if (asked === this.#asked) this.#failed(fault, before);
    } finally {
      this.#more.disabled = false;
      this.#more.hidden = !this.#next;
    }
  }

  // What is new comes first; what is there already is shown as it stands now.
  async #refresh() {
    const asked = this.#asked;
    const told = await this.#ask("").catch(() => null); // the next word of the queue asks again
    if (!told || asked !== this.#asked) return;
    const fresh = told.generations.filter(({ id }) => !this.#cards.has(id));
    for (const row of told.generations) this.#cards.get(row.id)?.update(row);
    this.#grid.prepend(...fresh.map((row) => this.#card(row).element));
    if (fresh.length && this.#cards.size <= told.generations.length) this.#next = told.next;
    this.#tell(told.notes);
  }

  #card(row) {
    const made = pictureCard(row, this.#choice);
    this.#cards.set(row.id, made);
    return made;
  }

  #empty() {
    this.#cards.clear();
    this.#choice.forget();
    this.#grid.replaceChildren();
  }

  #tell(notes) {
    const count = this.#cards.size, isFree = this.#show === "all" && !this.#search.trim();
    const told = count ? say(count === 1 ? "one" : "listed", { count }) : say(isFree ? "none" : "none_found");
    this.#status.replaceChildren(told, ...notes.map(({ message }) => element("span", { class: "fault" }, ` ${message}`)));
    this.#more.hidden = !this.#next;
  }

  #failed(fault, before) {
    const again = element("button", { type: "button" }, say("again"));
    again.addEventListener("click", () => this.#load(before));
    this.#status.replaceChildren(element("span", { class: "fault" }, `${fault.message} `), again);
  }
}
