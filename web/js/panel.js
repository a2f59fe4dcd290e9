// The sidebar tab "Intelligent Generation", the command that frees memory, and word of what memory made the server do.
// What a view shows is loaded when it is first looked at.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { given, giveBack } from "./giving_back.mjs";
import { element, speaker, toast } from "./speaking.mjs";

// Every view: {id, load}; its module has `open(place)`, which fills the element and returns what closes it.
const VIEWS = [{ id: "memory", load: () => import("./memory_view.mjs") }];
const KEEP = "IIG.Panel.View"; // in the browser's own store: the view that was open last

const say = speaker({
  en: {
    tooltip: "Intelligent Generation: memory", views: "Views", memory: "Memory",
    retried: "Out of memory", refused: "No memory was given back",
  },
  es: {
    tooltip: "Intelligent Generation: memoria", views: "Vistas", memory: "Memoria",
    retried: "Memoria agotada", refused: "No se devolvió memoria",
  },
});

class Panel {
  #close = null;
  #opened = 0;

  render(place) {
    this.destroy();
    const view = element("div", { style: "flex:1;min-height:0;overflow:auto" });
    const frame = element("div", { style: "display:flex;flex-direction:column;height:100%;color:var(--fg-color)" });
    if (VIEWS.length > 1) frame.append(this.#tabs(view));
    frame.append(view);
    place.replaceChildren(frame);
    this.#show(VIEWS.find(({ id }) => id === localStorage.getItem(KEEP)) ?? VIEWS[0], view);
  }

  destroy() {
    this.#opened += 1; // a view that is still loading will not open any more
    this.#close?.();
    this.#close = null;
  }

  async #show(chosen, view) {
    this.destroy();
    const opened = this.#opened;
    localStorage.setItem(KEEP, chosen.id);
    const { open } = await chosen.load();
    if (opened === this.#opened) this.#close = open(view);
  }

  #tabs(view) {
    const list = element("div", { role: "tablist", "aria-label": say("views"), style: "display:flex;flex-wrap:wrap" });
    for (const each of VIEWS) {
      const tab = element("button", { role: "tab", type: "button", "aria-selected": "false" }, say(each.id));
      tab.addEventListener("click", () => {
        for (const other of list.children) other.setAttribute("aria-selected", String(other === tab));
        this.#show(each, view);
      });
      list.append(tab);
    }
    return list;
  }
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
  commands: [{ id: "IIG.FreeMemory", icon: "pi pi-eraser", label: "Free memory: unload models", function: () => free("models") }],
  menuCommands: [{ path: ["Intelligent Generation"], commands: ["IIG.FreeMemory"] }],
  setup() {
    api.addEventListener("intelligent_generation.memory_cleaned", ({ detail }) => {
      toast("info", given(detail.freed_bytes), detail.sentence);
    });
    api.addEventListener("intelligent_generation.out_of_memory", ({ detail }) => toast("warn", say("retried"), detail.sentence, 20000));
    // Listened to so that the host does not warn of one that arrives just after the view was closed.
    api.addEventListener("intelligent_generation.memory", () => {});
    const panel = new Panel();
    app.extensionManager.registerSidebarTab({
      id: "intelligent-generation", icon: "pi pi-sparkles", title: "Intelligent Generation", tooltip: say("tooltip"), type: "custom",
      render: (place) => panel.render(place), destroy: () => panel.destroy(),
    });
  },
});
