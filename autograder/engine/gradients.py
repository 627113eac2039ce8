"""Gradients across the two processes: `backward()` with the judge runs the student's graph with the student."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


class _Remote(torch.autograd.Function):
    """A tensor that the student computed, as a step in the judge's graph."""

    @staticmethod
    def forward(ctx: Any, side: Any, number: int, numbers: list[int], value: Any, anchor: Any, *leaves: Any) -> Any:
        ctx.side, ctx.number, ctx.numbers, ctx.shapes = side, number, numbers, [leaf.shape for leaf in leaves]
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        found = ctx.side.ask_backward(ctx.number, ctx.numbers, gradients[0])
        checked = [_fitting(gradient, shape) for gradient, shape in zip(found, ctx.shapes, strict=True)]
        return (None, None, None, None, None, *checked)


def _fitting(gradient: Any, shape: torch.Size) -> Any:
    if gradient is None:
        return None
    if not isinstance(gradient, torch.Tensor) or gradient.shape != shape:
        raise TypeError(f"a gradient that does not fit: expected shape {tuple(shape)}")
    return gradient


def attach(side: Any, number: int, value: Any, leaves: tuple[tuple[int, Any], ...]) -> Any:
    """`value`, such that its gradient flows to `leaves` through the student's own graph."""
    if not isinstance(value, torch.Tensor):
        raise TypeError("a gradient on something that is no tensor")
    anchor = torch.zeros((), requires_grad=True)
    with torch.enable_grad():
        numbers, tensors = [n for n, _ in leaves], [tensor for _, tensor in leaves]
        return _Remote.apply(side, number, numbers, value.detach(), anchor, *tensors)  # type: ignore[no-untyped-call]


def parameters_of(lent: Any) -> list[Any]:
    """The weights of a module, or those that an optimiser moves, in their order."""
    if isinstance(lent, torch.nn.Module):
        return list(lent.parameters())
    return [parameter for group in lent.param_groups for parameter in group["params"]]


def restore(lent: Any, state: Mapping[str, Any]) -> None:
    """Put the student's state of a module or an optimiser into the judge's own."""
    with torch.no_grad():
        if isinstance(lent, torch.nn.Module):
            lent.load_state_dict(state["state"])
            for name, parameter in lent.named_parameters():
                parameter.grad = state["grads"].get(name)
                parameter.requires_grad_(bool(state["requires"].get(name, parameter.requires_grad)))
            for name, module in lent.named_modules():
                module.training = bool(state["training"].get(name, module.training))
        else:
            lent.load_state_dict(state["optimiser"])
            for parameter, value in zip(parameters_of(lent), state["parameters"], strict=True):
                parameter.copy_(value)
