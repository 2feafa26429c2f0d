CREATE TABLE repo (id INTEGER PRIMARY KEY, name TEXT, language TEXT);
CREATE TABLE bug (id INTEGER PRIMARY KEY, repo_id INTEGER, title TEXT, priority INTEGER, opened DATE, closed DATE);

-- Which repos are written in Rust?
SELECT name FROM repo WHERE language = 'Rust';

-- How many bugs have not been closed?
SELECT COUNT(*) FROM bug WHERE closed IS NULL;

-- List the titles of all bugs with priority 1.
SELECT title FROM bug WHERE priority = 1;

-- What language is the repo lantern written in?
SELECT language FROM repo WHERE name = 'lantern';

-- Show title and opening date of the bugs that mention timeout in the title.
SELECT title, opened FROM bug WHERE title LIKE '%timeout%';

-- How many languages do we use?
SELECT COUNT(DISTINCT language) FROM repo;

-- Which bugs were opened after 2024-04-01 with a priority of 1 or 2? Give the titles.
SELECT title FROM bug WHERE opened > '2024-04-01' AND priority IN (1, 2);

-- When was the oldest bug opened?
SELECT MIN(opened) FROM bug;

-- Give id and title of the bugs closed between 2023-01-01 and 2023-01-31.
SELECT id, title FROM bug WHERE closed BETWEEN '2023-01-01' AND '2023-01-31';

-- Which bugs still need a priority? Show the titles.
SELECT title FROM bug WHERE priority IS NULL;

-- How many bugs are there of each priority?
SELECT priority, COUNT(*) FROM bug GROUP BY priority;

-- How many repos are there per language, most common language first?
SELECT language, COUNT(*) FROM repo GROUP BY language ORDER BY COUNT(*) DESC;

-- List the bugs of the repo lantern with title and priority.
SELECT bug.title, bug.priority FROM bug JOIN repo ON bug.repo_id = repo.id WHERE repo.name = 'lantern';

-- How many bugs without a closing date does each repo have? Show repo and count.
SELECT repo.name, COUNT(*) FROM repo JOIN bug ON bug.repo_id = repo.id WHERE bug.closed IS NULL GROUP BY repo.id;

-- Of the bugs without a closing date, which ten were opened first? Titles only.
SELECT title FROM bug WHERE closed IS NULL ORDER BY opened LIMIT 10;

-- Which languages are used in more than six repos?
SELECT language FROM repo GROUP BY language HAVING COUNT(*) > 6;

-- Which repo has had the most bugs?
SELECT repo.name FROM repo JOIN bug ON bug.repo_id = repo.id GROUP BY repo.id ORDER BY COUNT(*) DESC LIMIT 1;

-- What is the average bug priority for each language?
SELECT repo.language, AVG(bug.priority) FROM repo JOIN bug ON bug.repo_id = repo.id GROUP BY repo.language;

-- On average, how many days did it take from opening to closing a bug?
SELECT AVG(julianday(closed) - julianday(opened)) FROM bug;

-- Which repos have no bugs?
SELECT repo.name FROM repo LEFT JOIN bug ON bug.repo_id = repo.id WHERE bug.id IS NULL;

-- How many bugs were opened in February 2024?
SELECT COUNT(*) FROM bug WHERE strftime('%Y-%m', opened) = '2024-02';

-- Which repos have at least one bug of priority 1 that is not closed?
SELECT name FROM repo WHERE EXISTS (SELECT 1 FROM bug WHERE bug.repo_id = repo.id AND bug.priority = 1 AND bug.closed IS NULL);

-- Show every bug's title with 'open' if it has no closing date and 'closed' if it has one.
SELECT title, CASE WHEN closed IS NULL THEN 'open' ELSE 'closed' END FROM bug;

-- Which repos are written in Go or Python, and which of the two is it? Show name and language.
SELECT name, language FROM repo WHERE language IN ('Go', 'Python');
