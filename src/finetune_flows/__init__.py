"""Fine-tunes language models and puts them to work.

`tasks`, `flows`, `training` and `containers` are folders at the top of the repository; here they are links to them. So
the folders have short names, and the installed package takes one name from its users, not four.
"""
