// One batch: its pictures side by side with what sets each apart, stars, and the buttons to pick, go on and stop.
import { cancelWaiting } from "./batch_queue.mjs";
import { open as dialog } from "./dialog.mjs";
import { picture, pictureUrl } from "./pictures.mjs";
import { ask, element, language, speaker, toast } from "./speaking.mjs";

const say = speaker({
  en: {
    progress: "{done} of {count} done", failed: "{count} failed", resume: "Make what is missing", resume_hint: "Queue the pictures that failed or were never made",
    cancel: "Stop what waits", cancel_hint: "Take the waiting pictures out of the queue; the one that runs goes on", cancelled: "Taken out of the queue: {count}",
    queued: "In the queue now: {count}", pick: "Pick as winner", picked: "Winner", pick_label: "Pick {label} as the winner", waiting: "waits in the queue",
    running: "is being made", idle: "not made yet", elsewhere: "made on {machine}", pictures: "Pictures of the batch", refused: "That did not work", larger: "Show {label} larger",
    takes: "about {minutes} min for all",
  },
  es: {
    progress: "{done} de {count} hechas", failed: "{count} fallidas", resume: "Hacer lo que falta", resume_hint: "Pone en la cola las imágenes que fallaron o no se hicieron",
    cancel: "Parar lo que espera", cancel_hint: "Saca de la cola las imágenes en espera; la que se está haciendo sigue", cancelled: "Sacadas de la cola: {count}",
    queued: "Ahora en la cola: {count}", pick: "Elegir como ganadora", picked: "Ganadora", pick_label: "Elegir {label} como ganadora", waiting: "espera en la cola",
    running: "se está haciendo", idle: "aún sin hacer", elsewhere: "hecha en {machine}", pictures: "Imágenes del lote", refused: "No funcionó", larger: "Mostrar {label} más grande",
    takes: "unos {minutes} min en total",
  },
});

const GRID = "display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,9rem),1fr));gap:0.6rem";
const PLACE = "aspect-ratio:1;width:100%;border-radius:0.35rem;background:var(--comfy-input-bg);display:grid;place-items:center;text-align:center;padding:0.5rem;overflow:auto;font-size:0.8rem";

export function batchCard(id) {
  const parts = {
    prompt: element("p", { style: "max-height:6rem;overflow:auto", tabindex: "0" }), told: element("p", { class: "quiet", role: "status", "aria-live": "polite" }),
    bar: element("div", {}), why: element("div", { class: "quiet" }), grid: element("ul", { style: GRID, "aria-label": say("pictures") }),
  };
  const tiles = new Map(); // place → {shown, element}
  let changed = () => {};
  const act = (work) => async () => {
    try {
      await work();
    } catch (fault) {
      toast("error", say("refused"), fault.message);
    }
    changed();
  };
  const resume = button("resume", "resume_hint", act(async () => {
    const { queued } = await ask("/batches/resume", { id });
    toast("info", say("queued", { count: Math.max(0, queued.length - 1) })); // the last is the sheet
  }));
  const cancel = button("cancel", "cancel_hint", act(async () => toast("info", say("cancelled", { count: await cancelWaiting(id) }))));
  const pick = (place) => act(() => ask("/batches/pick", { id, place }))();
  const whole = element("div", { style: "display:flex;flex-direction:column;gap:0.75rem" }, parts.prompt, element("div", { class: "bar", "aria-hidden": "true" }, parts.bar));
  whole.append(parts.told, parts.why, element("div", { class: "buttons" }, resume, cancel), parts.grid);

  const show = (batch, queued) => {
    const count = (state) => batch.items.filter((item) => item.state === state).length;
    const done = count("done"), failed = count("failed"), waiting = queued?.pending.size ?? 0, running = queued?.running ?? null;
    parts.prompt.textContent = batch.prompt;
    parts.bar.style.width = `${batch.items.length ? (100 * done) / batch.items.length : 0}%`;
    parts.told.textContent = [
      say("progress", { done, count: batch.items.length }), failed && say("failed", { count: failed }),
      done < batch.items.length && batch.seconds && say("takes", { minutes: Math.max(1, Math.round(batch.seconds / 60)) }),
    ].filter(Boolean).join(" · ");
    resume.hidden = batch.items.length - done <= waiting + (running === null ? 0 : 1);
    cancel.hidden = !waiting;
    for (const item of batch.items) place(item, batch, queued);
  };
  const place = (item, batch, queued) => {
    const shown = JSON.stringify([item.state, item.pictures, item.error, batch.winner === item.place, queued?.pending.has(item.place), queued?.running === item.place]);
    const before = tiles.get(item.place);
    if (before?.shown === shown) return; // what is focused, or being rated, stays as it is
    const made = tile(item, batch.winner === item.place, stateOf(item, queued), () => pick(item.place), before?.stars);
    const hadFocus = before?.element.contains(document.activeElement);
    if (before) before.element.replaceWith(made.element);
    else parts.grid.append(made.element);
    tiles.set(item.place, { ...made, shown });
    if (hadFocus) made.element.querySelector("button")?.focus();
  };
  const tell = (said) => parts.why.replaceChildren(...said.map((sentence) => element("p", {}, sentence)));
  return { element: whole, show, tell, onChange: (listener) => (changed = listener), close: () => (changed = () => {}) };
}

