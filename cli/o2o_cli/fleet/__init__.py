"""A fleet of virtual printers as processes: a part of the printers in each, one parent, one set of figures."""
