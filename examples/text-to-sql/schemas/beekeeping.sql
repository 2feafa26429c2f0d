CREATE TABLE hive (id INTEGER PRIMARY KEY, meadow TEXT, breed TEXT, queen_born INTEGER, frames INTEGER);
CREATE TABLE honey_run (id INTEGER PRIMARY KEY, hive_id INTEGER, taken_on DATE, flavour TEXT, kilos REAL);

-- How many hives stand in Heather Field?
SELECT COUNT(*) FROM hive WHERE meadow = 'Heather Field';

-- Which hives, by id, hold Carniolan bees?
SELECT id FROM hive WHERE breed = 'Carniolan';

-- What breeds do we keep?
SELECT DISTINCT breed FROM hive;

-- What was the biggest single honey run, in kilos?
SELECT MAX(kilos) FROM honey_run;

-- Give the id and meadow of each hive with a queen born before 2020.
SELECT id, meadow FROM hive WHERE queen_born < 2020;

-- How many hives have lost their queen, so that no year of birth is recorded for her?
SELECT COUNT(*) FROM hive WHERE queen_born IS NULL;

-- How much acacia honey have we taken, in kilos?
SELECT SUM(kilos) FROM honey_run WHERE flavour = 'acacia';

-- Show date and flavour of the runs that yielded more than 18.5 kilos.
SELECT taken_on, flavour FROM honey_run WHERE kilos > 18.5;

-- Which meadows have hives with 8 to 10 frames? Each meadow once.
SELECT DISTINCT meadow FROM hive WHERE frames BETWEEN 8 AND 10;

-- On what dates did we take lime or chestnut honey?
SELECT taken_on FROM honey_run WHERE flavour IN ('lime', 'chestnut');

-- How many hives are there in each meadow?
SELECT meadow, COUNT(*) FROM hive GROUP BY meadow;

-- Which flavour has given the most honey?
SELECT flavour FROM honey_run GROUP BY flavour ORDER BY SUM(kilos) DESC LIMIT 1;

-- List the honey runs from Heather Field with date and kilos.
SELECT honey_run.taken_on, honey_run.kilos FROM honey_run JOIN hive ON honey_run.hive_id = hive.id WHERE hive.meadow = 'Heather Field';

-- What is the average yield of a run for each breed?
SELECT hive.breed, AVG(honey_run.kilos) FROM hive JOIN honey_run ON honey_run.hive_id = hive.id GROUP BY hive.breed;

-- In which meadows do we keep fewer than three hives?
SELECT meadow FROM hive GROUP BY meadow HAVING COUNT(*) < 3;

-- Order the hives by number of frames, most first; show id and frames.
SELECT id, frames FROM hive ORDER BY frames DESC;

-- What was the date of the most recent run of clover honey?
SELECT MAX(taken_on) FROM honey_run WHERE flavour = 'clover';

-- How many kilos came from each meadow?
SELECT hive.meadow, SUM(honey_run.kilos) FROM hive JOIN honey_run ON honey_run.hive_id = hive.id GROUP BY hive.meadow;

-- Which flavours have Buckfast hives produced? List each once.
SELECT DISTINCT honey_run.flavour FROM honey_run JOIN hive ON honey_run.hive_id = hive.id WHERE hive.breed = 'Buckfast';

-- Which hives have not given any honey? Return their ids.
SELECT hive.id FROM hive LEFT JOIN honey_run ON honey_run.hive_id = hive.id WHERE honey_run.id IS NULL;

-- How many kilos of honey did we take in 2021?
SELECT SUM(kilos) FROM honey_run WHERE strftime('%Y', taken_on) = '2021';

-- Which runs gave more than twice the average? Show the id and the kilos.
SELECT id, kilos FROM honey_run WHERE kilos > 2 * (SELECT AVG(kilos) FROM honey_run);

-- Which meadows hold both Carniolan and Buckfast hives?
SELECT meadow FROM hive WHERE breed = 'Carniolan' INTERSECT SELECT meadow FROM hive WHERE breed = 'Buckfast';

-- Call each hive 'large' if it has more than 10 frames and 'small' otherwise; show the id and that word.
SELECT id, CASE WHEN frames > 10 THEN 'large' ELSE 'small' END FROM hive;
