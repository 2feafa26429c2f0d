CREATE TABLE runner (bib INTEGER PRIMARY KEY, name TEXT, team TEXT, born INTEGER);
CREATE TABLE finish (race TEXT, bib INTEGER NOT NULL, held_on DATE, minutes REAL, place INTEGER);

-- Who runs with bib 301?
SELECT name FROM runner WHERE bib = 301;

-- Which runners belong to the team Swift Hares?
SELECT name FROM runner WHERE team = 'Swift Hares';

-- How many runners were born after 1999?
SELECT COUNT(*) FROM runner WHERE born > 1999;

-- Show race and minutes for all finishes of bib 301.
SELECT race, minutes FROM finish WHERE bib = 301;

-- What is the fastest time, in minutes, ever run in the Lakeside Ten?
SELECT MIN(minutes) FROM finish WHERE race = 'Lakeside Ten';

-- Name all the races, each one once.
SELECT DISTINCT race FROM finish;

-- Which finishes were not given a place? List race and bib.
SELECT race, bib FROM finish WHERE place IS NULL;

-- How many finishes were faster than 40 minutes?
SELECT COUNT(*) FROM finish WHERE minutes < 40;

-- Which bibs came in place 1, 2 or 3 at the Lakeside Ten on 2024-09-15?
SELECT bib FROM finish WHERE race = 'Lakeside Ten' AND held_on = '2024-09-15' AND place IN (1, 2, 3);

-- Find the names of runners born between 1970 and 1979.
SELECT name FROM runner WHERE born BETWEEN 1970 AND 1979;

-- How many runners does each team have?
SELECT team, COUNT(*) FROM runner GROUP BY team;

-- What is the average finishing time for each race?
SELECT race, AVG(minutes) FROM finish GROUP BY race;

-- Who finished in place 1 at the Lakeside Ten on 2024-09-15?
SELECT runner.name FROM runner JOIN finish ON finish.bib = runner.bib WHERE finish.race = 'Lakeside Ten' AND finish.held_on = '2024-09-15' AND finish.place = 1;

-- For everyone who has finished in place 1, give the name and how many times that happened.
SELECT runner.name, COUNT(*) FROM runner JOIN finish ON finish.bib = runner.bib WHERE finish.place = 1 GROUP BY runner.bib;

-- Who is the oldest runner?
SELECT name FROM runner ORDER BY born LIMIT 1;

-- Which teams have more than 12 runners?
SELECT team FROM runner GROUP BY team HAVING COUNT(*) > 12;

-- Show the results of Lakeside Ten by time, fastest first, with name and minutes.
SELECT runner.name, finish.minutes FROM runner JOIN finish ON finish.bib = runner.bib WHERE finish.race = 'Lakeside Ten' ORDER BY finish.minutes;

-- What is the best place each team has ever reached?
SELECT runner.team, MIN(finish.place) FROM runner JOIN finish ON finish.bib = runner.bib GROUP BY runner.team;

-- Which runners have never finished a race?
SELECT name FROM runner WHERE bib NOT IN (SELECT bib FROM finish);

-- Who has run both the Lakeside Ten and the Vineyard Mile? Give bibs.
SELECT bib FROM finish WHERE race = 'Lakeside Ten' INTERSECT SELECT bib FROM finish WHERE race = 'Vineyard Mile';

-- How many finishes do we have for 2022?
SELECT COUNT(*) FROM finish WHERE strftime('%Y', held_on) = '2022';

-- Which bibs have run the Vineyard Mile faster than its average time? Each bib once.
SELECT DISTINCT bib FROM finish WHERE race = 'Vineyard Mile' AND minutes < (SELECT AVG(minutes) FROM finish WHERE race = 'Vineyard Mile');

-- How old was each finisher in the year of the race? Show the name, the race and the year of the race minus the year of birth.
SELECT runner.name, finish.race, strftime('%Y', finish.held_on) - runner.born FROM runner JOIN finish ON finish.bib = runner.bib;

-- Which finishes took less than 30 minutes or reached place 1? Show race and bib.
SELECT race, bib FROM finish WHERE minutes < 30 OR place = 1;
