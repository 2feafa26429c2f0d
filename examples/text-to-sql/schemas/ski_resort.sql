CREATE TABLE lift (id INTEGER PRIMARY KEY, name TEXT, seats INTEGER, built INTEGER);
CREATE TABLE slope (id INTEGER PRIMARY KEY, name TEXT, lift_id INTEGER, colour TEXT, metres INTEGER);
CREATE TABLE snow_report (id INTEGER PRIMARY KEY, slope_id INTEGER NOT NULL, day DATE, depth_cm INTEGER);

-- Which slopes are black?
SELECT name FROM slope WHERE colour = 'black';

-- How many lifts were built after 2000?
SELECT COUNT(*) FROM lift WHERE built > 2000;

-- How long is Devil's Elbow in metres?
SELECT metres FROM slope WHERE name = 'Devil''s Elbow';

-- List each slope longer than 3000 metres along with its colour.
SELECT name, colour FROM slope WHERE metres > 3000;

-- What is the total length of all slopes, in metres?
SELECT SUM(metres) FROM slope;

-- Which slopes have no lift assigned to them?
SELECT name FROM slope WHERE lift_id IS NULL;

-- Which slope colours are used at the resort?
SELECT DISTINCT colour FROM slope;

-- On which days was a depth of less than 20 cm reported? No duplicates.
SELECT DISTINCT day FROM snow_report WHERE depth_cm < 20;

-- Name the lifts with 6 or 8 seats.
SELECT name FROM lift WHERE seats IN (6, 8);

-- What was the greatest snow depth ever reported?
SELECT MAX(depth_cm) FROM snow_report;

-- How many slopes are there of each colour?
SELECT colour, COUNT(*) FROM slope GROUP BY colour;

-- Which slopes does the Eagle Express serve?
SELECT slope.name FROM slope JOIN lift ON slope.lift_id = lift.id WHERE lift.name = 'Eagle Express';

-- What is the longest blue slope?
SELECT name FROM slope WHERE colour = 'blue' ORDER BY metres DESC LIMIT 1;

-- List the lifts from oldest to newest, with the year they were built.
SELECT name, built FROM lift ORDER BY built;

-- What is the average length of the slopes of each colour?
SELECT colour, AVG(metres) FROM slope GROUP BY colour;

-- Show lift name and number of slopes for all lifts that serve at least one slope.
SELECT lift.name, COUNT(*) FROM lift JOIN slope ON slope.lift_id = lift.id GROUP BY lift.id;

-- On which days did the average reported depth exceed 150 cm?
SELECT day FROM snow_report GROUP BY day HAVING AVG(depth_cm) > 150;

-- How deep was the snow on each slope on 2024-01-20? Give slope name and depth.
SELECT slope.name, snow_report.depth_cm FROM slope JOIN snow_report ON snow_report.slope_id = slope.id WHERE snow_report.day = '2024-01-20';

-- What depths have been reported for the slopes of the Eagle Express? Show slope, day and depth.
SELECT slope.name, snow_report.day, snow_report.depth_cm FROM slope JOIN lift ON slope.lift_id = lift.id JOIN snow_report ON snow_report.slope_id = slope.id WHERE lift.name = 'Eagle Express';

-- Which lifts serve no slope?
SELECT lift.name FROM lift LEFT JOIN slope ON slope.lift_id = lift.id WHERE slope.id IS NULL;

-- What was the average depth in January, over all years?
SELECT AVG(depth_cm) FROM snow_report WHERE strftime('%m', day) = '01';

-- Which slopes have never had a snow report?
SELECT name FROM slope WHERE id NOT IN (SELECT slope_id FROM snow_report);

-- Which lifts serve both red and black slopes?
SELECT lift.name FROM lift JOIN slope ON slope.lift_id = lift.id WHERE slope.colour = 'red' INTERSECT SELECT lift.name FROM lift JOIN slope ON slope.lift_id = lift.id WHERE slope.colour = 'black';

-- For which slopes is there no report of 100 cm or more?
SELECT name FROM slope WHERE NOT EXISTS (SELECT 1 FROM snow_report WHERE snow_report.slope_id = slope.id AND snow_report.depth_cm >= 100);
