// A licence in a word: its name, or what it says of selling pictures.
import { speaker } from "./speaking.mjs";

const say = speaker({
  en: { commercial: "commercial use allowed", private: "non-commercial", unknown: "not known" },
  es: { commercial: "uso comercial permitido", private: "no comercial", unknown: "no se sabe" },
});

export function licenceWord(licence) {
  if (licence.name) return String(licence.name);
  if (licence.commercial_use == null) return say("unknown");
  return say(/Image|Sell/.test(String(licence.commercial_use)) ? "commercial" : "private");
}
