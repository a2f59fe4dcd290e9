// The view of insights: what ratings add up to as plots and tables, all in all or of one session; export, and forgetting.
import { api } from "../../../scripts/api.js";
import { confirm, open as dialog } from "./dialog.mjs";
import { blocks } from "./markdown_blocks.mjs";
import { picture } from "./pictures.mjs";
import { ask, element, language, speaker, toast } from "./speaking.mjs";
import { styled } from "./style.mjs";

const ABOUT = ["all", "styles", "loras", "settings", "sessions", "time"];
// The plots of each topic, with the rows that each one shows.
const PLOTS = { styles: "styles", loras: "loras", ratings: "ratings", changes: "directions", time: "time" };
const CARD = "width:100%;min-height:6rem;padding:0;border:1px solid var(--border-color);background:#fff;color:#222;overflow:hidden";
const FORGET = { loras: "lora", checkpoints: "checkpoint", styles: "style" };

const say = speaker({
  en: {
    title: "Insights", about: "About", session: "Session", every: "all sessions", all: "everything", styles: "styles", loras: "LoRAs", settings: "settings",
    sessions: "ratings and sessions", time: "time and memory", waiting: "Reading…", fault: "The insights could not be read", again: "Refresh",
    plot_styles: "How much you like each style", plot_loras: "How much you like pictures with each LoRA, with 90 % certainty", plot_ratings: "How many pictures you gave how many stars",
    plot_changes: "Which settings you raise or lower", plot_time: "Seconds per picture and memory by model family",
    export: "Export everything", forget: "Forget", forget_one: "Forget what was learned about {name}?", forget_all: "Forget all that was learned",
    forget_all_ask: "Forget everything that was learned?", forget_told: "Plans follow it no more. Pictures and ratings stay recorded.", yes: "Forget", forgotten: "Forgotten.",
    what: "What to forget", refused: "That did not work", exported: "The file is in your downloads.", session_named: "{when}, {pictures} pictures", session_one: "{when}, 1 picture", rate: "Go to my pictures",
    figures: "Plots", drawing: "Drawing…", larger: "{plot}: show larger", keep: "Forget and export",
  },
  es: {
    title: "Estadísticas", about: "Sobre", session: "Sesión", every: "todas las sesiones", all: "todo", styles: "estilos", loras: "LoRA", settings: "ajustes",
    sessions: "valoraciones y sesiones", time: "tiempo y memoria", waiting: "Leyendo…", fault: "No se pudieron leer las estadísticas", again: "Actualizar",
    plot_styles: "Cuánto te gusta cada estilo", plot_loras: "Cuánto te gustan las imágenes con cada LoRA, con un 90 % de certeza", plot_ratings: "A cuántas imágenes diste cuántas estrellas",
    plot_changes: "Qué ajustes subes o bajas", plot_time: "Segundos por imagen y memoria por familia de modelos",
    export: "Exportar todo", forget: "Olvidar", forget_one: "¿Olvidar lo aprendido sobre {name}?", forget_all: "Olvidar todo lo aprendido",
    forget_all_ask: "¿Olvidar todo lo aprendido?", forget_told: "Los planes ya no lo seguirán. Las imágenes y valoraciones quedan registradas.", yes: "Olvidar", forgotten: "Olvidado.",
    what: "Qué olvidar", refused: "No funcionó", exported: "El archivo está en tus descargas.", session_named: "{when}, {pictures} imágenes", session_one: "{when}, 1 imagen", rate: "Ir a mis imágenes",
    figures: "Gráficos", drawing: "Dibujando…", larger: "{plot}: mostrar más grande", keep: "Olvidar y exportar",
  },
});

export function open(place) {
  styled();
  const parts = frame();
  place.replaceChildren(parts.view);
  let asked = null;
  const refresh = async () => {
    asked?.abort();
    asked = new AbortController();
    const { signal } = asked, session = parts.session.value;
    const query = new URLSearchParams({ about: parts.about.value, ...(session && { session }) });
    try {
      const told = await ask(`/feedback/insights?${query}`, undefined, { signal });
      show(parts, told, session);
      if (!session && told.rows.sessions) sessions(parts.session, told.rows.sessions);
    } catch (fault) {
      if (fault.name !== "AbortError") parts.tables.replaceChildren(element("p", { class: "fault" }, `${say("fault")}: ${fault.message}`));
    }
  };
  parts.again.addEventListener("click", refresh);
  for (const control of [parts.about, parts.session]) control.addEventListener("change", refresh);
  parts.keep.append(...keeping(refresh, parts.what));
  refresh();
  return () => asked?.abort();
}

