// How a plan's standing, time and memory are said: on the card and in the review alike.
import { gib, language, speaker } from "./speaking.mjs";

const say = speaker({
  en: {
    none: "No plan yet", waiting: "Suggestion waits for you", edited: "Edited, not accepted", accepted: "Accepted", always: "Accepted, always for this prompt",
    stale: "Out of date", missing: "Models are missing", unreadable: "Plan cannot be read",
    seconds: "about {n} s", minutes: "about {n} min", fits: "fits", tight: "does not fit", unsure: "fit unknown",
  },
  es: {
    none: "Aún no hay plan", waiting: "La sugerencia espera", edited: "Editado, sin aceptar", accepted: "Aceptado", always: "Aceptado, siempre para este prompt",
    stale: "Desactualizado", missing: "Faltan modelos", unreadable: "El plan no se puede leer",
    seconds: "unos {n} s", minutes: "unos {n} min", fits: "cabe", tight: "no cabe", unsure: "no se sabe si cabe",
  },
});
const TONES = { accepted: "good", always: "good", stale: "warn", missing: "bad", unreadable: "bad", edited: "warn" };

export function standing(state) {
  return { text: say(state), tone: TONES[state] ?? "" };
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 90) return say("seconds", { n: figure(seconds < 10 ? Math.max(0.1, seconds) : Math.round(seconds), 1) });
  return say("minutes", { n: figure(seconds / 60, seconds < 600 ? 1 : 0) });
}

export function figure(value, digits = 2) {
  return new Intl.NumberFormat(language(), { maximumFractionDigits: digits }).format(value);
}

// {text: "fits · 6.2 GiB · about 12 s", tone}
export function cost({ vram_bytes, seconds, fits }) {
  const fit = fits === null || fits === undefined ? "unsure" : fits ? "fits" : "tight";
  const text = [say(fit), vram_bytes ? gib(vram_bytes) : "", duration(seconds)].filter(Boolean).join(" · ");
  return { text, tone: { fits: "good", tight: "bad" }[fit] ?? "" };
}
