"""`tabuah top`: the offices in a terminal, live, and one of them in depth.

view.py     what the API said -> rows and lines, in words and colours (pure)
screens.py  Textual's screens around them, and the asking, a few seconds apart
cli.py      the command
"""
