"""Media: from what a printer is sent to the ESC/POS that the engine inside prints. One module a medium."""
