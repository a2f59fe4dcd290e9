// The LoRAs of a plan under review: each a card with what speaks for it, its strength and its trigger words; below them,
// folded, those that were not taken and why.
import { changeLora, dropLora, lorasOf, recordOf, useLora } from "./reviewing.mjs";
import { acceptDrops } from "./dragging.mjs";
import { folded, following, keyedList, setControl, setLines, setText } from "./keyed_list.mjs";
import { figure } from "./plan_words.mjs";
import { picture, previewUrl } from "./pictures.mjs";
import { element, speaker } from "./speaking.mjs";

const SCORES = ["semantic", "keyword", "popularity", "history"];
const STEP = 0.05;
const FEW_WORDS = 8; // trigger words shown at first
const WIDEST = 2; // the slider's reach where a LoRA says nothing of its own

const say = speaker({
  en: {
    title: "LoRAs", none: "No LoRA fits this prompt well enough.", drop: "“Use” in the library adds a LoRA to this plan; so does dragging it from there onto the node's card.", all_words: "+{count} words", strength: "Strength of {name}",
    strength_label: "Strength", on: "Use {name}", semantic: "Meaning", keyword: "Words", popularity: "Popular", history: "Your ratings",
    scores: "Why {name}: scores from 0 to 100", triggers: "Trigger words of {name}", off: "Switched off", recommended: "Recommended: {value}", proposed: "Proposed: {value}",
    misses: "Not used: {count}", add: "Use too", instead: "Use instead of…", instead_of: "Use instead of {other}", instead_label: "Use {name} instead of", add_label: "Use {name} too",
    distillation: "few steps", nsfw: "NSFW", covers: "Covers: {words}", relevance: "Fits {percent} %", unasked: "not asked", more: "More reasons",
  },
  es: {
    title: "LoRA", none: "Ninguna LoRA encaja lo bastante con este prompt.", drop: "«Usar» en la biblioteca añade una LoRA a este plan; también arrastrarla desde allí a la tarjeta del nodo.", all_words: "+{count} palabras", strength: "Intensidad de {name}",
    strength_label: "Intensidad", on: "Usar {name}", semantic: "Significado", keyword: "Palabras", popularity: "Popularidad", history: "Valoraciones",
    scores: "Por qué {name}: puntuaciones de 0 a 100", triggers: "Palabras de activación de {name}", off: "Apagada", recommended: "Recomendada: {value}", proposed: "Propuesta: {value}",
    misses: "Sin usar: {count}", add: "Usar también", instead: "Usar en lugar de…", instead_of: "Usar en lugar de {other}", instead_label: "Usar {name} en lugar de", add_label: "Usar {name} también",
    distillation: "pocos pasos", nsfw: "NSFW", covers: "Cubre: {words}", relevance: "Encaja al {percent} %", unasked: "sin consultar", more: "Más razones",
  },
});

export function loras(node) {
  const empty = element("li", { class: "quiet" });
  const list = element("ul", { class: "iig-loras" }), misses = element("ul", { class: "iig-loras" });
  const summary = element("summary", {});
  const others = element("details", {}, summary, misses);
  const title = element("h3", { id: "iig-review-loras" }), hint = element("p", { class: "quiet small" });
  const place = element("section", { "aria-labelledby": title.id, class: "iig-drop" }, title, list, hint, others);
  const showCards = keyedList(list, (card) => loraCard(node, card)), showMisses = keyedList(misses, (card) => missCard(node, card));
  const stayed = new Set(); // what was switched off here keeps its place, so that it can be switched on again
  acceptDrops(place, "loras", (name) => useLora(node, name));
  const update = ({ review, base }) => {
    if (review === base) stayed.clear();
    for (const { name, on } of review.loras) if (on) stayed.add(name);
    const rows = rowsOf(review, stayed);
    const left = review.near_misses.filter(({ name }) => !stayed.has(name));
    setText(title, say("title"));
    setText(empty, say("none"));
    setText(hint, say("drop"));
    showCards(rows, ({ name }) => name);
    if (rows.length) empty.remove();
    else list.append(empty);
    others.hidden = !left.length;
    setText(summary, say("misses", { count: left.length }));
    showMisses(left, ({ name }) => name);
  };
  return { element: place, update };
}

// Those that are on, and those the person switched off, where they stood.
function rowsOf({ loras: used, near_misses: missed }, stayed) {
  const known = new Map([...missed.map((card) => ({ ...card, on: false })), ...used].map((card) => [card.name, card]));
  const rows = [...stayed].map((name) => known.get(name)).filter(Boolean);
  return [...rows, ...used.filter(({ name }) => !stayed.has(name))];
}

