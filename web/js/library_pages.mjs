// The list of local files as the server holds it, fetched in pages as they come into view; what nobody waits for any more is
// aborted.
import { ask } from "./speaking.mjs";

const PAGE = 200; // rows of one request

// `changed(from, to)` is told which rows came in, `failed(fault)` what went wrong.
export class Pages {
  #rows = new Map(); // page → rows
  #asking = new Map(); // page → what aborts it
  #wish;

  constructor(wish, changed, failed) {
    this.#wish = wish;
    this.changed = changed;
    this.failed = failed;
    this.total = 0;
  }

  row(index) {
    return this.#rows.get(Math.floor(index / PAGE))?.[index % PAGE] ?? null;
  }

  // The first page; what it tells of the whole list. `look` has the server look at the disk before.
  async begin(look = false) {
    const told = await this.#fetch(0, look);
    if (told) this.total = told.total;
    return told;
  }

  // The pages of these rows, and of no others.
  need(from, to) {
    const first = Math.floor(from / PAGE), last = Math.floor(Math.max(from, to - 1) / PAGE);
    for (const [page, asking] of this.#asking) if (page && (page < first || page > last)) asking.abort();
    for (let page = first; page <= last; page++) {
      if (page * PAGE < this.total && !this.#rows.has(page) && !this.#asking.has(page)) this.#more(page);
    }
  }

  close() {
    for (const asking of this.#asking.values()) asking.abort();
  }

  async #more(page) {
    const told = await this.#fetch(page, false);
    if (told) this.changed(page * PAGE, page * PAGE + told.files.length);
  }

  async #fetch(page, look) {
    const asking = new AbortController();
    this.#asking.set(page, asking);
    try {
      const told = await ask(`/hub/library?${query({ ...this.#wish, offset: page * PAGE, limit: PAGE, look })}`, null, { signal: asking.signal });
      this.#rows.set(page, told.files);
      return told;
    } catch (fault) {
      if (fault.name !== "AbortError") this.failed(fault);
      return null;
    } finally {
      this.#asking.delete(page);
    }
  }
}

function query(wish) {
  const made = new URLSearchParams();
  for (const [name, value] of Object.entries(wish)) {
    if (Array.isArray(value)) for (const each of value) made.append(name, each);
    else if (value !== "" && value !== null) made.set(name, value);
  }
  return made;
}
