// Stars, like and dislike, favourite, once more, and on demand the parts of a rating, tags and a comment: one bar for one
// picture, wherever it is shown.
import { act, canUndo, keepGeneration, learn, rate, ratingOf, standingOf, undo, watch } from "./standings.mjs";
import { element, speaker } from "./speaking.mjs";
import { styled } from "./style.mjs";
import { tagField } from "./rating_tags.mjs";

const say = speaker({
  en: {
    rating: "Rating", overall: "Overall", quality: "Quality", accuracy: "Follows the prompt", aesthetic: "Looks", star: "{count} of 5 stars", one: "1 of 5 stars",
    like: "Like: five stars", dislike: "Dislike: one star", favourite: "Favourite", regenerate: "Once more with another seed", more: "More: parts, tags, comment",
    comment: "Comment", undo: "Undo the last change",
  },
  es: {
    rating: "Valoración", overall: "En conjunto", quality: "Calidad", accuracy: "Sigue el prompt", aesthetic: "Aspecto", star: "{count} de 5 estrellas", one: "1 de 5 estrellas",
    like: "Me gusta: cinco estrellas", dislike: "No me gusta: una estrella", favourite: "Favorita", regenerate: "Otra vez con otra semilla", more: "Más: partes, etiquetas, comentario",
    comment: "Comentario", undo: "Deshacer el último cambio",
  },
});
const LIKE = 5, DISLIKE = 1; // stars: what a thumb says, said in the one scale that learning knows
const PARTS = ["quality", "accuracy", "aesthetic"];
const STYLE = "iig-rating-style";
const SHEET = `
.iig-rating { display: flex; flex-direction: column; gap: 0.3rem; width: 100%; }
.iig-rating > .line { display: flex; flex-wrap: wrap; align-items: center; gap: 0.1rem; }
.iig-rating .stars { display: inline-flex; }
.iig-rating button.bare { padding: 0.2rem; line-height: 1; color: var(--descrip-text); min-width: 1.5rem; min-height: 1.5rem; }
.iig-rating .stars button[data-on=true] { color: #f59e0b; }
.iig-rating button.bare[aria-pressed=true] { color: var(--p-primary-color, #60a5fa); box-shadow: none; }
.iig-rating .part { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; }
.iig-rating .details { display: flex; flex-direction: column; gap: 0.3rem; }
.iig-rating [hidden] { display: none; }`;

// `generation` is its JSON text where it is at hand, `standing` what a list told of it; `onChange` hears of a new height.
export function ratingBar({ id, generation, standing }, onChange = () => {}) {
  dressed();
  if (generation) keepGeneration(id, generation);
  if (standing) learn(id, standing);
  const bar = element("div", { class: "iig iig-rating", role: "group", "aria-label": say("rating"), "data-generation": id });
  const parts = [mainLine(id), details(id)];
  const [line, more] = parts;
  const open = toggle("pi-ellipsis-h", "more", () => {
    more.hidden = !more.hidden;
    open.setAttribute("aria-expanded", String(!more.hidden));
    onChange();
  });
  open.setAttribute("aria-expanded", "false");
  open.removeAttribute("aria-pressed");
  line.append(open, line.iigLast);
  bar.append(line, more);
  bar.iigDraw = () => parts.forEach((part) => part.iigDraw());
  bar.iigDraw();
  bar.addEventListener("keydown", (event) => event.stopPropagation()); // the canvas has shortcuts of its own for keys used here
  for (const name of ["pointerdown", "dblclick", "contextmenu"]) bar.addEventListener(name, (event) => event.stopPropagation());
  watch(id, bar);
  return bar;
}

function dressed() {
  styled();
  if (!document.getElementById(STYLE)) document.head.append(element("style", { id: STYLE }, SHEET));
}

// --------------------------------------------------------------------------- always to be seen

