// A dialog of our own over the page: kept in the keyboard's reach, closed by Escape, focus given back afterwards.
import { element, speaker } from "./speaking.mjs";
import { styled } from "./style.mjs";

const say = speaker({ en: { close: "Close", cancel: "Cancel" }, es: { close: "Cerrar", cancel: "Cancelar" } });
const STYLE = "max-width:min(60rem,94vw);max-height:90vh;overflow:auto;padding:1rem;border-radius:0.6rem;"
  + "border:1px solid var(--border-color);background:var(--comfy-menu-bg)";

// Show `content` under a title. → {close(), closed: a promise}
export function open(title, content) {
  styled();
  const dialog = element("dialog", { class: "iig", style: STYLE, "aria-label": title });
  const close = element("button", { type: "button", class: "bare", "aria-label": say("close") }, "✕");
  close.addEventListener("click", () => dialog.close());
  dialog.append(element("div", { class: "row" }, element("h2", {}, title), close), content);
  document.body.append(dialog);
  const closed = new Promise((resolve) => dialog.addEventListener("close", () => (dialog.remove(), resolve(dialog.returnValue))));
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // no shortcut of the canvas meanwhile
  dialog.showModal();
  return { close: () => dialog.close(), closed, element: dialog };
}

// Ask before something happens: `lines` are texts or elements, `yes` is what the button says; `ready(hear)` tells `hear`
// whether it may be pressed. → whether it was
export async function confirm(title, lines, yes, ready = (hear) => hear(true)) {
  const agree = element("button", { type: "button", class: "main" }, yes);
  const refuse = element("button", { type: "button" }, say("cancel"));
  ready((may) => (agree.disabled = !may));
  const told = lines.map((line) => (line instanceof Node ? line : element("p", {}, line)));
  const content = element("div", { style: "display:flex;flex-direction:column;gap:0.5rem" }, ...told, element("div", { class: "buttons" }, agree, refuse));
  const shown = open(title, content);
  agree.addEventListener("click", () => shown.element.close("yes"));
  refuse.addEventListener("click", () => shown.close());
  return (await shown.closed) === "yes";
}