// ---------------------------------------------------------------------------- one that is used, or was

function loraCard(node, first) {
  const { name } = first, label = first.title || name;
  const toggle = element("input", { type: "checkbox", role: "switch", "aria-label": say("on", { name: label }) });
  const heading = element("div", { class: "grow" }, element("strong", { title: name }, label), element("div", { class: "chips badges" }));
  const strength = strengthRow(node, first, label), scores = scoreBars(label), said = folded();
  const triggers = triggerChips(node, name, label), fault = element("p", { class: "fault", role: "alert" });
  const top = element("div", { class: "iig-lora-top" }, thumb(first, label), heading, toggle);
  const body = element("div", { class: "iig-lora-body" }, scores.element, strength.element, triggers.element, said.element);
  const place = element("li", { class: "card", "data-lora": name }, top, body, fault);
  toggle.addEventListener("change", () => (toggle.checked ? useAgain(node, place.card) : dropLora(node, name)));
  const update = (card) => {
    place.card = card;
    toggle.checked = lorasOf(recordOf(node)).some((each) => each.name === name);
    place.classList.toggle("off", !card.on);
    body.hidden = !card.on;
    setLines(heading.lastChild, badges(card), (text) => element("span", { class: "badge quiet" }, text));
    scores.update(card.scores ?? {});
    strength.update(card);
    triggers.update(card.triggers);
    said.update(card.said ?? [], say("more"));
    setText(fault, faultAt(node, `lora:${name}`));
  };
  return { element: place, update };
}

// As it was before it was switched off.
function useAgain(node, { name }) {
  const before = recordOf(node).base.loras;
  const known = before.find((card) => card.name === name && card.on);
  if (!known) return useLora(node, name);
  useLora(node, name);
  return changeLora(node, name, { strength: known.strength, triggers: known.triggers.filter(({ on }) => on).map(({ word }) => word) });
}

function faultAt(node, at) {
  const { fault } = recordOf(node);
  return fault?.at === at ? fault.message : "";
}

function thumb({ name, preview }, label) {
  return preview ? picture(previewUrl({ kind: "loras", name }), label, "thumb") : element("span", { class: "thumb iig-blank", "aria-hidden": "true" });
}

function badges({ on, relevance, distillation, nsfw, covers }) {
  const told = on ? [] : [say("off")];
  if (relevance !== null && relevance !== undefined) told.push(say("relevance", { percent: Math.round(relevance * 100) }));
  if (distillation) told.push(say("distillation"));
  if (nsfw) told.push(say("nsfw"));
  return covers?.length ? [...told, say("covers", { words: covers.join(", ") })] : told;
}

// ---------------------------------------------------------------------------- strength, scores, trigger words

function proposedStrength(node, name) {
  return recordOf(node).review.plan.proposed?.loras.find((use) => use.name === name)?.strength_model;
}

function strengthRow(node, { name, minimum, maximum, recommended }, label) {
  const range = { min: minimum ?? 0, max: maximum ?? WIDEST, step: STEP };
  const slider = element("input", { type: "range", ...range, "aria-label": say("strength", { name: label }) });
  const number = following(element("input", { type: "number", ...range, "aria-label": say("strength", { name: label }) }));
  const mark = element("button", { type: "button", class: "bare small iig-mark" });
  const track = element("div", { class: "iig-track" }, slider);
  const isAdvised = recommended !== null && recommended !== undefined;
  const take = (value) => Number.isFinite(value) && changeLora(node, name, { strength: value });
  slider.addEventListener("input", () => ((number.value = slider.value), take(slider.valueAsNumber)));
  number.addEventListener("change", () => ((slider.value = number.value), take(number.valueAsNumber)));
  const tick = element("i", { class: "iig-tick", "aria-hidden": "true" });
  track.append(tick);
  mark.addEventListener("click", () => ((slider.value = number.value = mark.dataset.value), take(Number(mark.dataset.value))));
  const update = ({ strength }) => {
    const asked = lorasOf(recordOf(node)).find((each) => each.name === name)?.strength ?? strength; // also while it is asked for
    const usual = recommended ?? proposedStrength(node, name);
    setControl(slider, asked);
    setControl(number, asked);
    tick.hidden = usual === undefined;
    mark.hidden = usual === undefined || (!isAdvised && usual === asked);
    if (usual === undefined) return;
    tick.style.setProperty("--at", Math.min(1, Math.max(0, (usual - range.min) / (range.max - range.min || 1))));
    mark.dataset.value = usual;
    setText(mark, say(isAdvised ? "recommended" : "proposed", { value: figure(usual) }));
  };
  return { element: element("div", { class: "iig-strength" }, element("span", { class: "small" }, say("strength_label")), track, number, mark), update };
}

