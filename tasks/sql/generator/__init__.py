"""Makes up databases on which queries that mean something else return something else.

`query_facts.py` reads a query for what rows must provide (`facts.py`): the constants that its columns meet, the columns that
it compares, what it computes. `pools.py` collects values for each column around those (`near_values.py` and the modules for
texts, dates and constants). `draw.py` draws rows from them that keep the schema's keys, and `databases.py` says how many
databases there are and how they differ.
"""
