"""ESC/POS: from bytes to receipts, without any input or output of its own."""

from o2o_devices.escpos.interpreter import Interpreter

__all__ = ["Interpreter"]
