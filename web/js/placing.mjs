// A model of the library put on the canvas: the loader that ComfyUI has for its kind, with the model chosen.
import { app } from "../../../scripts/app.js";
import { setWidget } from "./node_values.mjs";

const LOADERS = {
  loras: ["LoraLoader", "lora_name"],
  checkpoints: ["CheckpointLoaderSimple", "ckpt_name"],
  diffusion_models: ["UNETLoader", "unet_name"],
  vae: ["VAELoader", "vae_name"],
  controlnet: ["ControlNetLoader", "control_net_name"],
  text_encoders: ["CLIPLoader", "clip_name"],
  clip_vision: ["CLIPVisionLoader", "clip_name"],
  style_models: ["StyleModelLoader", "style_model_name"],
  upscale_models: ["UpscaleModelLoader", "model_name"],
  embeddings: ["CLIPTextEncode", "text"], // no loader: the prompt names it
};

// Put {kind, name} at `at` (canvas coordinates), else in the middle of what is seen. → the node, or `null`
export function place({ kind, name }, at = middle()) {
  const [type, input] = LOADERS[kind] ?? [];
  const node = type && window.LiteGraph.createNode(type);
  if (!node) return null;
  node.pos = [...at];
  (app.canvas.graph ?? app.graph).add(node);
  setWidget(node, input, kind === "embeddings" ? `embedding:${name.replace(/\.\w+$/, "")}` : name);
  app.canvas.selectNode?.(node);
  app.graph.setDirtyCanvas(true, true);
  return node;
}

function middle() {
  const { width, height } = app.canvas.canvas.getBoundingClientRect();
  return app.canvas.convertCanvasToOffset?.([width / 2, height / 2]) ?? app.canvas.ds.convertCanvasToOffset([width / 2, height / 2]);
}
