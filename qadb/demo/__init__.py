"""The demo: a small believable data set, the same for the same seed and moment on every engine.

One file a room makes that room's rows and knows no database; `qadb.demo.writer` writes them. When
a database may be filled, and that it is, lies in `qadb.operations.demo`.
"""
