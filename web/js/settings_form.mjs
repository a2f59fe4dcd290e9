// The controls of settings that the server keeps: what is in force, saved when it is changed, and what became of it said
// beside. Keys are written and never shown.
import { ask, element, speaker } from "./speaking.mjs";
import { styled } from "./style.mjs";

const FRESH_MS = 1500; // all rows of a page are drawn at once and read together
const ROUTES = { reading: "/settings/reading", hub: "/hub/settings", learning: "/feedback/settings", memory: "/memory/settings" };

const say = speaker({
  en: {
    saved: "Saved.", fixed: "Set by an environment variable of ComfyUI, which comes first.", try: "Test", trying: "Asking…", set: "Set", clear: "Clear",
    present: "A key is stored; it is never shown.", absent: "No key is stored.", key: "new key", usual: "as usual: {size} GB", copy: "Copy {path}",
    list_hint: "several: separated by commas", reading: "Reading…",
  },
  es: {
    saved: "Guardado.", fixed: "Lo fija una variable de entorno de ComfyUI, que va primero.", try: "Probar", trying: "Preguntando…", set: "Guardar", clear: "Borrar",
    present: "Hay una clave guardada; nunca se muestra.", absent: "No hay ninguna clave guardada.", key: "clave nueva", usual: "lo habitual: {size} GB", copy: "Copiar {path}",
    list_hint: "varios: separados por comas", reading: "Leyendo…",
  },
});

const rows = new Set(); // {place, show}: those that are on the page hear of every change
let held = null, heldAt = 0;

// Fill `place` with the control of an option, "section.name".
export async function control(place, option, kind, range) {
  styled();
  place.replaceChildren(element("span", { class: "quiet" }, say("reading")));
  const [section, name] = option.split(".");
  const status = element("div", { class: "quiet", role: "status", "aria-live": "polite", style: "text-align:end" });
  try {
    const all = await settings();
    const made = KINDS[kind]({ section, name, range, status, all, save: (value) => save(section, name, value, status) });
    place.replaceChildren(made.element, status);
    rows.add({ place, show: (told) => (made.show(told), mark(made.element, told, section, name, status)) });
    made.show(all);
    mark(made.element, all, section, name, status);
  } catch (fault) {
    place.replaceChildren(element("span", { class: "fault" }, fault.message));
  }
}

function settings() {
  if (!held || Date.now() - heldAt > FRESH_MS) [held, heldAt] = [ask("/settings"), Date.now()];
  return held;
}

async function save(section, name, value, status) {
  try {
    await ask(ROUTES[section], { [name]: value });
    held = null;
    const told = await settings();
    tell(status, say("saved"));
    for (const row of rows) row.place.isConnected ? row.show(told) : rows.delete(row);
  } catch (fault) {
    tell(status, fault.message, "fault");
  }
}

function tell(status, text, look = "quiet") {
  status.className = look;
  status.textContent = text;
}

function mark(control, told, section, name, status) {
  const isFixed = told.fixed[section]?.includes(name) ?? false;
  for (const each of control.matches("input") ? [control] : control.querySelectorAll("input")) each.disabled = isFixed;
  if (isFixed) tell(status, say("fixed"));
}

function valueIn(told, section, name) {
  return told[section].options[name];
}

function input(type, option, attributes = {}) {
  const made = element("input", { type, "aria-label": option, spellcheck: "false", autocomplete: "off", ...attributes });
  if (type !== "checkbox") made.style.width = "100%";
  made.addEventListener("keydown", (event) => event.key === "Escape" || event.stopPropagation()); // no shortcut of the page
  return made;
}

// --------------------------------------------------------------------------- kinds of controls

const KINDS = {
  text: ({ section, name, save }) => typed(section, name, save, "text", (value) => value, (text) => text),
  list: ({ section, name, save }) => {
    const words = (text) => text.split(",").map((each) => each.trim()).filter(Boolean);
    return typed(section, name, save, "text", (value) => value.join(", "), words, { title: say("list_hint"), placeholder: say("list_hint") });
  },
  number: ({ section, name, range, save, all }) => {
    const { empty, ...limits } = range;
    const usual = empty ? { placeholder: say("usual", { size: Math.round(all[section].pool_bytes / 1e9) }) } : {};
    const read = (text) => (text.trim() ? Number(text) : empty ? null : undefined);
    return typed(section, name, save, "number", (value) => value ?? "", read, { ...limits, ...usual });
  },
  flag: ({ section, name, save }) => {
    const box = input("checkbox", name);
    box.addEventListener("change", () => save(box.checked));
    return { element: box, show: (told) => (box.checked = valueIn(told, section, name)) };
  },
  model: withTest,
  secret: key,
  places: () => {
    const list = element("ul", { style: "width:100%" });
    return { element: list, show: ({ places }) => list.replaceChildren(...places.map(place)) };
  },
};

function typed(section, name, save, type, shown, read, attributes = {}) {
  const field = input(type, name, attributes);
  const put = (told) => (field.value = shown(valueIn(told, section, name)));
  const show = (told) => (document.activeElement !== field || field.disabled) && put(told);
  field.addEventListener("change", () => {
    const value = read(field.value);
    if (value === undefined) settings().then(put); // nothing is no number
    else save(value);
  });
  return { element: field, show };
}

// The model's name, with those that the server has, and a button that asks it.
function withTest({ section, name, save, status }) {
  const field = typed(section, name, save, "text", (value) => value, (text) => text, { list: "iig-ollama-models" });
  const choices = element("datalist", { id: "iig-ollama-models" });
  const button = element("button", { type: "button" }, say("try"));
  button.addEventListener("click", async () => {
    button.disabled = true;
    tell(status, say("trying"));
    try {
      const { said, models, answers } = await ask("/settings/reading/try", {});
      choices.replaceChildren(...models.map((each) => element("option", { value: each })));
      tell(status, said, answers ? "quiet" : "fault");
    } catch (fault) {
      tell(status, fault.message, "fault");
    }
    button.disabled = false;
  });
  field.element.style.cssText = "flex:1;min-width:8rem;width:8rem";
  return { element: element("div", { class: "buttons", style: "width:100%" }, field.element, button, choices), show: field.show };
}

// Keys go one way: whether one is there is all that is ever known of it.
function key({ name, status }) {
  const field = input("password", name, { placeholder: say("key"), autocomplete: "new-password" });
  const set = element("button", { type: "button" }, say("set")), clear = element("button", { type: "button" }, say("clear"));
  const show = (told) => {
    const isThere = told.hub.tokens[name];
    tell(status, say(isThere ? "present" : "absent"));
    clear.disabled = !isThere;
  };
  const send = async (token) => {
    try {
      await ask("/hub/token", { hub: name, token });
      held = null;
      field.value = "";
      show(await settings());
    } catch (fault) {
      tell(status, fault.message, "fault");
    }
  };
  set.addEventListener("click", () => field.value.trim() && send(field.value.trim()));
  clear.addEventListener("click", () => send(null));
  field.style.cssText = "flex:1;min-width:8rem;width:8rem";
  return { element: element("div", { class: "buttons", style: "width:100%" }, field, set, clear), show };
}

function place({ label, path }) {
  const copy = element("button", { type: "button", class: "bare", title: say("copy", { path }), "aria-label": say("copy", { path }) }, element("i", { class: "pi pi-copy", "aria-hidden": "true" }));
  copy.addEventListener("click", () => navigator.clipboard?.writeText(path));
  return element("li", {}, element("div", { class: "quiet" }, label), element("div", { class: "row" }, element("span", { style: "overflow-wrap:anywhere;flex:1" }, path), copy));
}
