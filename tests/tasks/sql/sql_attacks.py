"""Hostile queries, by what must happen to them. `{file}` and `{folder}` stand for places that a query would like to reach.

REFUSED: an error at once; the value is a word that the error must hold ("" where SQLite's words are of no interest).
STOPPED: an error when a limit of time, memory or rows is met, which are the database's own.
KILLED: a single step of SQLite's machine takes seconds, so that its deadline is not looked at; its process is ended.
HARMLESS: runs, because there is nothing in it to refuse: it sees nothing that the question's own tables do not say.
"""

P = "people AS p"

REFUSED = {
    # changing the database
    "delete": ("DELETE FROM people", "not authorized"),
    "delete behind with": ("WITH q AS (SELECT 1) DELETE FROM people", "not authorized"),
    "delete returning": ("DELETE FROM people RETURNING name", "not authorized"),
    "insert": ("INSERT INTO people VALUES ('x', 1)", "not authorized"),
    "insert returning": ("INSERT INTO people VALUES ('x', 1) RETURNING name", "not authorized"),
    "upsert": ("INSERT INTO people VALUES ('x', 1) ON CONFLICT DO UPDATE SET age = 0", ""),
    "replace into": ("REPLACE INTO people VALUES ('x', 1)", "not authorized"),
    "update": ("UPDATE people SET age = 99", "not authorized"),
    "update the schema": ("UPDATE sqlite_schema SET sql = 'x'", ""),
    "drop": ("DROP TABLE people", "not authorized"),
    "alter": ("ALTER TABLE people RENAME TO loot", "not authorized"),
    "create table": ("CREATE TABLE loot (a)", "not authorized"),
    "create temp table": ("CREATE TEMP TABLE loot AS SELECT * FROM people", "not authorized"),
    "create index": ("CREATE INDEX loot ON people (name)", "not authorized"),
    "create view": ("CREATE VIEW loot AS SELECT 1", "not authorized"),
    "create temp view": ("CREATE TEMP VIEW loot AS SELECT 1", "not authorized"),
    "create trigger": ("CREATE TRIGGER loot AFTER INSERT ON people BEGIN SELECT 1; END", "not authorized"),
    "create temp trigger": (
        "CREATE TEMP TRIGGER loot AFTER INSERT ON people BEGIN DELETE FROM people; END",
        "not authorized",
    ),
    "fts5": ("CREATE VIRTUAL TABLE loot USING fts5(a)", "not authorized"),
    "fts5 reading a file": ("CREATE VIRTUAL TABLE loot USING fts5(a, content='{file}')", "not authorized"),
    "fts4 tokenizer": ("CREATE VIRTUAL TABLE loot USING fts4(a, tokenize=unicode61)", "not authorized"),
    "rtree": ("CREATE VIRTUAL TABLE loot USING rtree(a, b, c)", "not authorized"),
    "csv table": ("CREATE VIRTUAL TABLE loot USING csv(filename='/etc/passwd')", "not authorized"),
    "reindex": ("REINDEX", ""),
    "analyze": ("ANALYZE", "not authorized"),
    # reaching files and code
    "attach a file": ("ATTACH '{file}' AS loot", "not authorized"),
    "attach memory": ("ATTACH ':memory:' AS loot", "not authorized"),
    "attach by uri": ("ATTACH 'file:{file}?mode=rwc' AS loot", "not authorized"),
    "detach": ("DETACH main", "not authorized"),
    "vacuum": ("VACUUM", ""),
    "vacuum into": ("VACUUM INTO '{file}'", ""),
    "load extension": ("SELECT load_extension('{file}')", "not authorized"),
    "load extension by select": ("SELECT name FROM people WHERE load_extension('{file}', 'f') = 1", "not authorized"),
    "writefile": ("SELECT writefile('{file}', 'x')", "no such function"),
    "readfile": ("SELECT readfile('/etc/passwd')", "no such function"),
    "edit": ("SELECT edit('x', 'touch {file}')", "no such function"),
    "fts3 tokenizer pointer": ("SELECT fts3_tokenizer('simple')", "not authorized"),
    "shell function": ("SELECT sha3_query('SELECT 1')", "no such function"),
    "dot command": (".shell touch {file}", "syntax error"),
    "dot output": (".output {file}", "syntax error"),
    # lifting the limits
    "pragma query_only": ("PRAGMA query_only = OFF", "not authorized"),
    "pragma writable_schema": ("PRAGMA writable_schema = ON", "not authorized"),
    "pragma trusted_schema": ("PRAGMA trusted_schema = ON", "not authorized"),
    "pragma heap limit": ("PRAGMA hard_heap_limit = 0", "not authorized"),
    "pragma cache": ("PRAGMA cache_size = 100000000", "not authorized"),
    "pragma mmap": ("PRAGMA mmap_size = 100000000000", "not authorized"),
    "pragma temp store": ("PRAGMA temp_store = FILE", "not authorized"),
    "pragma temp folder": ("PRAGMA temp_store_directory = '{folder}'", "not authorized"),
    "pragma journal": ("PRAGMA journal_mode = WAL", "not authorized"),
    "pragma that reads": ("PRAGMA database_list", "not authorized"),
    "pragma as a table": ("SELECT * FROM pragma_database_list", "not authorized"),
    "pragma as a function": ("SELECT * FROM pragma_hard_heap_limit(0)", "not authorized"),
    "dbstat": ("SELECT * FROM dbstat", "dbstat"),
    "sqlite_dbpage": ("SELECT * FROM sqlite_dbpage", "no such table"),
    "json table": ("SELECT value FROM json_each('[1, 2]')", "json_each"),  # a pity, but it makes a virtual table
    # sessions and several statements
    "begin": ("BEGIN", "not authorized"),
    "begin exclusive": ("BEGIN EXCLUSIVE", "not authorized"),
    "commit": ("COMMIT", "not authorized"),
    "savepoint": ("SAVEPOINT loot", "not authorized"),
    "release": ("RELEASE loot", "not authorized"),
    "two statements": ("SELECT name FROM people; DROP TABLE people", "one statement"),
    "second behind a comment": ("SELECT name FROM people /* ; */ ; -- ;\nDROP TABLE people", "one statement"),
    "second behind a line comment": ("SELECT name FROM people --\n; DELETE FROM people", "one statement"),
    "delete behind a comment": ("/* SELECT */ DELETE FROM people", "not authorized"),
    "delete behind semicolons": (";;DELETE FROM people", ""),
    "NUL": ("SELECT name FROM people\0; DROP TABLE people", ""),
    "NUL in a string": ("SELECT 'a\0b'", ""),
    "surrogate": ("SELECT '\ud800'", ""),
    "other semicolon": ("SELECT name FROM people\uff1b DROP TABLE people", ""),
    "no-break space": ("DELETE\u00a0FROM people", ""),
    "explain": ("EXPLAIN DELETE FROM people", "not authorized"),
    "explain of a pragma": ("EXPLAIN PRAGMA writable_schema = ON", ""),
    "parameter": ("SELECT name FROM people WHERE name = ?", ""),
    "parameters by number": ("SELECT ?99999", ""),
    # functions that are not for everybody
    "randomness": ("SELECT random() FROM people", "not authorized"),
    "randomblob": ("SELECT hex(randomblob(900000000))", "not authorized"),
    "zeroblob": ("SELECT zeroblob(900000000)", "not authorized"),
    "changes": ("SELECT total_changes()", "not authorized"),
    "version": ("SELECT sqlite_version()", "not authorized"),
    "source id": ("SELECT sqlite_source_id()", "not authorized"),
    "compile options": ("SELECT sqlite_compileoption_get(0)", "not authorized"),
    "regexp": ("SELECT name FROM people WHERE name REGEXP '(a+)+$'", "no such function"),
    "match": ("SELECT name FROM people WHERE name MATCH 'a'", ""),
    # lengths
    "deep brackets": ("SELECT " + "(" * 5_000 + "1" + ")" * 5_000, ""),
    "deep sub-queries": ("SELECT " + "(SELECT " * 400 + "1" + ")" * 400, ""),
    "deep case": ("SELECT " + "CASE WHEN 1 THEN " * 400 + "1" + " END" * 400, ""),
    "deep not": ("SELECT " + "NOT " * 15_000 + "1", ""),
    "long sum": ("SELECT " + "+".join("1" * 30_000), ""),
    "long concatenation": ("SELECT " + "||".join(["name"] * 5_000) + " FROM people", ""),
    "long string": ("SELECT '" + "x" * 200_000 + "'", ""),
    "long name": ("SELECT " + "x" * 200_000, ""),
    "long comment": ("SELECT 1 /*" + "x" * 500_000 + "*/", ""),
    "many parts": (" UNION ALL ".join(["SELECT 1"] * 400), "too many terms"),
    "many columns": ("SELECT " + ", ".join(["name"] * 3_000) + " FROM people", "too many columns"),
    "many joins": ("SELECT 1 FROM " + ", ".join(f"people AS p{i}" for i in range(70)), "at most 64 tables"),
    "many arguments": ("SELECT max(" + ", ".join(["1"] * 5_000) + ")", "too many arguments"),
    "long IN list": ("SELECT name FROM people WHERE age IN (" + ", ".join(map(str, range(50_000))) + ")", ""),
    "long LIKE pattern": ("SELECT name FROM people WHERE name LIKE '" + "%a" * 15_000 + "'", "pattern too complex"),
    "long GLOB pattern": ("SELECT name FROM people WHERE name GLOB '" + "*a" * 15_000 + "'", "pattern too complex"),
}

