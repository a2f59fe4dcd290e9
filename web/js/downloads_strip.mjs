// The downloads at the top of a view: what comes in, how far, how fast; each can be paused, resumed, cancelled, taken off.
import { element, speaker, toast } from "./speaking.mjs";
import { act, downloads, isOver, onDownload, refusal } from "./following.mjs";
import { fileSize, span, speed } from "./sizes.mjs";

const say = speaker({
  en: {
    title: "Downloads", waiting: "waiting", running: "downloading", paused: "paused", done: "done", have_it: "already here", failed: "failed",
    cancelled: "cancelled", of: "{done} of {size}", left: "{time} left", pause: "Pause", resume: "Resume", cancel: "Cancel", retry: "Try again",
    forget: "Take off the list", clear: "Clear finished", refused: "That was not possible", named: "{act}: {name}",
  },
  es: {
    title: "Descargas", waiting: "en espera", running: "descargando", paused: "en pausa", done: "lista", have_it: "ya está aquí", failed: "fallida",
    cancelled: "cancelada", of: "{done} de {size}", left: "quedan {time}", pause: "Pausar", resume: "Reanudar", cancel: "Cancelar", retry: "Reintentar",
    forget: "Quitar de la lista", clear: "Quitar las terminadas", refused: "No fue posible", named: "{act}: {name}",
  },
});

const ACTS = { waiting: ["pause", "cancel"], running: ["pause", "cancel"], paused: ["resume", "cancel"], failed: ["resume", "cancel"] };
const ENDED = new Set(["done", "have_it", "cancelled"]);

// → {element, close()}
export function strip() {
  const list = element("ul", {}), place = element("section", { class: "card", "aria-label": say("title") }), rows = new Map();
  const refused = element("p", { class: "quiet" }); // from another computer
  const clear = element("button", { type: "button", class: "bare" }, say("clear"));
  clear.addEventListener("click", () => Promise.all(downloads().filter(({ state }) => ENDED.has(state)).map((each) => tried(each, "forget"))));
  place.append(element("div", { class: "row" }, element("h3", {}, say("title")), clear), refused, list);
  const draw = () => {
    const all = downloads();
    place.hidden = !all.length && !refusal();
    refused.textContent = refusal() ?? "";
    clear.hidden = !all.some(({ state }) => ENDED.has(state));
    for (const [id, row] of rows) if (!all.some((each) => each.id === id)) row.element.remove(), rows.delete(id);
    for (const each of all) {
      if (!rows.has(each.id)) rows.set(each.id, made(each.id)), list.append(rows.get(each.id).element);
      rows.get(each.id).show(each);
    }
  };
  const close = onDownload(draw);
  draw();
  return { element: place, close };
}

async function tried(download, what) {
  try {
    await act(download, what);
  } catch (fault) {
    toast("error", say("refused"), fault.message);
  }
}

function made(id) {
  const name = element("strong", {}), told = element("span", { class: "quiet" }), fault = element("p", { class: "fault", role: "alert" });
  const done = element("div", {}), bar = element("div", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, done);
  const buttons = element("div", { class: "buttons" });
  let state = "";
  const show = (download) => {
    name.textContent = download.name;
    told.textContent = line(download);
    fault.textContent = download.state === "failed" ? download.message ?? "" : "";
    fault.hidden = !fault.textContent;
    const percent = download.size_bytes ? Math.min(100, Math.round((100 * download.done_bytes) / download.size_bytes)) : 0;
    bar.setAttribute("aria-label", download.name);
    bar.setAttribute("aria-valuenow", percent);
    done.style.width = `${percent}%`;
    bar.hidden = ENDED.has(download.state);
    if (state !== download.state) {
      const focused = buttons.contains(document.activeElement);
      buttons.replaceChildren(...(ACTS[download.state] ?? ["forget"]).map((what) => button(download, what)));
      if (focused) buttons.firstChild.focus(); // the button pressed is another one now
    }
    state = download.state;
  };
  return { element: element("li", { "data-download": id }, element("div", { class: "row" }, name, buttons), bar, told, fault), show };
}

function button(download, what) {
  const label = say(what === "resume" && download.state === "failed" ? "retry" : what);
  const pressed = element("button", { type: "button", "data-act": what, "aria-label": say("named", { act: label, name: download.name }) }, label);
  pressed.addEventListener("click", () => tried(download, what));
  return pressed;
}

function line(download) {
  const { state, done_bytes: done, size_bytes: size, bytes_per_s: rate } = download;
  const far = size && !ENDED.has(state) ? say("of", { done: fileSize(done), size: fileSize(size) }) : fileSize(size ?? done);
  const parts = [say(state), far];
  if (!isOver(download) && rate) parts.push(speed(rate), ...(size ? [say("left", { time: span((size - done) / rate) })] : []));
  return parts.join(" · ");
}
