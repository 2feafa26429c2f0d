CREATE TABLE translator (id INTEGER PRIMARY KEY, name TEXT, mother_tongue TEXT, rate_per_word REAL);
CREATE TABLE assignment (id INTEGER PRIMARY KEY, translator_id INTEGER, client TEXT, target_language TEXT, words INTEGER, due DATE);

-- Which translators have Hungarian as their mother tongue?
SELECT name FROM translator WHERE mother_tongue = 'Hungarian';

-- How many assignments are into Danish?
SELECT COUNT(*) FROM assignment WHERE target_language = 'Danish';

-- What does Imre Balogh charge per word?
SELECT rate_per_word FROM translator WHERE name = 'Imre Balogh';

-- Which assignments have not been given to a translator? Show client and due date.
SELECT client, due FROM assignment WHERE translator_id IS NULL;

-- List the names of translators who charge 0.12 or less per word.
SELECT name FROM translator WHERE rate_per_word <= 0.12;

-- How many words has Zeta Pharma ordered?
SELECT SUM(words) FROM assignment WHERE client = 'Zeta Pharma';

-- Into which languages do we translate?
SELECT DISTINCT target_language FROM assignment;

-- Which clients have an assignment of more than 20000 words? Name each once.
SELECT DISTINCT client FROM assignment WHERE words > 20000;

-- What is the average length of an assignment into Polish, in words?
SELECT AVG(words) FROM assignment WHERE target_language = 'Polish';

-- Show client and words of the assignments due between 2025-02-01 and 2025-02-28.
SELECT client, words FROM assignment WHERE due BETWEEN '2025-02-01' AND '2025-02-28';

-- How many translators do we have for each mother tongue?
SELECT mother_tongue, COUNT(*) FROM translator GROUP BY mother_tongue;

-- Who is our most expensive translator?
SELECT name FROM translator ORDER BY rate_per_word DESC LIMIT 1;

-- Which clients has Imre Balogh worked for? Each client once.
SELECT DISTINCT assignment.client FROM assignment JOIN translator ON assignment.translator_id = translator.id WHERE translator.name = 'Imre Balogh';

-- How many words has every translator been assigned? Give name and words.
SELECT translator.name, SUM(assignment.words) FROM translator JOIN assignment ON assignment.translator_id = translator.id GROUP BY translator.id;

-- Which clients have placed at least ten assignments?
SELECT client FROM assignment GROUP BY client HAVING COUNT(*) >= 10;

-- What are the next five assignments by due date after 2025-03-01? Show client and due date.
SELECT client, due FROM assignment WHERE due > '2025-03-01' ORDER BY due LIMIT 5;

-- What is the average rate per word for each mother tongue?
SELECT mother_tongue, AVG(rate_per_word) FROM translator GROUP BY mother_tongue;

-- Rank the target languages by total words, largest first, and show both.
SELECT target_language, SUM(words) FROM assignment GROUP BY target_language ORDER BY SUM(words) DESC;

-- Who has been asked to translate into a language that is not their mother tongue? Each name once.
SELECT DISTINCT translator.name FROM translator JOIN assignment ON assignment.translator_id = translator.id WHERE assignment.target_language != translator.mother_tongue;

-- What does each assignment cost us, as words times rate? Show the client and the cost.
SELECT assignment.client, assignment.words * translator.rate_per_word FROM assignment JOIN translator ON assignment.translator_id = translator.id;

-- Which translators are without any assignment?
SELECT translator.name FROM translator LEFT JOIN assignment ON assignment.translator_id = translator.id WHERE assignment.id IS NULL;

-- Who charges less than the average rate?
SELECT name FROM translator WHERE rate_per_word < (SELECT AVG(rate_per_word) FROM translator);

-- How many assignments fall due in each year?
SELECT strftime('%Y', due), COUNT(*) FROM assignment GROUP BY strftime('%Y', due);

-- For which translators is there no assignment into Danish?
SELECT name FROM translator WHERE NOT EXISTS (SELECT 1 FROM assignment WHERE assignment.translator_id = translator.id AND assignment.target_language = 'Danish');