STOPPED = {
    "endless recursion": "WITH RECURSIVE q(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM q) SELECT COUNT(*) FROM q",
    "endless rows": "WITH RECURSIVE q(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM q) SELECT n FROM q",
    "recursion without a row": "WITH RECURSIVE q(n) AS (SELECT 1 UNION ALL SELECT n FROM q) SELECT n FROM q WHERE n > 1",
    "doubling text": "WITH RECURSIVE q(s) AS (SELECT 'ab' UNION ALL SELECT s || s FROM q) SELECT s FROM q",
    "wide recursion": "WITH RECURSIVE q(n, s) AS (SELECT 1, '' UNION SELECT n + 1, printf('%.90000c', 'x') || n FROM q) SELECT MAX(s) FROM q",
    "branching recursion": "WITH RECURSIVE q(n) AS (SELECT 1 UNION ALL SELECT n + age FROM q, people) SELECT MAX(n) FROM q",
    "cross join": "SELECT COUNT(*) FROM " + ", ".join(f"{P}{i}" for i in range(12)),
    "cross join of all tables allowed": "SELECT COUNT(*) FROM " + ", ".join(f"{P}{i}" for i in range(60)),
    "cross join, sorted": "SELECT * FROM " + ", ".join(f"{P}{i}" for i in range(8)) + " ORDER BY p0.name, p7.age",
    "cross join, distinct": "SELECT DISTINCT * FROM " + ", ".join(f"{P}{i}" for i in range(8)),
    "cross join, grouped": "SELECT p0.name || p1.name || p2.name || p3.name || p4.name AS k, COUNT(*) FROM "
    + ", ".join(f"{P}{i}" for i in range(9)) + " GROUP BY k",
    "cross join, windowed": "SELECT SUM(p0.age) OVER (ORDER BY p1.name) FROM " + ", ".join(f"{P}{i}" for i in range(8)),
    "correlated sub-queries": "SELECT name FROM people AS p WHERE age > (SELECT COUNT(*) FROM "
    + ", ".join(f"{P}{i}" for i in range(7)) + " WHERE p0.age + p3.age + p6.age > p.age)",
    "exponential views": "WITH a AS (SELECT age AS x FROM people), "
    + ", ".join(f"{b} AS (SELECT l.x FROM {a} l, {a} r)" for a, b in zip("abcde", "bcdef", strict=True))
    + " SELECT COUNT(*) FROM f",
    "wide rows": "SELECT printf('%.90000c', 'x') || p0.name FROM " + ", ".join(f"{P}{i}" for i in range(4)),
    "wide columns": "SELECT " + ", ".join(["printf('%.90000c', 'x')"] * 150) + " FROM people, people AS b",
    "group_concat": "SELECT group_concat(p1.name) FROM " + ", ".join(f"{P}{i}" for i in range(9)),
    "json array": "SELECT json_group_array(p0.name || p1.name) FROM " + ", ".join(f"{P}{i}" for i in range(7)),
    "replace": "SELECT replace(printf('%.99999c', 'a'), 'a', printf('%.99999c', 'b'))",
    "hex of hex": "SELECT " + "hex(" * 12 + "printf('%.90000c', 'a')" + ")" * 12,
    "quote": "SELECT quote(quote(quote(printf('%.90000c', ''''))))",
}  # fmt: skip

HARMLESS = {
    "schema": "SELECT name FROM sqlite_schema",
    "schema of temporary tables": "SELECT name FROM sqlite_temp_schema",
    "LIKE that backtracks elsewhere": "SELECT COUNT(*) FROM people WHERE printf('%.9000c', 'a') LIKE '"
    + "%a" * 20
    + "%b'",
    "GLOB that backtracks elsewhere": "SELECT COUNT(*) FROM people WHERE printf('%.9000c', 'a') GLOB '"
    + "*a" * 20
    + "*b'",
    "keyword in a string": "SELECT 'DROP TABLE people; --' FROM people",
    "time": "SELECT datetime('now') IS NULL",
}

KILLED = {
    "printf": "SELECT printf('%.*c', 900000000, 'x')",
    "group_concat of trims": "SELECT group_concat(rtrim(printf('%.99000c', 'a'), printf('%.8000c', 'b') || 'a')) FROM people",
    "trim": "SELECT trim(printf('%.99000c', 'a'), printf('%.8000c', 'b') || 'a' || name) FROM people",
}