function scoreBars(label) {
  const bars = SCORES.map((key) => {
    const bar = element("div", {}), value = element("span", { class: "figure" });
    const row = element("li", {}, element("span", {}, say(key)), element("div", { class: "bar", "aria-hidden": "true" }, bar), value);
    return { key, bar, value, row };
  });
  const list = element("ul", { class: "iig-scores", "aria-label": say("scores", { name: label }) }, ...bars.map(({ row }) => row));
  const update = (scores) => {
    for (const { key, bar, value, row } of bars) {
      const score = scores[key], known = score !== null && score !== undefined;
      bar.style.width = `${Math.round((known ? score : 0) * 100)}%`;
      setText(value, known ? String(Math.round(score * 100)) : "–");
      row.title = known ? "" : say("unasked");
    }
  };
  return { element: list, update };
}

function triggerChips(node, name, label) {
  const list = element("div", { class: "chips", role: "group", "aria-label": say("triggers", { name: label }) });
  const more = element("button", { type: "button", class: "bare small" });
  let words = [], isAll = false;
  more.addEventListener("click", () => ((isAll = true), (more.hidden = true), show(words, ({ word }) => word), list.querySelectorAll("button")[FEW_WORDS]?.focus()));
  const show = keyedList(list, ({ word }) => {
    const chip = element("button", { type: "button", class: "chip" }, word);
    chip.addEventListener("click", () => {
      words = words.map((each) => (each.word === word ? { ...each, on: !each.on } : each));
      chip.setAttribute("aria-pressed", String(words.find((each) => each.word === word).on));
      changeLora(node, name, { triggers: words.filter(({ on }) => on).map((each) => each.word) });
    });
    return { element: chip, update: ({ on }) => chip.setAttribute("aria-pressed", String(on)) };
  });
  const update = (triggers = []) => {
    if (recordOf(node).pending) return; // what was just pressed is still being asked
    words = triggers;
    list.hidden = !triggers.length;
    show(triggers.filter(({ on }, at) => on || isAll || at < FEW_WORDS), ({ word }) => word);
    more.hidden = isAll || list.children.length >= triggers.length;
    setText(more, say("all_words", { count: triggers.length - list.children.length }));
  };
  return { element: element("div", {}, list, more), update };
}

// ---------------------------------------------------------------------------- those not taken

function missCard(node, first) {
  const { name } = first, label = first.title || name;
  const why = element("p", { class: "quiet small" }), fault = element("p", { class: "fault", role: "alert" });
  const add = element("button", { type: "button", "aria-label": say("add_label", { name: label }) }, say("add"));
  const instead = element("select", { "aria-label": say("instead_label", { name: label }) });
  const swap = element("button", { type: "button" });
  add.addEventListener("click", () => useLora(node, name));
  swap.addEventListener("click", () => useLora(node, name, swap.dataset.other));
  instead.addEventListener("change", () => instead.value && useLora(node, name, instead.value));
  const heading = element("div", { class: "grow" }, element("strong", { title: name }, label), why);
  const top = element("div", { class: "iig-lora-top" }, thumb(first, label), heading), buttons = element("div", { class: "buttons" }, add, swap, instead);
  const place = element("li", { class: "card", "data-lora": name }, top, buttons, fault);
  const update = (card) => {
    setText(why, card.why_not ?? (card.said ?? []).join(" "));
    setText(fault, faultAt(node, `lora:${name}`));
    const used = recordOf(node).review.loras.filter(({ on }) => on), [only] = used;
    buttons.hidden = card.loads === false; // nothing that could only be refused is offered
    swap.hidden = used.length !== 1;
    instead.hidden = used.length < 2;
    swap.dataset.other = only?.name ?? "";
    setText(swap, say("instead_of", { other: only?.title || only?.name }));
    const options = [{ name: "", title: say("instead") }, ...used];
    setLines(instead, options.map((each) => [each.name, each.title || each.name]), ([value, text]) => element("option", { value }, text));
    instead.value = "";
  };
  return { element: place, update };
}
