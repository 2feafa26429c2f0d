CREATE TABLE track_section (id INTEGER PRIMARY KEY, line TEXT, km_length REAL, laid INTEGER);
CREATE TABLE fault (id INTEGER PRIMARY KEY, section_id INTEGER, kind TEXT, severity INTEGER, found_on DATE, fixed_on DATE);

-- Which sections, by id, belong to the Coastal line?
SELECT id FROM track_section WHERE line = 'Coastal';

-- How many faults are still waiting to be fixed?
SELECT COUNT(*) FROM fault WHERE fixed_on IS NULL;

-- What is the total length of the Coastal line in km?
SELECT SUM(km_length) FROM track_section WHERE line = 'Coastal';

-- List the different kinds of fault.
SELECT DISTINCT kind FROM fault;

-- Show kind and discovery date of the faults with severity 5.
SELECT kind, found_on FROM fault WHERE severity = 5;

-- How many sections were laid before 1960?
SELECT COUNT(*) FROM track_section WHERE laid < 1960;

-- When were the cracked rail faults found?
SELECT found_on FROM fault WHERE kind = 'cracked rail';

-- Give the id and line of every section between 8 and 12 km long.
SELECT id, line FROM track_section WHERE km_length BETWEEN 8 AND 12;

-- What is the average severity of a loose bolt?
SELECT AVG(severity) FROM fault WHERE kind = 'loose bolt';

-- Which faults of severity 4 or more were found on 2023-11-30? Return their ids.
SELECT id FROM fault WHERE severity >= 4 AND found_on = '2023-11-30';

-- How many sections does each line consist of?
SELECT line, COUNT(*) FROM track_section GROUP BY line;

-- For each kind of fault, how many cases do we know and how severe are they on average?
SELECT kind, COUNT(*), AVG(severity) FROM fault GROUP BY kind;

-- Which line is the longest in total?
SELECT line FROM track_section GROUP BY line ORDER BY SUM(km_length) DESC LIMIT 1;

-- How many faults were found on each line?
SELECT track_section.line, COUNT(*) FROM track_section JOIN fault ON fault.section_id = track_section.id GROUP BY track_section.line;

-- Which lines add up to more than 150 km?
SELECT line FROM track_section GROUP BY line HAVING SUM(km_length) > 150;

-- List the unfixed faults, the most severe at the top, with kind and severity.
SELECT kind, severity FROM fault WHERE fixed_on IS NULL ORDER BY severity DESC;

-- What kinds of fault occur on the Coastal line? List each kind once.
SELECT DISTINCT fault.kind FROM fault JOIN track_section ON fault.section_id = track_section.id WHERE track_section.line = 'Coastal';

-- How many severe faults, with a severity above 3, does each line have?
SELECT track_section.line, COUNT(*) FROM track_section JOIN fault ON fault.section_id = track_section.id WHERE fault.severity > 3 GROUP BY track_section.line;

-- Which sections are free of faults? Give id and line.
SELECT track_section.id, track_section.line FROM track_section LEFT JOIN fault ON fault.section_id = track_section.id WHERE fault.id IS NULL;

-- How many days did each fixed fault take from discovery to repair? Show the fault id and the days.
SELECT id, julianday(fixed_on) - julianday(found_on) FROM fault WHERE fixed_on IS NOT NULL;

-- How many faults were found in 2020?
SELECT COUNT(*) FROM fault WHERE strftime('%Y', found_on) = '2020';

-- Which sections are longer than the average section of the Coastal line? Give their ids.
SELECT id FROM track_section WHERE km_length > (SELECT AVG(km_length) FROM track_section WHERE line = 'Coastal');

-- Which lines have had both a cracked rail and a loose bolt?
SELECT track_section.line FROM track_section JOIN fault ON fault.section_id = track_section.id WHERE fault.kind = 'cracked rail' INTERSECT SELECT track_section.line FROM track_section JOIN fault ON fault.section_id = track_section.id WHERE fault.kind = 'loose bolt';

-- Which faults have severity 5 or are of the kind cracked rail? Ids, please.
SELECT id FROM fault WHERE severity = 5 OR kind = 'cracked rail';
