"""What is left of a query without its values and the names that it makes up: queries of one template ask in one way.

C. Finegan-Dollak et al., "Improving text-to-SQL evaluation methodology", 2018: where questions are split, two of three test queries have
a template that training has too.
"""

from sqlglot import exp

from finetune_flows.tasks.problems.example import normalise


def query_template(query: exp.Expr) -> str:
    """The query in one spelling: values are `?`, aliases are numbered, names are in lower case. The tree is used up."""
    made_up: dict[str, str] = {}
    nodes = list(query.walk())
    for node in nodes:
        name = node.name if isinstance(node, exp.TableAlias) else node.alias if isinstance(node, exp.Alias) else ""
        if name:
            made_up.setdefault(normalise(name), f"a{len(made_up)}")
    for node in nodes:
        if isinstance(node, exp.Identifier):
            name = normalise(node.name)
            node.set("this", made_up.get(name, name))
            node.set("quoted", False)
        elif isinstance(node, exp.Literal):
            node.set("this", "?")
            node.set("is_string", False)
        elif isinstance(node, exp.In):
            node.set("expressions", node.expressions[:1])
    return query.sql(comments=False)
