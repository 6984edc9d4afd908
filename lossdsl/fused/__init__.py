"""The last layer of a model and the loss in one: the logits exist for a few places at a time, and never as a whole.

`place_values` reads from the formula what can be worked out a few places at a time; `steps` has that as code of a
backend; `torch_chunks`, `jax_chunks` and `tensorflow_chunks` run it over all places, forward and backward. In front of
them stand a Keras layer (`keras_head`, `fused_loss`) and functions for torch and JAX (`linear`).
"""
