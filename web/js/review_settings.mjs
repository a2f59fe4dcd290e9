// The settings of a plan under review: each with its range, its reason, and a way back to what was proposed.
import { edit, recordOf } from "./reviewing.mjs";
import { following, keyedList, setControl, setLines, setText } from "./keyed_list.mjs";
import { figure } from "./plan_words.mjs";
import { element, speaker } from "./speaking.mjs";

const say = speaker({
  en: { title: "Settings", reset: "Proposed: {value}", reset_label: "{label}: back to {value}, as proposed", reset_all: "All as proposed", slider: "{label}, slider", range: "From {low} to {high}", fixed: "fixed on the node" },
  es: { title: "Ajustes", reset: "Propuesto: {value}", reset_label: "{label}: volver a {value}, lo propuesto", reset_all: "Todo como se propuso", slider: "{label}, control deslizante", range: "De {low} a {high}", fixed: "fijado en el nodo" },
});

export function settings(node) {
  const title = element("h3", { id: "iig-review-settings" }), all = element("button", { type: "button", class: "bare small" });
  const list = element("ul", { class: "iig-settings" });
  const show = keyedList(list, (setting) => row(node, setting));
  all.addEventListener("click", () => edit(node, { settings: Object.fromEntries(changed(node).map(({ name }) => [name, null])) }, "settings"));
  const place = element("section", { "aria-labelledby": title.id }, element("div", { class: "row" }, title, all), list);
  const update = ({ review }) => {
    setText(title, say("title"));
    setText(all, say("reset_all"));
    all.style.visibility = changed(node).length ? "visible" : "hidden";
    show(review.settings, ({ name }) => name);
  };
  return { element: place, update };
}

function changed(node) {
  const { review } = recordOf(node);
  return review.settings.filter(({ name, value }) => proposedOf(review, name) !== undefined && proposedOf(review, name) !== value);
}

function proposedOf({ plan }, name) {
  return (plan.proposed ?? plan).settings[name];
}

// What is being asked for, else what the plan has.
function asked(node, name, value) {
  const { pending } = recordOf(node);
  const wanted = pending?.settings?.[name];
  return wanted === undefined || wanted === null ? value : wanted;
}

function row(node, first) {
  const { name } = first, at = `setting:${name}`;
  const label = element("span", { class: "iig-label" }, first.label), range = element("span", { class: "iig-range quiet" });
  const told = element("div", { class: "quiet small" }), fault = element("p", { class: "fault", role: "alert" });
  const back = element("button", { type: "button", class: "bare small" });
  const control = first.choices ? choice(first, take) : numbers(first, take);
  const fixed = element("span", { class: "badge quiet" });
  const place = element("li", { "data-setting": name }, element("span", {}, label, range), control.element, element("span", { class: "iig-back" }, back, fixed), told, fault);
  back.addEventListener("click", () => edit(node, { settings: { [name]: null } }, at));

  function take(value) {
    edit(node, { settings: { [name]: value } }, at);
  }

  const update = (setting) => {
    const { review, fault: failed } = recordOf(node), proposed = proposedOf(review, name);
    setText(label, setting.label);
    const wide = widened(node, setting);
    rangeOf(range, wide);
    control.update(wide, asked(node, name, setting.value));
    back.hidden = proposed === undefined || proposed === setting.value;
    setText(back, say("reset", { value: named(setting, proposed) }));
    back.setAttribute("aria-label", say("reset_label", { label: setting.label, value: named(setting, proposed) }));
    fixed.hidden = !setting.fixed;
    setText(fixed, say("fixed"));
    setLines(told, setting.said ?? [], (text) => element("p", {}, text));
    setText(fault, failed?.at === at ? failed.message : "");
  };
  return { element: place, update };
}

// A range holds what was proposed and what it was at first: it does not shrink behind a slider that is moved.
function widened(node, setting) {
  const first = recordOf(node).base?.settings.find(({ name }) => name === setting.name);
  if (setting.choices || !first) return setting;
  return { ...setting, low: Math.min(setting.low, first.low), high: Math.max(setting.high, first.high) };
}

function rangeOf(place, { choices, low, high }) {
  const told = choices ? null : { low: figure(low), high: figure(high) };
  setText(place, told ? `${told.low}–${told.high}` : "");
  place.title = told ? say("range", told) : "";
}

// Choices are names, or {value, label} where a person reads another.
function named({ choices }, value) {
  const known = choices?.find((each) => valueOf(each) === value);
  return String(known?.label ?? value ?? "–");
}

function valueOf(each) {
  return each?.value ?? each;
}

function choice({ label }, take) {
  const select = element("select", { "aria-label": label });
  select.addEventListener("change", () => take(select.value));
  const update = ({ choices }, value) => {
    const known = choices.map(valueOf).includes(value) ? choices : [value, ...choices];
    setLines(select, known, (each) => element("option", { value: valueOf(each) }, String(each.label ?? each)));
    setControl(select, value);
  };
  return { element: element("div", { class: "iig-control" }, select), update };
}

function numbers({ label, low, high, step }, take) {
  const range = { min: low, max: high, step };
  const slider = element("input", { type: "range", ...range, "aria-label": say("slider", { label }) });
  const number = following(element("input", { type: "number", step: "any", "aria-label": label }));
  slider.addEventListener("input", () => ((number.value = slider.value), take(slider.valueAsNumber)));
  number.addEventListener("change", () => Number.isFinite(number.valueAsNumber) && ((slider.value = number.value), take(number.valueAsNumber)));
  const update = ({ low: least, high: most }, value) => {
    Object.assign(slider, { min: Math.min(least, value ?? least), max: Math.max(most, value ?? most) });
    setControl(slider, value);
    setControl(number, value);
  };
  return { element: element("div", { class: "iig-control" }, slider, number), update };
}
