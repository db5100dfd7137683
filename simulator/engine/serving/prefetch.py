"""A hint to the processor: begin to bring the memory of an array's element near. It changes no value."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt


def bring(array: npt.NDArray[np.int64], row: int, column: int) -> None:
    """Begin to bring an element's cache line near; as plain Python, nothing."""


@cache
def teach_numba() -> None:
    """Let kernels that call :func:`bring` give LLVM's ``prefetch``: for writing, into all levels of cache."""
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic, overload
    from numba.np.arrayobj import make_array

    array_of: Any = make_array
    element: Any = cgutils.get_item_pointer
    intrinsic_of: Any = intrinsic

    def prefetch(typing: Any, array: Any, row: Any, column: Any) -> Any:
        del typing, row, column

        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            kind = signature.args[0]
            held = array_of(kind)(context, builder, given[0])
            place = element(context, builder, kind, held, given[1:], wraparound=False)
            address, number = ir.IntType(8).as_pointer(), ir.IntType(32)
            function = ir.FunctionType(ir.VoidType(), [address, number, number, number])
            hint = builder.module.declare_intrinsic("llvm.prefetch", (address,), function)
            to_write, all_levels, data = number(1), number(3), number(1)
            builder.call(hint, [builder.bitcast(place, address), to_write, all_levels, data])
            return context.get_dummy_value()

        return types.void(array, types.intp, types.intp), code

    compiled = intrinsic_of(prefetch)

    def by_prefetch(array: Any, row: Any, column: Any) -> Any:
        del array, row, column
        return lambda array, row, column: compiled(array, row, column)

    overload(bring, strict=False)(by_prefetch)
