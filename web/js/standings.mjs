// What is thought of each picture, once for the whole page: bars that show the same picture stay in step, what was said last
// can be taken back, and answers arrive in the order in which they were clicked.
import { ask, speaker, toast } from "./speaking.mjs";

const say = speaker({
  en: { failed: "Not stored", waits: "The rating waits: its database does not answer. It is stored as soon as it does.", nothing: "There is nothing to take back." },
  es: { failed: "No se guardó", waits: "La valoración espera: su base de datos no responde. Se guardará en cuanto responda.", nothing: "No hay nada que deshacer." },
});
const MOST_UNDO = 100;
const STARS = ["overall", "quality", "accuracy", "aesthetic"];
const EMPTY = { overall: null, quality: null, accuracy: null, aesthetic: null, comment: "", tags: [] };
const UNKNOWN = { rating: null, actions: [], asked: false };

const standings = new Map(); // id → {rating, actions, asked: whether the server said so}
const texts = new Map(); // id → the generation's JSON as it came: parsed and written again it would lose digits of its seed
const watchers = new Map(); // id → Set of WeakRef(element with `iigDraw`)
const sending = new Map(); // id → the last thing that is on its way
const inquiring = new Map(); // id → the question under way
const done = []; // what can be taken back, newest last: {id, before}

export function standingOf(id) {
  return standings.get(id) ?? UNKNOWN;
}

export function ratingOf(id) {
  return standingOf(id).rating ?? EMPTY;
}

// The generation as JSON text, as an event or a picture brought it; `undefined` where only its id is known.
export function generationText(id) {
  return texts.get(id);
}

export function keepGeneration(id, text) {
  texts.set(id, text);
}

// What the server told of a picture, unless something newer is on its way to it.
export function learn(id, { rating, actions }) {
  if (sending.has(id)) return;
  standings.set(id, { rating: rating ?? null, actions: actions ?? [], asked: true });
  draw(id);
}

// Have `element.iigDraw()` called whenever the standing of a picture changes, as long as the element is somewhere.
export function watch(id, element) {
  if (!watchers.has(id)) watchers.set(id, new Set());
  watchers.get(id).add(new WeakRef(element));
  known(id);
}

// Once the server has said what it knows: whoever changes one part of a rating must not lose the others.
export function known(id) {
  if (standingOf(id).asked) return Promise.resolve();
  if (!inquiring.has(id)) inquiring.set(id, inquire(id).finally(() => inquiring.delete(id)));
  return inquiring.get(id);
}

async function inquire(id) {
  try {
    const { standing } = await ask(`/feedback/generation?id=${encodeURIComponent(id)}`);
    learn(id, standing);
  } catch (fault) {
    if (fault.status === 404) standings.set(id, { ...standingOf(id), asked: true }); // else asked again with the next bar
  }
}

function draw(id) {
  for (const held of watchers.get(id) ?? []) {
    const element = held.deref();
    if (element) element.iigDraw();
    else watchers.get(id).delete(held);
  }
}

// --------------------------------------------------------------------------- said

// Change some of a rating: {overall: 4}, {tags: […]}; what is left empty is taken back. → whether it was taken in
export async function rate(id, change) {
  await known(id);
  const rating = { ...ratingOf(id), ...change };
  return become(id, { ...standingOf(id), rating: isSaid(rating) ? rating : null }, { undo: true });
}

// Note what was done with a picture ("favourited", "saved", "shared", "regenerated"), or take it back.
export async function act(id, action, undone = false) {
  await known(id);
  const { rating, actions } = standingOf(id);
  if (actions.includes(action) !== undone) return true;
  return become(id, { rating, actions: undone ? actions.filter((each) => each !== action) : [...actions, action] }, { undo: true });
}

export function canUndo(id) {
  return done.some((each) => each.id === id);
}

// Take the last change back: of this picture, or of any. → its id, `null` where there is none
export async function undo(id) {
  const last = done.findLastIndex((each) => !id || each.id === id);
  if (last < 0) return toast("info", say("nothing")), null;
  const [{ id: which, before }] = done.splice(last, 1);
  await become(which, before, { undo: false });
  return which;
}

function isSaid(rating) {
  return STARS.some((name) => rating[name] != null) || Boolean(rating.comment) || rating.tags.length > 0;
}

// Shown at once, sent after what is under way, and shown as it was where the server refuses it.
async function become(id, wanted, { undo }) {
  const before = standingOf(id);
  const entry = { id, before };
  standings.set(id, { ...wanted, asked: true });
  if (undo) done.push(entry), done.splice(0, done.length - MOST_UNDO);
  draw(id);
  const earlier = sending.get(id) ?? Promise.resolve();
  const mine = earlier.then(() => send(id, before, wanted));
  const settled = mine.catch(() => {});
  sending.set(id, settled);
  try {
    if ((await mine) === false) toast("info", say("waits"));
    return true;
  } catch (fault) {
    takeBack(entry, wanted);
    toast("error", say("failed"), fault.message, 12000);
    return false;
  } finally {
    if (sending.get(id) === settled) sending.delete(id);
    draw(id);
  }
}

function takeBack(entry, wanted) {
  const now = standingOf(entry.id);
  if (done.includes(entry)) done.splice(done.indexOf(entry), 1);
  if (now.rating === wanted.rating && now.actions === wanted.actions) standings.set(entry.id, { ...entry.before, asked: true });
}

// → false where the database did not have it yet
async function send(id, before, wanted) {
  let stored = true;
  if (wanted.rating !== before.rating) {
    const said = wanted.rating ? ratingSent(wanted.rating) : { withdraw: true };
    stored = (await tell("/feedback/rate", id, said)).stored;
  }
  const changed = [...new Set([...wanted.actions, ...before.actions])].filter((each) => wanted.actions.includes(each) !== before.actions.includes(each));
  for (const action of changed) {
    const answer = await tell("/feedback/act", id, { action, undone: !wanted.actions.includes(action) });
    stored = stored && answer.stored;
  }
  return stored;
}

function ratingSent(rating) {
  return Object.fromEntries(Object.keys(EMPTY).map((name) => [name, rating[name]]));
}

// By its id; where the server does not know that (made before it learned, or elsewhere), with the generation itself.
export async function tell(path, id, body) {
  try {
    return await ask(path, { id, ...body });
  } catch (fault) {
    if (fault.status !== 404 || !texts.has(id)) throw fault;
    return ask(path, { generation: texts.get(id), ...body });
  }
}
