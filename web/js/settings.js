// Settings of the pack in ComfyUI's own dialog. What concerns the server is kept there, by our routes: its rows are drawn by
// settings_form.mjs when the dialog shows them. What concerns new nodes alone is ComfyUI's to keep.
import { app } from "../../../scripts/app.js";
import { element, speaker, toast } from "./speaking.mjs";

const CATEGORY = "Intelligent Generation";
const OURS = /^IIG_/;
const INVITED = "IIG.Guide.Invited"; // in the browser's own store: the guide was pointed out once
const MODES = ["auto", "assisted", "manual"], LEVELS = ["minimal", "standard", "detailed", "technical"];
const NEW = { mode: "IIG.New.Mode", verbosity: "IIG.New.Verbosity", blocked: "IIG.New.Blocked" };

const say = speaker({
  en: { welcome: "Intelligent Generation is here", begin: "Open its tab in the sidebar: it shows what was found on this machine and what to do first." },
  es: { welcome: "Intelligent Generation está aquí", begin: "Abre su pestaña en la barra lateral: muestra qué se encontró en este equipo y qué hacer primero." },
});

// [group, section and option on the server, how it is drawn, label]; the last shown first, as ComfyUI sorts.
const KEPT = [
  ["Prompt reading", "reading.url", "text", "Ollama: address"],
  ["Prompt reading", "reading.model", "model", "Ollama: model"],
  ["Hubs", "hub.offline", "flag", "Offline: ask no hub"],
  ["Hubs", "hub.civitai", "list", "CivitAI: addresses"],
  ["Hubs", "token.civitai", "secret", "CivitAI: key"],
  ["Hubs", "hub.huggingface", "text", "Hugging Face: address"],
  ["Hubs", "token.huggingface", "secret", "Hugging Face: key"],
  ["Hubs", "hub.extra_hosts", "list", "Further hosts of downloads"],
  ["Hubs", "hub.allowed", "list", "Downloads a workflow may make unasked"],
  ["Hubs", "hub.nsfw", "flag", "Adult content in search"],
  ["Hubs", "hub.recognise", "flag", "Look new files up at the hubs"],
  ["Hubs", "hub.remote_clients", "flag", "Other computers may change things"],
  ["Learning", "learning.enabled", "flag", "Learn from ratings"],
  ["Learning", "learning.explore", "number", "Exploration", { min: 0, max: 0.5, step: 0.01 }],
  ["Learning", "learning.keep_days", "number", "Days to keep pictures' records", { min: 0, max: 36500, step: 1 }],
  ["Learning", "learning.log", "flag", "Write every event to a file, too"],
  ["Memory", "memory.pool_gb", "number", "RAM for loaded models (GB)", { min: 0, max: 4096, step: 1, empty: true }],
  ["Memory", "memory.clean_below", "number", "Tidy memory below", { min: 0, max: 0.95, step: 0.01 }],
  ["Memory", "memory.retry", "flag", "Try again after running out of memory"],
  ["Folders", "places", "places", "Where things lie"],
];

function kept([group, option, kind, label, range = {}], index) {
  return {
    id: `IIG.Server.${option}`, name: label, category: [CATEGORY, group, option], sortOrder: 100 - index, defaultValue: "",
    type: () => drawn(option, kind, range),
  };
}

// A place that is filled as soon as the form is loaded.
function drawn(option, kind, range) {
  const place = element("div", { class: "iig", style: "width:20rem;max-width:100%;display:flex;flex-direction:column;align-items:flex-end" });
  import("./settings_form.mjs").then(({ control }) => control(place, option, kind, range), (fault) => place.append(fault.message));
  return place;
}

function ofNewNodes(name, id, rest, index) {
  return { id, name, category: [CATEGORY, "New nodes", id], sortOrder: 200 - index, ...rest };
}

// What the person prefers for nodes they drop; a workflow that is loaded keeps its own values.
function prefer(node) {
  for (const [name, id] of Object.entries(NEW)) {
    const wanted = app.extensionManager.setting.get(id), found = wanted && node.widgets?.find((each) => each.name === name);
    if (found && (!found.options?.values || found.options.values.includes(wanted))) found.value = wanted;
  }
}

function invite() {
  if (localStorage.getItem(INVITED)) return;
  localStorage.setItem(INVITED, "yes");
  toast("info", say("welcome"), say("begin"), 15000);
}

app.registerExtension({
  name: "IntelligentGeneration.Settings",
  settings: [
    ofNewNodes("Mode of new nodes", NEW.mode, { type: "combo", options: MODES, defaultValue: "auto" }, 0),
    ofNewNodes("Explanations of new nodes", NEW.verbosity, { type: "combo", options: LEVELS, defaultValue: "standard" }, 1),
    ofNewNodes("Blocked in new nodes", NEW.blocked, { type: "text", defaultValue: "" }, 2),
    ...KEPT.map(kept),
  ],
  setup: () => invite(),
  nodeCreated(node) {
    if (OURS.test(node.comfyClass ?? "") && !app.configuringGraph) prefer(node);
  },
});
