// The plan under review of every Auto Pipeline: suggested, edited, accepted, gone stale. One record a node, kept in this
// tab; what is not accepted yet outlives a reload (draft.mjs), what is accepted lies in the workflow (`accepted_plan`).
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { captureState, forget, keep, kept } from "./draft.mjs";
import { askedOf, isThere, setWidget, valuesOf, widget } from "./node_values.mjs";
import { show } from "./showing.mjs";
import { ask, speaker, toast } from "./speaking.mjs";

const EDIT_MS = 250; // edits that follow each other this closely are one question
const ASIDE = ["seed", "language", "verbosity", "accepted_plan", "run_anyway", "reader"]; // a plan does not depend on these
const records = new WeakMap();
const lacking = new Set(); // nodes whose plans name models that are not here

const say = speaker({
  en: { refused: "No plan was made", first: "Press Suggest first: there is no plan to accept yet.", renews: "The next run makes a new plan for the changed settings without asking.", edited: "No picture was made: the plan as edited is not accepted yet.", not_added: "The LoRA was not added", moved: "Changed since this suggestion: {names}." },
  es: { refused: "No se hizo ningún plan", first: "Antes hace falta Sugerir: aún no hay ningún plan que aceptar.", renews: "La próxima ejecución hará sin preguntar otro plan para los ajustes cambiados.", edited: "No se hizo ninguna imagen: el plan editado aún no está aceptado.", not_added: "La LoRA no se añadió", moved: "Cambiado desde esta sugerencia: {names}." },
});

// {node, base: the review that edits start from, review: as edited, edits, accepted: the widget's text, always, verdict: what
// /assisted/check said, fault: {at, message}, busy: "" | "suggest" | "revise" | "check"}
export function recordOf(node) {
  if (!records.has(node)) records.set(node, { node, ...EMPTY, edits: {}, listeners: new Set(), asked: 0, turn: 0 });
  return records.get(node);
}

const EMPTY = { base: null, review: null, accepted: "", always: false, verdict: null, fault: null, busy: "", pending: null, seen: "", judged: "", timer: 0, last: "" };

// Edits and answers that are under way belong to a plan that is no more.
function leaveBehind(record) {
  clearTimeout(record.timer);
  record.asked += 1;
  record.turn += 1;
  record.pending = null;
}