function mainLine(id) {
  const line = element("div", { class: "line" });
  const stars = starGroup(id, "overall");
  const like = toggle("pi-thumbs-up", "like", () => setOverall(id, LIKE));
  const dislike = toggle("pi-thumbs-down", "dislike", () => setOverall(id, DISLIKE));
  const favourite = toggle("pi-heart", "favourite", () => act(id, "favourited", standingOf(id).actions.includes("favourited")));
  const again = toggle("pi-refresh", "regenerate", () => import("./regenerating.mjs").then(({ regenerate }) => regenerate(id)));
  const back = toggle("pi-undo", "undo", () => undo(id));
  for (const plain of [again, back]) plain.removeAttribute("aria-pressed");
  line.append(stars, like, dislike, favourite, again);
  line.iigLast = back; // behind what is always there, so that nothing moves when it comes
  line.iigDraw = () => {
    stars.iigDraw();
    press(like, "pi-thumbs-up", ratingOf(id).overall === LIKE);
    press(dislike, "pi-thumbs-down", ratingOf(id).overall === DISLIKE);
    press(favourite, "pi-heart", standingOf(id).actions.includes("favourited"));
    back.hidden = !canUndo(id);
  };
  return line;
}

// The same once more takes it back.
function setOverall(id, stars) {
  return rate(id, { overall: ratingOf(id).overall === stars ? null : stars });
}

function toggle(icon, key, act) {
  const made = element("button", { type: "button", class: "bare", "aria-label": say(key), title: say(key), "aria-pressed": "false", "data-act": key });
  made.append(element("i", { class: `pi ${icon}`, "aria-hidden": "true" }));
  made.addEventListener("click", act);
  return made;
}

function press(button, icon, isOn) {
  button.setAttribute("aria-pressed", String(isOn));
  button.firstChild.className = `pi ${icon}${isOn ? "-fill" : ""}`;
}

// --------------------------------------------------------------------------- stars

function starGroup(id, part) {
  const group = element("span", { class: "stars", role: "radiogroup", "aria-label": say(part), "data-part": part });
  const stars = [1, 2, 3, 4, 5].map((count) => star(id, part, count));
  group.append(...stars);
  group.addEventListener("keydown", (event) => step(event, stars, id, part));
  group.iigDraw = () => stars.forEach((each, index) => lit(each, index + 1, ratingOf(id)[part]));
  return group;
}

function star(id, part, count) {
  const name = count === 1 ? say("one") : say("star", { count });
  const made = element("button", { type: "button", class: "bare", role: "radio", "aria-label": name, title: name });
  made.append(element("i", { class: "pi pi-star", "aria-hidden": "true" }));
  made.addEventListener("click", () => rate(id, { [part]: ratingOf(id)[part] === count ? null : count }));
  return made;
}

function lit(made, count, given) {
  made.setAttribute("aria-checked", String(given === count));
  made.dataset.on = String(count <= (given ?? 0));
  made.firstChild.className = `pi ${count <= (given ?? 0) ? "pi-star-fill" : "pi-star"}`;
  made.tabIndex = count === (given ?? 1) ? 0 : -1; // one stop for the whole group, as radio buttons have it
}

// Arrows go from star to star; a digit gives so many, Backspace none.
function step(event, stars, id, part) {
  const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
  const at = stars.indexOf(document.activeElement);
  if (by && at >= 0) stars[(at + by + stars.length) % stars.length].focus();
  else if (/^[1-5]$/.test(event.key)) rate(id, { [part]: Number(event.key) });
  else if (["Backspace", "Delete", "0"].includes(event.key)) rate(id, { [part]: null });
  else return;
  event.preventDefault();
}

// --------------------------------------------------------------------------- on demand

function details(id) {
  const place = element("div", { class: "details" });
  place.hidden = true;
  const groups = PARTS.map((part) => [part, starGroup(id, part)]);
  const tags = tagField(() => ratingOf(id).tags, (chosen) => rate(id, { tags: chosen }));
  const comment = element("textarea", { rows: "2", "aria-label": say("comment"), placeholder: say("comment"), maxlength: "4000" });
  comment.addEventListener("change", () => rate(id, { comment: comment.value.trim() }));
  place.append(...groups.map(([part, group]) => element("div", { class: "part" }, element("span", {}, say(part)), group)), tags, comment);
  place.iigDraw = () => {
    for (const [, group] of groups) group.iigDraw();
    tags.iigDraw();
    if (document.activeElement !== comment) comment.value = ratingOf(id).comment;
  };
  return place;
}
