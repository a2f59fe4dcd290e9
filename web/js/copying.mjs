// A text put on the clipboard, or, where the browser forbids that, shown to be copied by hand.
import { speaker, toast } from "./speaking.mjs";

const say = speaker({
  en: { copied: "Copied", not: "The browser does not let this page copy. The text:" },
  es: { copied: "Copiado", not: "El navegador no deja copiar a esta página. El texto:" },
});

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("success", say("copied"), text, 2500);
  } catch {
    toast("info", say("not"), text, 15000);
  }
}
