// What the rating commands do: to the picture of the selected node, else to the latest one; each says what it did, and to which.
import { app } from "../../../scripts/app.js";
import { ask, speaker, toast } from "./speaking.mjs";
import { act, generationText, known, rate, ratingOf, standingOf, undo } from "./standings.mjs";
import { latestId } from "./rating_on_nodes.mjs";

const say = speaker({
  en: {
    rated: "{stars} for “{prompt}”", unrated: "No stars any more for “{prompt}”", favourite: "Favourite: “{prompt}”", no_favourite: "No favourite any more: “{prompt}”",
    undone: "Taken back: “{prompt}”", none: "There is no picture to rate", none_next: "Run an Auto Pipeline first, or select the node that shows its picture.",
    two: "Two pictures are needed to compare", two_next: "Make another one, or select two nodes that show pictures.", undo: "Shift+Z takes it back.",
  },
  es: {
    rated: "{stars} para «{prompt}»", unrated: "Ya sin estrellas: «{prompt}»", favourite: "Favorita: «{prompt}»", no_favourite: "Ya no es favorita: «{prompt}»",
    undone: "Deshecho: «{prompt}»", none: "No hay imagen que valorar", none_next: "Hay que ejecutar antes un nodo «Generación automática», o seleccionar el nodo que muestra su imagen.",
    two: "Hacen falta dos imágenes para comparar", two_next: "Hay que hacer otra, o seleccionar dos nodos que muestren imágenes.", undo: "Mayús+Z lo deshace.",
  },
});
const LONGEST = 60; // characters of a prompt in a toast
const STARS = { Rate1: 1, Rate2: 2, Rate3: 3, Rate4: 4, Rate5: 5, Like: 5, Dislike: 1 };

export async function run(name) {
  if (name === "UndoRating") return told("undone", await undo());
  if (name === "Compare") return compare();
  const id = await current();
  if (!id) return toast("info", say("none"), say("none_next"));
  if (name in STARS) return star(id, STARS[name]);
  if (name === "Favourite") return favourite(id);
  return (await import("./regenerating.mjs")).regenerate(id);
}

async function star(id, stars) {
  await known(id);
  const taken = ratingOf(id).overall === stars; // the same key again takes it back, as a click does
  if (!(await rate(id, { overall: taken ? null : stars }))) return;
  await told(taken ? "unrated" : "rated", id, { stars: "★".repeat(stars) + "☆".repeat(5 - stars) }, say("undo"));
}

async function favourite(id) {
  await known(id);
  const is = standingOf(id).actions.includes("favourited");
  if (await act(id, "favourited", is)) await told(is ? "no_favourite" : "favourite", id, {}, say("undo"));
}

async function compare() {
  const chosen = selected();
  const [a, b] = chosen.length >= 2 ? chosen : [...new Set([...chosen, ...(await recent(3))])];
  if (!b) return toast("info", say("two"), say("two_next"));
  (await import("./comparing.mjs")).compare(a, b);
}

async function told(key, id, values = {}, detail = "") {
  if (id) toast("success", say(key, { ...values, prompt: await promptOf(id) }), detail, 4000);
}

async function promptOf(id) {
  const text = generationText(id);
  const plan = text ? JSON.parse(text).plan : (await ask(`/feedback/generation?id=${encodeURIComponent(id)}`)).made.generation.plan;
  const prompt = plan.request.prompt.replace(/\s+/g, " ").trim();
  return prompt.length > LONGEST ? `${prompt.slice(0, LONGEST - 1)}…` : prompt;
}

// --------------------------------------------------------------------------- which picture

async function current() {
  return selected()[0] ?? latestId() ?? (await recent(1))[0] ?? null;
}

// The pictures of the selected nodes: what they show, or made last.
function selected() {
  const nodes = Object.values(app.canvas?.selected_nodes ?? {});
  const found = nodes.map((node) => node.iigRating?.id ?? (node.iigGeneration ? JSON.parse(node.iigGeneration).id : null));
  return [...new Set(found.filter(Boolean))];
}

async function recent(limit) {
  const { generations } = await ask(`/feedback/recent?limit=${limit}`);
  return generations.map(({ id }) => id);
}
