"""The worked example of the attention chapter: three tokens whose numbers run through all its pages.

The numbers are chosen so that everything up to the softmax can be done by hand:
the width is 4, so the scale is 1/2, and the last column of V is 2 everywhere,
so the last number of every output is 2 exactly when the weights sum to 1.
"""

import numpy as np

TOKENS = ["酒店", "很", "干净"]  # hotel, very, clean

X = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]], dtype=float)  # (T=3, D=4)

W_Q = np.array([[0, 0, 0, 0], [0, 2, -2, 0], [0, 0, 2, 0], [2, 0, 0, 0]], dtype=float)  # (D, d)
W_K = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]], dtype=float)  # (D, d)
W_V = np.array([[4, 0, 0, 0], [0, 4, 0, 0], [0, 0, 4, 0], [0, 0, 0, 2]], dtype=float)  # (D, d)

Q = X @ W_Q  # (T, d)
K = X @ W_K  # (T, d)
V = X @ W_V  # (T, d)
