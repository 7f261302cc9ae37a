"""Media: what a ticket's lines become in the language of a kind of printer. One module a language."""