function frame() {
  const about = element("select", {}, ...ABOUT.map((each) => element("option", { value: each }, say(each))));
  const session = element("select", {}, element("option", { value: "" }, say("every")));
  const again = element("button", { type: "button" }, say("again"));
  const chosen = element("div", { class: "row" }, labelled("about", about), labelled("session", session), again);
  const figures = element("section", { "aria-label": say("figures"), style: "display:flex;flex-direction:column;gap:0.6rem" });
  const tables = element("section", { "aria-live": "polite" }, element("p", { class: "quiet" }, say("waiting")));
  const keep = element("section", { class: "card", "aria-label": say("keep") });
  const what = element("select", {});
  const view = element("div", { class: "iig view" }, element("h2", {}, say("title")), chosen, figures, tables, keep);
  return { view, about, session, again, figures, tables, keep, what };
}

function labelled(key, control) {
  return element("label", { class: "row" }, element("span", {}, say(key)), control);
}

// --------------------------------------------------------------------------- shown

function show(parts, { markdown, rows, notes }, session) {
  const plots = Object.entries(PLOTS).filter(([, needed]) => rows[needed]?.length).map(([name]) => plot(name, session));
  parts.figures.replaceChildren(...plots);
  const told = notes.map(({ message }) => element("p", { class: "fault" }, message));
  parts.tables.replaceChildren(...told, ...blocks(markdown));
  if (!Object.keys(rows).length) parts.tables.append(toPictures());
  const known = Object.entries(FORGET).flatMap(([table, what]) => (rows[table] ?? []).map((row) => [what, row.name ?? row.style]));
  if (!session) names(parts.what, known);
}

// Drawn on white by the server: a light card of its own in dark themes, too. Pressed, it is shown large.
function plot(name, session) {
  const query = new URLSearchParams({ name, language: language(), ...(session && { session }) });
  const src = api.apiURL(`/intelligent_generation/feedback/plot?${query}`), alt = say(`plot_${name}`);
  const button = element("button", { type: "button", class: "bare", style: CARD, "aria-label": say("larger", { plot: alt }) }, say("drawing"));
  const image = picture(src, alt);
  image.loading = "eager"; // it is in no page yet
  image.style.cssText = "width:100%;display:block";
  image.addEventListener("load", () => button.replaceChildren(image));
  image.addEventListener("error", () => (button.textContent = alt));
  button.addEventListener("click", () => {
    const large = picture(src, alt);
    large.style.cssText = "max-width:100%;max-height:78vh;display:block;margin:auto;background:#fff;border-radius:0.4rem";
    dialog(alt, large);
  });
  return button;
}

function toPictures() {
  const button = element("button", { type: "button", class: "main" }, say("rate"));
  button.addEventListener("click", async () => (await import("./showing.mjs")).show("recent"));
  return element("div", { class: "buttons", style: "margin-top:0.75rem" }, button);
}

function sessions(select, rows) {
  const chosen = select.value;
  const named = ({ id, started, pictures }) => {
    const when = new Date(started * 1000).toLocaleString(language(), { dateStyle: "medium", timeStyle: "short" });
    return element("option", { value: id }, say(pictures === 1 ? "session_one" : "session_named", { when, pictures }));
  };
  select.replaceChildren(element("option", { value: "" }, say("every")), ...rows.map(named));
  select.value = chosen;
}

// --------------------------------------------------------------------------- kept and forgotten

function keeping(refresh, what) {
  const forget = element("button", { type: "button" }, say("forget"));
  forget.addEventListener("click", () => {
    const [kind, name] = JSON.parse(what.value);
    return forgetting(say("forget_one", { name }), { what: kind, name }, refresh);
  });
  const all = element("button", { type: "button" }, say("forget_all"));
  all.addEventListener("click", () => forgetting(say("forget_all_ask"), { what: "all" }, refresh));
  const out = element("button", { type: "button" }, say("export"));
  out.addEventListener("click", () => exported(out));
  what.setAttribute("aria-label", say("what"));
  const one = element("div", { class: "row" }, what, forget);
  what.iigRow = one;
  one.hidden = true;
  return [one, element("div", { class: "buttons" }, out, all)];
}

function names(select, known) {
  const chosen = select.value;
  select.replaceChildren(...known.map(([what, name]) => element("option", { value: JSON.stringify([what, name]) }, name)));
  if (known.length && [...select.options].some(({ value }) => value === chosen)) select.value = chosen;
  select.iigRow.hidden = !known.length;
}

async function forgetting(question, body, refresh) {
  if (!(await confirm(question, [say("forget_told")], say("yes")))) return;
  try {
    await ask("/feedback/forget", { ...body, confirmed: true });
    toast("success", say("forgotten"));
  } catch (fault) {
    toast("error", say("refused"), fault.message);
  }
  refresh();
}

async function exported(button) {
  button.disabled = true;
  try {
    const answer = await api.fetchApi(`/intelligent_generation/feedback/export?language=${language()}`);
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).message ?? `HTTP ${answer.status}`);
    const url = URL.createObjectURL(await answer.blob());
    element("a", { href: url, download: "feedback.jsonl" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser may still be writing
    toast("success", say("exported"));
  } catch (fault) {
    toast("error", say("refused"), fault.message);
  } finally {
    button.disabled = false;
  }
}
