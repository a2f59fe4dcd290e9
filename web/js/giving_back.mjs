// Memory given back at someone's wish: the one call to the server, and what to say of it.
import { ask, gib, speaker } from "./speaking.mjs";

const say = speaker({
  en: { given: "Memory given back: {size}", later: "Memory is given back when the prompt is over.", nothing: "Done; no memory came free by it." },
  es: { given: "Memoria devuelta: {size}", later: "La memoria se devuelve cuando acabe el prompt.", nothing: "Hecho; con ello no se liberó memoria." },
});

export function given(bytes) {
  return say("given", { size: gib(bytes) });
}

// "models", "pool" or "everything" → a sentence; a refusal is thrown as `ask` throws it.
export async function giveBack(what) {
  const { freed_bytes, later } = await ask("/memory/free", { what });
  if (later) return say("later");
  return freed_bytes ? given(freed_bytes) : say("nothing");
}
