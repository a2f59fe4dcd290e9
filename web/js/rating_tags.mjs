// Tags of a picture as chips, with a field that adds more; those used before are offered.
import { element, speaker } from "./speaking.mjs";

const say = speaker({
  en: { tags: "Tags", add: "Add a tag, Enter", remove: "Remove the tag {tag}" },
  es: { tags: "Etiquetas", add: "Añadir etiqueta, Intro", remove: "Quitar la etiqueta {tag}" },
});
const MOST_TAGS = 30, MOST_TAG = 60; // as the server takes them
const MOST_OFFERED = 50;
const OFFERED = "iig-tags-used";
const used = new Set();

// `read` tells the tags that are set, `write` takes the new ones; the element's `iigDraw()` shows them.
export function tagField(read, write) {
  const chips = element("div", { class: "chips", role: "list", "aria-label": say("tags") });
  const field = element("input", { type: "text", "aria-label": say("add"), placeholder: say("add"), maxlength: String(MOST_TAG), list: OFFERED });
  const add = () => {
    const wanted = field.value.split(",").map((each) => each.trim()).filter(Boolean);
    field.value = "";
    const tags = [...new Set([...read(), ...wanted])].slice(0, MOST_TAGS);
    if (tags.length > read().length) write(tags);
  };
  field.addEventListener("keydown", (event) => event.key === "Enter" && (event.preventDefault(), add()));
  field.addEventListener("change", add);
  const place = element("div", { style: "display:flex;flex-direction:column;gap:0.25rem" }, chips, field);
  place.iigDraw = () => {
    const tags = read();
    chips.replaceChildren(...tags.map((tag) => chip(tag, () => (write(read().filter((each) => each !== tag)), field.focus()))));
    chips.hidden = !tags.length;
    offer(tags);
  };
  return place;
}

function chip(tag, remove) {
  const button = element("button", { type: "button", class: "bare", "aria-label": say("remove", { tag }) }, "✕");
  button.addEventListener("click", remove);
  return element("span", { class: "chip", role: "listitem" }, tag, button);
}

function offer(tags) {
  const before = used.size;
  for (const tag of tags) if (used.size < MOST_OFFERED) used.add(tag);
  let list = document.getElementById(OFFERED);
  if (list && used.size === before) return;
  if (!list) document.body.append((list = element("datalist", { id: OFFERED })));
  list.replaceChildren(...[...used].map((tag) => element("option", { value: tag })));
}
