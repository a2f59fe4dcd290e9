"""Toy models in real formats, for the demonstration and the tests.

Every file loads with ComfyUI's native nodes and costs next to nothing: the shapes are those of the real
architectures at their smallest, nearly all weights are zero, and zeros are holes in the file (``sparse``).

The few weights that are not zero make a *puppet*: they are wired by hand, without training, so that a prompt's
colour words (``colours``) decide the picture. The text encoder carries each word's colour (``clip``), one cross
attention reads it, and the UNet is the exact ideal denoiser of a normal distribution N(colour, 0.3²) per latent
pixel (``schedule``, ``unet``); the autoencoder averages and interpolates (``vae``). So guidance, negative prompts,
emphasis, LoRA strength, control hints and masks all have effects that a test can predict and measure.

``write.write_models`` writes any of them, ``write.write_demo`` the small set of the demonstration.
"""
