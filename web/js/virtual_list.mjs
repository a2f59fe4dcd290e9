// A list of any length that holds only the rows that can be seen. Rows are all of one height; the keyboard walks them.
import { element } from "./speaking.mjs";

const AROUND = 6; // rows kept ready above and below

// `rowHeight` in pixels, `row(index)` makes a row (again, whenever it changed), `count` how many there are, `load(from, to)`
// is told which are seen, so that what they show can be fetched; `label` names the list for screen readers.
// → {element, refresh(count), redraw(from, to), top()}
export function virtualList({ rowHeight, row, count = 0, load = () => {}, label = "" }) {
  const space = element("div", { role: "list", "aria-label": label, style: "position:relative;width:100%" });
  const scroller = element("div", { class: "iig-scroll", style: "overflow:auto;flex:1;min-height:16rem;position:relative;overflow-anchor:none" }, space);
  const rows = new Map(); // index → element
  let waiting = 0, active = 0;

  const seen = () => {
    const first = Math.floor(scroller.scrollTop / rowHeight), fit = Math.ceil(scroller.clientHeight / rowHeight);
    return [Math.max(0, first - AROUND), Math.min(count, first + fit + AROUND)];
  };
  const put = (index) => {
    const made = row(index);
    made.dataset.index = index;
    made.setAttribute("role", "listitem");
    made.setAttribute("aria-setsize", count);
    made.setAttribute("aria-posinset", index + 1);
    made.tabIndex = index === active ? 0 : -1;
    Object.assign(made.style, { position: "absolute", left: 0, right: 0, height: `${rowHeight}px`, top: `${index * rowHeight}px` });
    const before = rows.get(index);
    const refocus = before?.contains(document.activeElement) ? placeOfFocus(before) : null;
    before ? before.replaceWith(made) : space.append(made);
    rows.set(index, made);
    if (refocus !== null) (focusables(made)[refocus] ?? made).focus({ preventScroll: true });
  };
  const draw = () => {
    waiting = 0;
    const [from, to] = seen();
    for (const [index, made] of rows) {
      const isKept = (index >= from && index < to) || (made.contains(document.activeElement) && index < count);
      if (!isKept) made.remove(), rows.delete(index);
    }
    for (let index = from; index < to; index++) if (!rows.has(index)) put(index);
    load(from, to);
  };
  const later = () => (waiting ||= requestAnimationFrame(draw));
  const walk = (to) => {
    const before = rows.get(active);
    if (before) before.tabIndex = -1;
    active = Math.max(0, Math.min(count - 1, to));
    const top = active * rowHeight;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    if (top + rowHeight > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = top + rowHeight - scroller.clientHeight;
    draw();
    rows.get(active).tabIndex = 0;
    rows.get(active).focus({ preventScroll: true });
  };
  scroller.addEventListener("scroll", later, { passive: true });
  scroller.addEventListener("keydown", (event) => {
    if (event.target.closest("[data-index]") !== event.target || !count) return; // not from within a row's buttons
    const page = Math.max(1, Math.floor(scroller.clientHeight / rowHeight) - 1);
    const to = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: count - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    walk(to);
  });
  scroller.addEventListener("focusin", ({ target }) => {
    const index = target.closest("[data-index]")?.dataset.index;
    if (index === undefined) return;
    if (rows.has(active)) rows.get(active).tabIndex = -1;
    active = Number(index);
    rows.get(active).tabIndex = 0;
  });
  new ResizeObserver(later).observe(scroller);

  return {
    element: scroller,
    // Another list: what is drawn is drawn anew.
    refresh(newCount) {
      count = newCount;
      active = Math.min(active, Math.max(0, count - 1));
      space.style.height = `${count * rowHeight}px`;
      for (const [index, made] of rows) if (index >= count) made.remove(), rows.delete(index);
      for (const index of [...rows.keys()]) put(index);
      draw();
    },
    // Rows whose content came in, or changed.
    redraw(from, to) {
      for (const index of [...rows.keys()]) if (index >= from && index < to) put(index);
    },
    top() {
      active = 0;
      scroller.scrollTop = 0;
    },
  };
}

function focusables(made) {
  return [...made.querySelectorAll("button, a, input, select, [tabindex]")];
}

function placeOfFocus(made) {
  return focusables(made).indexOf(document.activeElement);
}
