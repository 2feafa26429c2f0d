CREATE TABLE hut (id INTEGER PRIMARY KEY, name TEXT, region TEXT, altitude_m INTEGER, bunks INTEGER);
CREATE TABLE trail (id INTEGER PRIMARY KEY, from_hut_id INTEGER, to_hut_id INTEGER NOT NULL, hours REAL, grade TEXT);

-- Which huts are in the Stubai region?
SELECT name FROM hut WHERE region = 'Stubai';

-- How many bunks does the Falkenhütte offer?
SELECT bunks FROM hut WHERE name = 'Falkenhütte';

-- How many trails are graded hard?
SELECT COUNT(*) FROM trail WHERE grade = 'hard';

-- List name and altitude of the huts above 2800 metres.
SELECT name, altitude_m FROM hut WHERE altitude_m > 2800;

-- What regions do the huts lie in? Each one once.
SELECT DISTINCT region FROM hut;

-- How many bunks are there in the Zillertal region?
SELECT SUM(bunks) FROM hut WHERE region = 'Zillertal';

-- Which trails take between 3 and 5 hours? Return the ids.
SELECT id FROM trail WHERE hours BETWEEN 3 AND 5;

-- What is the duration in hours of the longest easy trail?
SELECT MAX(hours) FROM trail WHERE grade = 'easy';

-- Which huts have fewer than 20 bunks but lie higher than 2500 metres?
SELECT name FROM hut WHERE bunks < 20 AND altitude_m > 2500;

-- How many trails have not been graded?
SELECT COUNT(*) FROM trail WHERE grade IS NULL;

-- How many huts are there in each region?
SELECT region, COUNT(*) FROM hut GROUP BY region;

-- Which hut lies highest? Give its name and region.
SELECT name, region FROM hut ORDER BY altitude_m DESC LIMIT 1;

-- What is the average walking time for each grade of trail?
SELECT grade, AVG(hours) FROM trail GROUP BY grade;

-- How many trails start at each hut? Show hut name and number.
SELECT hut.name, COUNT(*) FROM hut JOIN trail ON trail.from_hut_id = hut.id GROUP BY hut.id;

-- Which regions offer more than 300 bunks in total?
SELECT region FROM hut GROUP BY region HAVING SUM(bunks) > 300;

-- List hours and grade of all trails starting at the Falkenhütte, shortest first.
SELECT trail.hours, trail.grade FROM trail JOIN hut ON trail.from_hut_id = hut.id WHERE hut.name = 'Falkenhütte' ORDER BY trail.hours;

-- Sort the huts of Stubai by number of bunks, most first.
SELECT name FROM hut WHERE region = 'Stubai' ORDER BY bunks DESC;

-- What grades of trail lead to huts in Stubai? List each grade once.
SELECT DISTINCT trail.grade FROM trail JOIN hut ON trail.to_hut_id = hut.id WHERE hut.region = 'Stubai';

-- Show every trail as start hut, end hut and hours.
SELECT origin.name, goal.name, trail.hours FROM trail JOIN hut AS origin ON trail.from_hut_id = origin.id JOIN hut AS goal ON trail.to_hut_id = goal.id;

-- Which huts can be reached directly from the Falkenhütte?
SELECT goal.name FROM trail JOIN hut AS origin ON trail.from_hut_id = origin.id JOIN hut AS goal ON trail.to_hut_id = goal.id WHERE origin.name = 'Falkenhütte';

-- Which huts are never the end of a trail?
SELECT name FROM hut WHERE id NOT IN (SELECT to_hut_id FROM trail);

-- Which huts lie above the average altitude of the Zillertal huts?
SELECT name FROM hut WHERE altitude_m > (SELECT AVG(altitude_m) FROM hut WHERE region = 'Zillertal');

-- How many metres does each trail climb, taking the altitude of the end hut minus that of the start hut? Show the trail id first.
SELECT trail.id, goal.altitude_m - origin.altitude_m FROM trail JOIN hut AS origin ON trail.from_hut_id = origin.id JOIN hut AS goal ON trail.to_hut_id = goal.id;

-- Which trails start or end at the hut with id 12? Give the trail ids.
SELECT id FROM trail WHERE from_hut_id = 12 OR to_hut_id = 12;
