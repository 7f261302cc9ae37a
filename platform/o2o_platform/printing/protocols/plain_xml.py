"""XML from devices, without the parts that bite.

Decides that a document has no DOCTYPE: entities (which can grow a kilobyte into gigabytes, or name files) can be
declared nowhere else, so that none is ever expanded. Decides the encoding too, which is UTF-8 whatever a document says
of itself, and a limit of size. Everything else about a document is its reader's.
"""

from __future__ import annotations

from xml.etree import ElementTree as Tree

from o2o_platform.errors import Unprocessable


def parsed(text: str, limit: int) -> Tree.Element:
    """The document's root. Raises Unprocessable for more than `limit` characters, a DOCTYPE, or what is no XML."""
    if len(text) > limit:
        raise Unprocessable("too_large", f"a document of {len(text)} characters; {limit} are read")
    if "<!DOCTYPE" in text:
        raise Unprocessable("invalid", "a document with a DOCTYPE is not read")
    try:
        return Tree.fromstring(text)
    except (Tree.ParseError, ValueError) as error:  # ValueError: characters that are none
        raise Unprocessable("invalid", f"no XML: {error}") from None


def local(element: Tree.Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]
