CREATE TABLE telescope (id INTEGER PRIMARY KEY, name TEXT, aperture_cm REAL, kind TEXT);
CREATE TABLE target (id INTEGER PRIMARY KEY, name TEXT, class TEXT, magnitude REAL);
CREATE TABLE exposure (id INTEGER PRIMARY KEY, telescope_id INTEGER, target_id INTEGER NOT NULL, night DATE, seconds INTEGER);

-- Which telescopes are of the kind refractor?
SELECT name FROM telescope WHERE kind = 'refractor';

-- How many targets belong to the class galaxy?
SELECT COUNT(*) FROM target WHERE class = 'galaxy';

-- What is the aperture of the telescope called Argus?
SELECT aperture_cm FROM telescope WHERE name = 'Argus';

-- Give name and magnitude of the targets with a magnitude under 6.
SELECT name, magnitude FROM target WHERE magnitude < 6;

-- What classes of targets are in the database?
SELECT DISTINCT class FROM target;

-- What is the total exposure time in seconds?
SELECT SUM(seconds) FROM exposure;

-- Which targets have not had their magnitude measured?
SELECT name FROM target WHERE magnitude IS NULL;

-- On which nights were exposures longer than 1800 seconds taken? Each night once.
SELECT DISTINCT night FROM exposure WHERE seconds > 1800;

-- List the targets whose names start with NGC.
SELECT name FROM target WHERE name LIKE 'NGC%';

-- How many exposures were made on the night of 2023-08-12?
SELECT COUNT(*) FROM exposure WHERE night = '2023-08-12';

-- How many targets are there in every class?
SELECT class, COUNT(*) FROM target GROUP BY class;

-- Name the telescope with the largest aperture.
SELECT name FROM telescope ORDER BY aperture_cm DESC LIMIT 1;

-- How many seconds has each telescope been exposing?
SELECT telescope.name, SUM(exposure.seconds) FROM telescope JOIN exposure ON exposure.telescope_id = telescope.id GROUP BY telescope.id;

-- What is the average magnitude per class?
SELECT class, AVG(magnitude) FROM target GROUP BY class;

-- When was M51 observed? List the nights in order.
SELECT exposure.night FROM exposure JOIN target ON exposure.target_id = target.id WHERE target.name = 'M51' ORDER BY exposure.night;

-- Which classes have fewer than ten targets?
SELECT class FROM target GROUP BY class HAVING COUNT(*) < 10;

-- Which three targets have the lowest magnitude, leaving out those not measured?
SELECT name FROM target WHERE magnitude IS NOT NULL ORDER BY magnitude LIMIT 3;

-- On which nights was Argus used? No repeats.
SELECT DISTINCT exposure.night FROM exposure JOIN telescope ON exposure.telescope_id = telescope.id WHERE telescope.name = 'Argus';

-- Which targets has Argus observed? Give every target once.
SELECT DISTINCT target.name FROM target JOIN exposure ON exposure.target_id = target.id JOIN telescope ON exposure.telescope_id = telescope.id WHERE telescope.name = 'Argus';

-- Which targets have never been observed?
SELECT name FROM target WHERE id NOT IN (SELECT target_id FROM exposure);

-- For each kind of telescope, how many seconds of exposure went into targets of the class comet?
SELECT telescope.kind, SUM(exposure.seconds) FROM telescope JOIN exposure ON exposure.telescope_id = telescope.id JOIN target ON exposure.target_id = target.id WHERE target.class = 'comet' GROUP BY telescope.kind;

-- How many exposures were made per year?
SELECT strftime('%Y', night), COUNT(*) FROM exposure GROUP BY strftime('%Y', night);

-- Which telescopes have a larger aperture than the average reflector?
SELECT name FROM telescope WHERE aperture_cm > (SELECT AVG(aperture_cm) FROM telescope WHERE kind = 'reflector');
