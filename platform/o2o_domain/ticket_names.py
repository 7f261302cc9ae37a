"""Names, phone numbers and addresses as they stand on a ticket (A14).

Decides how a dish's name is printed, which part of it are options, and what of a phone number and an address is hidden:
paper lies about in kitchens and goes from hand to hand.
"""

from __future__ import annotations

import re

from o2o_domain.ticket_text import on_paper

NAMELESS = "?"
"""Stands for a name of which nothing can be printed."""

_DOOR = re.compile(r"\d+(?=\D*\Z)")
_OPTION_MARKS = re.compile(r"[,，、/+;；|]")
_OPENED_BY = {")": "(", "）": "（", "]": "[", "］": "［", "】": "【"}


def dish_name(name: str) -> str:
    """A dish's name as it comes off the paper: compare orders with receipts in this form."""
    return on_paper(name) or NAMELESS


def dish_options(name: str) -> tuple[str, tuple[str, ...]]:
    """A name as (dish, its options): "宫保鸡丁(微辣, 大份)" -> ("宫保鸡丁", ("微辣", "大份")).

    Options are what stands in the last pair of brackets, if the name ends with it and does not begin with it.
    """
    dish, tail = parted(dish_name(name))
    options = [option.strip() for option in _OPTION_MARKS.split(tail.strip()[1:-1])]
    return dish, tuple([option for option in options if option])


def parted(name: str) -> tuple[str, str]:
    """A printed name as dish and options with their brackets; dish + options == name."""
    closing = name[-1:]
    opening = _OPENED_BY.get(closing)
    if opening is None:
        return name, ""
    depth = 0
    for place in range(len(name) - 1, 0, -1):
        char = name[place]
        depth += (char == closing) - (char == opening)
        if depth == 0:
            dish = name[:place].rstrip()
            return dish, name[len(dish) :]
    return name, ""


def mask_phone(phone: str) -> str:
    """A phone number as tickets show it: "13812345678" -> "138****5678"; short ones keep only their last two digits."""
    digits = "".join(char for char in phone if char.isdecimal())
    if len(digits) < 8:
        return "****" + digits[-2:]
    return f"{digits[:3]}****{digits[-4:]}"


def mask_address(address: str) -> str:
    """An address as tickets show it: street and house, not the door ("文一路1号3幢501" -> "文一路1号3幢***").

    The last number is the door; where there is no number, the last two characters are. The rider has it in the app.
    """
    masked, found = _DOOR.subn("***", address, count=1)
    if found or len(address) <= 2:
        return masked
    return address[:-2] + "**"
