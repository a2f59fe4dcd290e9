// Unfolding an Auto Pipeline into native nodes and folding a picture's plan into one: menu entries, commands, and pictures
// that are dropped on the node. What they do is loaded when it is first asked for.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { AUTO, askedOf, nodeById } from "./node_values.mjs";
import { speaker, toast } from "./speaking.mjs";

const say = speaker({
  en: { unfold: "Unfold into native nodes", fold: "Fold plan from picture…", none: "Select an Auto Pipeline first" },
  es: { unfold: "Desplegar en nodos nativos", fold: "Plegar plan desde una imagen…", none: "Primero hay que seleccionar un nodo «Generación automática»" },
});

function selectedAuto() {
  const chosen = Object.values(app.canvas.selected_nodes ?? {}).filter((node) => node.comfyClass === AUTO);
  const all = (app.canvas.graph ?? app.graph).nodes.filter((node) => node.comfyClass === AUTO);
  return chosen[0] ?? (all.length === 1 ? all[0] : null);
}

async function unfold(node = selectedAuto()) {
  if (!node) return toast("info", say("none"));
  await (await import("./unfolding.mjs")).unfold(node);
}

async function fold(node = selectedAuto()) {
  await (await import("./folding.mjs")).foldFromFile(node);
}

function entries(node) {
  return [
    { content: say("unfold"), callback: () => unfold(node) },
    { content: say("fold"), callback: () => fold(node) },
  ];
}

function mayHoldPicture(event) {
  return [...(event.dataTransfer?.items ?? [])].some(({ kind, type }) => kind === "file" && type === "image/png");
}

// `handler` beside what the node does already, which comes first.
function chain(prototype, name, handler) {
  const before = prototype[name];
  prototype[name] = function (...given) {
    return before?.apply(this, given) || handler.apply(this, given);
  };
}

// What the node was set to when it last made a plan: that plan is unfolded only while nothing else is asked.
export function questionOf(node) {
  return askedOf(node, ["seed", "language", "verbosity"]);
}

app.registerExtension({
  name: "IntelligentGeneration.AutoMenu",
  commands: [
    { id: "IIG.Unfold", icon: "pi pi-sitemap", label: "Unfold the Auto Pipeline into native nodes", function: () => unfold() },
    { id: "IIG.Fold", icon: "pi pi-image", label: "Fold the plan of a picture into an Auto Pipeline", function: () => fold() },
  ],
  menuCommands: [{ path: ["Intelligent Generation"], commands: ["IIG.Unfold", "IIG.Fold"] }],
  getNodeMenuItems: (node) => (node.comfyClass === AUTO ? entries(node) : []),
  setup() {
    api.addEventListener("intelligent_generation.plan", ({ detail }) => {
      const node = nodeById(detail.node);
      if (node) node.iigAsked = questionOf(node);
    });
  },
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (nodeData.name !== AUTO) return;
    chain(nodeType.prototype, "onDragOver", mayHoldPicture);
    chain(nodeType.prototype, "onDragDrop", function (event) {
      const file = mayHoldPicture(event) && event.dataTransfer.files[0];
      if (!file) return false;
      return import("./folding.mjs").then(({ foldFile }) => foldFile(file, this)).then(() => true);
    });
    if (app.collectNodeMenuItems) return; // newer frontends ask extensions for entries
    const before = nodeType.prototype.getExtraMenuOptions;
    nodeType.prototype.getExtraMenuOptions = function (canvas, options) {
      options.unshift(...entries(this), null);
      return before?.apply(this, [canvas, options]);
    };
  },
});
