CREATE TABLE chorister (id INTEGER PRIMARY KEY, name TEXT, voice TEXT, since DATE);
CREATE TABLE rehearsal (id INTEGER PRIMARY KEY, held_on DATE, place TEXT, minutes INTEGER);
CREATE TABLE attendance (chorister_id INTEGER NOT NULL, rehearsal_id INTEGER, excuse TEXT);

-- Who sings alto?
SELECT name FROM chorister WHERE voice = 'alto';

-- How many people sing tenor?
SELECT COUNT(*) FROM chorister WHERE voice = 'tenor';

-- What voice does Ingrid Solberg sing?
SELECT voice FROM chorister WHERE name = 'Ingrid Solberg';

-- On which dates did we rehearse in the Old Chapel?
SELECT held_on FROM rehearsal WHERE place = 'Old Chapel';

-- Show date and place of every rehearsal longer than 150 minutes.
SELECT held_on, place FROM rehearsal WHERE minutes > 150;

-- Which members have been with us since before 2010-01-01?
SELECT name FROM chorister WHERE since < '2010-01-01';

-- Where do we rehearse? Each place once, please.
SELECT DISTINCT place FROM rehearsal;

-- How many minutes have we rehearsed in total?
SELECT SUM(minutes) FROM rehearsal;

-- Who has not been assigned a voice yet?
SELECT name FROM chorister WHERE voice IS NULL;

-- List the names of everyone who sings soprano or alto.
SELECT name FROM chorister WHERE voice IN ('soprano', 'alto');

-- How many singers are there for each voice?
SELECT voice, COUNT(*) FROM chorister GROUP BY voice;

-- What is the average length of the rehearsals at each place?
SELECT place, AVG(minutes) FROM rehearsal GROUP BY place;

-- Who are the five newest members?
SELECT name FROM chorister ORDER BY since DESC LIMIT 5;

-- How many entries does each chorister have in the attendance list? Show name and count.
SELECT chorister.name, COUNT(*) FROM chorister JOIN attendance ON attendance.chorister_id = chorister.id GROUP BY chorister.id;

-- What excuses has Ingrid Solberg given? Skip the blanks and list each excuse once.
SELECT DISTINCT attendance.excuse FROM attendance JOIN chorister ON attendance.chorister_id = chorister.id WHERE chorister.name = 'Ingrid Solberg' AND attendance.excuse IS NOT NULL;

-- Which places have hosted at least 15 rehearsals?
SELECT place FROM rehearsal GROUP BY place HAVING COUNT(*) >= 15;

-- List all rehearsals in order of date, giving date and minutes.
SELECT held_on, minutes FROM rehearsal ORDER BY held_on;

-- What is the most frequent excuse, blanks aside?
SELECT excuse FROM attendance WHERE excuse IS NOT NULL GROUP BY excuse ORDER BY COUNT(*) DESC LIMIT 1;

-- Who is on the attendance list of the rehearsal on 2024-11-05?
SELECT chorister.name FROM chorister JOIN attendance ON attendance.chorister_id = chorister.id JOIN rehearsal ON attendance.rehearsal_id = rehearsal.id WHERE rehearsal.held_on = '2024-11-05';

-- For each rehearsal, how many bass singers are listed without an excuse? Show the date and the number.
SELECT rehearsal.held_on, COUNT(*) FROM rehearsal JOIN attendance ON attendance.rehearsal_id = rehearsal.id JOIN chorister ON attendance.chorister_id = chorister.id WHERE chorister.voice = 'bass' AND attendance.excuse IS NULL GROUP BY rehearsal.id;

-- Who has never appeared on an attendance list?
SELECT name FROM chorister WHERE id NOT IN (SELECT chorister_id FROM attendance);

-- Which rehearsals ran longer than average? Show their dates.
SELECT held_on FROM rehearsal WHERE minutes > (SELECT AVG(minutes) FROM rehearsal);

-- Over all years, how many rehearsals did we hold in each calendar month? Number the months 01 to 12.
SELECT strftime('%m', held_on), COUNT(*) FROM rehearsal GROUP BY strftime('%m', held_on);

-- For which rehearsals is there no attendance entry? Give the dates.
SELECT held_on FROM rehearsal WHERE NOT EXISTS (SELECT 1 FROM attendance WHERE attendance.rehearsal_id = rehearsal.id);
