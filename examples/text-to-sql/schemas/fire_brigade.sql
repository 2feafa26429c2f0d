CREATE TABLE engine (id INTEGER PRIMARY KEY, call_sign TEXT, station TEXT, water_litres INTEGER);
CREATE TABLE incident (id INTEGER PRIMARY KEY, kind TEXT, street TEXT, reported DATE, injured INTEGER);
CREATE TABLE dispatch (incident_id INTEGER, engine_id INTEGER NOT NULL, crew_size INTEGER);

-- Which engines are kept at the Northgate station? Give their call signs.
SELECT call_sign FROM engine WHERE station = 'Northgate';

-- How many incidents of the kind chimney fire have been reported?
SELECT COUNT(*) FROM incident WHERE kind = 'chimney fire';

-- How much water, in litres, does the engine Florian 7 carry?
SELECT water_litres FROM engine WHERE call_sign = 'Florian 7';

-- On which streets did an incident leave more than two people injured?
SELECT street FROM incident WHERE injured > 2;

-- What kinds of incident do we deal with?
SELECT DISTINCT kind FROM incident;

-- Show kind and street of everything reported on 2024-01-01.
SELECT kind, street FROM incident WHERE reported = '2024-01-01';

-- How many people have been injured in total?
SELECT SUM(injured) FROM incident;

-- Which engines carry 0 litres of water? Call signs only.
SELECT call_sign FROM engine WHERE water_litres = 0;

-- List street and date of the incidents whose number of injured is unknown.
SELECT street, reported FROM incident WHERE injured IS NULL;

-- What was the largest crew ever dispatched?
SELECT MAX(crew_size) FROM dispatch;

-- How many incidents of each kind were there?
SELECT kind, COUNT(*) FROM incident GROUP BY kind;

-- Which street has had the most incidents?
SELECT street FROM incident GROUP BY street ORDER BY COUNT(*) DESC LIMIT 1;

-- How many litres of water can each station bring along?
SELECT station, SUM(water_litres) FROM engine GROUP BY station;

-- How often has each engine been dispatched? Show call sign and count.
SELECT engine.call_sign, COUNT(*) FROM engine JOIN dispatch ON dispatch.engine_id = engine.id GROUP BY engine.id;

-- List the ten most recent incidents with date and kind.
SELECT reported, kind FROM incident ORDER BY reported DESC LIMIT 10;

-- Which kinds of incident have injured over 20 people altogether?
SELECT kind FROM incident GROUP BY kind HAVING SUM(injured) > 20;

-- What is the average crew size sent from each station?
SELECT engine.station, AVG(dispatch.crew_size) FROM engine JOIN dispatch ON dispatch.engine_id = engine.id GROUP BY engine.station;

-- How many firefighters were sent to each incident on Mill Lane? Give the date and the total crew.
SELECT incident.reported, SUM(dispatch.crew_size) FROM incident JOIN dispatch ON dispatch.incident_id = incident.id WHERE incident.street = 'Mill Lane' GROUP BY incident.id;

-- Which engines have been to Mill Lane? List each call sign once.
SELECT DISTINCT engine.call_sign FROM engine JOIN dispatch ON dispatch.engine_id = engine.id JOIN incident ON dispatch.incident_id = incident.id WHERE incident.street = 'Mill Lane';

-- Which engines have never been dispatched? Call signs, please.
SELECT call_sign FROM engine WHERE id NOT IN (SELECT engine_id FROM dispatch);

-- How many incidents were reported in December, in any year?
SELECT COUNT(*) FROM incident WHERE strftime('%m', reported) = '12';

-- To which incidents was more than one engine sent? Show street and date.
SELECT incident.street, incident.reported FROM incident JOIN dispatch ON dispatch.incident_id = incident.id GROUP BY incident.id HAVING COUNT(*) > 1;

-- Name the kinds of incident that the Northgate station has been called to, each once.
SELECT DISTINCT incident.kind FROM incident JOIN dispatch ON dispatch.incident_id = incident.id JOIN engine ON dispatch.engine_id = engine.id WHERE engine.station = 'Northgate';
