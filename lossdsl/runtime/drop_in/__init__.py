"""Built-in losses in the shape of `keras.losses`: functions and classes made from rows of a table.

A row names the file of the catalog and gives Keras's two signatures; everything else follows. What Keras's functions do
beside the formula is here as well: which shapes they align, what they return for a prediction of rank 1, and the mask
that two of them leave on their result.
"""

from lossdsl.extras import load

load("keras")
