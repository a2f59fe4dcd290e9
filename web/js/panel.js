// The sidebar tab "Intelligent Generation" with its views, the command that frees memory, and word of what memory made the
// server do. What a view shows is loaded when it is first looked at.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { given, giveBack } from "./giving_back.mjs";
import { element, speaker, toast } from "./speaking.mjs";
import { PANEL, keepView, lastView, onWanted, show, takeWanted } from "./showing.mjs";
import { styled } from "./style.mjs";

// Every view: {id, label of its command, load}; its module has `open(place, argument)`, which fills the element and returns what closes it.
const VIEWS = [
  { id: "review", label: "Show the plan", load: () => import("./review_view.mjs") },
  { id: "recent", label: "Show pictures and ratings", load: () => import("./recent_view.mjs") },
  { id: "library", label: "Show the library", load: () => import("./library_view.mjs") },
  { id: "hub", label: "Search models at the hubs", load: () => import("./hub_view.mjs") },
  { id: "batches", label: "Show batches", load: () => import("./batches_view.mjs") },
  { id: "insights", label: "Show insights", load: () => import("./insights_view.mjs") },
  { id: "memory", label: "Show memory", load: () => import("./memory_view.mjs") },
  { id: "guide", label: "Show the first steps", load: () => import("./guide_view.mjs") },
];

const say = speaker({
  en: {
    tooltip: "Intelligent Generation: plan, pictures, models", views: "Views", review: "Plan", recent: "Pictures", library: "Library", hub: "Hub",
    batches: "Batches", insights: "Insights", memory: "Memory", guide: "Start", loading: "Loading…", broken: "This view could not be loaded",
    retried: "Out of memory", refused: "No memory was given back",
  },
  es: {
    tooltip: "Intelligent Generation: plan, imágenes, modelos", views: "Vistas", review: "Plan", recent: "Imágenes", library: "Biblioteca", hub: "Hub",
    batches: "Lotes", insights: "Estadísticas", memory: "Memoria", guide: "Inicio", loading: "Cargando…", broken: "No se pudo cargar esta vista",
    retried: "Memoria agotada", refused: "No se devolvió memoria",
  },
});

class Panel {
  #close = null;
  #opened = 0;
  #forget = null;

  render(place) {
    this.destroy();
    styled();
    place.style.height = "100%"; // the frontend gives the slot none: without it the tabs scroll away and nothing sticks
    const view = element("div", { id: "iig-view", role: "tabpanel", tabindex: "-1", style: "flex:1;min-height:0;overflow:auto" });
    view.addEventListener("keydown", keepTyping);
    const tabs = this.#tabs(view);
    place.replaceChildren(element("div", { style: "display:flex;flex-direction:column;height:100%;color:var(--fg-color);background:var(--comfy-menu-bg)" }, tabs, view));
    const shown = () => {
      const { id, argument } = takeWanted() ?? { id: lastView() ?? "guide" };
      this.#show(VIEWS.find((each) => each.id === id) ?? VIEWS[0], view, tabs, argument);
    };
    this.#forget = onWanted(shown);
    shown();
  }

  destroy() {
    this.#forget?.();
    this.#forget = null;
    this.#leave();
  }

  #leave() {
    this.#opened += 1; // a view that is still loading will not open any more
    this.#close?.();
    this.#close = null;
  }

  async #show(chosen, view, tabs, argument) {
    this.#leave();
    const opened = this.#opened;
    keepView(chosen.id);
    for (const tab of tabs.children) {
      const isChosen = tab.dataset.view === chosen.id;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
    }
    view.replaceChildren(element("p", { class: "iig quiet", style: "padding:0.75rem" }, say("loading")));
    view.setAttribute("aria-label", say(chosen.id));
    try {
      const { open } = await chosen.load();
      if (opened === this.#opened) this.#close = open(view, argument);
    } catch (fault) {
      if (opened === this.#opened) view.replaceChildren(element("p", { class: "iig fault", style: "padding:0.75rem" }, `${say("broken")}: ${fault.message}`));
    }
  }

  #tabs(view) {
    const list = element("div", { class: "iig-tabs", role: "tablist", "aria-label": say("views") });
    for (const each of VIEWS) {
      const tab = element("button", { role: "tab", type: "button", "aria-controls": view.id, "data-view": each.id }, say(each.id));
      tab.addEventListener("click", () => this.#show(each, view, list));
      list.append(tab);
    }
    list.addEventListener("keydown", (event) => this.#step(event, list));
    return list;
  }

  // Arrow keys go from tab to tab, as the pattern for tabs has it.
  #step(event, list) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const tabs = [...list.children];
    const next = tabs[(tabs.indexOf(document.activeElement) + by + tabs.length) % tabs.length];
    next.focus();
    next.click();
    event.preventDefault();
  }
}

// What is typed into a field of the panel is no shortcut of the canvas; keys with Ctrl and the like stay ComfyUI's.
function keepTyping(event) {
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (plain && event.target.closest("select, input, textarea, [role=radiogroup]")) event.stopPropagation();
}

async function free(what) {
  try {
    toast("info", await giveBack(what));
  } catch (fault) {
    toast("error", say("refused"), fault.message);
  }
}

app.registerExtension({
  name: "IntelligentGeneration.Panel",
  commands: [
    { id: "IIG.FreeMemory", icon: "pi pi-eraser", label: "Free memory: unload models", function: () => free("models") },
    ...VIEWS.map(({ id, label }) => ({ id: `IIG.Show.${id}`, icon: "pi pi-sparkles", label, function: () => show(id) })),
  ],
  menuCommands: [{ path: ["Intelligent Generation"], commands: [...VIEWS.map(({ id }) => `IIG.Show.${id}`), "IIG.FreeMemory"] }],
  setup() {
    api.addEventListener("intelligent_generation.memory_cleaned", ({ detail }) => {
      toast("info", given(detail.freed_bytes), detail.sentence);
    });
    api.addEventListener("intelligent_generation.out_of_memory", ({ detail }) => toast("warn", say("retried"), detail.sentence, 20000));
    // Listened to so that the host does not warn of one that arrives just after the view was closed.
    api.addEventListener("intelligent_generation.memory", () => {});
    const panel = new Panel();
    app.extensionManager.registerSidebarTab({
      id: PANEL, icon: "pi pi-sparkles", title: "Intelligent Generation", tooltip: say("tooltip"), type: "custom",
      render: (place) => panel.render(place), destroy: () => panel.destroy(),
    });
  },
});