function button(key, hint, act) {
  const made = element("button", { type: "button", title: say(hint) }, say(key));
  made.addEventListener("click", async () => {
    made.disabled = true;
    await act();
    made.disabled = false;
  });
  made.hidden = true;
  return made;
}

function stateOf(item, queued) {
  if (item.state === "done") return item.pictures.length ? "" : say("elsewhere", item);
  if (queued?.running === item.place) return say("running");
  if (queued?.pending.has(item.place)) return say("waiting");
  return item.state === "failed" ? item.error : say("idle");
}

function tile(item, wins, state, pick, kept) {
  const label = item.variation.label;
  const made = element("li", { class: "card", style: "padding:0.4rem", "aria-label": `${item.place + 1}. ${label}` });
  made.append(item.pictures.length ? seen(item, label) : element("div", { style: PLACE, class: item.state === "failed" ? "fault" : "quiet" }, state));
  made.append(element("span", { style: "overflow-wrap:anywhere" }, `${item.place + 1}. ${label}`));
  if (item.state !== "done") return { element: made };
  const stars = kept ?? starsOf(item);
  const winner = element("button", { type: "button", "aria-pressed": String(wins), "aria-label": say("pick_label", { label }) }, wins ? `★ ${say("picked")}` : say("pick"));
  winner.addEventListener("click", pick);
  made.append(stars, winner);
  return { element: made, stars };
}

function seen(item, label) {
  const shown = element("button", { type: "button", class: "bare", style: "padding:0;line-height:0", "aria-label": say("larger", { label }) });
  const image = picture(pictureUrl(item.pictures[0]), label);
  image.style.cssText = "width:100%;border-radius:0.35rem;background:var(--border-color)";
  image.addEventListener("error", () => item.machine && shown.replaceChildren(element("div", { style: `${PLACE};line-height:1.4`, class: "quiet" }, say("elsewhere", item))));
  shown.append(image);
  shown.addEventListener("click", () => {
    const large = picture(pictureUrl(item.pictures[0]), label);
    large.style.cssText = "max-width:100%;max-height:75vh;display:block;margin:auto";
    dialog(label, large);
  });
  return shown;
}

// Stars are loaded late, and left out where they cannot be: the batch is seen all the same.
function starsOf(item) {
  const held = element("div", { lang: language() });
  const fill = ({ ratingBar }) => held.append(ratingBar({ id: item.generation_id }));
  import("./rating_bar.mjs").then(fill).catch((fault) => console.warn("[Intelligent Generation]", fault));
  return held;
}
