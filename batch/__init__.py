"""One prompt, many pictures: run on one ComfyUI or on several, in order, with the failure of one harming no other."""
