// Kinds of model files in words, one and many.
import { speaker } from "./speaking.mjs";

const say = speaker({
  en: {
    checkpoints: "Checkpoints", diffusion_models: "Diffusion models", loras: "LoRAs", embeddings: "Embeddings", controlnet: "ControlNets", vae: "VAEs",
    text_encoders: "Text encoders", clip_vision: "CLIP vision", style_models: "Style models", upscale_models: "Upscalers",
  },
  es: {
    checkpoints: "Checkpoints", diffusion_models: "Modelos de difusión", loras: "LoRA", embeddings: "Embeddings", controlnet: "ControlNet", vae: "VAE",
    text_encoders: "Codificadores de texto", clip_vision: "CLIP vision", style_models: "Modelos de estilo", upscale_models: "Ampliadores",
  },
});

export const KINDS = ["loras", "checkpoints", "diffusion_models", "embeddings", "controlnet", "vae", "text_encoders", "clip_vision", "style_models", "upscale_models"];

export function kindName(kind) {
  return say(kind);
}
