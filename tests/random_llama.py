"""A small LLaMA of Hugging Face's with random weights, the oracle for the course's own."""

from __future__ import annotations

from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from solutions.llama.checkpoints import Config


def random_llama(
    config: Config, seed: int = 0, spread: float = 0.2, rope: dict[str, Any] | None = None
) -> LlamaForCausalLM:
    """In the shape of `config`; its norms get gains, too, which transformers would leave at 1. `rope`: its scaling."""
    torch.manual_seed(seed)
    shape = LlamaConfig(
        hidden_size=config.dim,
        intermediate_size=config.hidden,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.kv_heads,
        vocab_size=config.vocab,
        max_position_embeddings=config.max_len,
        head_dim=config.head_dim,
        rope_parameters={"rope_type": "default"} | (rope or {}) | {"rope_theta": config.rope_base},
        rms_norm_eps=config.eps,
        tie_word_embeddings=config.tied,
        initializer_range=spread,
    )
    model = LlamaForCausalLM(shape).eval()
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.data.uniform_(0.5, 1.5)
    return model
