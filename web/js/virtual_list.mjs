// A list of any length that holds only the rows that can be seen; a row that leaves is filled anew where another comes in.
// Rows are all of one height; the keyboard walks them.
import { element } from "./speaking.mjs";

const AROUND = 3; // rows kept ready above and below
const SETTLED_MS = 60; // whoever flings through the list sees rows when it slows down

// `rowHeight` in pixels; `row(index, spare)` makes the element of a row, or fills `spare`, one it made before, and gives it
// back; `count` is how many rows there are; `load(from, to)` is told which are seen, so that what they show can be fetched;
// `label` names the list for screen readers. → {element, refresh(count), redraw(from, to), top()}
export function virtualList(given) {
  return new List({ count: 0, load: () => {}, label: "", ...given });
}

class List {
  #rows = new Map(); // index → element
  #spare = [];
  #space;
  #waiting = 0;
  #drawnAt = 0; // where it was scrolled to
  #active = 0;

  constructor({ rowHeight, row, count, load, label }) {
    Object.assign(this, { rowHeight, row, count, load });
    this.#space = element("div", { role: "list", "aria-label": label, style: "position:relative;width:100%" });
    const style = "overflow:auto;flex:1 1 0;min-height:16rem;max-height:90vh;position:relative;overflow-anchor:none";
    this.element = element("div", { class: "iig-scroll", style, tabindex: "-1" }, this.#space);
    this.element.addEventListener("scroll", () => this.#soon(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("focusin", ({ target }) => this.#focused(target));
    new ResizeObserver(() => this.#soon()).observe(this.element);
  }

  // Another list, or the same with other content.
  refresh(count) {
    this.count = count;
    this.#active = Math.min(this.#active, Math.max(0, count - 1));
    this.#space.style.height = `${count * this.rowHeight}px`;
    for (const [index, made] of this.#rows) if (index >= count) this.#free(index, made);
    this.redraw(0, count);
    this.#draw();
  }

  // Rows whose content came in, or changed.
  redraw(from, to) {
    for (const index of this.#rows.keys()) if (index >= from && index < to) this.#put(index, this.#rows.get(index));
  }

  top() {
    this.#active = 0;
    this.element.scrollTop = 0;
  }

  #soon() {
    if (this.#waiting) return;
    const isFlung = Math.abs(this.element.scrollTop - this.#drawnAt) > this.element.clientHeight;
    const draw = () => ((this.#waiting = 0), this.#draw());
    this.#drawnAt = this.element.scrollTop;
    this.#waiting = isFlung ? setTimeout(draw, SETTLED_MS) : requestAnimationFrame(draw);
  }

  #draw() {
    this.#drawnAt = this.element.scrollTop;
    const first = Math.floor(this.#drawnAt / this.rowHeight), fit = Math.ceil(this.element.clientHeight / this.rowHeight);
    const from = Math.max(0, first - AROUND), to = Math.min(this.count, first + fit + AROUND);
    const focus = document.activeElement;
    for (const [index, made] of this.#rows) if ((index < from || index >= to) && !made.contains(focus)) this.#free(index, made);
    for (let index = from; index < to; index++) if (!this.#rows.has(index)) this.#put(index, this.#spare.pop());
    for (const made of this.#spare) made.style.display = "none";
    this.load(from, to);
  }

  #free(index, made) {
    this.#rows.delete(index);
    this.#spare.push(made);
  }

  #put(index, spare) {
    const made = this.row(index, spare);
    if (made !== spare) {
      made.setAttribute("role", "listitem");
      Object.assign(made.style, { position: "absolute", left: 0, right: 0, top: 0, height: `${this.rowHeight}px`, contain: "strict" });
      spare ? spare.replaceWith(made) : this.#space.append(made);
    }
    made.dataset.index = index;
    made.setAttribute("aria-setsize", this.count);
    made.setAttribute("aria-posinset", index + 1);
    made.style.transform = `translateY(${index * this.rowHeight}px)`;
    made.style.display = "";
    reachable(made, index === this.#active);
    this.#rows.set(index, made);
  }

  #key(event) {
    if (event.target.dataset.index === undefined || !this.count) return; // not from within a row's buttons
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.rowHeight) - 1), at = this.#active;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: this.count - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.#walk(Math.max(0, Math.min(this.count - 1, to)));
  }

  #walk(to) {
    const top = to * this.rowHeight, { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    if (top + this.rowHeight > scrollTop + clientHeight) this.element.scrollTop = top + this.rowHeight - clientHeight;
    this.#draw();
    this.#rows.get(to).focus({ preventScroll: true });
  }

  #focused(target) {
    const index = target.closest("[data-index]")?.dataset.index;
    if (index === undefined || Number(index) === this.#active) return;
    if (this.#rows.has(this.#active)) reachable(this.#rows.get(this.#active), false);
    this.#active = Number(index);
    reachable(this.#rows.get(this.#active), true);
  }
}

// Tab leads to one row and what is in it, not through all of them.
function reachable(row, isActive) {
  const tabIndex = isActive ? 0 : -1;
  if (row.tabIndex === tabIndex && row.dataset.reached === String(isActive)) return;
  row.tabIndex = tabIndex;
  row.dataset.reached = isActive;
  for (const each of row.querySelectorAll("button, a, input, select")) each.tabIndex = tabIndex;
}
