// One picture of the list: the picture, its rating, what it was made of, and what can be done with it.
import { ask, element, language, speaker, toast } from "./speaking.mjs";
import { partsOf, picture, pictureUrl } from "./pictures.mjs";
import { ratingBar } from "./rating_bar.mjs";
import { number } from "./sizes.mjs";
import { learn } from "./standings.mjs";
import { copy, exportWithPlan, remember, save } from "./taking_out.mjs";
import * as dialog from "./dialog.mjs";

const say = speaker({
  en: {
    enlarge: "Enlarge: {prompt}", absent: "Not saved as a file here", use: "Use this plan", save: "Save", copy: "Copy", export: "Export with plan", compare: "Compare",
    details: "Details", seconds: "{seconds} s", loras: "LoRAs", none: "none", settings: "Settings", seed: "Seed", failed: "Not done", negative: "Negative prompt",
    set: "{steps} steps, CFG {cfg}, {sampler} / {scheduler}, {width}×{height}", guided: "guidance {guidance}", batch: "Batch item {place}", reading: "Reading…",
  },
  es: {
    enlarge: "Ampliar: {prompt}", absent: "No está guardada aquí como archivo", use: "Usar este plan", save: "Guardar", copy: "Copiar", export: "Exportar con plan", compare: "Comparar",
    details: "Detalles", seconds: "{seconds} s", loras: "LoRA", none: "ninguno", settings: "Ajustes", seed: "Semilla", failed: "No se hizo", negative: "Prompt negativo",
    set: "{steps} pasos, CFG {cfg}, {sampler} / {scheduler}, {width}×{height}", guided: "guidance {guidance}", batch: "Elemento {place} del lote", reading: "Leyendo…",
  },
});

// → {element, update(row)}
export function pictureCard(first, choice) {
  let row = first;
  const shot = element("div", {}), acts = element("div", { class: "acts" });
  const card = element("article", { class: "card", role: "listitem", "aria-label": row.prompt.slice(0, 80), "data-id": row.id });
  const show = () => {
    shot.replaceChildren(row.pictures.length ? shotOf(row) : element("div", { class: "shot" }, element("span", { class: "absent quiet" }, say("absent"))));
    acts.replaceChildren(...buttons(row, choice));
    for (const name of row.pictures) remember(partsOf(name), row.id);
  };
  choice.onChange(() => mark(card, acts, row.id, choice));
  show();
  const bar = ratingBar({ id: row.id, standing: row });
  card.append(shot, bar, element("p", { class: "prompt", title: row.prompt }, row.prompt), told(row), acts, details(row));
  const update = (now) => {
    const isOther = now.pictures.join() !== row.pictures.join();
    row = now;
    learn(row.id, row);
    if (isOther) show();
  };
  return { element: card, update };
}

function shotOf(row) {
  const name = row.pictures[0];
  const button = element("button", { type: "button", class: "shot", "aria-label": say("enlarge", { prompt: row.prompt.slice(0, 80) }) });
  button.append(element("span", { class: "absent quiet", "aria-hidden": "true" }, say("absent")), picture(pictureUrl(name), ""));
  button.addEventListener("click", () => {
    const whole = picture(pictureUrl(name), row.prompt);
    whole.style.cssText = "max-width:100%;max-height:75vh;display:block;margin:auto";
    dialog.open(row.prompt.slice(0, 80), whole);
  });
  return button;
}

function told(row) {
  const stem = row.model.split("/").pop().replace(/\.\w+$/, "");
  const at = new Date(row.at * 1000).toLocaleString(language(), { dateStyle: "short", timeStyle: "short" });
  const facts = [stem, at, row.seconds == null ? "" : say("seconds", { seconds: number(row.seconds, 1) }), row.batch ? say("batch", { place: row.place + 1 }) : ""];
  return element("p", { class: "quiet" }, facts.filter(Boolean).join(" · "));
}

// --------------------------------------------------------------------------- what can be done with it

function buttons(row, choice) {
  const [name] = row.pictures;
  const made = [act("use", () => usePlan(row))];
  if (name) {
    made.push(act("save", () => save(name, row.id)), act("copy", () => copy(name, row.id)));
    made.push(act("export", async () => exportWithPlan(name, row.id, await planOf(row))));
  }
  const compare = act("compare", () => choice.toggle(row.id));
  compare.setAttribute("aria-pressed", String(choice.isChosen(row.id)));
  compare.dataset.compare = "true";
  return [...made, compare];
}

function mark(card, acts, id, choice) {
  card.dataset.chosen = String(choice.isChosen(id));
  acts.querySelector("[data-compare]").setAttribute("aria-pressed", String(choice.isChosen(id)));
}

function act(key, does) {
  const button = element("button", { type: "button" }, say(key));
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await does();
    } catch (fault) {
      toast("error", say("failed"), fault.message);
    } finally {
      button.disabled = false;
      button.focus();
    }
  });
  return button;
}

// The seed as the server writes it: JavaScript's numbers would lose digits of it.
async function usePlan(row) {
  const text = `{"plan":${JSON.stringify(await planOf(row))},"seed":${row.seed},"id":${JSON.stringify(row.id)}}`;
  await (await import("./folding.mjs")).foldGeneration(text);
}

async function planOf(row) {
  return (await ask(`/feedback/generation?id=${encodeURIComponent(row.id)}`)).made.generation.plan;
}

// --------------------------------------------------------------------------- details

function details(row) {
  const lines = element("ul", {}, element("li", { class: "quiet" }, say("reading")));
  const place = element("details", {}, element("summary", {}, say("details")), lines);
  let isRead = false;
  place.addEventListener("toggle", async () => {
    if (!place.open || isRead) return;
    isRead = true;
    try {
      lines.replaceChildren(...linesOf(row, await planOf(row)).map((line) => element("li", {}, line)));
    } catch (fault) {
      isRead = false;
      lines.replaceChildren(element("li", { class: "fault" }, fault.message));
    }
  });
  return place;
}

function linesOf(row, { settings, negative }) {
  const loras = row.loras.map(({ name, strength }) => `${name.split("/").pop().replace(/\.\w+$/, "")} (${strength})`).join(", ");
  const set = [say("set", settings), settings.guidance == null ? "" : say("guided", settings)].filter(Boolean).join(", ");
  const lines = [[say("loras"), loras || say("none")], [say("settings"), set], [say("seed"), row.seed]];
  if (negative) lines.push([say("negative"), negative]);
  return lines.map(([label, text]) => `${label}: ${text}`);
}
