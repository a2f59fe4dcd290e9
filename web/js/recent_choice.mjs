// Which two pictures of a list are to be compared: the first waits for the second.
import { element, speaker } from "./speaking.mjs";

const say = speaker({
  en: { other: "Choose the picture to compare it with.", cancel: "Cancel" },
  es: { other: "Falta elegir la imagen con la que compararla.", cancel: "Cancelar" },
});

// → {element, toggle(id), isChosen(id), onChange(listener), forget(): every listener}
export function chooser() {
  let chosen = null;
  const listeners = new Set();
  const place = element("div", { class: "row", role: "status" });
  const change = (id) => {
    chosen = id;
    place.replaceChildren(...(id ? [element("span", {}, say("other")), cancel()] : []));
    for (const listener of listeners) listener();
  };
  const cancel = () => {
    const button = element("button", { type: "button" }, say("cancel"));
    button.addEventListener("click", () => change(null));
    return button;
  };
  const toggle = async (id) => {
    if (!chosen || chosen === id) return change(chosen ? null : id);
    const first = chosen;
    change(null);
    (await import("./comparing.mjs")).compare(first, id);
  };
  return { element: place, toggle, isChosen: (id) => id === chosen, onChange: (listener) => listeners.add(listener), forget: () => listeners.clear() };
}
