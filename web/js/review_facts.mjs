// What a plan under review rests on and costs: what was read in the prompt, the model, memory and time, warnings and tips.
import { folded, setLines, setText } from "./keyed_list.mjs";
import { cost } from "./plan_words.mjs";
import { picture, previewUrl } from "./pictures.mjs";
import { element, gib, speaker } from "./speaking.mjs";

const CATEGORIES = ["style", "artist", "medium", "subject", "character", "object", "action", "appearance", "hair", "clothing", "scene", "theme",
  "mood", "lighting", "colour", "camera", "layout", "effect", "detail", "quality", "text", "writing", "abstract", "tags"];

const say = speaker({
  en: {
    intent: "What was read", model: "Model", cost: "Memory and time", warnings: "Warnings", tips: "Tips", ram: "{size} of RAM",
    measured: "time measured here", guessed: "time estimated", why: "How it was read", more: "More reasons", parts: "Files it needs", text_encoder: "Text encoder", vae: "VAE", second: "Second model",
    complexity: "Complexity", content: "Content", style: "Style", artist: "Artist", medium: "Medium", subject: "Subject", character: "Character", object: "Objects",
    action: "Action", appearance: "Looks", hair: "Hair", clothing: "Clothing", scene: "Scene", theme: "Theme", mood: "Mood", lighting: "Light", colour: "Colours",
    camera: "Camera", layout: "Layout", effect: "Effects", detail: "Detail", quality: "Quality", text: "Text", writing: "Writing", abstract: "Ideas", tags: "Tags",
  },
  es: {
    intent: "Lo que se leyó", model: "Modelo", cost: "Memoria y tiempo", warnings: "Advertencias", tips: "Consejos", ram: "{size} de RAM",
    measured: "tiempo medido aquí", guessed: "tiempo estimado", why: "Cómo se leyó", more: "Más razones", parts: "Archivos que necesita", text_encoder: "Codificador de texto", vae: "VAE", second: "Segundo modelo",
    complexity: "Complejidad", content: "Contenido", style: "Estilo", artist: "Artista", medium: "Técnica", subject: "Motivo", character: "Personaje", object: "Objetos",
    action: "Acción", appearance: "Aspecto", hair: "Pelo", clothing: "Ropa", scene: "Escena", theme: "Tema", mood: "Ambiente", lighting: "Luz", colour: "Colores",
    camera: "Cámara", layout: "Composición", effect: "Efectos", detail: "Detalle", quality: "Calidad", text: "Texto", writing: "Escritura", abstract: "Ideas", tags: "Etiquetas",
  },
});

function section(key, ...parts) {
  const title = element("h3", {});
  return { element: element("section", {}, title, ...parts), title: () => setText(title, say(key)) };
}

const paragraph = (text) => element("p", {}, text);

export function intent() {
  const list = element("dl", { class: "iig-concepts" }), said = element("div", { class: "quiet small" }), summary = element("summary", { class: "small" });
  const details = element("details", {}, summary, said);
  const { element: place, title } = section("intent", list, details);
  const update = ({ review: { intent: read } }) => {
    title();
    setText(summary, say("why"));
    setLines(list, rowsOf(read), ([name, words]) => element("div", { style: "display:contents" }, element("dt", { class: "quiet small" }, name), chips(words)));
    details.hidden = !read.said.length;
    setLines(said, read.said, paragraph);
  };
  return { element: place, update };
}

// Style and content as the planner took them, then the prompt's own words by what they are about.
function rowsOf({ style, content, complexity, concepts }) {
  const groups = new Map();
  for (const { category, name, words } of concepts) {
    const key = CATEGORIES.includes(category) ? say(category) : category;
    groups.set(key, [...new Set([...(groups.get(key) ?? []), words.join(" ") || name.replaceAll("_", " ")])]);
  }
  const order = (name) => CATEGORIES.findIndex((each) => say(each) === name);
  if (!groups.has(say("style"))) groups.set(say("style"), [style]);
  const sorted = [...groups].sort(([a], [b]) => order(a) - order(b));
  return [...sorted, [say("content"), [content]], [say("complexity"), [complexity]]].map(([name, words]) => [name, words.filter(Boolean)]).filter(([, words]) => words.length);
}

function chips(words) {
  return element("dd", { class: "chips" }, ...words.map((word) => element("span", { class: "chip" }, word)));
}

export function model() {
  const preview = element("span", {}), name = element("strong", {}), family = element("span", { class: "quiet small" });
  const said = folded(), parts = element("dl", { class: "iig-concepts small" });
  const top = element("div", { class: "iig-lora-top" }, preview, element("div", { class: "grow" }, name, family));
  const { element: place, title } = section("model", top, said.element, parts);
  const update = ({ review: { model: used } }) => {
    title();
    setLines(preview, [used], thumb);
    setText(name, used.title || used.name);
    name.title = used.name;
    setText(family, used.family_label || used.family);
    said.update(used.said, say("more"));
    setLines(parts, used.parts, ({ role, name: file }) => element("div", { style: "display:contents" }, element("dt", { class: "quiet" }, say(role)), element("dd", {}, file)));
  };
  return { element: place, update };
}

function thumb({ kind, name, title, preview }) {
  return preview ? picture(previewUrl({ kind, name }), title || name, "thumb") : element("span", { class: "thumb iig-blank", "aria-hidden": "true" });
}

export function costs() {
  const line = element("div", { class: "row" }), said = folded();
  const { element: place, title } = section("cost", line, said.element);
  const update = ({ review: { estimate } }) => {
    title();
    const told = cost(estimate);
    const more = [estimate.ram_bytes ? say("ram", { size: gib(estimate.ram_bytes) }) : "", say(estimate.measured ? "measured" : "guessed")].filter(Boolean).join(" · ");
    setLines(line, [[told.text, `badge ${told.tone}`], [more, "quiet small"]], ([text, look]) => element("span", { class: look }, text));
    said.update(estimate.said, say("more"));
  };
  return { element: place, update };
}

// Sentences under a title, shown only where there are any.
export function sentences(key) {
  const list = element("ul", {});
  const { element: place, title } = section(key, list);
  const update = ({ review }) => {
    title();
    place.hidden = !review[key].length;
    setLines(list, review[key], (text) => element("li", { class: key === "warnings" ? "iig-warning" : "quiet" }, text));
  };
  return { element: place, update };
}
