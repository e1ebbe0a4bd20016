"""Negation and squares in int8, for which the runtime has no operators: products.

Keras' layer normalisation subtracts the mean by a negation; its group normalisation squares.
"""

from __future__ import annotations

import numpy as np

from kerasnas.export.elu import float_operators, to_integers
from kerasnas.export.tflite_graph import Scale, TfliteFile

_MINUS_ONE = -127
_VERSION = 2  # of MUL, the first of int8


def with_integer_products(file: TfliteFile) -> None:
    """Let every NEG and SQUARE between a DEQUANTIZE and QUANTIZEs compute in int8, as a MUL."""
    main, schema = file.main, file.schema
    for name in ("NEG", "SQUARE"):
        for operator in float_operators(main, name):
            to_integers(main, operator)
            (factor,) = operator.inputs
            if name == "NEG":
                minus_one = np.array([_MINUS_ONE], np.int8)
                factor = main.constant(minus_one, Scale(1 / 127)).place
            operator.opcodeIndex = file.operator_code("MUL", _VERSION)
            operator.inputs = [*operator.inputs, factor]
            operator.builtinOptionsType = schema.BuiltinOptions.MulOptions
            operator.builtinOptions = schema.MulOptionsT()
