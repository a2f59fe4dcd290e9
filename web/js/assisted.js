// ASSISTED mode at page load, and no more than that: notices Auto Pipelines that need a card, keeps their prompts as written
// while the person decides, and hears of suggestions. The card and the review are loaded when a node needs them.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { AUTO, nodeById, widget } from "./node_values.mjs";

const LOOK_MS = 500; // older and newer frontends tell of a changed widget in different ways, or not at all: looking is sure
const ROLLED = ["prompt", "negative"]; // {a|b} in these is drawn anew by the frontend whenever it queues
const nodes = new Set();

function isAssisted(node) {
  return widget(node, "mode")?.value === "assisted";
}

function accepted(node) {
  return String(widget(node, "accepted_plan")?.value ?? "").trim();
}

// In ASSISTED mode the text that was planned is the text that is sent: drawn anew, it would never match its plan.
function keepWritten(node) {
  for (const name of ROLLED) {
    const text = widget(node, name);
    const rolls = text?.serializeValue;
    if (!rolls || rolls.iigKeeps) continue;
    text.serializeValue = function (...given) {
      return isAssisted(node) ? text.value : rolls.apply(this, given);
    };
    text.serializeValue.iigKeeps = true;
  }
}

function needsCard(node) {
  return isAssisted(node) || Boolean(accepted(node));
}

async function look(node) {
  keepWritten(node);
  if (!needsCard(node) && !node.iigCard) {
    node.iigWasBare = true; // its size leaves no room for a card
    return;
  }
  const { attend, leave } = await import("./plan_card.mjs");
  if (needsCard(node)) attend(node); // asked again: another look may have come first meanwhile
  else if (node.iigCard) leave(node);
}

function lookAtAll() {
  if (!document.hidden) for (const node of nodes) look(node);
}

function selected() {
  return Object.values(app.canvas.selected_nodes ?? {}).find((node) => node.comfyClass === AUTO) ?? [...nodes][0];
}

async function onSelected(act) {
  const node = selected();
  if (node) (await import("./reviewing.mjs"))[act](node);
}

app.registerExtension({
  name: "IntelligentGeneration.Assisted",
  commands: [
    { id: "IIG.Suggest", icon: "pi pi-lightbulb", label: "Suggest a plan for the selected Auto Pipeline", function: () => onSelected("suggest") },
    { id: "IIG.AcceptAndRun", icon: "pi pi-check", label: "Accept the plan and run", function: () => onSelected("acceptAndRun") },
  ],
  menuCommands: [{ path: ["Intelligent Generation"], commands: ["IIG.Suggest", "IIG.AcceptAndRun"] }],
  setup() {
    setInterval(lookAtAll, LOOK_MS);
    api.addEventListener("intelligent_generation.suggestion", async ({ detail }) => {
      const node = nodeById(detail.node);
      if (node && detail.review) (await import("./reviewing.mjs")).suggested(node, detail.review);
    });
  },
  nodeCreated(node) {
    if (node.comfyClass !== AUTO) return;
    const { onAdded: added, onRemoved: removed } = node, mode = widget(node, "mode"), chosen = mode?.callback;
    node.onAdded = function (...given) {
      nodes.add(node); // not before: copying makes nodes that never come onto a canvas
      return added?.apply(this, given);
    };
    node.onRemoved = function (...given) {
      nodes.delete(node);
      return removed?.apply(this, given);
    };
    if (!mode) return;
    mode.callback = function (...given) {
      const answer = chosen?.apply(this, given);
      if (nodes.has(node)) look(node); // at once: a switch that seems to do nothing is pressed twice
      return answer;
    };
  },
});
