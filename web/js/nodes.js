// What the pack's nodes need on the canvas beyond their schema: the explanation of the last run under the
// widgets, limits and fixed values folded away until they are wanted, and word of downloads that ended.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { nodeById } from "./node_values.mjs";
import { speaker } from "./speaking.mjs";

const EXPLAINS = new Set([
  "IIG_AutoPipeline", "IIG_ExplainPlan", "IIG_SearchHub", "IIG_DownloadModel", "IIG_ModelInfo",
  "IIG_RateImage", "IIG_FeedbackInsights", "IIG_BatchVariations", "IIG_ContactSheet", "IIG_MemoryMonitor", "IIG_FreeMemory",
  "IIG_LoadCheckpoint", "IIG_LoadDiffusionModel",
]);
const OURS = /^IIG_/;
const BOX_HEIGHT = 160; // pixels: the first lines say what was chosen, the rest scrolls
const FEW = 3; // fewer advanced widgets than this are not worth a button
const WIDTH = 400;
const TEXT_HEIGHT = 120; // added to what the prompt boxes need at least, for prompts of several lines

const say = speaker({
  en: {
    box: "Explanation", more: "Show all settings", less: "Show main settings", partly: "{lora}: applied {applied} of {total} modules.",
    done: "{name} is downloaded, in models/{kind}.", failed: "{name} was not downloaded.",
  },
  es: {
    box: "Explicación", more: "Mostrar todos los ajustes", less: "Mostrar los ajustes principales", partly: "{lora}: se aplicaron {applied} de {total} módulos.",
    done: "{name} está descargado, en models/{kind}.", failed: "{name} no se descargó.",
  },
});

function plain(markdown) {
  const rows = markdown.replace(/^\|[ :|-]+\|\n?/gm, "").replace(/^\| (.*) \|$/gm, (_, row) => row.split(" | ").join("  ·  "));
  return rows.replace(/^#+ +/gm, "").replace(/\*\*/g, "").replace(/^- /gm, "• ").replace(/\n{3,}/g, "\n\n").replace(/\\([\\|`*_[\]<>#])/g, "$1");
}

function explanationBox() {
  const box = document.createElement("textarea");
  box.readOnly = true;
  box.setAttribute("aria-label", say("box"));
  Object.assign(box.style, {
    width: "100%", height: "100%", minHeight: `${BOX_HEIGHT}px`, resize: "none", boxSizing: "border-box", padding: "6px",
    font: "12px/1.4 sans-serif", color: "var(--input-text)", background: "var(--comfy-input-bg)",
    border: "1px solid var(--border-color)", borderRadius: "6px",
  });
  return box;
}

function resize(node, height) {
  const [width, least] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), Math.max(height, least)]);
  app.graph.setDirtyCanvas(true, true);
}

function explain(node, markdown) {
  if (!node.iigExplanation) {
    const box = explanationBox();
    // A type of our own: newer frontends replace the element of types they know. Never saved with the workflow.
    const widget = node.addDOMWidget("explanation_text", "IIG_EXPLANATION", box, {
      serialize: false, hideOnZoom: false, getMinHeight: () => BOX_HEIGHT, getValue: () => box.value, setValue: () => {},
    });
    widget.serialize = false;
    node.iigExplanation = box;
    resize(node, node.size[1] + BOX_HEIGHT);
  }
  node.iigExplanation.value = plain(markdown);
}

function foldAdvanced(node) {
  const folded = (node.widgets ?? []).filter((widget) => widget.options?.advanced);
  if (folded.length < FEW) return;
  const own = new Map(folded.map((widget) => [widget, widget.computeSize]));
  const show = (all) => {
    for (const widget of folded) {
      widget.hidden = !all;
      widget.options.hidden = !all;
      widget.computeSize = all ? own.get(widget) : () => [0, -4]; // older frontends leave room for hidden widgets
    }
    button.label = button.name = say(all ? "less" : "more");
    resize(node, node.computeSize()[1] + TEXT_HEIGHT);
  };
  let all = false;
  const button = node.addWidget("button", say("more"), null, () => show((all = !all)), { serialize: false });
  button.serialize = false;
  if (node.size[0] < WIDTH) node.size[0] = WIDTH;
  show(false);
}

// An empty text box says what it is for in the person's language; the frontend says the input's plain name.
function nameTextBoxes(node) {
  for (const { name, label, element, options } of node.widgets ?? []) {
    if (!label || element?.placeholder !== name) continue;
    element.placeholder = label;
    if (options) options.placeholder = label;
  }
}

function ended(download) {
  if (download.state === "done") {
    app.extensionManager.toast.add({ severity: "success", summary: say("done", download), life: 6000 });
    app.refreshComboInNodes?.(); // native loaders list the new file without a reload
  }
  if (download.state === "failed") {
    app.extensionManager.toast.add({ severity: "error", summary: say("failed", download), detail: download.message ?? "", life: 15000 });
  }
}

app.registerExtension({
  name: "IntelligentGeneration.Nodes",
  setup() {
    // Listened to so that the host does not warn; the plan is kept on its node for whoever asks.
    api.addEventListener("intelligent_generation.plan", ({ detail }) => {
      const node = nodeById(detail.node);
      if (node) node.iigGeneration = detail.generation;
    });
    api.addEventListener("intelligent_generation.lora", ({ detail }) => {
      if (detail.applied > 0 && detail.applied < detail.total) {
        app.extensionManager.toast.add({ severity: "warn", summary: say("partly", detail), life: 8000 });
      }
    });
    api.addEventListener("intelligent_generation.download", ({ detail }) => ended(detail));
    // Listened to so that the host does not warn: what a run lacks, or waits to have confirmed, its error says already.
    for (const event of ["confirm", "missing", "recognition"]) api.addEventListener(`intelligent_generation.${event}`, () => {});
  },
  nodeCreated(node) {
    if (!OURS.test(node.comfyClass ?? "")) return;
    foldAdvanced(node);
    nameTextBoxes(node);
  },
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (!EXPLAINS.has(nodeData.name)) return;
    const before = nodeType.prototype.onExecuted;
    nodeType.prototype.onExecuted = function (output) {
      before?.apply(this, arguments);
      if (output?.text?.length) explain(this, output.text.join(""));
    };
  },
});
