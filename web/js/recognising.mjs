// Local files recognised at the hubs: begun, followed and stopped from the library.
import { api } from "../../../scripts/api.js";
import { ask, element, speaker, toast } from "./speaking.mjs";

const EVENT = "intelligent_generation.recognition";

const say = speaker({
  en: {
    recognise: "Recognise", recognise_hint: "Compute checksums and look the files up at the hubs: names, trigger words, previews, licences",
    updates: "Look for updates", updates_hint: "As Recognise, and ask for newer versions", stop: "Cancel", at: "{done} of {total}: {name}", begun: "Looking at the files…",
    done: "Recognised: {identified} files, {hashed} checksums computed", trouble: "Not everything could be recognised", refused: "That was not possible", progress: "Recognition",
  },
  es: {
    recognise: "Reconocer", recognise_hint: "Calcular sumas y buscar los archivos en los hubs: nombres, palabras de activación, vistas previas, licencias",
    updates: "Buscar actualizaciones", updates_hint: "Como Reconocer, y preguntar por versiones nuevas", stop: "Cancelar", at: "{done} de {total}: {name}", begun: "Mirando los archivos…",
    done: "Reconocidos: {identified} archivos, {hashed} sumas calculadas", trouble: "No se pudo reconocer todo", refused: "No fue posible", progress: "Reconocimiento",
  },
});

// → {buttons: elements, element: the progress, close()}; `ended()` is called when a recognition is over.
export function recognising(ended) {
  const told = element("span", { class: "quiet" }), filled = element("div", {});
  const bar = element("div", { class: "bar", role: "progressbar", "aria-label": say("progress"), "aria-valuemin": 0, "aria-valuemax": 100 }, filled);
  const stop = button("stop", "", () => post("/hub/recognise/stop"));
  const place = element("div", { role: "status" }, element("div", { class: "row" }, told, stop), bar);
  const buttons = [button("recognise", "recognise_hint", () => post("/hub/recognise")), button("updates", "updates_hint", () => post("/hub/recognise", { updates: true }))];
  let running = false;
  const show = (state) => {
    place.hidden = !state.running;
    for (const each of buttons) each.disabled = state.running;
    told.textContent = state.total ? say("at", state) : say("begun");
    const percent = state.total ? Math.round((100 * state.done) / state.total) : 0;
    filled.style.width = `${percent}%`;
    bar.setAttribute("aria-valuenow", percent);
    if (running && !state.running) over(state, ended);
    running = state.running;
  };
  const post = async (path, body = {}) => {
    try {
      show(await ask(path, body));
    } catch (fault) {
      toast("error", say("refused"), fault.message);
    }
  };
  const heard = ({ detail }) => show(detail);
  api.addEventListener(EVENT, heard);
  place.hidden = true;
  ask("/hub/recognise").then(show, () => {}); // told on the server's own computer only
  return { buttons, element: place, close: () => api.removeEventListener(EVENT, heard) };
}

function over(state, ended) {
  if (state.message) toast("warn", say("trouble"), state.message, 15000);
  else toast("success", say("done", { identified: state.identified ?? 0, hashed: state.hashed ?? 0 }), "", 5000);
  ended();
}

function button(key, hint, act) {
  const made = element("button", { type: "button", ...(hint && { title: say(hint) }) }, say(key));
  made.addEventListener("click", act);
  return made;
}