export function onChange(node, listener) {
  const { listeners } = recordOf(node);
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// Where a node stands: none, waiting, edited, accepted, always, stale, missing or unreadable.
export function stateOf({ review, accepted, always, verdict, edits }) {
  if (!review && !accepted) return "none";
  if (["stale", "missing", "unreadable"].includes(verdict?.state)) return verdict.state;
  if (Object.keys(edits).length) return "edited";
  if (!accepted) return "waiting";
  return always ? "always" : "accepted";
}

function tell(record, change) {
  Object.assign(record, change);
  for (const listener of record.listeners) listener(record);
}

// ---------------------------------------------------------------------------- suggestions

export async function suggest(node) {
  const record = recordOf(node);
  setWidget(node, "mode", "assisted");
  leaveBehind(record);
  const { turn } = record, question = questionOf(node);
  const isOutdated = () => turn !== record.turn || !isThere(node); // asked again, accepted, sent back to AUTO or gone meanwhile
  tell(record, { busy: "suggest", fault: null });
  try {
    const { values, linked } = valuesOf(node);
    const review = await ask("/assisted/suggest", { widgets: values, linked });
    if (!isOutdated()) openReview(node, review, question);
  } catch (fault) {
    if (isOutdated()) return;
    tell(record, { busy: "", fault: { at: "suggest", message: fault.message } });
    if (!node.iigCard) toast("error", say("refused"), fault.message);
  }
}

// Take a fresh suggestion as the plan under review and show it. Which `question` it answers is not known of one that a run
// made: it was asked when the run was queued.
function openReview(node, review, question = "") {
  const record = recordOf(node);
  leaveBehind(record);
  setWidget(node, "accepted_plan", "");
  const fresh = { base: review, review, edits: {}, verdict: null, fault: null, busy: "" };
  tell(record, { ...fresh, accepted: "", always: false, seen: question, judged: question });
  keep(record);
  show("review", { node });
}

// A run made a suggestion in the place of a picture. Where the same question has an answer here that the person edited or
// accepted since, that stays.
export function suggested(node, review) {
  const { base, edits, pending, accepted, verdict } = recordOf(node);
  if (accepted && verdict?.state === "missing") return show("review", { node }); // kept for when its models are here
  const isSame = base?.made_for === review.made_for;
  if (isSame && accepted) return;
  if (!isSame || !(pending || Object.keys(edits).length)) return openReview(node, review);
  show("review", { node });
  toast("info", say("edited"));
}

// ---------------------------------------------------------------------------- edits

// `change` is merged into the edits; `at` names the control that made it, so that a refusal is told there.
export function edit(node, change, at) {
  const record = recordOf(node);
  if (!record.base) return false;
  const settings = change.settings ? { settings: { ...record.edits.settings, ...change.settings } } : {};
  record.pending = { ...(record.pending ?? record.edits), ...change, ...settings };
  record.last = at;
  clearTimeout(record.timer);
  record.timer = setTimeout(() => revise(record), EDIT_MS);
  tell(record, { fault: null, busy: "revise" });
  return true;
}

async function revise(record) {
  const asked = (record.asked += 1), edits = record.pending;
  try {
    const review = await ask("/assisted/revise", { plan: record.base.plan, edits });
    if (asked !== record.asked || edits !== record.pending) return; // something newer was asked meanwhile
    record.pending = null;
    tell(record, { review, edits, busy: "" });
    keep(record);
  } catch (fault) {
    if (asked !== record.asked || edits !== record.pending) return;
    record.pending = null; // what was refused is not asked again with the next edit
    tell(record, { busy: "", fault: { at: record.last, message: fault.message } });
    const { loras, near_misses: missed } = record.review;
    const isOutside = record.last.startsWith("lora:") && ![...loras, ...missed].some(({ name }) => record.last === `lora:${name}`);
    if (isOutside) toast("error", say("not_added"), fault.message, 12000); // it has no card to say it on
  }
}

// The LoRAs that are on, as edits name them: with edits that are under way.
export function lorasOf(record) {
  const wanted = (record.pending ?? record.edits).loras;
  return wanted ?? record.review.loras.filter(({ on }) => on).map(asEdit);
}

function asEdit({ name, strength, strength_clip: clip, triggers }) {
  const own = clip === null || clip === undefined || clip === strength ? {} : { strength_clip: clip };
  return { name, strength, ...own, triggers: triggers.filter(({ on }) => on).map(({ word }) => word) };
}

export function changeLora(node, name, change) {
  const loras = lorasOf(recordOf(node)).map((each) => (each.name === name ? { ...each, ...change } : each));
  return edit(node, { loras }, `lora:${name}`);
}

// Put a LoRA into the plan, in the place of another where one is named.
export function useLora(node, name, instead) {
  const loras = lorasOf(recordOf(node)).filter((each) => each.name !== name && each.name !== instead);
  return edit(node, { loras: [...loras, { name }] }, `lora:${name}`);
}

export function dropLora(node, name) {
  return edit(node, { loras: lorasOf(recordOf(node)).filter((each) => each.name !== name) }, `lora:${name}`);
}

let current = null; // the node whose plan the panel shows

export function reviewing(node) {
  current = node;
}

// Whether there is a plan that a LoRA can be added to.
export function hasPlan() {
  return Boolean(current && isThere(current) && recordOf(current).review);
}

// Add a local LoRA to the plan that is, or was last, under review. → whether it was taken in, `null` where there is no plan
export async function addLora(name) {
  if (!hasPlan()) return null;
  const record = recordOf(current);
  useLora(current, name);
  await answered(record);
  return record.review.loras.some((each) => each.name === name && each.on);
}

export function discard(node) {
  const record = recordOf(node);
  leaveBehind(record);
  tell(record, { review: record.base, edits: {}, fault: null, busy: "" });
  keep(record);
}

// ---------------------------------------------------------------------------- acceptance

// Write the plan, as edited, into the workflow. → whether there was one, with every edit answered
export async function accept(node, always = false) {
  const record = recordOf(node);
  if (record.pending) {
    const { base } = record;
    await answered(record);
    if (record.fault || record.base !== base) return false; // refused, or another plan than the one that was seen
  }
  if (!record.review) {
    toast("info", say("first"));
    return false;
  }
  const { made_for, plan } = record.review;
  const text = JSON.stringify({ made_for, plan, always });
  leaveBehind(record);
  setWidget(node, "accepted_plan", text);
  tell(record, { base: record.review, edits: {}, accepted: text, always, busy: "" });
  forget(record);
  captureState();
  return true;
}

function answered(record) {
  return new Promise((resolve) => {
    const stop = onChange(record.node, () => record.pending || (stop(), resolve()));
  });
}

export async function acceptAndRun(node, always = false) {
  if (await accept(node, always)) await run();
}

export function run() {
  return app.queuePrompt(0, 1);
}

export function takeBack(node) {
  const record = recordOf(node);
  record.turn += 1;
  setWidget(node, "accepted_plan", "");
  tell(record, { accepted: "", always: false, verdict: null, judged: "", busy: record.pending ? "revise" : "" });
  keep(record);
  captureState();
}

export function backToAuto(node) {
  setWidget(node, "accepted_plan", "");
  setWidget(node, "mode", "auto");
  const record = recordOf(node);
  leaveBehind(record);
  forget(record);
  tell(record, { ...EMPTY, edits: {} });
  captureState();
}

// ---------------------------------------------------------------------------- does it still hold?

// What a plan answers: the node's own widgets and which inputs are linked, as one text.
function questionOf(node) {
  return askedOf(node, ASIDE);
}

// Called now and then while a card is shown: picks up what a reload, an undo or another pack put into the widgets.
export function refresh(node) {
  const record = recordOf(node);
  const accepted = String(widget(node, "accepted_plan")?.value ?? "").trim();
  const question = questionOf(node);
  const isSame = accepted === record.accepted && question === record.seen;
  if (accepted !== record.accepted) restore(record, accepted);
  else if (!record.review && !accepted) recall(record);
  record.seen = question;
  if (isSame && question !== record.judged && (record.review || accepted) && !record.busy) check(record, question);
}

function restore(record, accepted) {
  leaveBehind(record);
  tell(record, { accepted, always: isAlways(accepted), base: null, review: null, edits: {}, verdict: null, fault: null, busy: "", judged: "" });
  recall(record);
}

function recall(record) {
  const draft = kept(record);
  if (draft && draft.accepted === record.accepted) tell(record, { base: draft.base, review: draft.review, edits: draft.edits });
}

function isAlways(text) {
  try {
    return JSON.parse(text).always === true;
  } catch {
    return false; // no JSON: the server will say so
  }
}

async function check(record, question = questionOf(record.node)) {
  record.judged = question;
  const { turn } = record, { values, linked } = valuesOf(record.node);
  const isOutdated = () => turn !== record.turn && ((record.judged = ""), true); // of a plan that is no more
  const accepted = record.accepted || JSON.stringify({ made_for: record.base.made_for, plan: record.base.plan, always: false });
  tell(record, { busy: "check" });
  try {
    const verdict = asRun(await ask("/assisted/check", { widgets: values, linked, accepted }), values.mode, record);
    if (isOutdated()) return;
    const shown = record.review || !verdict.review ? {} : { base: verdict.review, review: verdict.review };
    lacking[verdict.state === "missing" ? "add" : "delete"](record.node);
    tell(record, { verdict, busy: "", ...shown });
  } catch (fault) {
    if (!isOutdated()) tell(record, { busy: "", fault: { at: "check", message: fault.message } });
  }
}

// In other modes a plan on the node is used as it is, whatever it was made for; one accepted for always makes way for another
// as long as the prompt is the same.
function asRun(verdict, mode, { node, accepted, always }) {
  if (verdict.state !== "stale") return verdict;
  if (mode !== "assisted") return { ...verdict, state: "valid", said: [] };
  const names = verdict.changed.map((name) => widget(node, name)?.label ?? name).join(", ");
  if (!accepted) return { ...verdict, said: [say("moved", { names })] };
  return always && !verdict.changed.includes("prompt") ? { ...verdict, state: "valid", said: [say("renews")] } : verdict;
}

// Look at the plan anew: a model it lacked may have come.
export function judgeAgain(node) {
  recordOf(node).judged = "";
}

api.addEventListener("intelligent_generation.download", ({ detail }) => {
  if (detail.state === "done") for (const node of lacking) judgeAgain(node);
});
